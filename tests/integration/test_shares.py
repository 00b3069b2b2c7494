"""Any distro, any path: what containers see of the distros' files, and what the distros see of containers."""

import io
import json
import os
import tarfile
import textwrap

import pytest
from polling import poll
from wslvm.api import IMAGE, fresh_name, identity
from wslvm.clients import engine_shell
from wslvm.folders import mount_table

SLEEP = "exec sleep 1000000"


@pytest.fixture
def drive(vm):
    """A folder on Windows' drive C: (path below the drive, its path as Ubuntu has it)."""
    name = fresh_name("on-drive-")
    vm.exec("Ubuntu", ["sh", "-c", f"mkdir /mnt/c/Users/dev/{name} && echo of Windows >/mnt/c/Users/dev/{name}/file"])
    yield f"Users/dev/{name}"
    vm.exec("Ubuntu", ["rm", "-rf", f"/mnt/c/Users/dev/{name}"])


def on_drive(vm, path):
    return vm.exec("Ubuntu", ["cat", f"/mnt/c/{path}"]).stdout


# docker run, as a user types it ----------------------------------------------------------------------------


def test_the_working_folder(vm, folder):
    """The regular user, the integration's docker.sock and CLI, `-v $PWD:/w`: contents are right both ways."""
    folder.write("seen", "of the distro\n")
    script = f"""docker run --rm -v "$PWD":/w {IMAGE} sh -c 'cat /w/seen; stat -c "%u %g %a" /w/seen; echo of the container >/w/back'"""
    shown = vm.exec(folder.distro, ["sh", "-c", script], user="dev", folder=folder.path).stdout
    assert shown == "of the distro\n1000 1000 644\n"
    assert folder.read("back") == "of the container\n"
    assert os.stat(f"{folder.host}/back").st_uid == 0


def test_what_either_side_writes_later_is_seen_at_once(vm, folder):
    with identity(vm, folder.distro).running(SLEEP, binds=[f"{folder.path}:/w"]) as container:
        for turn in range(3):
            folder.write(f"out{turn}", f"{turn} there")
            assert vm.docker("exec", container, "cat", f"/w/out{turn}") == f"{turn} there"
            vm.docker("exec", container, "sh", "-c", f"echo {turn} back >/w/in{turn} && mv /w/in{turn} /w/moved{turn}")
            assert folder.read(f"moved{turn}") == f"{turn} back\n"


def test_a_single_file(vm, folder):
    path = folder.write("settings", "first\n")
    with identity(vm, folder.distro).running(SLEEP, binds=[f"{path}:/etc/settings"]) as container:
        assert vm.docker("exec", container, "cat", "/etc/settings") == "first\n"
        folder.write("settings", "second\n")  # in place, as `>` does
        assert vm.docker("exec", container, "cat", "/etc/settings") == "second\n"
        vm.docker("exec", container, "sh", "-c", "echo third >/etc/settings")
        assert folder.read("settings") == "third\n"
    assert folder.names() == ["settings"]


@pytest.mark.parametrize("name", ["with space", "Ünïcode-文件", "trailing dot.", " leading", "a'b\"c", "back\\slash", "com,ma", "$HOME",
                                  "n" * 255, "co:lon", "line\nfeed"], ids=lambda name: name[:12].encode("unicode_escape").decode())
def test_names_with_a_special_spelling(vm, folder, name):
    folder.make(name)
    folder.write(f"{name}/f", "found")
    mount = {"Type": "bind", "Source": f"{folder.path}/{name}", "Target": "/w"}
    assert identity(vm, folder.distro).run("cat /w/f", mounts=[mount]) == "found"
    if ":" not in name:  # which no bind can say
        assert identity(vm, folder.distro).run("cat /w/f", binds=[f"{folder.path}/{name}:/w"]) == "found"


def test_a_path_as_long_as_the_kernel_takes(vm, folder):
    deep = "/".join(["d" * 200] * 15)  # 3,000 bytes; with /mnt/distro/… before it still below PATH_MAX
    folder.make(deep)
    folder.write(f"{deep}/f", "deep")
    assert identity(vm, folder.distro).run("cat /w/f", binds=[f"{folder.path}/{deep}:/w"]) == "deep"


