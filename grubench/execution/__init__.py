"""Where and when trials run: in processes of this machine, on a Ray cluster, or in this process for debugging."""
