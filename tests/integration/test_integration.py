"""What the integration does in a user's distro, keeps right, and takes back: docker.sock, tools, group, links; and what clients do with them."""

import contextlib
import json
import os
import re
import signal
import stat
import subprocess
import sys

import pytest
from polling import poll
from repository import SUPPORT
from wslvm.api import IMAGE, Answer, fresh_name, identity, query
from wslvm.disk_listing import listing
from wslvm.folders import engine_mounts, fresh_folder

KINDS = ["Guest", "minimal-guest"]
TOOLS = "/usr/local/lib/causeway"


@pytest.fixture
def guest(vm, request):
    """A distro that was never integrated: it runs without its helper. request.param names it; made anew for each test."""
    name = f"{request.param}-{fresh_name('')}"
    vm.start(name, helper=False)
    yield name
    with contextlib.suppress(Exception):
        vm.causeway("distro", "disable", name, check=False)
    vm.stop(name)


each_kind = pytest.mark.parametrize("guest", KINDS, indirect=True)
full_kind = pytest.mark.parametrize("guest", ["Guest"], indirect=True)


def integrate(vm, name):
    vm.start_helper(name)
    return vm.wait_distro(name)


def disable(vm, name):
    vm.causeway("distro", "disable", name)
    vm.wait_distro(name, "disabled")
    poll(lambda: vm.helper_pid(name) is None, "the helper has ended")


def items(vm, name, what=None):
    """What the helper reports to have done: {path: (state, reason)}."""
    report = vm.distros()[name]["report"]
    return {item["path"]: (item["state"], item.get("reason", "")) for item in report["items"] if what in (None, item["what"])}


# Byte for byte -------------------------------------------------------------------------------------------------

def everything(vm, name):
    """Disk, and the file systems in memory that a distro has."""
    facts = vm.status()["distros"][name]
    vm.exec(name, ["sync"])
    told = subprocess.run([sys.executable, "-m", "wslvm.disk_listing", facts["device"]], check=True, capture_output=True, text=True, cwd=SUPPORT)
    disk = json.loads(told.stdout)
    if facts["kind"] == "ubuntu":
        # What an overlay copied up stays copied up; it is the same for whoever looks from inside, and so do we where something
        # may be changed. Elsewhere nothing may be: no file may come into the layer.
        looked_at = {"/etc": True, "/home": True, "/root": True, "/srv": True, "/var/tmp": True, "/var/lib": False, "/usr/local": False,
                     "/usr/share/bash-completion": False, "/usr/share/fish": False, "/usr/share/zsh": False}
        disk = {path: entry for path, entry in disk.items() if entry[0][0] != "d" and path.startswith("/upper/")
                and not path.startswith(tuple(f"/upper{folder}/" for folder in looked_at))}
        for folder, hashes in looked_at.items():
            disk.update({f"{folder}{path}": entry for path, entry in listing(vm.root(name) + folder, hashes).items()})
    for folder in ("/run", "/tmp"):
        disk.update({f"in {folder}: {path}": entry for path, entry in listing(vm.root(name) + folder).items()})
    return disk


def differences(before, after):
    return "\n".join(f"{path}: {before.get(path)} → {after.get(path)}" for path in sorted({*before, *after})
                     if before.get(path) != after.get(path))


PREPARED = {
    "a fresh distro": "true",
    "docker's group and the user in it": "echo docker:x:2375:dev >>/etc/group",
    "docker's group, empty, without a line's end": "printf docker:x:2375: >>/etc/group",
    "own programs and settings": "mkdir -p /usr/local/lib/causeway /usr/local/bin /home/dev/.docker && echo theirs >/usr/local/bin/docker && "
                                 "chmod 711 /usr/local/bin/docker && echo x >/usr/local/lib/causeway/theirs && "
                                 "echo '{\"auths\": {},  \"HttpHeaders\":{}}' >/home/dev/.docker/config.json && chown -R 1000:1000 /home/dev/.docker && "
                                 "chmod 600 /home/dev/.docker/config.json",
    "links of their own": "mkdir -p /opt/docker /usr/local/bin && ln -s /opt/docker/docker /usr/local/bin/docker && ln -s /nowhere /usr/local/bin/causeway",
    "no /usr/local at all": "rm -rf /usr/local",
}


