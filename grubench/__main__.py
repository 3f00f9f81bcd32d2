"""`python -m grubench`."""

from grubench.cli import main

if __name__ == "__main__":
    main()
