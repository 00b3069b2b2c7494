"""`causeway init` against its contract, with a fake agent: what survives, what is restarted, how it ends."""

import grp
import json
import os
import re
import select
import shutil
import signal
import stat
import subprocess
import threading

import pytest

import init_life
from init_life import HARNESS, Place
from polling import poll
from wslvm import kernel

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="init needs root")


@pytest.fixture
def place():
    if not os.access(HARNESS, os.X_OK):
        pytest.skip(f"{HARNESS} is missing: tests/run builds it")
    made = Place()
    yield made
    made.close()


def inode(path):
    return os.stat(path).st_ino


def test_what_the_agent_finds(place):
    life = place.life()
    with open(f"{place.run}/init.json", encoding="ascii") as file:
        description = json.load(file)
    assert description["pid"] == life.pid_one()
    assert description["mode"] == "plain"
    info = life.info()
    assert (info["parent"], info["start"], info["instance"]) == (1, 0, description["instance"])
    assert list(info["fds"]) == ["control", "engine", "exits", "link"]
    control, engine = os.stat(f"{place.run}/control.sock"), os.stat(f"{place.run}/engine.sock")
    assert stat.S_IMODE(control.st_mode) == 0o600
    assert stat.S_IMODE(engine.st_mode) == 0o660
    docker = next((g.gr_gid for g in grp.getgrall() if g.gr_name == "docker"), 0)
    assert (control.st_gid, engine.st_gid) == (0, docker)
    # Nothing of init's but what it hands over: no lock, no signalfd, no namespace.
    links = life.shell("for f in /proc/$PPID/fd/*; do readlink $f; done").split()
    assert not [link for link in links if "lock" in link or "mnt:" in link or "timerfd" in link]


def test_a_killed_agent_comes_back_with_the_same_sockets_and_stored_descriptors(place):
    life = place.life()
    assert life.ask("put log.dockerd") == "ok"
    before = life.info()
    sockets = [inode(f"{place.run}/{name}.sock") for name in ("control", "engine")]
    fifo = inode(f"{place.run}/log.dockerd.fifo")
    for start in range(1, 4):
        life.kill_agent()
        info = life.info()
        assert info["start"] == start
        assert info["instance"] == before["instance"]
        assert {name: info["fds"][name] for name in before["fds"]} == before["fds"]
        assert info["fds"]["log.dockerd"] == fifo
    assert [inode(f"{place.run}/{name}.sock") for name in ("control", "engine")] == sockets


def test_the_store_refuses_what_is_wrong_and_leaks_nothing(place):
    life = place.life()
    folder = f"/proc/{life.pid_one()}/fd"
    before = len(os.listdir(folder))
    assert life.ask("raw 3 put a") == "error put takes exactly one descriptor"
    assert life.ask("raw 0 put a") == "error put takes exactly one descriptor"
    assert life.ask("raw 1 drop a") == "error drop takes no descriptor"
    assert life.ask("raw 1 put A") == "error a name is [a-z0-9._-]{1,47}"
    assert life.ask("raw 1 list") == "error unknown request"
    assert "belongs to init" in life.ask("drop control")
    assert "no such descriptor" in life.ask("drop a")
    assert len(os.listdir(folder)) == before
    refused = life.ask("fill")
    assert refused.startswith("188 ") and "all slots are in use" in refused
    assert len(os.listdir(folder)) == before + 188
    for number in range(188):
        assert life.ask(f"drop filler.{number}") == "ok"
    assert len(os.listdir(folder)) == before
    assert life.ask("put-file kept") == "ok"
    life.kill_agent()
    assert "kept" in life.info()["fds"]


def _program(place, name, mode=0o755, content=None):
    """A file of the machine that init may start: the harness again, or `content`."""
    path = f"{place.folder}/{name}"
    shutil.copyfile(HARNESS, path)
    if content is not None:
        with open(path, "w", encoding="ascii") as file:
            file.write(content)
    os.chmod(path, mode)
    return path