def test_relative_paths_of_compose(vm, ubuntu_folder):
    ubuntu_folder.write("project/docker-compose.yml", textwrap.dedent(f"""
        version: "3"
        services:
          one:
            image: {IMAGE}
            command: sh -c "cat /data/in /shared/in /etc/one.conf > /data/out"
            volumes:
              - ./data:/data
              - ../shared:/shared:ro
              - ./one.conf:/etc/one.conf:ro
              - kept:/kept
        volumes:
          kept:
        """))
    ubuntu_folder.write("project/data/in", "data\n")
    ubuntu_folder.write("shared/in", "shared\n")
    ubuntu_folder.write("project/one.conf", "conf\n")
    script = "docker-compose up --no-color 2>&1; code=$?; docker-compose down -v 2>/dev/null; exit $code"
    vm.exec("Ubuntu", ["sh", "-c", script], user="dev", folder=f"{ubuntu_folder.path}/project", timeout=180)
    assert ubuntu_folder.read("project/data/out") == "data\nshared\nconf\n"
    assert sorted(os.listdir(f"{ubuntu_folder.host}/project")) == ["data", "docker-compose.yml", "one.conf"]


def test_paths_inside_docker_desktop_itself_are_the_engines(vm):
    where = f"/data/{fresh_name('own-')}"
    script = f"""mkdir {where} && cd {where} && echo own >f &&
        docker run --rm -v "$PWD":/w {IMAGE} sh -c 'cat /w/f; echo back >/w/g' && cat g; rm -r {where}"""
    assert engine_shell(vm, script).stdout == b"own\nback\n"


# Links ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target, link", [
    ("{base}/real", "link"),
    ("real", "link"),
    ("../../../../../../../../..{base}/real", "link"),
    ("first", "link"),
    ("real/../real/.", "link"),
])
def test_a_symlinked_path(vm, folder, target, link):
    folder.write("real/f", "through a link")
    folder.link("real", "first")
    path = folder.link(target.format(base=folder.path), link)
    api = identity(vm, folder.distro)
    assert api.run("cat /w/f; echo back >/w/g", binds=[f"{path}:/w"]) == "through a link"
    assert folder.read("real/g") == "back\n"
    assert api.run("cat /f", binds=[f"{path}/f:/f"]) == "through a link"


def test_a_link_to_windows_files(vm, folder, drive):
    path = folder.link(f"/mnt/c/{drive}", "link")
    assert identity(vm, folder.distro).run("cat /w/file; echo back >/w/back", binds=[f"{path}:/w"]) == "of Windows\n"
    assert on_drive(vm, f"{drive}/back") == "back\n"


def test_a_link_never_leads_out_of_the_distro(vm, folder):
    """The engine has files at this path too; the distro's are meant."""
    name = fresh_name("outside-")
    engine_shell(vm, f"mkdir /data/{name} && echo the engine >/data/{name}/f")
    vm.exec(folder.distro, ["sh", "-c", f"mkdir -p /data/{name} && echo the distro >/data/{name}/f"])
    try:
        path = folder.link(f"../../../../../../../data/{name}", "link")
        assert identity(vm, folder.distro).run("cat /w/f; echo made >/w/made", binds=[f"{path}/:/w"]) == "the distro\n"
        assert engine_shell(vm, f"ls /data/{name}").stdout == b"f\n"
    finally:
        engine_shell(vm, f"rm -r /data/{name}")
        vm.exec(folder.distro, ["rm", "-rf", f"/data/{name}"])
        vm.exec(folder.distro, ["rmdir", "/data"], check=False)


@pytest.mark.parametrize("call", ["start", "restart"])
def test_a_link_changed_since_is_named_before_the_start(vm, folder, call):
    """runc would follow it in the engine's root."""
    folder.write("real/f", "as created")
    api = identity(vm, folder.distro)
    container = api.created(command=("sleep", "1000000"), binds=[f"{folder.path}/real:/w"])
    try:
        if call == "restart":
            api.start(container)
        os.rename(f"{folder.host}/real", f"{folder.host}/moved")
        folder.link("/etc", "real")
        answer = api("POST", f"/containers/{container}/{call}?t=0")
        assert answer.status == 409 and f"{folder.path}/real" in answer.message, answer
        os.unlink(f"{folder.host}/real")
        os.rename(f"{folder.host}/moved", f"{folder.host}/real")
        assert api("POST", f"/containers/{container}/{call}?t=0").status == 204
        assert vm.docker("exec", container, "cat", "/w/f") == "as created"
    finally:
        api.remove(container)


