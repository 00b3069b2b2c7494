"""Containers come back with their data: the whole VM dies again and again, and the distro that holds the files starts late, before the
engine, only when it is asked for, or never."""

import os
import signal
import threading

import pytest
from polling import poll
from repository import BINARY
from wslvm.api import identity
from wslvm.folders import fresh_folder

DISTROS = ["docker-desktop", "Ubuntu"]
# Each start of a container notes what it found in /w: the token and how many names there are, or EMPTY.
NOTE_THEN_SLEEP = ('{ [ -f /w/token ] && echo "$(cat /w/token) $(ls -A /w | wc -l)" || echo EMPTY; } >>/seen/$NAME; '
                   "exec sleep 1000000")
POLICIES = ["always", "unless-stopped", "on-failure", "no"]
# What returns by itself after the VM was killed, by docker's own rules: a container that was killed has not ended well.
RETURNS = {"always", "unless-stopped", "on-failure"}


def policy(name):
    return {"RestartPolicy": {"Name": name}, "Init": True}


def kill_vm(vm):
    """Power cut: SIGKILL to all at once, nothing is told to stop. Disks stay, as after `wsl --shutdown` or a crash."""
    os.kill(vm.status()["holder"], signal.SIGKILL)
    poll(lambda: not vm.is_up(), "the VM is gone")


def boot(vm, *distros):
    vm.up(list(distros), causeway=BINARY)


