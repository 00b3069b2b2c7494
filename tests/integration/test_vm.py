"""The simulated WSL VM itself: what the other tests take for granted about it."""

import os
import pty
import re
import signal
import subprocess

import pytest
from polling import poll
from wslvm import cgroups, kernel, marks
from wslvm.leftovers import Machine
from wslvm.vm import COMMAND, Vm, VmError

DISTROS = ("docker-desktop", "Ubuntu", "minimal")


@pytest.fixture(scope="module")
def plain(machine):
    """A VM without an agent, shared by the tests that leave it as they found it."""
    vm = Vm(f"/var/tmp/causeway-test-plain-{os.getpid()}")
    vm.up(DISTROS)
    machine.watch(vm)
    yield vm
    vm.down()


def namespace(pid, kind):
    return os.readlink(f"/proc/{pid}/ns/{kind}")


def points(vm, name):
    return {m["point"]: m for m in kernel.mount_points(vm.distro_pid(name))}


# First in this file, because it wants to be the only VM: the last one to end restores the sysctls.
def test_sysctls_of_the_machine_are_restored(make_vm):
    if any(marks.is_alive(mark["id"]) for mark in marks.all_marks()):
        pytest.skip("another VM runs on this machine: the last one to end restores the sysctls")
    before = marks.read_sysctls()["vm.max_map_count"]
    changed = str(int(before) + 1)
    vm = make_vm(["Ubuntu"])
    vm.exec("Ubuntu", ["sysctl", "-w", f"vm.max_map_count={changed}"])
    assert marks.read_sysctls()["vm.max_map_count"] == changed
    second = make_vm(["minimal"])  # must not take the changed value for the machine's
    vm.down()
    assert marks.read_sysctls()["vm.max_map_count"] == changed
    second.down()
    assert marks.read_sysctls()["vm.max_map_count"] == before


# Namespaces and roots ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mnt", "pid", "uts", "ipc"])
def test_each_distro_has_its_own_namespace(plain, kind):
    assert len({namespace(plain.distro_pid(name), kind) for name in DISTROS} | {namespace("self", kind)}) == 4


@pytest.mark.parametrize("kind", ["net", "cgroup"])
def test_all_distros_share_the_vms_namespace(plain, kind):
    shared = {namespace(plain.distro_pid(name), kind) for name in DISTROS}
    assert len(shared) == 1
    assert namespace("self", kind) not in shared


def test_a_distro_sees_only_its_own_processes_and_name(plain):
    with plain.popen("minimal", ["sleep", "1000"]) as other:
        seen = plain.exec("Ubuntu", ["ps", "-eo", "pid,args"]).stdout
        other.kill()
    assert "1 /init" in seen
    assert "sleep 1000" not in seen
    assert plain.exec("Ubuntu", ["hostname"]).stdout == "Ubuntu\n"


def test_only_the_full_distro_has_a_shared_root(plain):
    shared = {name: any(p.startswith("shared:") for p in points(plain, name)["/"]["propagation"])
              for name in DISTROS}
    assert shared == {"docker-desktop": False, "Ubuntu": True, "minimal": False}


def test_minimal_has_busybox_and_nothing_else(plain):
    programs = plain.exec("minimal", ["find", "/bin", "/usr/bin", "-type", "f"]).stdout.split()
    assert programs == ["/bin/busybox"]
    assert plain.exec("minimal", ["bash"], check=False).returncode == 127


def test_the_machines_own_data_and_users_are_hidden(plain, tmp_path):
    (tmp_path / "secret").write_text("x")
    for path in (str(tmp_path), os.path.dirname(os.path.realpath(__file__)), plain.state_dir, "/run/lock"):
        assert plain.exec("Ubuntu", ["test", "-e", path], check=False).returncode == 1, path
    assert plain.exec("Ubuntu", ["ls", "-A", "/home", "/root", "/etc/docker", "/var/lib/docker"],
                      check=False).stdout.count("\n\n") == 3
    people = [line for line in plain.exec("Ubuntu", ["cat", "/etc/passwd"]).stdout.splitlines()
              if 1000 <= int(line.split(":")[2]) < 60000]
    assert people == ["dev:x:1000:1000:dev:/home/dev:/bin/bash"]


def test_what_a_distro_writes_and_mounts_stays_off_the_machine(plain):
    before = Machine().before
    plain.exec("Ubuntu", ["sh", "-c", "echo x >/usr/bin/made-in-ubuntu; mkdir /media/m; mount -t tmpfs t /media/m"])
    assert not os.path.exists("/usr/bin/made-in-ubuntu")
    assert not os.path.exists("/media/m")
    assert Machine().before == before
    assert plain.exec("docker-desktop", ["test", "-e", "/versions/dev/usr/bin/made-in-ubuntu"],
                      check=False).returncode == 1
    plain.exec("Ubuntu", ["sh", "-c", "umount /media/m; rmdir /media/m; rm /usr/bin/made-in-ubuntu"])


