"""What is kept on disk: run folders, written whole or not at all."""
