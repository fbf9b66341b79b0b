"""`python -m trompe`: the same as `trompe`."""

import sys

from trompe.cli.main import main

sys.exit(main())
