"""The integration tests: real engines in the simulated WSL VM. Its fixtures are tests/support/vm_fixtures.py."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "support"))
from vm_fixtures import *  # noqa: E402, F403: the fixtures


def pytest_collection_modifyitems(items):
    """The simulator's own tests first: some need to be the only VM, and all else stands on it."""
    items.sort(key=lambda item: item.path.name != "test_vm.py")
