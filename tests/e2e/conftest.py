"""Whole products: Windows programs under Wine, real kernels under QEMU. Fixtures of the simulated VM: tests/conftest.py."""

import pytest
import shipped_root
from qemu import guest


@pytest.fixture(scope="session")
def shipped():
    """(report of rootfs/build, folder of the unpacked root file system), built once."""
    lacks = shipped_root.missing()
    if lacks:
        pytest.skip("can't build the root file system: missing " + ", ".join(lacks))
    return shipped_root.build_for_session()


@pytest.fixture(scope="session")
def guests():
    """A machine under QEMU can be had; its kernel is fetched when it isn't there."""
    reason = guest.missing()
    if reason:
        pytest.skip(f"no machine under QEMU: {reason}")