@each_kind
@pytest.mark.parametrize("what", PREPARED)
def test_disable_restores_the_distro_byte_for_byte(vm, guest, what):
    vm.exec(guest, ["sh", "-c", PREPARED[what]])
    before = everything(vm, guest)
    for _ in range(2):
        integrate(vm, guest)
        assert differences(before, everything(vm, guest)), "the integration has left no trace at all: the comparison sees nothing"
        folder = fresh_folder(vm, guest)
        folder.write("f", "works\n")
        assert identity(vm, guest).run("cat /w/f", binds=[f"{folder.path}:/w"]) == "works\n"
        if not what.endswith("of their own") and not what.startswith("own "):
            assert vm.exec(guest, ["docker", "version"], user="dev").stdout.count("Version:") >= 2
        folder.remove()
        disable(vm, guest)
        assert not differences(before, everything(vm, guest)), differences(before, everything(vm, guest))
        assert guest.encode() not in vm.exec("docker-desktop", ["ls", "/mnt/distro"], engine_namespace=True, text=False).stdout.split()
        vm.causeway("distro", "enable", guest)


@each_kind
@pytest.mark.parametrize("when", ["before the helper was killed", "while no helper runs"])
def test_disable_after_a_killed_helper_restores_too(vm, guest, when):
    before = everything(vm, guest)
    integrate(vm, guest)
    if when == "while no helper runs":
        vm.stop(guest)
        vm.causeway("distro", "disable", guest)
        vm.start(guest)  # Windows starts the helper of every distro: this one is told to undo
    else:
        os.kill(vm.helper_pid(guest), signal.SIGKILL)
        vm.causeway("distro", "disable", guest)
    vm.wait_distro(guest, "disabled")
    poll(lambda: vm.status()["distros"][guest]["helper"]["state"] == "done", "the helper has undone all and ended")
    after = everything(vm, guest)
    assert not differences(before, after), differences(before, after)


@each_kind
def test_what_the_user_changed_since_is_not_taken_back(vm, guest):
    """Only our own additions go: a group line that got another member keeps that member, a link that is a file now stays."""
    integrate(vm, guest)
    vm.exec(guest, ["sh", "-c", "sed -i 's/^docker:.*/&,friend/' /etc/group && "
                          "echo mine >/usr/local/bin/.mine && mv -f /usr/local/bin/.mine /usr/local/bin/docker"])
    disable(vm, guest)
    group = vm.exec(guest, ["grep", "^docker:", "/etc/group"], check=False).stdout
    assert re.fullmatch(r"docker:x?:\d+:friend\n", group), group
    assert vm.exec(guest, ["cat", "/usr/local/bin/docker"]).stdout == "mine\n"
    assert vm.exec(guest, ["test", "-e", "/var/lib/causeway"], check=False).returncode == 1


# Group, tools, links -----------------------------------------------------------------------------------------


@each_kind
def test_group_and_member(vm, guest):
    gshadow = f"{vm.root(guest)}/etc/gshadow"
    had_gshadow = os.path.exists(gshadow)
    entry = integrate(vm, guest)
    line = vm.exec(guest, ["grep", "^docker:", "/etc/group"]).stdout
    gid = int(re.fullmatch(r"docker:x?:(\d+):dev\n", line).group(1))
    socket = os.stat(f"{vm.root(guest)}/run/docker.sock")
    assert (socket.st_uid, socket.st_gid, stat.S_IMODE(socket.st_mode)) == (0, gid, 0o660)
    assert os.path.exists(gshadow) == had_gshadow
    if had_gshadow:
        with open(gshadow, encoding="utf-8") as file:
            shadow = [line for line in file.read().splitlines() if line.startswith("docker:")]
        assert shadow == ["docker:!::dev"]
        assert stat.S_IMODE(os.stat(gshadow).st_mode) == 0o600
    assert any("new shell" in note for note in entry["report"]["notes"]), entry["report"]["notes"]
    assert vm.exec(guest, ["id", "-Gn"], user="dev").stdout.split() == ["dev", "docker"]
    assert identity(vm, guest).good("GET", "/info").status == 200
    assert vm.exec(guest, ["docker", "version"], user="dev").returncode == 0
    # Nobody else gets in.
    vm.exec(guest, ["sh", "-c", "echo other:x:1001:1001::/:/bin/sh >>/etc/passwd"])
    denied = vm.exec(guest, ["docker", "version"], user="other", check=False)
    assert denied.returncode == 1 and "permission denied" in denied.stderr, denied


