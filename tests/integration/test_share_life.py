"""Shares while things die: distros, the agent, helpers, what lies below <wsl>; and what others may have planted there."""

import concurrent.futures
import os
import signal
import stat
import time

import pytest
from polling import poll
from repository import BINARY
from wslvm import kernel
from wslvm.api import fresh_name, identity
from wslvm.clients import engine_shell
from wslvm.folders import engine_mounts, fresh_folder

# A shell as process 1 ignores SIGTERM, as many containers do: docker stop would take ten seconds for it. It notes what it sees
# in /w, three lines a second: the token, or LOST.
WATCHER = "while :; do cat /w/token >>/seen/log 2>/dev/null || echo LOST >>/seen/log; usleep 300000; done"


@pytest.fixture
def passing(vm, request):
    """A distro that may be stopped: started with its helper, integrated. request.param names it."""
    name = request.param
    vm.start(name)
    vm.wait_distro(name)
    yield name
    vm.stop(name)


both_kinds = pytest.mark.parametrize("passing", ["Passing", "minimal-passing"], indirect=True)


def state(vm, container):
    return identity(vm, "engine").inspect(container)["State"]


def seen(vm, volume):
    return engine_shell(vm, f"cat /data/docker/volumes/{volume}/_data/log").stdout.decode().split()


# A distro stops ----------------------------------------------------------------------------------------------


@both_kinds
def test_a_stopped_distros_disk_is_free_and_its_containers_come_back(vm, passing):
    folder = fresh_folder(vm, passing)
    folder.write("token", "real\n")
    api = identity(vm, passing)
    volume, names = fresh_name("seen-"), {what: fresh_name(f"{what}-") for what in ("watcher", "polite", "stopped", "other")}
    try:
        watcher = api.created(name=names["watcher"], command=("sh", "-c", WATCHER), binds=[f"{folder.path}:/w", f"{volume}:/seen"])
        polite = api.created(name=names["polite"], command=("sleep", "1000000"), binds=[f"{folder.path}/token:/token"], host={"Init": True})
        stopped = api.created(name=names["stopped"], command=("sleep", "1000000"), binds=[f"{folder.path}:/w"], host={"Init": True})
        other = identity(vm, "Ubuntu").created(name=names["other"], command=("sleep", "1000000"), binds=["/home/dev:/w"])
        for container in (watcher, polite, stopped, other):
            assert api.start(container).status == 204
        api.good("POST", f"/containers/{stopped}/stop")
        started_at = state(vm, other)["StartedAt"]
        poll(lambda: "real" in seen(vm, volume), "the watcher sees the file")

        begun = time.monotonic()
        reply = vm.stop(passing)
        took = time.monotonic() - begun
        assert reply["disk"] == "released", f"{reply}\n{vm.boot_log()[-3000:]}"
        assert took < 2.0, f"the disk was free after {took:.2f} s"
        assert not state(vm, watcher)["Running"] and not state(vm, polite)["Running"]
        assert state(vm, other)["StartedAt"] == started_at and state(vm, other)["Running"]
        poll(lambda: vm.distros()[passing]["state"] == "stopped", "the agent says that it is stopped")
        assert passing.encode() not in engine_shell(vm, "ls /mnt/distro").stdout.split()

        vm.start(passing)
        poll(lambda: state(vm, watcher)["Running"] and state(vm, polite)["Running"], "what ran before runs again")
        assert not state(vm, stopped)["Running"], "the user had stopped that one"
        count = len(seen(vm, volume))
        poll(lambda: len(seen(vm, volume)) > count + 2, "the watcher goes on")
        assert set(seen(vm, volume)) == {"real"}
        vm.wait_distro(passing)
    finally:
        for name in names.values():
            identity(vm, "engine").remove(name)
        identity(vm, "engine")("DELETE", f"/volumes/{volume}")


