"""python -m demo"""

import sys

from demo.show import run

sys.exit(run(sys.argv[1:]))