def engine_file(vm, path):
    try:
        with open(f"/proc/{vm.init_pid()}/root{path}", encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def seen(vm, name):
    return engine_file(vm, f"/data/docker/volumes/seen/_data/{name}").splitlines()


def state(vm, name):
    return identity(vm, "engine").inspect(name)["State"]


@pytest.fixture
def populated(make_vm):
    """A VM with Ubuntu and containers of each restart policy that bind one of its folders."""
    vm = make_vm(DISTROS, causeway=BINARY)
    vm.wait_engine()
    vm.load_busybox()
    folder = fresh_folder(vm, "Ubuntu")
    folder.write("token", "real")
    folder.write("other", "x")
    api = identity(vm, "Ubuntu")
    for name in POLICIES:
        container = api.created(name=name, command=("sh", "-c", NOTE_THEN_SLEEP), Env=[f"NAME={name}"], host=policy(name),
                                binds=[f"{folder.path}:/w", "seen:/seen"])
        assert api.start(container).status == 204
    # One bind of a single file, one by --mount, one volume with a device: other ways to the same files.
    api.good("POST", "/volumes/create", {"Name": "devvol", "Driver": "local",
                                         "DriverOpts": {"type": "none", "o": "bind", "device": folder.path}})
    for name, source in {"file": {"binds": [f"{folder.path}/token:/w/token", "seen:/seen"]},
                         "mount": {"mounts": [{"Type": "bind", "Source": folder.path, "Target": "/w"}], "binds": ["seen:/seen"]},
                         "volume": {"binds": ["devvol:/w", "seen:/seen"]}}.items():
        container = api.created(name=name, command=("sh", "-c", NOTE_THEN_SLEEP), Env=[f"NAME={name}"], host=policy("always"), **source)
        assert api.start(container).status == 204
    # Stopped by the user, and one that needs nothing of Ubuntu.
    for name, binds in {"stopped": [f"{folder.path}:/w"], "free": []}.items():
        container = api.created(name=name, command=("sleep", "1000000"), binds=binds, host=policy("unless-stopped"))
        assert api.start(container).status == 204
    api.good("POST", "/containers/stopped/stop")
    for name in [*POLICIES, "file", "mount", "volume"]:
        poll(lambda: seen(vm, name), f"{name} has run")
    vm.folder_path = folder.path
    return vm


WITH_FILES = [*RETURNS, "file", "mount", "volume"]
LIVES = ["before", "late", "on request", "never", "before", "late", "on request", "never", "late", "before"]


def let_ubuntu_start(vm, when):
    if when == "before":
        boot(vm, "Ubuntu", "docker-desktop")
    else:
        boot(vm, "docker-desktop")
    if when == "late":
        vm.wait_engine(integrated=False)
        vm.start("Ubuntu")
    elif when == "on request":
        poll(lambda: asked_for(vm, "Ubuntu"), "the agent asks for Ubuntu", 60)
        vm.start("Ubuntu")
    vm.wait_engine(integrated=when != "never")


def asked_for(vm, distro):
    try:
        return vm.distros().get(distro, {}).get("state") == "waiting"
    except OSError:
        return False  # the agent isn't there yet


def test_the_vm_is_killed_and_started_ten_times(populated):
    vm = populated
    starts = {name: len(seen(vm, name)) for name in [*POLICIES, "file", "mount", "volume"]}
    for life, when in enumerate(LIVES, 1):
        what = f"life {life}, Ubuntu starts {when}"
        # A container with --rm, running when the power goes.
        if when_running(vm):
            identity(vm, "Ubuntu").good("POST", "/containers/create?name=removed", {
                "Image": "busybox", "Cmd": ["sh", "-c", NOTE_THEN_SLEEP], "Env": ["NAME=removed"],
                "HostConfig": {"AutoRemove": True, "NetworkMode": "none", "Binds": [f"{vm.folder_path}:/w", "seen:/seen"]}})
            identity(vm, "Ubuntu").good("POST", "/containers/removed/start")
        kill_vm(vm)
        let_ubuntu_start(vm, when)
        if when == "never":
            expect_stopped_with_reason(vm, what)
        else:
            expect_running_with_data(vm, what, starts)
        assert not state(vm, "stopped")["Running"], f"{what}: the user had stopped it"
        assert state(vm, "free")["Running"], f"{what}: it needs nothing of Ubuntu"
        assert not state(vm, "no")["Running"], f"{what}: its policy is no"
        if "removed" in identity(vm, "engine").names():
            identity(vm, "engine").remove("removed")
    found = {name: set(seen(vm, name)) for name in [*POLICIES, "mount", "volume", "removed"]}
    assert all(lines == {"real 2"} for lines in found.values()), f"a container ran on something else than its files: {found}"
    assert set(seen(vm, "file")) == {"real 1"}


def when_running(vm):
    return vm.status()["distros"].get("Ubuntu", {}).get("running")


def expect_running_with_data(vm, what, starts):
    for name in WITH_FILES:
        poll(lambda: state(vm, name)["Running"], f"{what}: {name} runs (it is {state(vm, name)})", 60)
        poll(lambda: len(seen(vm, name)) > starts[name], f"{what}: {name} has noted its start")
        starts[name] = len(seen(vm, name))
        assert seen(vm, name)[-1] == ("real 1" if name == "file" else "real 2"), f"{what}: {name} sees {seen(vm, name)[-1]}"


def expect_stopped_with_reason(vm, what):
    for name in WITH_FILES:
        shown = state(vm, name)
        assert not shown["Running"], f"{what}: {name} runs without its files: {shown}"
    assert vm.control("/v1/status")[1]["wanted"] == ["Ubuntu"], f"{what}: status doesn't say which distro is missing"
    entry = vm.distros()["Ubuntu"]
    assert (entry["state"], entry["reason"]) == ("waiting", "asked for; it has not been started yet"), f"{what}: {entry}"
    # Started by hand they fail with the distro's name.
    answer = identity(vm, "engine").start("always")
    assert answer.status == 409 and "the WSL distro Ubuntu is not running" in answer.message, f"{what}: docker start says {answer}"
    assert os.listdir(f"/proc/{vm.init_pid()}/root/mnt/distro") == []


def test_a_distro_that_comes_hours_later(populated):
    """Long after everybody gave up: what should run then starts, and the user's word since then holds."""
    vm = populated
    kill_vm(vm)
    let_ubuntu_start(vm, "never")
    expect_stopped_with_reason(vm, "without Ubuntu")
    # (`docker stop` says nothing to docker here: 304, it does not run.)
    identity(vm, "engine").good("POST", "/containers/unless-stopped/update", {"RestartPolicy": {"Name": "no"}})
    identity(vm, "engine").remove("on-failure")
    vm.start("Ubuntu")
    vm.wait_distro("Ubuntu")
    for name in ("always", "mount", "volume", "file"):
        poll(lambda: state(vm, name)["Running"], f"{name} runs", 60)
    assert set(seen(vm, "always")) == {"real 2"}
    assert not state(vm, "unless-stopped")["Running"]
    assert "on-failure" not in identity(vm, "engine").names()


def test_files_and_folders_that_are_gone_are_not_made(populated):
    """While the VM was down the user deleted what was mounted: nothing of it is made again by us, and no file becomes a folder."""
    vm = populated
    kill_vm(vm)
    boot(vm, "Ubuntu")
    root = f"{vm.root('Ubuntu')}{vm.folder_path}"
    os.rename(f"{root}/token", f"{root}/renamed")
    vm.start("docker-desktop")
    vm.wait_engine()
    poll(lambda: state(vm, "always")["Running"], "a folder that is there is mounted", 60)
    answer = identity(vm, "engine").start("file")
    # As a plain docker: for -v it makes a folder of a missing source, and can't mount that over the image's file.
    assert answer.status == 400 and "not a directory" in answer.message, answer
    assert sorted(os.listdir(root)) == ["other", "renamed", "token"] and os.listdir(f"{root}/token") == []


def test_dockerd_dies_while_its_files_are_away(populated):
    """dockerd alone starts anew between the distro's end and its return: what was stopped with the share starts with it."""
    vm = populated
    vm.stop("Ubuntu")
    poll(lambda: not state(vm, "always")["Running"], "the containers are stopped with their share")
    os.kill(vm.dockerd_pid(), signal.SIGKILL)
    vm.wait_engine(integrated=False)
    poll(lambda: vm.control("/v1/status")[0] == 200, "the agent answers")
    assert not state(vm, "always")["Running"]
    vm.start("Ubuntu")
    vm.wait_distro("Ubuntu")
    for name in (*WITH_FILES, "no"):  # `no` ran when its share went: it comes back with it
        poll(lambda: state(vm, name)["Running"], f"{name} runs again", 60)
    assert not state(vm, "stopped")["Running"]
    assert set(seen(vm, "always")) == {"real 2"}


def test_the_agent_dies_while_containers_are_stopped_with_their_share(populated):
    vm = populated
    for delay in (0.0, 0.1, 0.3):
        stopper = threading.Thread(target=vm.stop, args=("Ubuntu",))
        stopper.start()
        threading.Event().wait(delay)  # the moment is what is tried
        os.kill(vm.agent_pid(), signal.SIGKILL)
        stopper.join()
        poll(lambda: vm.stop("Ubuntu")["disk"] == "released", "the disk is free", 30)
        vm.start("Ubuntu")
        vm.wait_distro("Ubuntu")
        for name in (*WITH_FILES, "no"):
            poll(lambda: state(vm, name)["Running"], f"{name} runs again", 60)
    assert set(seen(vm, "always")) == {"real 2"}
