"""`python -m grubench`."""

import os
import sys

if __name__ == "__main__":
    # `-m` puts the current folder first on the path: files there would run that are named as modules. Nothing but what
    # Python has loaded already may be imported before it is gone.
    if not sys.flags.safe_path and sys.path[0] != os.path.dirname(os.path.dirname(__file__)):  # noqa: PTH120
        del sys.path[0]
    from grubench.cli import main

    main()