def archive_of(**files):
    """A tar archive with these files, as `docker cp` sends it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


@pytest.mark.parametrize("state", ["created", "running"])
def test_docker_cp_does_not_follow_a_link_out_of_the_distro(vm, folder, state):
    """dockerd mounts the sources for it in the engine's own root: its /etc must be neither read nor written."""
    folder.write("real/f", "as created")
    api = identity(vm, folder.distro)
    container = api.created(command=("sleep", "1000000"), binds=[f"{folder.path}/real:/w"])
    target = f"/containers/{container}/archive?path=/w"
    name = fresh_name("planted-")
    try:
        if state == "running":
            assert api.start(container).status == 204
        os.rename(f"{folder.host}/real", f"{folder.host}/moved")
        folder.link("/etc", "real")
        for answer in (api("GET", target), api("HEAD", target),
                       api("PUT", target, data=archive_of(**{name: "planted"}), headers={"Content-Type": "application/x-tar"})):
            assert answer.status == 409, answer
        assert engine_shell(vm, f"ls /etc/{name}", check=False).returncode != 0
        os.unlink(f"{folder.host}/real")
        os.rename(f"{folder.host}/moved", f"{folder.host}/real")
        assert b"as created" in api.good("GET", target).data
        api.good("PUT", target, data=archive_of(**{name: "copied in"}), headers={"Content-Type": "application/x-tar"})
        assert folder.read(f"real/{name}") == "copied in"
    finally:
        api.remove(container)


# Sub-mounts -------------------------------------------------------------------------------------------------


def test_sub_mounts_made_after_the_start(vm, folder):
    """Seen with rslave, and by new containers; gone again when the distro unmounts them."""
    sub = folder.make("sub")
    api = identity(vm, folder.distro)
    with api.running(SLEEP, binds=[f"{folder.path}:/w:rslave"]) as container, \
            api.running(SLEEP, binds=[f"{folder.path}:/w"]) as private:
        vm.exec(folder.distro, ["sh", "-c", f"mount -t tmpfs none {sub} && echo late >{sub}/f && mkdir {sub}/deeper && "
                                            f"mount -t tmpfs none {sub}/deeper && echo later >{sub}/deeper/f"])
        poll(lambda: vm.docker("exec", container, "cat", "/w/sub/f", "/w/sub/deeper/f", check=False).stdout == "late\nlater\n",
                   "the running container sees the new mounts")
        poll(lambda: api.run("cat /w/sub/f /w/sub/deeper/f 2>&1; true", binds=[f"{folder.path}:/w"]) == "late\nlater\n",
                   "a new container sees them")
        assert vm.docker("exec", private, "ls", "/w/sub") == ""  # docker's default is rprivate
        vm.docker("exec", container, "sh", "-c", "echo back >/w/sub/back")
        assert vm.exec(folder.distro, ["cat", f"{sub}/back"]).stdout == "back\n"
        vm.exec(folder.distro, ["sh", "-c", f"umount {sub}/deeper && umount {sub}"])
        poll(lambda: vm.docker("exec", container, "ls", "/w/sub") == "", "the mounts are gone in the container")
        poll(lambda: api.run("ls /w/sub", binds=[f"{folder.path}:/w"]) == "", "and for new ones")


def test_a_mount_that_covers_another(vm, folder):
    sub = folder.make("sub")
    vm.exec(folder.distro, ["sh", "-c", f"mount -t tmpfs none {sub} && echo below >{sub}/f"])
    api = identity(vm, folder.distro)
    poll(lambda: api.run("cat /w/f 2>&1; true", binds=[f"{sub}:/w"]) == "below\n", "the first mount is seen")
    vm.exec(folder.distro, ["sh", "-c", f"mount -t tmpfs none {sub} && echo above >{sub}/f"])
    poll(lambda: api.run("cat /w/f 2>&1; true", binds=[f"{sub}:/w"]) == "above\n", "the one over it is seen")
    vm.exec(folder.distro, ["umount", sub])
    poll(lambda: api.run("cat /w/f 2>&1; true", binds=[f"{sub}:/w"]) == "below\n", "the first one is seen again")


def test_read_only_mounts_of_the_distro_stay_read_only(vm, folder):
    sub = folder.make("sub")
    vm.exec(folder.distro, ["sh", "-c", f"mount -t tmpfs none {sub} && echo x >{sub}/f && mount -o remount,ro {sub}"])
    api = identity(vm, folder.distro)
    poll(lambda: api.run("cat /w/sub/f 2>&1; true", binds=[f"{folder.path}:/w"]) == "x\n", "the mount is seen")
    assert "Read-only" in api.run("echo y 2>&1 >/w/sub/f; true", binds=[f"{folder.path}:/w"])


