"""Where things are in this repository and in its builds, and which version it makes."""

import os
import re

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
SUPPORT = os.path.join(REPOSITORY, "tests", "support")
# The agent under test. CAUSEWAY_BINARY names another one than the release build's.
BINARY = os.environ.get("CAUSEWAY_BINARY", os.path.join(REPOSITORY, "build", "release", "agent", "causeway"))
BUILD = os.path.dirname(os.path.dirname(BINARY))
WINDOWS_BUILD = os.path.join(REPOSITORY, "build", "windows")


def support_program(name):
    """The path of one of tests/support/programs, in the build that the agent is from."""
    return os.path.join(BUILD, "tests", "support", "programs", name)


def _version():
    with open(os.path.join(REPOSITORY, "meson.build"), encoding="utf-8") as file:
        return re.search(r"^  version : '([0-9.]+)'", file.read(), re.MULTILINE)[1]


VERSION = _version()