def test_docker_desktop_has_versions_and_data_off_overlay(plain):
    mounted = points(plain, "docker-desktop")
    assert mounted["/versions/dev"]["fstype"] == "overlay"
    assert mounted["/"]["fstype"] == "ext4"
    assert os.path.exists(plain.root("docker-desktop") + "/versions/dev/usr/sbin/dockerd")
    device = os.stat(plain.root("docker-desktop") + "/data").st_dev
    assert device == os.stat(plain.root("docker-desktop") + "/").st_dev


# <wsl> and the Windows drive ----------------------------------------------------------------------------


@pytest.mark.parametrize("wsl", ["/mnt/wsl", "/wsl"])
def test_mounts_and_unmounts_below_wsl_reach_all_distros_also_later_ones(make_vm, wsl):
    vm = make_vm(["Ubuntu", "minimal"], wsl_root=wsl)
    assert os.stat(vm.root("minimal") + wsl).st_mode & 0o7777 == 0o1777
    vm.exec("minimal", ["sh", "-c", f"mkdir {wsl}/d && mount -t tmpfs t {wsl}/d && echo hi >{wsl}/d/f"])
    assert vm.exec("Ubuntu", ["cat", f"{wsl}/d/f"]).stdout == "hi\n"
    vm.start("later")
    assert vm.exec("later", ["cat", f"{wsl}/d/f"]).stdout == "hi\n"
    vm.exec("later", ["umount", f"{wsl}/d"])
    for name in ("Ubuntu", "minimal", "later"):
        assert f"{wsl}/d" not in points(vm, name)


def test_a_stopped_distro_takes_no_mount_away_from_others(make_vm):
    vm = make_vm(["Ubuntu", "minimal"])
    vm.exec("Ubuntu", ["sh", "-c", "mkdir /mnt/wsl/d && mount -t tmpfs t /mnt/wsl/d"])
    vm.stop("Ubuntu")
    assert "/mnt/wsl/d" in points(vm, "minimal")
    vm.start("Ubuntu")
    vm.stop("Ubuntu", clean_shutdown=True)  # WSL#41084
    assert "/mnt/wsl/d" not in points(vm, "minimal")


@pytest.mark.parametrize("wsl, drive", [("/mnt/wsl", "/mnt/c"), ("/wsl", "/c")])
def test_drive_c_is_one_for_all_and_outlives_the_vm(make_vm, wsl, drive):
    vm = make_vm(["Ubuntu", "minimal"], wsl_root=wsl)
    vm.exec("Ubuntu", ["sh", "-c", f"echo hi >{drive}/Users/dev/f"], user="dev")
    assert vm.exec("minimal", ["cat", f"{drive}/Users/dev/f"]).stdout == "hi\n"
    assert points(vm, "minimal")[drive]["source"] == "C:\\"
    vm.down(keep_disks=True)
    vm = make_vm(["minimal"], state=vm.state_dir, wsl_root=wsl)
    assert vm.exec("minimal", ["cat", f"{drive}/Users/dev/f"]).stdout == "hi\n"


# exec ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script, code", [("exit 7", 7), ("kill -TERM $$", 143), ("true", 0)])
def test_exec_passes_the_exit_code(plain, script, code):
    assert plain.exec("minimal", ["sh", "-c", script], check=False).returncode == code


def test_exec_passes_bytes_and_end_of_file(plain):
    data = os.urandom(1 << 20)
    assert plain.exec("Ubuntu", ["cat"], input=data, text=False).stdout == data


def test_exec_runs_as_the_distros_user_with_wsls_environment(plain):
    shown = plain.exec("Ubuntu", ["sh", "-c", "id -un; id -Gn; pwd; echo $WSL_DISTRO_NAME $A"], user="dev",
                       environment={"A": "b c"}).stdout.splitlines()
    assert shown == ["dev", "dev", "/home/dev", "Ubuntu b c"]
    assert plain.exec("Ubuntu", ["pwd"], folder="/usr/lib").stdout == "/usr/lib\n"


@pytest.mark.parametrize("distro, options, argv, says", [
    ("Ubuntu", {}, ["no-such-program"], "command not found in Ubuntu"),
    ("Ubuntu", {"user": "nobody-here"}, ["true"], "no user nobody-here"),
    ("Ubuntu", {"folder": "/no/such"}, ["true"], "No such file or directory"),
    ("Debian", {}, ["true"], "distro Debian does not run"),
])
def test_exec_says_what_is_wrong(plain, distro, options, argv, says):
    done = plain.exec(distro, argv, check=False, **options)
    assert done.returncode != 0
    assert says in done.stderr


