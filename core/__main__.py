"""``python -m core``: see ``core.cli.parser``."""

import os
import sys

# Threads that wait for one another give their core away instead of spinning. Torch's threads share the machine with
# a browser that draws the map: on two busy cores a training step took 1.3 s with spinning and 0.3-0.4 s without.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from core.cli.parser import main

if __name__ == "__main__":
    sys.exit(main())