@each_kind
def test_tools_and_links(vm, guest):
    integrate(vm, guest)
    root = vm.root(guest)
    assert os.readlink(f"{root}/usr/local/bin/docker").startswith(TOOLS)
    assert vm.exec(guest, ["docker", "--version"]).stdout.startswith("Docker version")
    denied = vm.exec(guest, ["sh", "-c", f"touch {TOOLS}/x; rm {TOOLS}/bin/docker"], check=False).stderr
    assert denied.count("Read-only file system") == 2
    links = [path for path in items(vm, guest, "link") | items(vm, guest, "completion")]
    for path in links:
        assert os.path.islink(root + path) and os.readlink(root + path).startswith(TOOLS), path
        assert vm.exec(guest, ["test", "-e", path]).returncode == 0, f"{path} leads nowhere"
    if guest.startswith("Guest"):
        assert items(vm, guest, "completion"), "a distro with bash, and no completion"
    assert vm.exec(guest, ["docker", "context", "ls"], user="dev").returncode == 0


@each_kind
def test_files_that_are_not_ours_stay_and_are_named(vm, guest):
    vm.exec(guest, ["sh", "-c", "mkdir -p /usr/local/bin && echo theirs >/usr/local/bin/docker && chmod 755 /usr/local/bin/docker"])
    integrate(vm, guest)
    state, reason = items(vm, guest)["/usr/local/bin/docker"]
    assert state == "left_alone" and reason
    assert vm.exec(guest, ["cat", "/usr/local/bin/docker"]).stdout == "theirs\n"
    told = vm.causeway("distro", "status", guest, check=False).stdout
    assert "/usr/local/bin/docker" in told
    assert vm.exec(guest, [f"{TOOLS}/bin/docker", "version"]).returncode == 0


@full_kind
def test_another_engines_socket_stays_and_is_named(vm, guest):
    """A docker of the distro's own serves /run/docker.sock: it goes on doing so."""
    script = ("import os,socket,sys; s=socket.socket(socket.AF_UNIX); s.bind('/run/docker.sock'); s.listen(8); print('ready',flush=True)\n"
              "while True:\n c,_=s.accept()\n if c.recv(9999): c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\ntheirs')\n c.close()")
    with vm.popen(guest, ["python3", "-c", script], stdout=subprocess.PIPE, text=True) as theirs:
        assert theirs.stdout.readline() == "ready\n"
        vm.start_helper(guest)
        poll(lambda: vm.distros().get(guest, {}).get("report"), "the helper reports")
        poll(lambda: items(vm, guest, "docker.sock"), "it reports about docker.sock")
        (state, reason), = items(vm, guest, "docker.sock").values()
        assert (state, reason) == ("left_alone", "another engine listens there")
        assert identity(vm, guest)("GET", "/info").data == b"theirs"
        told = vm.causeway("distro", "status", guest, check=False).stdout
        assert f"docker.sock /var/run/docker.sock, left alone: {reason}" in told, "nothing says why docker doesn't work here"
        # Its files are shared nevertheless.
        poll(lambda: vm.distros()[guest]["state"] == "attached", "the share is there")
        theirs.kill()
        theirs.wait()
    vm.exec(guest, ["rm", "/run/docker.sock"])
    poll(lambda: vm.distros()[guest]["socket"], "once theirs is gone ours is bound")
    assert identity(vm, guest).good("GET", "/info").body["ServerVersion"]


REMOVALS = {
    "the socket": ("rm /run/docker.sock", "test -S /run/docker.sock"),
    "a link": ("rm /usr/local/bin/docker", "test -L /usr/local/bin/docker"),
    "the folder of links": ("mv /usr/local/bin /usr/local/away", "test -L /usr/local/bin/docker"),
    "the tools": (f"umount {TOOLS}", f"test -x {TOOLS}/bin/docker"),
}


@each_kind
@pytest.mark.parametrize("what", REMOVALS)
def test_what_is_removed_comes_back(vm, guest, what):
    # A folder of the overlay's upper layer alone can be renamed; one of both layers is copied name by name, while the helper repairs it.
    vm.exec(guest, ["sh", "-c", "rm -rf /usr/local/bin && mkdir -p /usr/local/bin"])
    integrate(vm, guest)
    remove, there = REMOVALS[what]
    vm.exec(guest, ["sh", "-c", remove])
    poll(lambda: vm.exec(guest, ["sh", "-c", there], check=False).returncode == 0, f"{what} is there again")
    poll(lambda: vm.exec(guest, ["docker", "version"], check=False, user="dev").returncode == 0, "docker works")
    folder = fresh_folder(vm, guest)
    folder.write("f", "works\n")
    assert identity(vm, guest).run("cat /w/f", binds=[f"{folder.path}:/w"]) == "works\n"