def test_exec_forwards_signals(plain):
    script = "trap 'echo got; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    with plain.popen("minimal", ["sh", "-c", script], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout.readline() == "ready\n"
        command.send_signal(signal.SIGTERM)
        assert command.communicate(timeout=10)[0] == "got\n"
        assert command.returncode == 5


@pytest.mark.parametrize("user", ["root", "dev"])
def test_killing_exec_kills_the_command(plain, user):
    with plain.popen("Ubuntu", ["sh", "-c", "echo $$; exec sleep 1234"], user=user,
                     stdout=subprocess.PIPE) as command:
        command.stdout.readline()
        inside = poll(lambda: plain.find_processes("sleep", "1234"), "sleep runs")
        assert len(inside) == 1
        command.kill()
        command.wait()
    poll(lambda: not plain.find_processes("sleep", "1234"), "sleep ends")


def test_exec_keeps_the_terminal(plain):
    child, terminal = pty.fork()
    if child == 0:
        argv = plain.exec_argv("minimal", ["sh", "-c", "test -t 0 && test -t 1 && read x && echo got $x"])
        os.execv(argv[0], argv)
    os.write(terminal, b"typed\n")
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # EIO: the other side is closed
            break
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert b"typed\r\ngot typed\r\n" in shown
    os.close(terminal)


# Stop, start, disks --------------------------------------------------------------------------------------


def test_stop_kills_everything_and_releases_the_disk(make_vm):
    vm = make_vm(["Ubuntu", "minimal"])
    vm.exec("Ubuntu", ["sh", "-c", "echo kept >/root/f; setsid sleep 4321 </dev/null >/dev/null 2>&1 &"])
    assert vm.find_processes("sleep", "4321")
    device = vm.status()["distros"]["Ubuntu"]["device"]
    assert device in kernel.loops_backed_below(vm.state_dir)
    assert vm.stop("Ubuntu") == {"name": "Ubuntu", "disk": "released", "holders": []}
    assert not vm.find_processes("sleep", "4321")
    assert device not in kernel.loops_backed_below(vm.state_dir)
    assert vm.exec("minimal", ["true"]).returncode == 0
    assert vm.stop("Ubuntu")["disk"] == "released"  # twice is no error
    vm.start("Ubuntu")
    assert vm.exec("Ubuntu", ["cat", "/root/f"]).stdout == "kept\n"


def test_stop_ends_a_command_that_runs_inside(make_vm):
    vm = make_vm(["minimal"])
    with vm.popen("minimal", ["sh", "-c", "echo ready; sleep 1000"], stdout=subprocess.PIPE) as command:
        command.stdout.readline()
        vm.stop("minimal")
        assert command.wait(timeout=10) == 137


@pytest.mark.parametrize("distro, folder", [("Ubuntu", "/home"), ("minimal", "/home")])
def test_stop_reports_a_busy_disk_and_who_holds_it(make_vm, distro, folder):
    vm = make_vm([distro, "minimal-other"])
    vm.exec(distro, ["sh", "-c", f"mkdir /mnt/wsl/hold && mount --bind {folder} /mnt/wsl/hold"])
    reply = vm.stop(distro)
    assert reply["disk"] == "busy"
    held = [h for h in reply["holders"] if h.get("mount") == "/mnt/wsl/hold"]
    assert "minimal-other: init" in [h["where"] for h in held]
    vm.exec("minimal-other", ["umount", "/mnt/wsl/hold"])
    assert vm.stop(distro)["disk"] == "released"


def test_stop_reports_an_open_file_as_a_holder(make_vm):
    """As a container does that still reads its bind source after the share was detached."""
    vm = make_vm(["minimal", "minimal-other"])
    vm.exec("minimal", ["sh", "-c", "echo x >/root/f; mkdir /mnt/wsl/h; mount --bind /root /mnt/wsl/h"])
    script = "exec 3</mnt/wsl/h/f; umount -l /mnt/wsl/h; echo ready; sleep 1000"
    with vm.popen("minimal-other", ["sh", "-c", script], stdout=subprocess.PIPE) as reader:
        reader.stdout.readline()
        reply = vm.stop("minimal")
        assert reply["disk"] == "busy"
        assert {(h["where"].split(":")[0], h.get("fd")) for h in reply["holders"]} == {("minimal-other", 3)}
        vm.start("minimal")  # starts on the disk that is still in use
        assert vm.exec("minimal", ["cat", "/root/f"]).stdout == "x\n"
        reader.kill()
    poll(lambda: not vm.find_processes("busybox", "1000"), "the reader is gone")
    assert vm.stop("minimal")["disk"] == "released"


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "-x"])
def test_a_bad_distro_name_is_refused(plain, name):
    with pytest.raises(VmError):
        plain.start(name)


