"""The built causeway.exe and causewayw.exe: what a user's Windows is asked to load."""

import os
import re
import struct
import xml.etree.ElementTree as ElementTree

import pytest
import repository
from repository import WINDOWS_BUILD
from windows.pe_file import MANIFEST, RELOCATIONS, VERSION, PeFile
from windows.wine import Prefix, missing

SHIM = os.path.join(WINDOWS_BUILD, "host-shim")
PROGRAMS = {"causeway.exe": "console", "causewayw.exe": "windows"}
# Part of every Windows 10 and 11 in System32; msvcrt.dll is Windows' own C library.
WINDOWS_OWN = {"advapi32.dll", "bcrypt.dll", "kernel32.dll", "msvcrt.dll", "ole32.dll", "shell32.dll", "user32.dll", "ws2_32.dll",
               "mswsock.dll", "ntdll.dll", "wtsapi32.dll"}
LARGEST = 2 * 10 ** 6

pytestmark = pytest.mark.skipif(not all(os.path.exists(f"{SHIM}/{name}") for name in PROGRAMS), reason="build/windows isn't built")


@pytest.fixture(params=PROGRAMS)
def name(request):
    return request.param


@pytest.fixture
def pe(name):
    return PeFile(f"{SHIM}/{name}")


def foreign(dlls):
    return sorted(set(dlls) - WINDOWS_OWN)


def test_size(name):
    assert os.path.getsize(f"{SHIM}/{name}") <= LARGEST


def test_only_windows_own_dlls_are_loaded(pe):
    dlls = pe.dlls()
    assert {"kernel32.dll", "ws2_32.dll"} <= set(dlls)  # they are found at all
    assert not foreign(dlls)


def test_what_a_compiler_leaves_behind_is_foreign():
    """The negative control: what a program links to when it isn't static."""
    brought = ["libgcc_s_seh-1.dll", "libstdc++-6.dll", "libwinpthread-1.dll"]
    assert foreign(["kernel32.dll", *brought]) == brought


def test_console_and_windows_subsystem(name, pe):
    assert pe.subsystem == PROGRAMS[name]  # of the windows one no console appears at logon


def test_memory_protection(pe):
    assert pe.flags == {"high entropy", "relocatable", "no execution of data"}
    assert pe.directories[RELOCATIONS][1] > 0  # without them Windows can't move it


def test_manifest(pe):
    manifest = ElementTree.fromstring(pe.resource(MANIFEST).decode())
    level = manifest.find(".//{*}requestedExecutionLevel")
    assert (level.get("level"), level.get("uiAccess")) == ("asInvoker", "false")
    assert manifest.find(".//{*}activeCodePage").text == "UTF-8"
    assert manifest.find(".//{*}longPathAware").text == "true"
    # Without it Windows shows the program an older version of itself.
    assert manifest.find(".//{*}supportedOS").get("Id") == "{8e0f7a12-bfb3-4fe8-b9a5-48fd50a15a9a}"


def test_version_resource(pe):
    resource = pe.resource(VERSION)
    fixed = resource.index(struct.pack("<I", 0xFEEF04BD))
    numbers = struct.unpack_from("<4H", resource, fixed + 8)  # each pair: low word first
    expected = [*map(int, repository.VERSION.split(".")), 0]
    assert [numbers[1], numbers[0], numbers[3], numbers[2]] == expected
    text = resource.decode("utf-16-le", errors="replace")
    for key in ("FileVersion", "ProductVersion"):
        assert re.search(f"{key}\0+([^\0]*)", text)[1] == repository.VERSION


@pytest.mark.skipif(bool(missing()), reason="Windows programs can't run: " + ", ".join(missing()))
def test_it_tells_the_same_version():
    with Prefix() as prefix:
        assert repository.VERSION in prefix.run(f"{SHIM}/causeway.exe", "version").stdout