@each_kind
def test_a_new_run_over_the_old_one(vm, guest):
    """systemd mounts its own tmpfs on /run, sometimes after the helper has started."""
    integrate(vm, guest)
    vm.exec(guest, ["mount", "-t", "tmpfs", "-o", "mode=755", "none", "/run"])
    poll(lambda: vm.exec(guest, ["test", "-S", "/run/docker.sock"], check=False).returncode == 0, "docker.sock is on the new /run")
    poll(lambda: vm.exec(guest, ["docker", "version"], check=False, user="dev").returncode == 0, "docker works")


@each_kind
def test_sockets_that_are_replaced_again_and_again_leak_nothing(vm, guest):
    integrate(vm, guest)
    agent, helper = vm.agent_pid(), vm.helper_pid(guest)
    count = lambda pid: len(os.listdir(f"/proc/{pid}/fd"))
    before = count(agent), count(helper)
    for _ in range(20):
        old = os.stat(f"{vm.root(guest)}/run/docker.sock").st_ino
        os.unlink(f"{vm.root(guest)}/run/docker.sock")
        # Its mode comes last: one removed before that is not made again at once.
        poll(lambda: os.path.exists(f"{vm.root(guest)}/run/docker.sock") and
                   os.stat(f"{vm.root(guest)}/run/docker.sock").st_ino != old and
                   stat.S_IMODE(os.stat(f"{vm.root(guest)}/run/docker.sock").st_mode) == 0o660, "a new socket is there")
    poll(lambda: identity_answers(vm, guest), "docker works")
    poll(lambda: count(agent) <= before[0] + 3 and count(helper) <= before[1] + 3, "as many descriptors as before")


def identity_answers(vm, name):
    try:
        return identity(vm, name)("GET", "/info").status == 200
    except OSError:
        return False


# Accounts that change ------------------------------------------------------------------------------------------

@each_kind
@pytest.mark.parametrize("name, uid, conf", [("newbie", 1000, False), ("other", 1234, True)])
def test_a_user_made_later_gets_in(vm, guest, name, uid, conf):
    """At a distro's first start its set-up makes the user when the helper is there already. Windows says the number 1000; wsl.conf comes first."""
    vm.exec(guest, ["sh", "-c", "for file in passwd group shadow gshadow; do [ -e /etc/$file ] && sed -i /^dev:/d /etc/$file; done; "
                          "sed -i /default=/d /etc/wsl.conf; rm -rf /home/dev; true"])
    entry = integrate(vm, guest)
    assert any("default user isn't in /etc/passwd" in note for note in entry["report"]["notes"]), entry["report"]
    assert not items(vm, guest, "member")
    add = f"useradd -m -u {uid} {name}"
    if guest.startswith("minimal"):
        add = (f"echo {name}:x:{uid}: >>/etc/group; echo {name}:x:{uid}:{uid}::/home/{name}:/bin/sh >>/etc/passwd; "
               f"mkdir /home/{name}; chown {uid}:{uid} /home/{name}")
    vm.exec(guest, ["sh", "-c", add + (f"; printf '[user]\\ndefault={name}\\n' >>/etc/wsl.conf" if conf else "")])
    poll(lambda: items(vm, guest, "member").get(name) == ("added", ""), lambda: f"{name} is a member: {items(vm, guest)}")
    assert vm.exec(guest, ["docker", "version"], user=name).returncode == 0
    poll(lambda: [state for state, _ in items(vm, guest, "context").values()] == ["added"], lambda: f"the context: {items(vm, guest, 'context')}")
    notes = vm.distros()[guest]["report"]["notes"]
    assert any("new shell" in note and name in note for note in notes) and not any("/etc/passwd" in note for note in notes), notes


