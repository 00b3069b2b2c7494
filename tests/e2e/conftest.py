"""Whole products: Windows programs under Wine, real kernels under QEMU. Fixtures of the simulated VM: tests/support/vm_fixtures.py."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "support"))
from vm_fixtures import *  # noqa: E402, F403: the fixtures