@pytest.mark.parametrize("passing", ["Passing"], indirect=True)
def test_a_distro_stops_while_dockerd_hangs(vm, passing):
    """Nobody says what runs: it is remembered by dockerd's records, stopped when dockerd is back, and comes back with its distro."""
    folder = fresh_folder(vm, passing)
    folder.write("token", "real\n")
    name = fresh_name("hung-")
    api = identity(vm, passing)
    api.created(name=name, command=("sleep", "1000000"), binds=[f"{folder.path}:/w"], host={"Init": True})
    notes = lambda: " ".join(note["text"] for note in vm.control("/v1/status")[1]["notes"])
    remembered = lambda: engine_shell(vm, "cat /data/causeway/stopped_containers.json", check=False).stdout.decode()
    dockerd = vm.dockerd_pid()
    try:
        assert api.start(name).status == 204
        container = identity(vm, "engine").inspect(name)["Id"]
        os.kill(dockerd, signal.SIGSTOP)
        try:
            assert vm.stop(passing)["disk"] == "busy"
            poll(lambda: container in remembered(), "it is written down")
            poll(lambda: "does not say which containers run" in notes(), lambda: f"status says why the disk is busy: {notes()}")
        finally:
            os.kill(dockerd, signal.SIGCONT)
        poll(lambda: not state(vm, name)["Running"], "it is stopped")
        poll(lambda: "does not say which containers run" not in notes(), "status says nothing of it any more")
        poll(lambda: vm.distros()[passing]["state"] == "stopped", "the agent says that it is stopped")
        vm.start(passing)
        vm.wait_distro(passing)
        poll(lambda: state(vm, name)["Running"], "it runs again")
        assert vm.docker("exec", name, "cat", "/w/token") == "real\n"
    finally:
        identity(vm, "engine").remove(name)


@both_kinds
def test_a_distro_that_comes_and_goes_quickly(vm, passing):
    """Five times without a pause: the containers end up running on real data, nothing is left attached twice."""
    folder = fresh_folder(vm, passing)
    folder.write("token", "real\n")
    volume = fresh_name("seen-")
    with identity(vm, passing).running(WATCHER, binds=[f"{folder.path}:/w", f"{volume}:/seen"]) as container:
        for _ in range(5):
            assert vm.stop(passing)["disk"] == "released"
            vm.start(passing)
        vm.wait_distro(passing)
        poll(lambda: state(vm, container)["Running"], "it runs again")
        count = len(seen(vm, volume))
        poll(lambda: len(seen(vm, volume)) > count + 2, "it sees its file")
        assert set(seen(vm, volume)) == {"real"}
        points = [point for _, point in engine_mounts(vm, f"/mnt/distro/{passing}")]
        assert len(points) == len(set(points)), f"a mount stands on another one: {points}"
    identity(vm, "engine")("DELETE", f"/volumes/{volume}")


@pytest.mark.parametrize("passing", ["Passing"], indirect=True)
def test_what_needs_a_stopped_distro_asks_for_it_and_says_its_name(vm, passing):
    folder = fresh_folder(vm, passing)
    folder.write("f", "real\n")
    source = rf"\\wsl.localhost\{passing}" + folder.path.replace("/", "\\")
    windows = identity(vm, "windows")
    container = windows.created(command=("cat", "/w/f"), binds=[f"{source}:/w"])
    try:
        vm.stop(passing)
        begun = time.monotonic()
        for answer, status in ((windows.create(binds=[f"{source}:/w"]), 400), (windows.start(container), 409)):
            assert answer.status == status and f"the WSL distro {passing} is not running" in answer.message, answer
        assert time.monotonic() - begun < 40

        with concurrent.futures.ThreadPoolExecutor() as pool:
            started = pool.submit(windows.start, container)
            poll(lambda: vm.distros()[passing]["state"] == "waiting", "the distro is asked for")
            vm.start(passing)  # as Windows does then
            assert started.result(60).status == 204, started.result()
        windows.good("POST", f"/containers/{container}/wait")
        assert b"real" in windows.good("GET", f"/containers/{container}/logs?stdout=1").data
    finally:
        windows.remove(container)


