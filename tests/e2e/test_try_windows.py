"""`packaging/try windows`: causeway.exe beside the VM that packaging/try has started, for any Windows program of this machine."""

import os
import subprocess

import pytest
from repository import BINARY, REPOSITORY
from windows.node_client import ask, install
from windows.wine import Prefix, missing

TRY = os.path.join(REPOSITORY, "packaging", "try")
RELEASE = os.path.join(REPOSITORY, "build", "release", "agent", "causeway")

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason="Windows programs can't run: " + ", ".join(missing())),
    pytest.mark.skipif(os.path.realpath(BINARY) != RELEASE, reason=f"packaging/try builds {RELEASE}; the tests run another binary: {BINARY}"),
]


@pytest.fixture(scope="module")
def tried(machine):
    state = f"/var/tmp/causeway-test-{os.getpid()}-try-windows"

    def command(*arguments, check=True):
        done = subprocess.run([TRY, *arguments], capture_output=True, text=True, check=False, timeout=300, stdin=subprocess.DEVNULL,
                              env={**os.environ, "CAUSEWAY_TRY_STATE": state})
        assert not check or done.returncode == 0, f"try {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    command.state = state
    command()
    yield command
    command("stop", check=False)


def exports(tried):
    """What a shell has after eval."""
    done = subprocess.run(["bash", "-c", f'eval "$({TRY} windows env)"; env -0'], capture_output=True, text=True, check=True,
                          env={**os.environ, "CAUSEWAY_TRY_STATE": tried.state})
    return dict(pair.split("=", 1) for pair in done.stdout.split("\0") if pair)


def processes(state):
    """Of the Wine prefix there, or of wsl.exe's side."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                there = f"WINEPREFIX={state}/windows/prefix".encode() in file.read()
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
                there = there or b"serve" in words and state.encode() in words
        except OSError:
            continue
        if there and int(pid) != os.getpid():
            found.append(pid)
    return found


def test_without_it_env_says_so(tried):
    done = tried("windows", "env", check=False)
    assert done.returncode == 1 and done.stdout == "" and "packaging/try windows" in done.stderr
    assert tried("windows", "stop").returncode == 0  # nothing to stop is no error
    assert tried("windows", "fly", check=False).returncode == 64


def test_a_windows_program_uses_the_pipe(tried):
    told = tried("windows")
    assert "connected" in told.stderr and r"\\.\pipe\docker_engine" in told.stderr
    environment = exports(tried)
    assert environment["CAUSEWAY_PIPE"] == r"\\.\pipe\docker_engine"
    done = subprocess.run([environment["WINE"], environment["CAUSEWAY_EXE"], "status"], env=environment, capture_output=True, text=True,
                          check=False, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and "stdio" in done.stdout and "Ubuntu" in done.stdout, done
    reason = install()
    if reason:
        pytest.skip(reason)
    prefix = Prefix(f"{tried.state}/windows")
    assert ask(prefix, "version")["ping"] == "OK"
    assert ask(prefix, "run", command=["echo", "from the VM"])["out"] == "from the VM\n"


def test_a_second_call_joins(tried):
    before = exports(tried)["WINEPREFIX"]
    assert "connected" in tried("windows").stderr
    assert exports(tried)["WINEPREFIX"] == before


def test_it_outlives_a_restart_of_the_vm(tried):
    tried("restart")
    assert "connected" in tried("windows").stderr


def test_stop_ends_windows_only(tried):
    assert processes(tried.state)
    tried("windows", "stop")
    assert processes(tried.state) == [] and not os.path.exists(f"{tried.state}/windows")
    tried("exec", "Ubuntu", "docker", "ps")
    tried("windows")
    tried("stop")
    assert processes(tried.state) == [] and not os.path.exists(tried.state)
