"""inotify between a distro and its containers: 10,000 changes each way, none lost."""

import subprocess

import pytest
from wslvm.api import identity

COUNT = 10_000
# Each change is of another name, so that no two are merged into one.
MAKE = f"i=0; while [ $i -lt {COUNT} ]; do : >{{folder}}/f$i; i=$((i+1)); done; : >{{folder}}/end"
CHANGE = f"i=0; while [ $i -lt {COUNT} ]; do echo x >>{{folder}}/f$i; i=$((i+1)); done; : >{{folder}}/end"
DELETE = f"i=0; while [ $i -lt {COUNT} ]; do echo {{folder}}/f$i; i=$((i+1)); done | xargs rm; : >{{folder}}/end"
ROUNDS = {"created": MAKE, "changed": CHANGE, "deleted": DELETE}


def watch(watcher, act):
    """What the watcher printed while act() made all the changes."""
    assert watcher.stdout.readline() == "ready\n"
    act()
    output, errors = watcher.communicate(timeout=120)
    assert watcher.returncode == 0, errors
    return output.splitlines()


@pytest.mark.parametrize("direction", ["from the distro to the container", "from the container to the distro"])
def test_ten_thousand_changes(vm, ubuntu_folder, programs, direction):
    to_container = direction.endswith("container")
    with identity(vm, "Ubuntu").running(binds=[f"{ubuntu_folder.path}:/w", f"{programs}:/programs:ro"]) as container:
        for what, script in ROUNDS.items():
            if to_container:
                watcher = vm.docker_popen("exec", container, "/programs/watch_folder", "/w", text=True)
                act = lambda: vm.exec("Ubuntu", ["sh", "-c", script.format(folder=ubuntu_folder.path)], user="dev" if what == "created" else "root")
            else:
                watcher = vm.popen("Ubuntu", [f"{programs}/watch_folder", ubuntu_folder.path], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
                act = lambda: vm.docker("exec", container, "sh", "-c", script.format(folder="/w"))
            lines = watch(watcher, act)
            seen = [line.split()[1] for line in lines if line.startswith(what + " ")]
            assert seen == [f"f{i}" for i in range(COUNT)], f"{what}: {len(seen)} of {COUNT} seen, {lines.count('OVERFLOW ')} overflows"
            vm.exec("Ubuntu", ["rm", f"{ubuntu_folder.path}/end"])


def test_in_a_sub_mount_too(vm, folder, programs):
    """Where the container sees the mount by the share, not by a bind of its own."""
    sub = folder.make("sub")
    vm.exec(folder.distro, ["mount", "-t", "tmpfs", "none", sub])
    if folder.distro != "Ubuntu":
        programs = rf"\\wsl.localhost\Ubuntu{programs}".replace("/", "\\")
    with identity(vm, folder.distro).running(binds=[f"{folder.path}:/w:rslave", f"{programs}:/programs:ro"]) as container:
        if vm.docker("exec", container, "grep", "-c", " /w/sub ", "/proc/self/mountinfo", check=False).stdout.strip() != "1":
            pytest.fail("the sub-mount is not in the container")
        watcher = vm.docker_popen("exec", container, "/programs/watch_folder", "/w/sub", text=True)
        script = f"i=0; while [ $i -lt 500 ]; do : >{sub}/f$i; i=$((i+1)); done; : >{sub}/end"
        lines = watch(watcher, lambda: vm.exec(folder.distro, ["sh", "-c", script]))
        assert [line for line in lines if line.startswith("created")] == [f"created f{i}" for i in range(500)]
