"""packaging/try as a user meets it: the README's first command and its companions."""

import os
import subprocess

import pytest
from repository import BINARY, REPOSITORY
from wslvm import cgroups, kernel, marks

TRY = os.path.join(REPOSITORY, "packaging", "try")
RELEASE = os.path.join(REPOSITORY, "build", "release", "agent", "causeway")


class Try:
    def __init__(self, state):
        self.state = state

    def __call__(self, *arguments, check=True, **options):
        done = subprocess.run([TRY, *arguments], capture_output=True, text=True, check=False, timeout=300,
                              stdin=subprocess.DEVNULL, env={**os.environ, "CAUSEWAY_TRY_STATE": self.state}, **options)
        assert not check or done.returncode == 0, f"try {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


@pytest.fixture(scope="module")
def tried(machine):
    """packaging/try has run once; `tried.first` is what it printed."""
    if os.path.realpath(BINARY) != RELEASE or not os.path.exists(RELEASE):
        pytest.skip(f"packaging/try builds {RELEASE}; the tests run another binary: {BINARY}")
    command = Try(f"/var/tmp/causeway-test-{os.getpid()}-try")
    try:
        command.first = command()
        yield command
    finally:
        command("stop", check=False)


def test_ends_with_a_containers_output(tried):
    assert tried.first.stdout.startswith("Hello from a container")
    assert "packaging/try shell" in tried.first.stderr  # what to do next


def test_a_second_call_joins_what_runs(tried):
    vm = marks.of_state(tried.state)["id"]
    assert tried().stdout.startswith("Hello from a container")
    assert marks.of_state(tried.state)["id"] == vm


def test_exec_passes_user_code_and_output(tried):
    assert tried("exec", "-u", "dev", "Ubuntu", "docker", "run", "--rm", "busybox", "echo", "hi").stdout == "hi\n"
    assert tried("exec", "Ubuntu", "sh", "-c", "exit 9", check=False).returncode == 9


def test_status_tells_of_distros_and_services(tried):
    shown = tried("status").stdout
    for word in ("docker-desktop", "Ubuntu", "containerd", "dockerd", "ready"):
        assert word in shown


def test_env_reaches_the_endpoint_and_dockerd_from_the_machine(tried):
    script = ('eval "$($0 env)"; /usr/bin/docker version --format "{{.Server.Version}}"; '
              'DOCKER_HOST=$CAUSEWAY_DIRECT /usr/bin/docker version --format "{{.Server.Version}}"')
    done = subprocess.run(["bash", "-c", script, TRY], capture_output=True, text=True, check=True, timeout=60,
                          env={**os.environ, "CAUSEWAY_TRY_STATE": tried.state})
    through, direct = done.stdout.split()
    assert through == direct


def test_containers_and_images_survive_restart(tried):
    tried("exec", "Ubuntu", "docker", "run", "-d", "--name", "kept", "--restart", "always", "busybox", "sleep", "1000")
    tried("restart")
    shown = tried("exec", "Ubuntu", "docker", "ps", "--format", "{{.Names}}").stdout
    assert shown == "kept\n"
    tried("exec", "Ubuntu", "docker", "rm", "-f", "kept")


def test_stop_and_start_of_a_distro(tried):
    assert tried("stop-distro", "Ubuntu").stdout == "Ubuntu: disk released\n"
    done = tried("exec", "Ubuntu", "true", check=False)
    assert done.returncode == 1 and "distro Ubuntu does not run" in done.stderr
    tried("start-distro", "Ubuntu")
    tried("exec", "Ubuntu", "docker", "ps")


@pytest.mark.parametrize("arguments, code, says", [
    (["fly"], 64, 'no command "fly"'),
    (["exec", "Ubuntu"], 64, "takes a distro and a command"),
    (["stop-distro"], 64, "takes one distro"),
    (["up", "more"], 64, "Usage"),
    (["exec", "Debian", "true"], 1, "distro Debian does not run"),
])
def test_wrong_use_is_explained(tried, arguments, code, says):
    done = tried(*arguments, check=False)
    assert (done.returncode, says in done.stderr) == (code, True)


@pytest.mark.parametrize("arguments", [["--help"], ["exec", "--help"], ["stop", "-h"]])
def test_help_needs_no_root(arguments):
    done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", TRY, *arguments],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.startswith("Usage: packaging/try")


def test_without_root_it_says_so():
    done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", TRY], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 1 and "needs root" in done.stderr


def test_stop_leaves_nothing(tried):
    vm = marks.of_state(tried.state)["id"]
    assert "nothing is left" in tried("stop").stderr
    assert cgroups.existing(vm) == []
    assert kernel.loops_backed_below(tried.state) == []
    assert not os.path.exists(tried.state)
    assert tried("status", check=False).returncode == 1
    assert tried("stop").returncode == 0  # nothing to stop is no error