def test_another_program_is_started_as_the_agent_under_the_same_init(place):
    life = place.life()
    own = life.info()
    other = _program(place, "other-version")
    assert life.ask(f"put-agent {other}") == "ok"
    assert life.info()["executable"] == own["executable"]  # the agent that runs goes on
    life.kill_agent()
    info = life.info()
    assert (info["executable"], info["start"], info["instance"]) == (other, 1, own["instance"])
    assert {name: info["fds"][name] for name in own["fds"]} == own["fds"]
    life.kill_agent()  # it stays the agent, with its file gone, too
    os.unlink(other)
    life.kill_agent()
    assert life.info()["executable"] == f"{other} (deleted)"
    third = _program(place, "third-version")
    assert life.ask(f"put-agent {third}") == "ok"  # replaces
    life.kill_agent()
    assert life.info()["executable"] == third
    assert life.ask("drop agent") == "ok"
    life.kill_agent()
    info = life.info()
    assert info["executable"] == own["executable"] and "agent" not in info["fds"]
    assert life.stop() == 0


def test_a_program_that_root_alone_can_change_is_taken_and_no_other(place):
    life = place.life()
    own = life.info()["executable"]
    foreign = _program(place, "foreign")
    os.chown(foreign, 65534, 0)
    for path, why in ((foreign, "does not belong to root"), (_program(place, "shared", 0o775), "can be written by others"),
                      (_program(place, "open", 0o757), "can be written by others"), (_program(place, "data", 0o644), "is not executable"),
                      (place.folder, "is not a regular file"), ("/dev/null", "is not a regular file")):
        assert why in life.ask(f"put-agent {path}"), path
    assert "agent is not executable" in life.ask("put-file agent")
    assert "agent" not in life.info()["fds"]
    life.kill_agent()
    assert life.info()["executable"] == own


@pytest.mark.parametrize("spoil", ["no program", "writable since"])
def test_a_stored_program_that_cannot_be_started_gives_way_to_inits_own(place, spoil):
    life = place.life()
    own = life.info()["executable"]
    path = _program(place, "broken", content="no program\n" if spoil == "no program" else None)
    assert life.ask(f"put-agent {path}") == "ok"
    if spoil == "writable since":
        os.chmod(path, 0o777)
    life.kill_agent()
    info = life.info()
    assert info["executable"] == own and "agent" not in info["fds"]
    assert info["start"] == 1  # in one start: nobody waits for a second one
    life.wait_line(r"agent\.stored_not_executed")
    assert life.ask("put-file after") == "ok"  # answers and requests still belong together
    life.kill_agent()
    info = life.info()
    assert info["executable"] == own and "after" in info["fds"]
    assert life.stop() == 0
    assert life.text().count("agent.stored_not_executed") == 1


def test_an_agent_that_closes_its_store_socket_does_not_make_init_spin(place):
    life = place.life()
    assert life.ask("close-init") == "ok"
    assert life.info()["pid"]

    def ticks():
        with open(f"/proc/{life.pid_one()}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])
    before = ticks()
    for _ in range(20):
        life.info()
    assert ticks() - before < 10
    life.kill_agent()
    assert life.ask("put-file again") == "ok"


def _orphan(life, code):
    """An orphan that ends with `code` when release() is called; host pid and start time."""
    inner = int(life.ask(f"orphan {code}"))
    host = poll(lambda: next((pid for pid in init_life._children(life.pid_one())
                                    if kernel.namespace_pids(pid)[-1] == inner), None), "the orphan")
    return inner, host, kernel.start_time(host)


def _release(life):
    with open(f"{life.place.run}/orphan.fifo", "wb"):
        pass


def _reports(life, count):
    found = []

    def enough():
        found.extend(json.loads(life.ask("exits")))
        return len(found) >= count
    poll(enough, f"{count} exit reports")
    return found


def test_orphans_are_reaped_and_reported_with_their_status(place):
    life = place.life()
    inner, _, start = _orphan(life, 7)
    _release(life)
    assert [inner, 7 << 8, int(start)] in _reports(life, 1)
    # One that ends after its agent: the next agent is told.
    inner, host, start = _orphan(life, 0)
    life.kill_agent()
    os.kill(host, signal.SIGKILL)
    assert [inner, signal.SIGKILL, int(start)] in _reports(life, 1)
    # Nothing stays a zombie, also when many end at once.
    life.shell("for i in $(seq 200); do (true & ) ; done")
    poll(lambda: len(init_life._children(life.pid_one())) == 1, "all orphans reaped")
    assert len(_reports(life, 200)) == 200


def test_an_agent_that_cannot_start_is_restarted_ever_more_slowly(place):
    life = place.life()
    with open(f"{place.run}/agent.fail", "w", encoding="ascii") as file:
        file.write("3")
    life.kill_agent()
    times = life.wait_line(r"agent\.ended .*code=3", 6)
    assert "failures=1" in life.text() and "failures=6" in life.text()
    # At once, then 100, 200, 400, 800, 1600 ms: the kill was the first failure, so these lie between.
    assert times[5] - times[0] >= 0.1 + 0.2 + 0.4 + 0.8 + 1.6 - 0.05
    os.unlink(f"{place.run}/agent.fail")
    assert life.info()["start"] >= 7


def test_a_stop_while_no_agent_runs(place):
    life = place.life()
    with open(f"{place.run}/agent.fail", "w", encoding="ascii") as file:
        file.write("3")
    life.kill_agent()
    life.wait_line(r"agent\.ended .*code=3", 4)
    assert life.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGPWR])