@each_kind
def test_a_group_that_is_taken_away_comes_back(vm, guest):
    """As NixOS' activation does: /etc/group anew, without what its configuration doesn't have."""
    integrate(vm, guest)
    before = vm.exec(guest, ["grep", "^docker:", "/etc/group"]).stdout
    vm.exec(guest, ["sed", "-i", "/^docker:/d", "/etc/group"])
    poll(lambda: vm.exec(guest, ["grep", "^docker:", "/etc/group"], check=False).stdout == before, "the group is back, with its number")
    poll(lambda: vm.exec(guest, ["docker", "version"], user="dev", check=False).returncode == 0, "and docker works")
    assert {state for what in ("group", "member") for state, _ in items(vm, guest, what).values()} == {"added"}
    # Again and again: status never says that it is there when it isn't.
    for _ in range(5):
        vm.exec(guest, ["sed", "-i", "/^docker:/d", "/etc/group"])
        poll(lambda: vm.exec(guest, ["grep", "^docker:", "/etc/group"], check=False).returncode == 0
             or items(vm, guest, "group").get("/etc/group", ("", ""))[0] == "failed", "it is there, or told as missing", 10)


# Windows' drives and strange distros -----------------------------------------------------------------------------


@each_kind
def test_a_home_on_windows_drive_gets_no_context(vm, guest):
    """Its docker contexts are those of Windows' docker, for which /var/run/docker.sock means nothing."""
    home = f"/mnt/c/Users/{guest}"
    vm.exec(guest, ["sh", "-c", f"mkdir -p {home} && chown 1000:1000 {home} && sed -i 's,:/home/dev:,:{home}:,' /etc/passwd"])
    integrate(vm, guest)
    (path, (state, reason)), = items(vm, guest, "context").items()
    assert path.startswith(f"{home}/.docker/contexts/") and state == "left_alone" and "Windows' drive C" in reason
    assert vm.exec(guest, ["ls", "-A", home]).stdout == ""
    assert reason in vm.causeway("distro", "status", guest).stdout
    assert vm.exec(guest, ["docker", "version"], user="dev").returncode == 0
    vm.exec(guest, ["rm", "-rf", home])


# As on NixOS: programs are elsewhere, /bin and /usr/bin hold sh and env alone.
WITHOUT_FHS = """set -e
mkdir -p /programs && mount --bind /usr/bin /programs && mount --make-private /programs && mkdir -p /tmp/kept && cp -L /usr/bin/sh /usr/bin/env /tmp/kept
for folder in /usr/local/bin /usr/local/sbin /usr/sbin /usr/bin; do [ -d $folder ] || continue; /programs/mount -t tmpfs -o mode=755 none $folder; done
PATH=/programs; cp /tmp/kept/* /usr/bin; rm -r /tmp/kept
"""


@full_kind
def test_a_distro_without_usr_bin(vm, guest):
    """The missing tool is named, in the list, too; where such distros have their programs they are found. The test plays Windows, which
    tells the agent what the helper has said last."""
    vm.exec(guest, ["sh", "-c", WITHOUT_FHS])
    vm.start_helper(guest)
    poll(lambda: vm.status()["distros"][guest]["helper"]["state"] == "refused", "the helper can't be started")
    said = vm.helper_log(guest).strip().splitlines()[-1].removeprefix("causeway: ")
    assert said.startswith("cat(1) not found in PATH ("), said
    assert vm.control(f"/v1/distros/{guest}/failed", "POST", {"reason": said})[0] == 204
    assert (vm.distros()[guest]["state"], vm.distros()[guest]["reason"]) == ("failed", said)
    listed = vm.causeway("distro", "list").stdout
    assert guest in listed and said in listed
    # /run/current-system/sw/bin
    vm.exec(guest, ["/programs/sh", "-c", "PATH=/programs; mkdir -p /run/current-system/sw && ln -s /programs /run/current-system/sw/bin"])
    entry = integrate(vm, guest)
    assert entry["reason"] == "" and any("add it to PATH" in note for note in entry["report"]["notes"]), entry
    vm.exec(guest, ["/programs/sh", "-c", "echo works >/home/dev/f"])
    assert identity(vm, guest).run("cat /w/f", binds=["/home/dev:/w"]) == "works\n"


# causeway distro … ---------------------------------------------------------------------------------------------