@pytest.mark.parametrize("passing", ["Passing"], indirect=True)
def test_docker_restart_while_the_distro_stops(vm, passing):
    """Real data or stopped with the reason: never a container on an empty folder."""
    folder = fresh_folder(vm, passing)
    folder.write("token", "real\n")
    volume, name = fresh_name("seen-"), fresh_name("restarted-")
    engine = identity(vm, "engine")
    identity(vm, passing).created(name=name, command=("sh", "-c", WATCHER), binds=[f"{folder.path}:/w", f"{volume}:/seen"],
                                  host={"RestartPolicy": {"Name": "always"}})
    try:
        engine.start(name)
        for delay in (0.0, 0.05, 0.15, 0.3, 0.6):
            poll(lambda: state(vm, name)["Running"], lambda: f"it runs: {state(vm, name)}\n{vm.boot_log()[-3000:]}")
            with concurrent.futures.ThreadPoolExecutor() as pool:
                restarts = [pool.submit(engine, "POST", f"/containers/{name}/restart?t=0") for _ in range(2)]
                time.sleep(delay)  # the moment in the restart is what is tried
                reply = vm.stop(passing)
                assert reply["disk"] == "released", f"stopped {delay} s after the call of restart: {reply}\n{vm.boot_log()[-3000:]}"
                vm.start(passing)
                vm.wait_distro(passing)
                for call in restarts:
                    call.result(60)  # each has an answer
        poll(lambda: state(vm, name)["Running"], "it runs in the end")
        assert set(seen(vm, volume)) == {"real"}, "it ran on something else than its files"
    finally:
        engine.remove(name)
        engine("DELETE", f"/volumes/{volume}")


# <wsl> is emptied by another distro --------------------------------------------------------------------------


def test_everything_below_wsl_is_unmounted_by_another_distros_shutdown(vm, folder, programs):
    """WSL#41084: a clean shutdown of any systemd distro does this to all distros."""
    folder.write("token", "real\n")
    api = identity(vm, folder.distro)
    volume = fresh_name("seen-")
    before = engine_mounts(vm)
    # A mount of a third party below <wsl>, so that the shutdown has something to take away.
    vm.exec(folder.distro, ["sh", "-c", "mkdir -p /mnt/wsl/theirs && mount -t tmpfs none /mnt/wsl/theirs"])
    vm.start("Leaving", helper=False)
    with api.running(WATCHER, binds=[f"{folder.path}:/w", f"{volume}:/seen"]) as container:
        poll(lambda: "real" in seen(vm, volume), "the container sees its file")
        vm.stop("Leaving", clean_shutdown=True)
        assert "/mnt/wsl/theirs" not in {m["point"] for m in kernel.mount_points(vm.distro_pid(folder.distro))}
        assert [m for m in kernel.mount_points(vm.init_pid()) if m["point"].startswith("/mnt/wsl/")] == []
        count = len(seen(vm, volume))
        poll(lambda: len(seen(vm, volume)) > count + 2, "the running container goes on")
        assert set(seen(vm, volume)) == {"real"} and state(vm, container)["Running"]
        assert api.run("cat /w/token", binds=[f"{folder.path}:/w"]) == "real\n"
    assert engine_mounts(vm) == before
    for name in ("Ubuntu", "minimal"):
        assert identity(vm, name).good("GET", "/info").status == 200
    assert engine_shell(vm, "test -S /mnt/wsl/docker-desktop/run/share.sock && test -x /mnt/wsl/docker-desktop/bin/causeway && echo there").stdout
    # And the hand-over still works: a distro that starts now is integrated.
    vm.start("minimal-after")
    try:
        vm.wait_distro("minimal-after")
    finally:
        vm.stop("minimal-after")
    identity(vm, "engine")("DELETE", f"/volumes/{volume}")