def test_an_ordered_stop_leaves_nothing(place, number):
    before = sorted(m["point"] for m in kernel.mount_points())
    life = place.life()
    assert place.mounts() == [place.run]
    assert place.groups_below()
    pid_one = life.pid_one()
    assert life.stop(number) == 0
    assert "agent.ended" in life.text() and "kill_all" not in life.text()
    assert not os.path.exists(f"/proc/{pid_one}")
    assert place.mounts() == []
    assert place.groups_below() == []
    assert [p for p in before if p not in [m["point"] for m in kernel.mount_points()]] == []
    # The lock is free, and the next life works in the same place.
    second = place.life()
    assert second.stop() == 0


def test_sighup_reaches_the_agent(place):
    life = place.life()
    life.process.send_signal(signal.SIGHUP)
    poll(lambda: life.info()["hangups"] == 1, "the agent's SIGHUP")


def test_an_agent_that_has_stopped_in_order_ends_init(place):
    life = place.life()
    os.kill(life.agent_pid(), signal.SIGTERM)
    assert life.wait_end() == 0
    assert place.mounts() == []


def test_the_deadline_ends_a_stubborn_agent(place):
    life = place.life("--stop-timeout", "1")
    assert life.ask("stubborn") == "ok"
    assert life.stop() == 0
    assert "agent_overdue" in life.text() and "kill_all" in life.text()


def test_a_stubborn_orphan_is_killed_and_a_polite_one_is_asked(place):
    life = place.life()
    ready = f"{place.folder}/ready"
    os.mkfifo(ready)
    for answer in ("", f"echo asked > {place.folder}/asked; exit"):
        life.shell(f"(trap '{answer}' TERM; echo > {ready}; while :; do sleep 1000 & wait; done) >/dev/null 2>&1 &")
        with open(ready, encoding="ascii") as file:
            file.read()
    assert life.stop() == 0
    assert os.path.exists(f"{place.folder}/asked")
    assert "kill_all" in life.text()


def test_a_second_init_is_refused(place):
    life = place.life()
    second = place.life(wait=False)
    assert second.wait_end() == 69
    assert f"pid={life.process.pid}" in second.text()
    assert life.info()["start"] == 0
    assert place.mounts() == [place.run]


def test_when_the_outer_process_is_killed_pid_one_stops_in_order(place):
    life = place.life()
    pid_one = life.pid_one()
    watch = os.pidfd_open(pid_one)
    life.process.kill()
    life.wait_line(r"init\.stopped")
    assert select.select([watch], [], [], init_life.PATIENCE)[0], "PID 1 still runs"
    os.close(watch)
    assert "init.outer_gone" in life.text() and "agent.ended" in life.text()
    assert place.mounts() == []
    assert place.groups_below() == []
    assert place.life().stop() == 0