@each_kind
def test_a_distro_is_forgotten(vm, guest):
    """Its record, its share and the containers' API socket go; others keep theirs; it comes back when its helper calls."""
    others = lambda: [[vm.distros()[name][what] for what in ("state", "mounts", "socket", "helper")] for name in ("Ubuntu", "minimal")]
    api_sockets = lambda: set(os.listdir(vm.socket_path("api")))
    before, sockets = others(), api_sockets()
    integrate(vm, guest)
    assert api_sockets() == sockets | {f"distro-{guest}.sock"}
    done = vm.causeway("distro", "forget", guest, check=False)
    assert done.returncode == 1 and f"`causeway distro disable {guest}` first" in done.stderr, done
    assert vm.distros()[guest]["state"] == "attached"
    disable(vm, guest)
    assert vm.causeway("distro", "forget", guest.upper()).stdout == f"{guest.upper()} is forgotten\n"
    assert guest not in vm.distros() and guest not in vm.causeway("distro", "list").stdout
    assert api_sockets() == sockets
    known = vm.exec("docker-desktop", ["cat", "/data/causeway/distros.json"]).stdout
    assert guest not in known and "Ubuntu" in known
    assert others() == before
    done = vm.causeway("distro", "forget", guest, check=False)
    assert done.returncode == 1 and f"no distro {guest} is known" in done.stderr, done
    answer = identity(vm, "windows").create(binds=[rf"\\wsl$\{guest}\home:/w"])
    assert answer.status == 400 and guest in answer.message, answer
    integrate(vm, guest)
    assert api_sockets() == sockets | {f"distro-{guest}.sock"}


@full_kind
def test_a_stopped_distro_is_forgotten_without_its_share_left(vm, guest):
    """After `wsl --unregister`: nobody can disable it there. A share that is there goes with it."""
    integrate(vm, guest)
    vm.stop(guest)
    poll(lambda: not vm.distros()[guest]["helper"], "its helper's end is seen")
    vm.causeway("distro", "forget", guest)
    poll(lambda: guest.encode() not in vm.exec("docker-desktop", ["ls", "/mnt/distro"], engine_namespace=True, text=False).stdout.split(), "its share is gone")
    assert guest not in vm.distros()
    vm.start(guest, helper=False)


def test_names_differ_by_more_than_their_case(vm, guest_named_otherwise):
    """wsl.exe takes `ubuntu` for `Ubuntu`: so a second distro that says it can't be one; and each command takes any spelling."""
    before = vm.distros()["Ubuntu"], engine_mounts(vm)
    log = guest_named_otherwise("UBUNTU")
    assert "another distro of that name is integrated and runs" in log
    assert engine_mounts(vm) == before[1] and set(vm.distros()) & {"UBUNTU", "ubuntu"} == set()
    shown = vm.causeway("distro", "status", "ubuntu").stdout
    assert "Ubuntu" in shown and "attached" in shown