def test_nothing_leaks_back_into_the_distros(vm, folder):
    """What containers mount, even with rshared, and all of the sharing itself: the distros' own mount tables stay as they are."""
    folder.write("f", "x")
    folder.make("inner")
    os.mkdir(f"{folder.host}/kept")
    vm.exec(folder.distro, ["mount", "-t", "tmpfs", "none", f"{folder.path}/kept"])
    before = {name: mount_table(vm, name) for name in ("Ubuntu", "minimal")}
    api = identity(vm, folder.distro)
    for propagation in ("", ":rslave", ":rshared", ":ro"):
        api.run("cat /w/f", binds=[f"{folder.path}:/w{propagation}"])
    api.run("mount -t tmpfs none /w/inner && mount -t tmpfs none /host/media && umount /w/kept && grep -q ' /w/inner ' /proc/self/mountinfo && "
            "umount /w/inner /host/media",
            binds=[f"{folder.path}:/w:rshared", "/:/host:rshared"], host={"CapAdd": ["SYS_ADMIN"], "SecurityOpt": ["seccomp=unconfined"]})
    identity(vm, "windows").run("ls /w /c", binds=[rf"\\wsl.localhost\{folder.distro}\home\dev:/w", r"C:\Users:/c"])
    assert {name: mount_table(vm, name) for name in before} == before


def test_integration_adds_the_tools_to_the_mount_table_and_nothing_else(vm):
    for name in ("Late", "minimal-late"):
        vm.start(name, helper=False)
        try:
            before = mount_table(vm, name)
            vm.start_helper(name)
            vm.wait_distro(name)
            identity(vm, name).run("ls /host/home", binds=["/:/host"])
            added = [line for line in mount_table(vm, name) if line not in before]
            assert [line.split()[4] for line in added] == ["/usr/local/lib/causeway"]
            assert added[0].split()[5].startswith("ro,")
            assert [line for line in before if line not in mount_table(vm, name)] == []
        finally:
            vm.stop(name)


# Windows' paths ----------------------------------------------------------------------------------------------

DRIVE_FORMS = [("windows", r"C:\{back}"), ("windows", "c:/{path}"), ("windows", "//c/{path}"), ("windows", r"\\?\C:\{back}"),
               ("windows", "/c/{path}"), ("windows", r"C:\Users\..\{back}\."), ("windows", r"C:/Users\dev/../../{path}"),
               ("windows", r"\\.\C:\{back}"), ("windows", "/mnt/host/c/{path}"), ("Ubuntu", r"C:\{back}"), ("Ubuntu", "C:/{path}"),
               ("Ubuntu", "/mnt/c/{path}"), ("minimal", "/mnt/c/{path}"), ("Ubuntu", "/mnt/host/c/{path}"), ("Ubuntu", r"\\?\C:\{back}")]


@pytest.mark.parametrize("who, form", DRIVE_FORMS)
def test_windows_files(vm, drive, who, form):
    source = form.format(path=drive, back=drive.replace("/", "\\"))
    api = identity(vm, who)
    assert api.run("cat /w/file; echo back >/w/back", binds=[f"{source}:/w"]) == "of Windows\n"
    assert on_drive(vm, f"{drive}/back") == "back\n"
    assert api.run("cat /w/file", binds=[f"{source}:/w:ro"]) == "of Windows\n"
    assert api.run("cat /w/back", mounts=[{"Type": "bind", "Source": source, "Target": "/w"}]) == "back\n"


DISTRO_FORMS = [("windows", r"\\wsl.localhost\{distro}{back}"), ("windows", r"\\wsl$\{distro}{back}"), ("windows", "//wsl.localhost/{distro}{path}"),
                ("windows", r"\\?\UNC\wsl.localhost\{distro}{back}"), ("windows", r"\\WSL.LOCALHOST\{upper}{back}"),
                ("windows", "/mnt/distro/{distro}{path}"), ("Ubuntu", r"\\wsl.localhost\{distro}{back}"),
                ("Ubuntu", "/mnt/distro/{distro}{path}"), ("minimal", "/mnt/distro/{distro}{path}")]