def test_the_leftovers_of_a_killed_life_are_swept(place):
    life = place.life()
    life.ask("put log.dockerd")
    for top in place.own_groups():
        os.makedirs(f"{top}/causeway/dockerd/inner")
    life.kill()
    assert place.mounts() == [place.run]
    assert place.groups_below()
    second = poll(lambda: _try_life(place), "a second life")
    assert place.mounts() == [place.run]
    assert not os.path.exists(f"{place.run}/log.dockerd.fifo")
    assert place.groups_below() and not [g for g in place.groups_below() if os.path.exists(f"{g}/dockerd")]
    assert second.info()["start"] == 0
    assert second.stop() == 0
    assert place.groups_below() == []


def _try_life(place):
    """A life, or None while the killed one's processes still end and hold the lock."""
    life = place.life(wait=False)
    try:
        life.wait_line(r"agent\.started")
        return life
    except AssertionError:
        assert life.wait_end() == 69, life.text()
        return None


def test_a_mount_of_somebody_else_on_run_is_not_unmounted(place):
    os.makedirs(place.run)
    subprocess.run(["mount", "-t", "tmpfs", "theirs", place.run], check=True)
    life = place.life()
    assert place.mounts() == [place.run, place.run]
    assert life.stop() == 0
    assert place.mounts() == [place.run]


def test_nobody_reads_the_messages(place):
    life = place.life()
    life.stop_reading()
    for _ in range(2):
        life.kill_agent()  # says so
        life.info()
    assert life.stop() == 0
    assert place.mounts() == []


def test_propagation(place):
    # A distro whose / is shared, as systemd makes it.
    shared = f"{place.folder}/shared"
    os.makedirs(f"{shared}/later")
    life = place.life(prelude=f"mount --make-rshared /; mount -t tmpfs x {shared}; mkdir {shared}/later {shared}/inner")
    lines = life.shell("cat /proc/1/mountinfo").splitlines()
    assert len(lines) > 5
    for line in lines:
        assert " shared:" in line, line
    # What the distro mounts appears, what is mounted inside doesn't leak out.
    enter = ["nsenter", f"--mount=/proc/{life.process.pid}/ns/mnt", "--"]
    subprocess.run([*enter, "mount", "-t", "tmpfs", "later", f"{shared}/later"], check=True)
    assert f"{shared}/later" in life.shell("cat /proc/1/mountinfo")
    life.shell(f"mount -t tmpfs inner {shared}/inner")
    assert f"{shared}/inner" in life.shell("cat /proc/1/mountinfo")
    outside = subprocess.run([*enter, "cat", "/proc/self/mountinfo"], check=True, capture_output=True, text=True)
    assert f"{shared}/later" in outside.stdout
    assert f"{shared}/inner" not in outside.stdout
    assert life.stop() == 0


def test_proc_is_that_of_the_own_pid_namespace(place):
    life = place.life()
    assert life.shell("cat /proc/1/comm; ls -d /proc/[0-9]* | wc -l").split()[0] == "init_harness"
    assert int(life.shell("ls -d /proc/[0-9]* | wc -l")) < 10


def _busybox_root(root):
    for folder in ("bin", "usr/bin", "etc", "proc", "sys", "dev", "run", "tmp", "var", "lib"):
        os.makedirs(f"{root}/{folder}")
    shutil.copy("/usr/bin/busybox", f"{root}/bin/busybox")
    _copy_libraries("/usr/bin/busybox", root)
    _copy_libraries(HARNESS, root)
    for applet in ("sh", "cat", "ls", "mount", "readlink"):
        os.symlink("busybox", f"{root}/bin/{applet}")


def _copy_libraries(program, root):
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    for path in re.findall(r"(/\S+) \(0x", linked.stdout):
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        shutil.copy(path, root + path)