def test_files_below_wsl_deleted_by_somebody_come_back(vm):
    """It is a tmpfs for all: somebody's `rm -rf /mnt/wsl/*` as root takes our folder with it."""
    # It may come back so soon that rm finds its folder full again.
    vm.exec("Ubuntu", ["rm", "-rf", "/mnt/wsl/docker-desktop"], check=False)
    poll(lambda: engine_shell(vm, "test -S /mnt/wsl/docker-desktop/run/share.sock && test -x /mnt/wsl/docker-desktop/bin/causeway",
                                    check=False).returncode == 0, "folder, socket and binary are there again")
    vm.start("minimal-after")
    try:
        vm.wait_distro("minimal-after")
    finally:
        vm.stop("minimal-after")


# Our own programs die ----------------------------------------------------------------------------------------


def kill_agent(vm):
    dead = vm.agent_pid()
    os.kill(dead, signal.SIGKILL)
    poll(lambda: dead not in vm.pids(), "the killed agent is gone")


def test_a_killed_agent_takes_nothing_away(vm, folder):
    folder.write("token", "real\n")
    sub = folder.make("sub")
    vm.exec(folder.distro, ["mount", "-t", "tmpfs", "none", sub])
    api = identity(vm, folder.distro)
    volume = fresh_name("seen-")
    poll(lambda: any(point.endswith(sub) for _, point in engine_mounts(vm)), "the sub-mount is shared")
    before = engine_mounts(vm)
    with api.running(WATCHER, binds=[f"{folder.path}:/w", f"{volume}:/seen"]) as container:
        pid = state(vm, container)["Pid"]
        for _ in range(3):
            kill_agent(vm)
            # At once: the connection waits in the backlog of the socket that the helper keeps open.
            assert api.run("cat /w/token", binds=[f"{folder.path}:/w"]) == "real\n"
            for name in ("Ubuntu", "minimal"):
                vm.wait_distro(name)
        assert engine_mounts(vm) == before, "the next agent uses what is attached"
        assert state(vm, container)["Pid"] == pid
        assert set(seen(vm, volume)) == {"real"}
    identity(vm, "engine")("DELETE", f"/volumes/{volume}")


def test_mounts_that_change_while_the_agent_is_dead(vm, folder):
    gone, stays = folder.make("gone"), folder.make("stays")
    new = folder.make("new")
    vm.exec(folder.distro, ["sh", "-c", f"mount -t tmpfs none {gone}; mount -t tmpfs none {stays}; echo stays >{stays}/f"])
    points = lambda: [point for _, point in engine_mounts(vm)]
    poll(lambda: any(p.endswith(gone) for p in points()) and any(p.endswith(stays) for p in points()), "both are shared")
    init, agent = vm.init_pid(), vm.agent_pid()
    os.kill(init, signal.SIGSTOP)  # nobody starts the next agent yet
    try:
        os.kill(agent, signal.SIGKILL)
        vm.exec(folder.distro, ["sh", "-c", f"umount {gone}; mount -t tmpfs none {new}; echo new >{new}/f"])
    finally:
        os.kill(init, signal.SIGCONT)
    poll(lambda: any(p.endswith(new) for p in points()) and not any(p.endswith(gone) for p in points()), "the new agent catches up")
    assert identity(vm, folder.distro).run("cat /w/new/f /w/stays/f; ls /w/gone", binds=[f"{folder.path}:/w"]) == "new\nstays\n"


def test_an_agent_killed_while_a_distro_stops(vm):
    """The distro's end is seen by the next agent, by the pidfd in init's store; then its disk is free too."""
    vm.start("Passing")
    vm.wait_distro("Passing")
    passing = fresh_folder(vm, "Passing")
    passing.write("token", "real\n")
    volume = fresh_name("seen-")
    with identity(vm, "Passing").running(WATCHER, binds=[f"{passing.path}:/w", f"{volume}:/seen"]) as container:
        init, agent = vm.init_pid(), vm.agent_pid()
        os.kill(init, signal.SIGSTOP)
        try:
            os.kill(agent, signal.SIGKILL)
            vm.stop("Passing")  # busy: nobody is there to let go of it
        finally:
            os.kill(init, signal.SIGCONT)
        poll(lambda: vm.stop("Passing")["disk"] == "released", "the next agent lets go of the disk", 30)
        vm.start("Passing")
        vm.wait_distro("Passing")
        poll(lambda: state(vm, container)["Running"], "the container runs again")
        assert set(seen(vm, volume)) == {"real"}
    vm.stop("Passing")
    identity(vm, "engine")("DELETE", f"/volumes/{volume}")