@pytest.mark.parametrize("who, form", DISTRO_FORMS)
def test_a_distros_files_by_windows_names(vm, folder, who, form):
    folder.write("f", "of the distro")
    source = form.format(path=folder.path, back=folder.path.replace("/", "\\"), distro=folder.distro, upper=folder.distro.upper())
    api = identity(vm, who)
    assert api.run("cat /w/f; echo back >/w/g", binds=[f"{source}:/w"]) == "of the distro"
    assert folder.read("g") == "back\n"
    assert api.run("cat /w/g", mounts=[{"Type": "bind", "Source": source, "Target": "/w"}]) == "back\n"


def test_the_windows_cli(vm, drive, ubuntu_folder):
    """The docker CLI on the windows identity's socket, as docker.exe by the shim."""
    ubuntu_folder.write("f", "of Ubuntu\n")
    script = f"""docker run --rm -v 'C:\\{drive.replace("/", chr(92))}:/c' -v '\\\\wsl.localhost\\Ubuntu{ubuntu_folder.path.replace("/", chr(92))}:/u' \
        {IMAGE} cat /c/file /u/f"""
    shown = engine_shell(vm, script, environment={"DOCKER_HOST": "unix:///run/causeway/api/windows.sock"}).stdout
    assert shown == b"of Windows\nof Ubuntu\n"


def test_a_path_of_windows_that_is_none_is_the_engines(vm):
    name = fresh_name("engine-")
    engine_shell(vm, f"mkdir /data/{name} && echo the engine >/data/{name}/f")
    assert identity(vm, "windows").run("cat /w/f", binds=[f"/data/{name}:/w"]) == "the engine\n"
    engine_shell(vm, f"rm -r /data/{name}")


DRIVE_NAMES = ["/run/desktop/mnt/host/c/{0}", "/host_mnt/c/{0}", "/cygdrive/c/{0}", "/run/desktop/mnt/host/C/{0}/", "/mnt/host/c/{0}", "//c/{0}",
               "C:\\{0}"]


@pytest.mark.parametrize("who", ["windows", "Ubuntu", "minimal"])
@pytest.mark.parametrize("name", DRIVE_NAMES)
def test_names_of_drives_that_other_engines_gave(vm, drive, who, name):
    """In settings that people bring along: of binds, mounts and volumes' devices."""
    api, source = identity(vm, who), name.format(drive)
    options = {"type": "none", "o": "bind", "device": source}
    for what in ({"binds": [f"{source}:/w"]}, {"mounts": [{"Type": "bind", "Source": source, "Target": "/w"}]},
                 {"mounts": [{"Type": "volume", "Target": "/w", "VolumeOptions": {"DriverConfig": {"Name": "local", "Options": options}}}]}):
        assert api.run("cat /w/file; echo back >/w/back", **what) == "of Windows\n"
        assert on_drive(vm, f"{drive}/back") == "back\n"
    volume = api.good("POST", "/volumes/create", {"Name": fresh_name("v"), "Driver": "local", "DriverOpts": options}).body["Name"]
    try:
        assert api.run("cat /w/file", binds=[f"{volume}:/w"]) == "of Windows\n"
    finally:
        api.good("DELETE", f"/volumes/{volume}")


@pytest.fixture
def seen(vm):
    """A volume with a file that says "data"."""
    engine, name = identity(vm, "engine"), fresh_name("seen-")
    engine.run("echo data >/d/f", binds=[f"{name}:/d"])
    yield name
    engine.good("DELETE", f"/volumes/{name}")


EVERYBODY = ["engine", "Ubuntu", "minimal", "windows"]


@pytest.mark.parametrize("who", EVERYBODY)
def test_dockers_own_data(vm, seen, who):
    """/var/lib/docker, as docker's documentation and its tools say it (Portainer's agent, log shippers)."""
    api = identity(vm, who)
    assert api.run(f"cat /v/{seen}/_data/f", binds=["/var/lib/docker/volumes:/v"]) == "data\n"
    with api.running() as container:
        assert api.run(f"ls /v/{container}/hostname", binds=["/var/lib/docker/containers:/v:ro"]).strip().endswith("hostname")
    assert not os.path.exists(f"{vm.root('Ubuntu')}/var/lib/docker/volumes")


