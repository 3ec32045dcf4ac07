"""``python -m minibert`` is the command line, where ``minibert`` itself is not on the PATH."""

import sys

from minibert.commands.main import main

if __name__ == "__main__":  # a process that multiprocessing starts imports this, too
    sys.exit(main())