# Cgroups, sysctls, leftovers ------------------------------------------------------------------------------


def test_all_processes_are_in_the_vms_cgroups(plain):
    inside = plain.exec("Ubuntu", ["cat", "/proc/self/cgroup"]).stdout.splitlines()
    assert {line.split(":", 2)[2] for line in inside} <= {"/", "/init"}
    with open(f"/proc/{plain.distro_pid('minimal')}/cgroup", encoding="ascii") as file:
        assert all(cgroups.group_name(plain.id()) in line for line in file)


def test_a_cgroup_made_inside_is_removed_with_the_vm(make_vm):
    vm = make_vm(["Ubuntu"])
    vm_id = vm.id()
    vm.exec("Ubuntu", ["sh", "-c", 'for h in $(find /sys/fs/cgroup -maxdepth 2 -name cgroup.procs); do '
                       'mkdir -p "${h%/*}/a/b"; done'])
    vm.down()
    assert cgroups.existing(vm_id) == []


def test_up_joins_a_running_vm(make_vm):
    vm = make_vm(["minimal"])
    first = vm.id()
    assert vm.up(["minimal", "minimal-2"]) is False
    assert vm.id() == first
    assert set(vm.status()["distros"]) == {"minimal", "minimal-2"}


def test_two_vms_do_not_meet(make_vm):
    one, two = make_vm(["minimal"]), make_vm(["minimal"])
    assert namespace(one.distro_pid("minimal"), "net") != namespace(two.distro_pid("minimal"), "net")
    one.exec("minimal", ["touch", "/mnt/wsl/one", "/mnt/c/one"])
    assert two.exec("minimal", ["ls", "/mnt/c"]).stdout == "Users\nWindows\n"
    one.down()
    assert two.exec("minimal", ["ls", "/mnt/wsl"]).stdout == "resolv.conf\n"


def kill_holder(vm):
    status = vm.status()
    pids = vm.pids()
    os.kill(status["holder"], signal.SIGKILL)
    poll(lambda: all(kernel.state_letter(pid) in (None, "Z") for pid in pids), "all processes end with the holder")
    return status["id"]


def test_a_killed_vm_is_swept(make_vm):
    vm = make_vm(["Ubuntu", "minimal"])
    vm.exec("Ubuntu", ["sh", "-c", "setsid sleep 1000 </dev/null >/dev/null 2>&1 &"])
    vm_id = kill_holder(vm)
    assert not vm.is_up()
    with pytest.raises(VmError, match="no VM runs"):
        vm.status()
    poll(lambda: not kernel.loops_backed_below(vm.state_dir), "the loop devices detach themselves")
    assert subprocess.run([COMMAND, "sweep"], capture_output=True, check=True).stdout.count(vm_id.encode()) == 1
    assert cgroups.existing(vm_id) == []
    assert not os.path.exists(vm.state_dir)


def test_up_after_a_kill_sweeps_and_keeps_the_disks(make_vm):
    vm = make_vm(["minimal"])
    vm.exec("minimal", ["sh", "-c", "echo kept >/root/f; sync"])
    old = kill_holder(vm)
    assert vm.up(["minimal"]) is True
    assert cgroups.existing(old) == []
    assert vm.exec("minimal", ["cat", "/root/f"]).stdout == "kept\n"


def all_vm_groups():
    return {name for h in cgroups.hierarchies() for name in os.listdir(h["point"])
            if re.fullmatch("causeway-vm-[0-9a-f]{8}", name)}


def test_up_killed_at_any_moment_leaves_nothing(make_vm, machine):
    before = all_vm_groups()  # of VMs that this test did not make, running or not
    vm = make_vm(["minimal"])
    vm.down()
    for milliseconds in range(0, 400, 40):
        command = subprocess.Popen([COMMAND, "up", "--state", vm.state_dir, "--distros", "Ubuntu,minimal"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            command.wait(timeout=milliseconds / 1000)
        except subprocess.TimeoutExpired:
            command.kill()
            command.wait()
        if marks.of_state(vm.state_dir) is None:
            continue  # killed before it took anything
        vm.down()
        assert marks.of_state(vm.state_dir) is None
        assert kernel.loops_backed_below(vm.state_dir) == []
    ids = {mark["id"] for mark in marks.all_marks()}
    assert all_vm_groups() - before <= {cgroups.group_name(vm_id) for vm_id in ids}
    assert vm.up(["minimal"]) is True