@pytest.mark.parametrize("shown_to", EVERYBODY)
def test_what_is_shown_of_the_engines_own_places_can_be_given_back_by_everybody(vm, seen, shown_to):
    name = fresh_name("engine-")
    engine_shell(vm, f"mkdir /data/{name} && echo the engine >/data/{name}/f")
    api = identity(vm, shown_to)
    container = identity(vm, "engine").created(command=("sleep", "1000000"), binds=[f"/data/{name}:/w", f"{seen}:/v"])
    try:
        assert identity(vm, "engine").start(container).status == 204  # else it has no hosts file and no network
        shown = api.inspect(container)
        mounts = {mount["Destination"]: mount["Source"] for mount in shown["Mounts"]}
        root = api.good("GET", "/info").body["DockerRootDir"]
        upper, netns = shown["GraphDriver"]["Data"]["UpperDir"], shown["NetworkSettings"]["SandboxKey"]
        image = api.good("GET", f"/images/{IMAGE}/json").body["GraphDriver"]["Data"]["UpperDir"]
        volume = api.good("GET", f"/volumes/{seen}").body["Mountpoint"]
        if shown_to != "engine":
            assert mounts["/w"] == f"/mnt/engine/data/{name}"
            assert root == "/var/lib/docker" and volume == mounts["/v"] == f"/var/lib/docker/volumes/{seen}/_data"
        for who in EVERYBODY:
            if shown_to == "engine" and who != "engine":
                continue  # docker-desktop's own users are shown what the engine says
            output = identity(vm, who).run(
                f"cat /w/f /v/f /r/volumes/{seen}/_data/f; test -s /hosts && test -d /upper && test -x /image/bin/busybox && test -e /netns && echo all",
                binds=[f"{mounts['/w']}:/w", f"{volume}:/v", f"{root}:/r", f"{shown['HostsPath']}:/hosts", f"{upper}:/upper", f"{image}:/image", f"{netns}:/netns"])
            assert output == "the engine\ndata\ndata\nall\n", who
    finally:
        identity(vm, "engine").remove(container)
        engine_shell(vm, f"rm -r /data/{name}")


def test_names_of_the_engines_own_places(vm, folder):
    """/dev, /proc, /sys, <wsl>, /lib/modules and /usr/lib/wsl of a distro are the engine's; `/` holds them below."""
    api = identity(vm, folder.distro)
    vm.exec(folder.distro, ["sh", "-c", "echo on wsl >/mnt/wsl/by-hand"])
    try:
        assert api.run("cat /x/by-hand", binds=["/mnt/wsl:/x"]) == "on wsl\n"
    finally:
        vm.exec(folder.distro, ["rm", "/mnt/wsl/by-hand"])
    assert api.run("cat /x/libdxcore.so", binds=["/usr/lib/wsl/lib:/x:ro"]) == "stand-in\n"
    assert api.run("test -c /x/null && echo x >/y", binds=["/dev:/x", "/dev/null:/y"]) == ""
    folder.write("f", "below the root")
    shown = api.run(f"cat /host{folder.path}/f; test -e /host/proc/1/status && test -d /host/sys/fs && test -c /host/dev/null && ls /host/mnt",
                    binds=["/:/host"])
    assert shown.startswith("below the root") and "wsl" in shown
    api.run("echo back >/host/$W/back", binds=["/:/host"], Env=[f"W={folder.path}"])
    assert folder.read("back") == "back\n"


REFUSED = [
    ("windows", r"\\server\share\x", "network"), ("windows", "D:\\x", "D:"), ("Ubuntu", "D:/x", "D:"),
    ("windows", r"\\wsl.localhost\NoSuch\x", "NoSuch"), ("windows", r"\\wsl$\..\x", "no such distro is integrated"), ("windows", "/mnt/distro/NoSuch/x", "NoSuch"),
    ("Ubuntu", "/mnt/distro/NoSuch/x", "NoSuch"), ("windows", r"\\.\pipe\docker_engine", "docker"),
    ("windows", r"\\wsl.localhost\docker-desktop\x", "docker-desktop"), ("Ubuntu", "C:\\a\0b", "NUL byte"), ("Ubuntu", "/home/dev/a\0b", "NUL byte"),
    ("windows", "/mnt/host/d/x", "D:"), ("windows", "/d/x", "D:"), ("windows", "/cygdrive/d/x", "D:"), ("Ubuntu", "/host_mnt/d/x", "D:"),
    ("Ubuntu", "/run/desktop/mnt/host/nas/x", "another engine's"), ("minimal", "/mnt/wsl/docker-desktop-bind-mounts/Ubuntu/12ab", "another engine's"),
    ("Ubuntu", "/proc/self/root/etc", "leads to"), ("Ubuntu", "/proc/1/cwd", "leads to"), ("minimal", "/proc/1/root/run/causeway", "leads to"),
    ("Ubuntu", "/proc/1/task/1/root", "leads to"), ("Ubuntu", "/proc/self/fd/3", "leads to"), ("Ubuntu", "/dev/stdin", "leads to"),
    ("windows", "/proc/self/root", "leads to"), ("windows", r"\\wsl$\Ubuntu\proc\1\root", "leads to"),
]


