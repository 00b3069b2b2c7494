"""`causeway init` as the real PID 1 of a machine: a kernel of its own under QEMU, real containerd and dockerd, ext4."""

import re
import subprocess

import pytest
from qemu import guest, images, parts, product
from repository import BINARY


@pytest.fixture(scope="module", params=["v2", "hybrid", "shipped"])
def machine(request, guests):
    """A booted guest, with control groups of version 2 alone or beside those of version 1; or one with the root file system that
    is shipped. The last test powers it off."""
    shipped = None
    if request.param == "shipped":
        shipped = request.getfixturevalue("shipped")[1]
    with product.boot(shipped, product.HYBRID if request.param == "hybrid" else ()) as booted:
        booted.groups = "hybrid" if request.param == "hybrid" else "v2"
        booted.hostname = "localhost" if shipped else "docker-desktop"  # the shipped root has no /etc/hostname
        booted.call(import_image)
        yield booted


def import_image():
    import guest_link
    with guest_link.Peer() as peer:
        peer.wait_connected().import_image()


def look_at_pid_one():
    import json
    import os
    import socket
    root = "/proc/1/root"

    def read(path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    return {"command": read("/proc/1/cmdline").split("\0")[:2], "mounts": read("/proc/1/mountinfo"), "hostname": socket.gethostname(),
            "group": read("/proc/1/cgroup"), "init": json.loads(read(f"{root}/run/causeway/init.json")),
            "loopback": int(read("/sys/class/net/lo/flags"), 16) & 1, "modules": read("/proc/modules"),
            "groups": sorted(os.listdir(f"{root}/sys/fs/cgroup"))}


def test_it_is_pid_one_and_has_mounted_what_an_engine_needs(machine):
    told = machine.call(look_at_pid_one)
    assert told["command"] == [product.INIT, "init"]
    assert told["init"]["pid"] == 1 and told["init"]["mode"] == "pid1"
    mounts = {line.split()[4]: line for line in told["mounts"].splitlines()}
    for point, kind in (("/", "ext4"), ("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "devtmpfs"), ("/dev/pts", "devpts"),
                        ("/dev/shm", "tmpfs"), ("/run", "tmpfs"), ("/run/causeway", "tmpfs"), ("/data", "ext4")):
        assert f" - {kind} " in mounts[point], mounts[point]
        assert " shared:" in mounts[point], mounts[point]  # -v …:rslave needs it
    assert told["loopback"] and told["hostname"] == machine.hostname
    # What the engine needs was loaded by the agent, not by the initramfs.
    assert re.search(r"^overlay ", told["modules"], re.M) and re.search(r"^br_netfilter ", told["modules"], re.M)


def live_below_another_group():
    import os
    import select
    import signal
    import subprocess
    group = "/tmp/groups/below"
    os.makedirs("/tmp/groups")
    subprocess.run(["mount", "-t", "cgroup2", "cgroup2", "/tmp/groups"], check=True)
    os.makedirs(group)
    os.makedirs("/tmp/etc/services.d")
    with open("/tmp/etc/services.d/sleeper.json", "w", encoding="ascii") as file:
        file.write("""{"name": "sleeper", "argv": ["/bin/sh", "-c", "echo > /tmp/sleeps; exec sleep 1000"],
                       "ready": {"file": {"path": "/tmp/sleeps"}, "timeout_s": 60}}""")

    def read(name):
        with open(f"{group}/{name}", encoding="ascii") as file:
            return file.read().split()

    def join():
        with open(f"{group}/cgroup.procs", "w", encoding="ascii") as file:
            file.write("0")

    init = subprocess.Popen(["/proc/1/root/usr/bin/causeway", "init", "--mode", "plain", "--run", "/run/below", "--data", "/tmp/data",
                             "--etc", "/tmp/etc"], stderr=subprocess.PIPE, preexec_fn=join, text=True)
    said = []
    for line in init.stderr:
        said.append(line)
        if "service=sleeper state=ready" in line:
            break
    # The move into its group runs beside the start, and may end behind it: the kernel tells when somebody is in there.
    with open(f"{group}/causeway/sleeper/cgroup.events", encoding="ascii") as events:
        changed = select.poll()
        changed.register(events, select.POLLPRI)
        while "populated 1" not in events.read() and changed.poll(20_000):
            events.seek(0)
    seen = {"said": said, "init": len(read("causeway.init/cgroup.procs")), "service": len(read("causeway/sleeper/cgroup.procs")),
            "own": read("cgroup.procs"), "controllers": read("causeway/cgroup.subtree_control")}
    init.send_signal(signal.SIGTERM)
    seen["said"] += init.communicate(timeout=30)[1].splitlines()
    seen |= {"code": init.returncode, "left": [name for name in os.listdir(group) if os.path.isdir(f"{group}/{name}")],
             "left_controllers": read("cgroup.subtree_control")}
    os.rmdir(group)
    subprocess.run(["umount", "/tmp/groups"], check=True)
    return seen


def test_control_groups(machine):
    told = machine.call(look_at_pid_one)
    if machine.groups == "v2":
        assert " - cgroup2 " in next(line for line in told["mounts"].splitlines() if " /sys/fs/cgroup " in line)
        assert told["group"] == "0::/causeway.init\n"
        assert {"causeway", "causeway.init"} <= set(told["groups"])
        # Another init, in mode plain and in a group that is not the root: there processes and controllers exclude each other.
        seen = machine.call(live_below_another_group)
        assert seen["init"] >= 2 and seen["service"] == 1 and seen["own"] == [], "\n".join(map(str, seen.items()))
        assert {"memory", "pids"} <= set(seen["controllers"])
        assert (seen["code"], seen["left"], seen["left_controllers"]) == (0, [], []), "\n".join(map(str, seen.items()))
    else:
        assert "memory" in told["groups"] and "cpu,cpuacct" in told["groups"]
        assert "causeway.init" not in told["groups"]
        memory = next(line for line in told["mounts"].splitlines() if " /sys/fs/cgroup/memory " in line)
        assert " - cgroup " in memory


def run_with_a_limit():
    import guest_link

    def kernel_kills():
        """How often the kernel ended a process for memory. dockerd's OOMKilled isn't asked: its word comes behind the process' end or not at all."""
        with open("/proc/vmstat", encoding="ascii") as counters:
            return int(dict(line.split() for line in counters)["oom_kill"])

    with guest_link.Peer() as peer:
        peer.wait_connected()
        hello = peer.docker("run", "--rm", guest_link.IMAGE, "echo", "hello").stdout.decode()
        # A file in memory counts for who writes it.
        limited = ("--memory", "24m", "--memory-swap", "24m", guest_link.IMAGE, "dd", "if=/dev/zero", "of=/dev/shm/file", "bs=1M")
        before = kernel_kills()
        hog = peer.docker("run", "--rm", *limited, "count=60", check=False)
        killed = kernel_kills() - before
        peer.docker("run", "--rm", *limited, "count=4")  # within its limit
        return hello, hog.returncode, killed, guest_link.link_status()["transport"]


def test_a_container_with_a_memory_limit_over_vsock(machine):
    hello, code, killed, transport = machine.call(run_with_a_limit, timeout=150)
    assert (hello, transport) == ("hello\n", "vsock")
    assert (code, killed) == (137, 1)


def start_a_steady_one():
    import os
    import guest_link
    with guest_link.Peer() as peer:
        peer.wait_connected()
        peer.docker("run", "-d", "--name", "steady", "--restart", "always", "-v", "steady:/kept", guest_link.IMAGE, "sh", "-c",
                    "echo life >> /kept/lives; echo ready; exec sleep 1000000")
        with peer.popen("logs", "-f", "steady") as logs:
            said = logs.stdout.readline().decode()
            logs.kill()
        os.sync()  # dockerd itself is in no hurry to write down that it runs
        return said


def look_at_the_steady_one():
    import guest_link
    with guest_link.Peer() as peer:
        peer.wait_connected()
        state = peer.docker("inspect", "--format", "{{.State.Status}} {{.State.Error}}", "steady").stdout.decode().strip()
        lives = peer.docker("exec", "steady", "cat", "/kept/lives", check=False).stdout.decode()
        peer.docker("rm", "-f", "steady")
        return state, lives


def test_the_engine_comes_back_after_a_power_cut(machine):
    """Nothing of the life before is in its way, and the container that shall always run does."""
    assert machine.call(start_a_steady_one, timeout=120) == "ready\n"
    machine.cut_power()
    product.wait_engine(machine)
    assert machine.call(look_at_the_steady_one, timeout=120) == ["running", "life\nlife\n"]


def leave_something_running():
    import guest_link
    with guest_link.Peer() as peer:
        peer.wait_connected()
        peer.docker("run", "-d", "--name", "writer", "-v", "kept:/kept", guest_link.IMAGE, "sh", "-c",
                    "trap 'echo stopped in order > /kept/file; exit 0' TERM; echo started; while true; do sleep 1 & wait; done")
        with peer.popen("logs", "-f", "writer") as logs:
            said = logs.stdout.readline().decode()
            logs.kill()
        return said


def test_it_powers_off_in_order(machine):
    """With a container that runs: it gets its time, what it writes is on the disk, and the disk needs no repair."""
    assert machine.call(leave_something_running, timeout=120) == "started\n"
    since = len(machine.console.lines)
    machine.run(["kill", "-PWR", "1"])
    machine.console.wait("reboot: Power down", 90, since)
    assert machine.wait_end() == 0
    order = ["init.stop_asked", "agent.stopping", "service=dockerd state=off", "service=containerd state=off", "agent.ended .*code=0",
             "init.stopped", "reboot: Power down"]
    seen = [machine.console.find(pattern, since) for pattern in order]
    assert all(seen), machine.console.text()
    assert [when for when, _ in seen] == sorted(when for when, _ in seen)
    assert not machine.console.find("init.kill_all", since), machine.console.text()
    head = subprocess.run([parts.program("dumpe2fs"), "-h", machine.disk], check=True, capture_output=True, text=True).stdout
    assert re.search(r"Filesystem state: +clean", head) and "needs_recovery" not in head, head
    checked = subprocess.run([parts.program("e2fsck"), "-fn", machine.disk], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    kept = subprocess.run([parts.program("debugfs"), "-R", "cat /data/docker/volumes/kept/_data/file", machine.disk], check=True,
                          capture_output=True, text=True)
    assert kept.stdout == "stopped in order\n"


@pytest.mark.parametrize("command, said", [
    (product.init("none"), r"init.setup_failed .*/versions/none.*No such file or directory.* what_to_do=\".+\""),
    (product.init(".hidden"), r"init.usage .*--version .*letters, digits")])
@pytest.mark.usefixtures("guests")
def test_a_failed_start_says_why_and_powers_off(command, said):
    """PID 1 must not exit: that would be a panic."""
    with guest.Guest(images.machine_root(BINARY), command, seconds=60) as machine:
        machine.console.wait(said)
        assert machine.wait_end() == 0
        assert machine.console.find("reboot: Power down") and not machine.console.find("panic"), machine.console.text()