@pytest.mark.parametrize("installed", [True, False])
def test_pivot_into_a_version(place, installed):
    versions = f"{place.folder}/versions"
    root = f"{versions}/1.2"
    _busybox_root(root)
    if installed:
        shutil.copy(HARNESS, f"{root}/usr/bin/causeway")
    os.symlink("../run/resolver/stub.conf", f"{root}/etc/resolv.conf")  # as Debian's images have it
    with open(f"{root}/etc/hosts", "w", encoding="ascii") as file:
        file.write("127.0.0.1 version\n")
    wsl, drive = f"{place.folder}/mnt/wsl", f"{place.folder}/mnt/c"
    os.makedirs(wsl)
    os.makedirs(drive)
    os.makedirs(place.data)
    with open(f"{place.data}/kept", "w", encoding="ascii") as file:
        file.write("data")
    before = sorted(os.listdir(root))
    life = place.life("--mode", "wsl", "--versions", versions, "--version", "1.2", prelude=f"""
        mount --bind {place.folder} {place.folder}
        mount -t tmpfs none {wsl}; mount --make-shared {wsl}; mkdir {wsl}/later
        mount -t tmpfs 'C:\\' {drive}; echo windows > {drive}/file
        mkdir -p {place.folder}/etc; echo 'nameserver 192.0.2.1' > {place.folder}/etc/resolv.conf
        mount --bind {place.folder}/etc/resolv.conf /etc/resolv.conf""")
    assert life.shell("ls /").split() == sorted({*before, "data", "mnt", "tmp", "usr", "var"} & {*os.listdir(root)})
    assert life.shell("readlink /mnt/engine; readlink /var/lib/docker").split() == ["/", f"{place.data}/docker"]
    assert life.shell(f"cat {place.data}/kept") == "data"
    assert life.shell(f"cat {drive}/file") == "windows\n"
    assert life.shell("cat /etc/resolv.conf") == "nameserver 192.0.2.1\n"
    assert life.shell("cat /etc/hosts") == "127.0.0.1 version\n"
    assert life.shell("readlink /run/docker.sock; readlink /var/run").split() == [f"{place.run}/engine.sock", "/run"]
    assert life.shell(f"ls {place.run}").split() == ["control.sock", "engine.sock", "init.json", "link.sock"]
    executable = life.info()["executable"]
    assert executable == "/usr/bin/causeway" if installed else executable.endswith("init_harness")
    mountinfo = life.shell("cat /proc/1/mountinfo")
    points = [line.split()[4] for line in mountinfo.splitlines()]
    assert {"/", "/proc", "/sys", "/dev", "/dev/pts", "/run", "/tmp", wsl, drive, place.data, place.run} <= {*points}
    assert not [p for p in points if p.startswith("/versions")]
    assert len(points) == len([line for line in mountinfo.splitlines() if " shared:" in line])
    enter = ["nsenter", f"--mount=/proc/{life.process.pid}/ns/mnt", "--"]
    subprocess.run([*enter, "mount", "-t", "tmpfs", "later", f"{wsl}/later"], check=True)
    assert f" {wsl}/later " in life.shell("cat /proc/1/mountinfo")
    # The old root is gone, and what was unmounted with it was not unmounted in the distro.
    outside = subprocess.run([*enter, "cat", "/proc/self/mountinfo"], check=True, capture_output=True, text=True).stdout
    for point in (wsl, drive, place.run, "/proc", "/sys"):
        assert f" {point} " in outside
    life.kill_agent()
    assert life.info()["start"] == 1
    assert life.stop() == 0
    assert "step_skipped" not in life.text()


def test_a_version_that_is_a_mount_point_is_used(place):
    versions = f"{place.folder}/versions"
    os.makedirs(f"{versions}/image")
    image = f"{place.folder}/image"
    _busybox_root(image)
    life = place.life("--versions", versions, "--version", "image",
                      prelude=f"mount --bind {image} {versions}/image; mount -t tmpfs sub {versions}/image/var")
    points = [line.split()[4] for line in life.shell("cat /proc/1/mountinfo").splitlines()]
    assert "/var" in points
    assert life.stop() == 0


def test_a_missing_version_says_what_to_do(place):
    life = place.life("--versions", f"{place.folder}/versions", "--version", "9", wait=False)
    assert life.wait_end() == 71
    assert "versions/9: No such file or directory" in life.text() and "what_to_do=" in life.text()
    assert place.mounts() == []
    assert place.groups_below() == []