@pytest.mark.parametrize("who, source, word", REFUSED)
@pytest.mark.parametrize("field", ["binds", "mounts"])
def test_what_can_not_be_mapped_is_refused_with_the_reason(vm, who, source, word, field):
    name = fresh_name("refused-")
    what = {"binds": [f"{source}:/w"]} if field == "binds" else {"mounts": [{"Type": "bind", "Source": source, "Target": "/w"}]}
    answer = identity(vm, who).create(name=name, **what)
    assert answer.status == 400 and word in answer.message, answer
    assert name not in identity(vm, "engine").names()


def test_missing_shares_are_never_empty_folders(vm):
    """The places under the shares are read-only for all, the engine's root too."""
    done = engine_shell(vm, "mkdir /mnt/distro/x; mkdir /mnt/host/x; touch /mnt/distro/y", check=False)
    assert done.stderr.count(b"Read-only file system") == 3
    container = identity(vm, "engine").created(binds=["/mnt/distro/NoSuch/x:/w"])
    started = identity(vm, "engine").start(container)
    identity(vm, "engine").remove(container)
    assert started.status == 409 and "no WSL distro NoSuch is known" in started.message, started
    assert b"NoSuch" not in engine_shell(vm, "ls /mnt/distro").stdout


def test_shares_are_listed_where_the_documentation_says(vm):
    assert set(engine_shell(vm, "ls /mnt/distro").stdout.decode().split()) >= {"Ubuntu", "minimal"}
    assert engine_shell(vm, "ls /mnt/host").stdout == b"c\n"
    for name in ("Ubuntu", "minimal"):
        assert set(engine_shell(vm, f"ls /mnt/distro/{name}").stdout.decode().split()) >= {"etc", "home", "usr"}


# Calls that must not pass unmapped ---------------------------------------------------------------------------


def body_of(source, name="x"):
    return {"Image": IMAGE, "Cmd": ["cat", "/w/f"], "HostConfig": {"NetworkMode": "none", "Binds": [f"{source}:/w"]}}


def tricks(path):
    """name: (target, body as sent). dockerd itself takes them all (measured)."""
    good = json.dumps(body_of(path))
    inner = json.dumps(body_of(path)["HostConfig"])
    return {
        "the same object twice": ("/containers/create", good[:-1] + f', "HostConfig": {inner}}}'),
        "twice in another case": ("/containers/create", good[:-1] + f', "hostconfig": {inner}}}'),
        "twice inside": ("/containers/create", good.replace('"Binds"', f'"binds": ["{path}:/w"], "Binds"')),
        "twice by an escape": ("/containers/create", good.replace('"Binds"', f'"Bi\\u006eds": ["{path}:/w"], "Binds"')),
        "bytes behind": ("/containers/create", good + " x"),
        "a second value behind": ("/containers/create", good + good),
        "a path over 64 KiB": ("/containers/create", json.dumps(body_of("/home/dev/" + "x" * 70000))),
        "no JSON": ("/containers/create", good[:-3]),
        "the wrong type": ("/containers/create", json.dumps({**body_of(path), "HostConfig": {"Binds": f"{path}:/w"}})),
        "percent-encoded, twice": ("/containers/%63reate", good[:-1] + f', "HostConfig": {inner}}}'),
    }


@pytest.mark.parametrize("name", tricks("/x"))
def test_ambiguous_requests_get_400_and_never_reach_dockerd(vm, ubuntu_folder, name):
    ubuntu_folder.write("f", "x")
    target, data = tricks(ubuntu_folder.path)[name]
    container = fresh_name("trick-")
    answer = identity(vm, "Ubuntu")("POST", f"{target}?name={container}", data=data.encode())
    assert answer.status == 400 and answer.message, answer
    assert container not in identity(vm, "engine").names()