def test_a_killed_helper_keeps_the_share(vm, folder):
    folder.write("token", "real\n")
    api = identity(vm, folder.distro)
    before = engine_mounts(vm)
    inode = os.stat(f"{vm.root(folder.distro)}/run/docker.sock").st_ino
    with api.running(WATCHER.replace("/seen/log", "/tmp/log"), binds=[f"{folder.path}:/w"]) as container:
        started = state(vm, container)["StartedAt"]
        for _ in range(3):
            dead = vm.helper_pid(folder.distro)
            os.kill(dead, signal.SIGKILL)
            assert api.run("cat /w/token", binds=[f"{folder.path}:/w"]) == "real\n"
            poll(lambda: vm.helper_pid(folder.distro) not in (None, dead), "Windows starts it again")
            vm.wait_distro(folder.distro)
            poll(lambda: vm.distros()[folder.distro]["helper"], "it is connected")
        assert state(vm, container)["StartedAt"] == started
    assert engine_mounts(vm) == before
    assert identity(vm, folder.distro).good("GET", "/info").status == 200
    # Programs that hold docker.sock open as a path (inotify, bind mounts) keep it: it is the same socket.
    assert os.stat(f"{vm.root(folder.distro)}/run/docker.sock").st_ino == inode


def test_a_helper_that_hangs_does_not_hold_up_docker_run(vm, folder):
    folder.write("real/token", "real\n")
    path = folder.link("real", "link")
    helper = vm.helper_pid(folder.distro)
    os.kill(helper, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        assert identity(vm, folder.distro).run("cat /w/token", binds=[f"{path}:/w"]) == "real\n"
        assert time.monotonic() - begun < 15
    finally:
        os.kill(helper, signal.SIGCONT)


def test_a_dockerd_restart_keeps_shares_and_containers(vm, folder):
    folder.write("token", "real\n")
    api = identity(vm, folder.distro)
    with api.running(binds=[f"{folder.path}:/w"]) as container:
        started = state(vm, container)["StartedAt"]
        victim = vm.dockerd_pid()
        os.kill(victim, signal.SIGKILL)
        # A create that the dying one has taken gets 502: nobody knows how far it came. Later ones wait for the new dockerd.
        poll(lambda: any(pid != victim for pid in vm.find_processes("dockerd", "--config-file=/run/causeway/daemon.json")),
                   "a new dockerd")
        assert api.run("cat /w/token", binds=[f"{folder.path}:/w"]) == "real\n"
        assert state(vm, container)["StartedAt"] == started
        assert vm.docker("exec", container, "cat", "/w/token") == "real\n"


# Planted files -----------------------------------------------------------------------------------------------

PLANTED = {
    "a folder of theirs": "mkdir /mnt/wsl/docker-desktop",
    "a world-writable one": "mkdir -m 777 /mnt/wsl/docker-desktop",
    "with a program": "mkdir -p /mnt/wsl/docker-desktop/bin && printf '#!/bin/sh\\ntouch /tmp/planted-ran\\n' >/mnt/wsl/docker-desktop/bin/causeway && "
                      "chmod 755 /mnt/wsl/docker-desktop/bin/causeway",
    "a link": "mkdir -p /home/dev/trap && ln -s /home/dev/trap /mnt/wsl/docker-desktop",
    "a file": "echo x >/mnt/wsl/docker-desktop",
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_folder_is_put_aside_said_and_never_run(make_vm, what):
    """<wsl> is writable for everybody: who is there before the engine's start doesn't keep it from integrating distros."""
    vm = make_vm(["Ubuntu"], causeway=BINARY)
    vm.exec("Ubuntu", ["sh", "-c", PLANTED[what]], user="dev")
    wsl = f"{vm.root('Ubuntu')}/mnt/wsl"
    planted = os.lstat(f"{wsl}/docker-desktop")
    vm.start("docker-desktop")
    vm.wait_engine()
    vm.wait_distro("Ubuntu")
    owner = os.lstat(f"{wsl}/docker-desktop")
    assert (owner.st_uid, stat.S_IFMT(owner.st_mode), owner.st_mode & 0o7777) == (0, stat.S_IFDIR, 0o755)
    assert not os.path.exists(f"{vm.root('Ubuntu')}/tmp/planted-ran")
    if "trap" in PLANTED[what]:
        assert os.listdir(f"{vm.root('Ubuntu')}/home/dev/trap") == []
    aside, = [name for name in os.listdir(wsl) if name.startswith("docker-desktop.put-aside-")]
    assert os.lstat(f"{wsl}/{aside}")[:6] == planted[:6], "it is as its owner left it"
    assert any(aside in note["text"] for note in vm.control("/v1/status")[1]["notes"]), "status tells of it"
    # It is theirs to take away.
    vm.exec("Ubuntu", ["rm", "-rf", f"/mnt/wsl/{aside}"], user="dev")
    assert vm.exec("Ubuntu", ["docker", "version"], user="dev").returncode == 0


def test_the_hand_over_is_for_root_alone(vm):
    """A user of a distro can neither reach share.sock nor change what the helpers run."""
    script = ("for f in /mnt/wsl/docker-desktop /mnt/wsl/docker-desktop/run /mnt/wsl/docker-desktop/bin; do touch $f/x 2>&1; rm -rf $f/* 2>&1; done; "
              "mv /mnt/wsl/docker-desktop /mnt/wsl/away 2>&1; echo x 2>&1 >>/mnt/wsl/docker-desktop/bin/causeway; true")
    vm.exec("Ubuntu", ["sh", "-c", script], user="dev")
    folder = f"{vm.root('Ubuntu')}/mnt/wsl/docker-desktop"
    assert sorted(os.listdir(folder)) == ["bin", "run"]
    assert "x" not in os.listdir(f"{folder}/bin") and "share.sock" in os.listdir(f"{folder}/run")
    assert os.stat(f"{folder}/run/share.sock").st_mode & 0o077 == 0


def test_automount_root_elsewhere(make_vm):
    """<wsl> is /wsl and drive C: is /c, by wsl.conf's automount.root=/."""
    vm = make_vm(["docker-desktop", "Ubuntu", "minimal"], causeway=BINARY, wsl_root="/wsl")
    vm.wait_engine()
    vm.load_busybox()
    for name in ("Ubuntu", "minimal"):
        folder = fresh_folder(vm, name)
        folder.write("f", "here\n")
        assert identity(vm, name).run("cat /w/f", binds=[f"{folder.path}:/w"]) == "here\n"
        vm.exec(name, ["sh", "-c", f"mkdir /c/Users/dev/{name} && echo drive >/c/Users/dev/{name}/f"])
        assert identity(vm, name).run("cat /w/f", binds=[f"/c/Users/dev/{name}:/w"]) == "drive\n"
        assert identity(vm, "windows").run("cat /w/f", binds=[rf"C:\Users\dev\{name}:/w"]) == "drive\n"
        container = identity(vm, name).created(binds=[f"/c/Users/dev/{name}:/w"])
        assert identity(vm, name).inspect(container)["Mounts"][0]["Source"] == f"/c/Users/dev/{name}"
        assert identity(vm, "windows").inspect(container)["Mounts"][0]["Source"] == rf"C:\Users\dev\{name}"
        identity(vm, name).remove(container)