@pytest.mark.parametrize("options", [
    ("--mode", "pid1"),
    ("--mode", "strange"),
    ("--run", "relative"),
    ("--run", "/"),
    ("--run", "/tmp/../etc"),
    ("--versions", "/versions"),
    ("--version", "1"),
    ("--versions", "/versions", "--version", ".."),
    ("--versions", "/versions", "--version", "a/b"),
    ("--stop-timeout", "-1"),
])
def test_wrong_usage(place, options):
    life = place.life(*options, wait=False)
    assert life.wait_end() == 64
    assert place.mounts() == []


def test_a_missing_agent_fails_before_anything_is_made(place):
    life = place.life("--agent", f"{place.folder}/none", wait=False)
    assert life.wait_end() == 71
    assert "none: No such file or directory" in life.text()
    assert place.mounts() == []


def test_a_full_log_does_not_block_its_writer_while_no_agent_runs(place):
    life = place.life()
    assert life.ask("put log.dockerd") == "ok"
    with open(f"{place.run}/agent.fail", "w", encoding="ascii") as file:
        file.write("3")
    life.kill_agent()
    fifo = os.open(f"{place.run}/log.dockerd.fifo", os.O_WRONLY)
    line = b"x" * 2099 + b"\n"  # fills the FIFO's pages at half its capacity in bytes
    count = 400
    writer = threading.Thread(target=lambda: [os.write(fifo, line) for _ in range(count)], daemon=True)
    writer.start()
    writer.join(init_life.PATIENCE)
    blocked = writer.is_alive()
    os.unlink(f"{place.run}/agent.fail")
    dropped = life.info()["dropped"]["log.dockerd"]
    assert not blocked
    reader = os.open(f"{place.run}/log.dockerd.fifo", os.O_RDONLY | os.O_NONBLOCK)
    held = len(_read_all(reader))
    os.close(reader)
    os.close(fifo)
    assert dropped > 0
    assert dropped + held == len(line) * count  # every byte is there or counted


def _read_all(fd):
    content = b""
    try:
        while block := os.read(fd, 65536):
            content += block
    except BlockingIOError:
        pass
    return content


def test_wsl_mode_links_the_docker_socket_and_takes_the_link_back(place):
    life = place.life("--mode", "wsl", prelude="mount -t tmpfs none /mnt; mount -t tmpfs none /var/lib; mount -t tmpfs none /run")
    root = f"/proc/{life.process.pid}/root"
    assert os.readlink(f"{root}/run/docker.sock") == f"{place.run}/engine.sock"
    # The engine's files by the names that all clients may say.
    assert os.readlink(f"{root}/mnt/engine") == "/" and os.readlink(f"{root}/var/lib/docker") == f"{place.data}/docker"
    namespace = os.open(f"/proc/{life.process.pid}/ns/mnt", os.O_RDONLY)
    assert life.stop() == 0
    left = subprocess.run(["nsenter", f"--mount=/proc/self/fd/{namespace}", "--", "ls", "/run"], check=True,
                          capture_output=True, text=True, pass_fds=[namespace])
    os.close(namespace)
    assert left.stdout == ""


def test_pid_one_of_a_namespace_leaves_the_machine_alone(place):
    """As PID 1 of a PID namespace that somebody else made: the end is an exit, and the machine's root file system stays as it is."""
    before = os.statvfs("/").f_flag
    life = place.life(arguments=["/usr/bin/unshare", "--pid", "--fork", "--mount", "--propagation", "private", "--",
                                 "/bin/sh", "-c", 'mount -t proc proc /proc; mount -t tmpfs none /mnt; mount -t tmpfs none /var/lib; exec "$@"',
                                 "sh", HARNESS, "init", "--mode", "pid1", "--run", "/run/causeway", "--data", "/run/data"], wait=False)
    life.wait_line(r"init\.started mode=pid1")
    os.kill(life.pid_one(), signal.SIGTERM)
    assert life.wait_end() == 0, life.text()
    assert os.statvfs("/").f_flag == before
    assert "init.stopped" in life.text()
