"""Series and windows."""
