"""What do the trials show? Statistics over finished runs, and the verdict in sentences."""
