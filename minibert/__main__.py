"""``python -m minibert`` is the command line, where ``minibert`` itself is not on the PATH."""

import sys

from minibert.cli import main

sys.exit(main())
