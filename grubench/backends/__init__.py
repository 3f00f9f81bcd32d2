"""What Keras runs on, and this machine."""