@pytest.fixture
def guest_named_otherwise(vm):
    """Starts a helper in a distro of its own that says another name; gives its log once it was refused."""
    name = f"Guest-{fresh_name('')}"
    vm.start(name, helper=False)
    started = []

    def start(said):
        vm.exec(name, ["sh", "-c", "mkdir -p /run/causeway && cp /mnt/wsl/docker-desktop/bin/causeway /run/causeway/causeway"])
        process = vm.popen(name, ["/run/causeway/causeway", "distro", "--name", said], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(process)
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "agent.refused" in line:
                return "".join(lines)
        return "".join(lines)

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
    vm.stop(name)
    # The refusal is shown until the next hello of that name.
    os.kill(vm.helper_pid("Ubuntu"), signal.SIGKILL)
    poll(lambda: vm.distros()["Ubuntu"]["reason"] == "" and vm.distros()["Ubuntu"]["helper"], "Ubuntu's helper is there again")


def test_the_list_tells_state_and_reason(vm):
    name = f"Listed-{fresh_name('')}"
    listed = lambda: vm.causeway("distro", "list").stdout
    assert all(word in listed() for word in ("Ubuntu", "minimal"))
    assert vm.causeway("distro", "status", name, check=False).returncode == 1
    assert name in vm.causeway("distro", "disable", name, check=False).stderr
    vm.start(name)
    vm.wait_distro(name)
    assert name in listed()
    vm.stop(name)
    poll(lambda: vm.distros()[name]["state"] == "stopped", "its stop is seen")
    assert name in listed()
    vm.causeway("distro", "disable", name)
    assert vm.distros()[name]["state"] == "disabled" and "disabled" in listed()
    answer = identity(vm, "windows").create(binds=[rf"\\wsl$\{name}\home:/w"])
    assert answer.status == 400 and name in answer.message and "enable" in answer.message, answer
    vm.causeway("distro", "enable", name)
    assert vm.distros()[name]["enabled"] is True


@pytest.mark.parametrize("arguments, code, says", [
    (["enable"], 64, "NAME is required"), (["disable"], 64, "NAME is required"), (["forget"], 64, "NAME is required"), (["fly"], 64, "not expected: fly"),
    (["enable", "../x"], 1, "no distro ../x is known"), (["enable", "a b"], 1, "no distro a b is known"),
    (["disable", "docker-desktop"], 1, "no distro docker-desktop is known"), (["forget", "../x"], 1, "no distro ../x is known"),
])
def test_wrong_use_of_the_command_is_explained(vm, arguments, code, says):
    done = vm.causeway("distro", *arguments, check=False)
    assert done.returncode == code and says in done.stderr, done


@pytest.mark.parametrize("name, code, says", [("docker-desktop", 64, "docker-desktop is the engine's own distro"),
                                              ("Ubuntu", 69, "another helper runs in this distro"),
                                              ("..", 64, ".. can't be a distro's name"), ("a/b", 64, "a/b can't be a distro's name")])
def test_a_helper_with_a_name_that_is_taken_or_bad_is_refused(vm, name, code, says):
    """Nobody else may be docker-desktop, and no second distro has a running one's name."""
    before = vm.distros()["Ubuntu"], engine_mounts(vm)
    done = vm.exec("minimal", ["/run/causeway/causeway", "distro", "--name", name], check=False)
    assert done.returncode == code and says in done.stderr, done
    assert (vm.distros()["Ubuntu"], engine_mounts(vm)) == before
    assert "docker-desktop" not in vm.exec("docker-desktop", ["ls", "/mnt/distro"], engine_namespace=True).stdout


# What clients do --------------------------------------------------------------------------------------------------


def test_a_devcontainer_like_flow(vm, folder):
    """VS Code's way: create with a folder, find the container by its labels, inspect it, open what it says is mounted."""
    folder.write("src/main.c", "int main;\n")
    api = identity(vm, folder.distro)
    container = api.created(command=("sleep", "1000000"), Labels={"devcontainer.local_folder": folder.path},
                            mounts=[{"Type": "bind", "Source": folder.path, "Target": "/workspaces/x"}])
    try:
        assert api.start(container).status == 204
        found = api.good("GET", "/containers/json" + query(filters={"label": [f"devcontainer.local_folder={folder.path}"]})).body
        assert [entry["Id"] for entry in found] == [container]
        by_path = api.good("GET", "/containers/json" + query(filters={"volume": [folder.path]})).body
        assert [entry["Id"] for entry in by_path] == [container]
        mount, = [m for m in api.inspect(container)["Mounts"] if m["Destination"] == "/workspaces/x"]
        assert vm.exec(folder.distro, ["cat", f"{mount['Source']}/src/main.c"], user="dev").stdout == "int main;\n"
        assert found[0]["Mounts"][0]["Source"] == mount["Source"]
        # "Rebuild": what inspect says goes into the next create.
        host = api.inspect(container)["HostConfig"]
        again = api.created(command=("cat", "/workspaces/x/src/main.c"), host={"Mounts": host["Mounts"], "Binds": host["Binds"]})
        assert api.start(again).status == 204
        api.good("POST", f"/containers/{again}/wait")
        assert b"int main" in api.good("GET", f"/containers/{again}/logs?stdout=1").data
        api.remove(again)
        # Windows sees where it really is, and can mount that.
        source = identity(vm, "windows").inspect(container)["Mounts"][0]["Source"]
        assert source == rf"\\wsl.localhost\{folder.distro}" + folder.path.replace("/", "\\")
        assert identity(vm, "windows").run("cat /w/src/main.c", binds=[f"{source}:/w"]) == "int main;\n"
        other = "minimal" if folder.distro == "Ubuntu" else "Ubuntu"
        source = identity(vm, other).inspect(container)["Mounts"][0]["Source"]
        assert identity(vm, other).run("cat /w/src/main.c", binds=[f"{source}:/w"]) == "int main;\n"
    finally:
        api.remove(container)


def called(vm, container, method, target, body=None):
    """A request by a program in the container, on the docker.sock that is mounted there."""
    done = vm.docker("exec", container, "/programs/http_call", "/var/run/docker.sock", method, "/v1.41" + target,
                     *([json.dumps(body)] if body is not None else []), check=False, text=False)
    head, _, data = done.stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 "), f"{method} {target}: {done.stdout}{done.stderr}"
    if b"chunked" in head:
        parts, rest = [], data
        while rest and not rest.startswith(b"0"):
            size, _, rest = rest.partition(b"\r\n")
            parts.append(rest[:int(size, 16)])
            rest = rest[int(size, 16) + 2:]
        data = b"".join(parts)
    return Answer(int(head.split()[1]), data, {})


@contextlib.contextmanager
def container_with_socket(vm, programs, source="/var/run/docker.sock"):
    with identity(vm, "Ubuntu").running(binds=[f"{source}:/var/run/docker.sock", f"{programs}:/programs:ro"]) as container:
        yield container


@pytest.mark.parametrize("source", ["/var/run/docker.sock", "/run/docker.sock", "//var/run/docker.sock"])
def test_testcontainers_like_use_of_docker_sock(vm, ubuntu_folder, programs, source):
    """A test in a container makes sibling containers over docker.sock, with paths of the distro that made it."""
    ubuntu_folder.write("f", "for the sibling\n")
    with container_with_socket(vm, programs, source) as container:
        assert called(vm, container, "GET", "/info").status == 200
        created = called(vm, container, "POST", "/containers/create", {
            "Image": IMAGE, "Cmd": ["sh", "-c", "cat /w/f; echo by the sibling >/w/back"], "Tty": True,
            "HostConfig": {"NetworkMode": "none", "Binds": [f"{ubuntu_folder.path}:/w", "/var/run/docker.sock:/var/run/docker.sock"]}})
        assert created.status == 201, created
        sibling = created.body["Id"]
        try:
            assert called(vm, container, "POST", f"/containers/{sibling}/start").status == 204
            assert called(vm, container, "POST", f"/containers/{sibling}/wait").body["StatusCode"] == 0
            assert ubuntu_folder.read("back") == "by the sibling\n"
            mounts = called(vm, container, "GET", f"/containers/{sibling}/json").body["Mounts"]
            assert {m["Source"] for m in mounts} == {ubuntu_folder.path, "/var/run/docker.sock"}
        finally:
            called(vm, container, "DELETE", f"/containers/{sibling}?force=1")


def test_portainer_like_use_of_docker_sock(vm, ubuntu_folder, programs):
    """A long-lived container that watches the engine over docker.sock: it goes on after the agent died, the helper, dockerd."""
    with container_with_socket(vm, programs) as container, identity(vm, "Ubuntu").running(binds=[f"{ubuntu_folder.path}:/w"]) as watched:
        def shown():
            sources = {m["Source"] for entry in called(vm, container, "GET", "/containers/json").body if entry["Id"] == watched
                       for m in entry["Mounts"]}
            return sources == {ubuntu_folder.path}
        assert shown()
        for victim in (vm.agent_pid, lambda: vm.helper_pid("Ubuntu"), vm.dockerd_pid, vm.agent_pid):
            dead = victim()
            os.kill(dead, signal.SIGKILL)
            poll(lambda: dead not in vm.pids(), "it is gone")
            vm.wait_engine()
            poll(shown, "the container still sees the engine, with its distro's paths", 30)


def test_a_containers_socket_keeps_the_identity_that_made_it(vm, programs):
    """Made by Windows, it means Windows' paths, wherever it runs."""
    vm.exec("Ubuntu", ["sh", "-c", "mkdir -p /mnt/c/Users/dev/sock && echo of Windows >/mnt/c/Users/dev/sock/f"])
    with identity(vm, "windows").running(binds=["//var/run/docker.sock:/var/run/docker.sock",
                                                rf"\\wsl.localhost\Ubuntu{programs}:/programs:ro".replace("/opt/", "\\opt\\")]) as container:
        created = called(vm, container, "POST", "/containers/create", {
            "Image": IMAGE, "Cmd": ["true"], "HostConfig": {"Binds": [r"C:\Users\dev\sock:/w"]}})
        assert created.status == 201, created
        shown = called(vm, container, "GET", f"/containers/{created.body['Id']}/json").body["Mounts"][0]["Source"]
        called(vm, container, "DELETE", f"/containers/{created.body['Id']}")
        assert shown == r"C:\Users\dev\sock"


def test_files_of_windows_have_no_inotify_and_it_is_said_once(vm):
    """In the log and in status, not in the API's answer."""
    api = identity(vm, "Ubuntu")
    for _ in range(2):
        answer = api.create(binds=["/mnt/c/Users/dev:/w"])
        assert answer.status == 201 and not answer.body.get("Warnings"), answer
        api.remove(answer.body["Id"])
    told = json.dumps([vm.control("/v1/status")[1], vm.control("/v1/distros")[1]])
    assert "inotify" in told, "status doesn't tell of it"
    assert sum("inotify" in line for line in vm.boot_log().splitlines()) == 1, "the log tells of it once"