def spellings(path):
    good = json.dumps(body_of(path))
    return {
        "other case": good.replace("HostConfig", "hostconfig").replace("Binds", "BINDS"),
        "long s": good.replace("Binds", "Bind\u017f").replace("HostConfig", "Ho\u017ftConfig"),
        "escaped key": good.replace('"Binds"', '"\\u0042inds"'),
        "escaped path": good.replace("/home", "\\u002fhome"),
        "white space": json.dumps(body_of(path), indent=9) + "\n \t\n",
    }


@pytest.mark.parametrize("name", spellings("/home"))
@pytest.mark.parametrize("target", ["/containers/create", "/containers/%63reate", "/%63ontainers/create"])
def test_every_spelling_that_docker_takes_is_mapped(vm, ubuntu_folder, name, target):
    ubuntu_folder.write("f", "mapped")
    api = identity(vm, "Ubuntu")
    answer = api("POST", target, data=spellings(ubuntu_folder.path)[name].encode())
    assert answer.status == 201, answer
    try:
        assert api.start(answer.body["Id"]).status == 204
        assert api.good("GET", f"/containers/{answer.body['Id']}/json").body["Mounts"][0]["Source"] == ubuntu_folder.path
        api.good("POST", f"/containers/{answer.body['Id']}/wait")
        assert b"mapped" in api.good("GET", f"/containers/{answer.body['Id']}/logs?stdout=1").data
    finally:
        api.remove(answer.body["Id"])


@pytest.mark.parametrize("who", ["windows", "Ubuntu"])
def test_what_git_bash_makes_of_a_bind_is_refused(vm, who):
    bind = "C:\\Users\\dev\\src;C:\\Program Files\\Git\\app"
    answer = identity(vm, who).create(binds=[bind])
    assert answer.status == 400 and answer.message.startswith(f"invalid volume specification: '{bind}': "), answer
    assert "MSYS_NO_PATHCONV" in answer.message
    assert "src;C" not in os.listdir(f"{vm.root('Ubuntu')}/mnt/c/Users/dev")


@pytest.mark.parametrize("link", ["/proc/self/root/etc", "/proc/1/root", "/proc/self/fd", "/dev/fd/0"])
def test_a_link_through_a_process_is_refused(vm, folder, link):
    path = folder.link(link, "through")
    answer = identity(vm, folder.distro).create(binds=[f"{path}:/w"])
    assert answer.status == 400 and "invalid mount source" in answer.message, answer


@pytest.mark.parametrize("target", ["/services/create", "/services/x/update?version=1"])
def test_swarm_calls_with_host_paths_say_why_not(vm, target):
    spec = {"Name": "s", "TaskTemplate": {"ContainerSpec": {"Image": IMAGE, "Mounts": [
        {"Type": "bind", "Source": "/home/dev", "Target": "/w"}]}}}
    answer = identity(vm, "Ubuntu")("POST", target, spec)
    assert answer.status == 400 and "live-restore" in answer.message, answer
    spec["TaskTemplate"]["ContainerSpec"]["Mounts"] = []
    answer = identity(vm, "Ubuntu")("POST", target, spec)
    assert answer.status == 503 and "swarm" in answer.message, answer  # docker's own answer


def test_devices_stay_the_engines(vm):
    shown = identity(vm, "Ubuntu").run("test -c /dev/mynull && echo there", host={
        "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/mynull", "CgroupPermissions": "rwm"}]})
    assert shown == "there\n"


def memory(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key))


def test_bodies_and_answers_of_any_size_in_bounded_memory(vm, ubuntu_folder):
    ubuntu_folder.write("f", "x")
    agent = vm.agent_pid()
    api = identity(vm, "Ubuntu")
    api.run("cat /w/f", binds=[f"{ubuntu_folder.path}:/w"])
    with open(f"/proc/{agent}/clear_refs", "w", encoding="ascii") as file:
        file.write("5")  # resets the peak
    before = memory(agent, "VmRSS")
    container = api.created(binds=[f"{ubuntu_folder.path}:/w"], Labels={f"key{i}": "v" * 100_000 for i in range(240)})
    try:
        shown = api.inspect(container)
        assert shown["Mounts"][0]["Source"] == ubuntu_folder.path
        assert sum(map(len, shown["Config"]["Labels"].values())) == 24_000_000
        assert memory(agent, "VmHWM") - before < 6 * 1024, "KiB: a body of 24 MB was held in memory"
    finally:
        api.remove(container)
