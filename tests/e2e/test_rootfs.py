"""What is published: the root file system, what it is made of, its tools in any distro, its versions, the engine in it (in the simulated
VM); and the packages around it."""

import _sqlite3
import contextlib
import hashlib
import http.server
import json
import os
import shutil
import struct
import subprocess
import threading

import pytest
import rootfs_archive
import rootfs_elf as elf
import shipped_root
from shipped_root import OUT, REPOSITORY, VERSIONS
from windows import setup_program, wine

_MISSING = shipped_root.missing()
pytestmark = [pytest.mark.skipif(bool(_MISSING), reason="can't build: missing " + ", ".join(_MISSING)),
              pytest.mark.skipif(os.geteuid() != 0, reason="chroot, mounts and the simulated VM need root")]
TOOLS = "usr/local/lib/causeway"
BUSYBOX = "/bin/busybox"


@pytest.fixture(scope="session")
def report(shipped):
    return shipped[0]


@pytest.fixture(scope="session")
def distro(shipped):
    return shipped[1]


@pytest.fixture(scope="session")
def root(report, distro):
    return f"{distro}/versions/{report['version']}"


def all_files(folder):
    return [os.path.join(path, name) for path, _, names in os.walk(folder) for name in names]


# ---- what ships ----------------------------------------------------------------------------------


def test_it_is_small_and_says_of_what(report):
    print("\n" + "\n".join(f"{name}: {size / 1e6:.1f} MB" for name, size in report["components"].items()),
          f"\narchives: {report['files']}, {report['seconds']} s")
    assert {"agent", "base", "engine", "network", "tools"} <= report["components"].keys()
    assert sum(report["components"].values()) == report["unpacked_bytes"]
    for name, facts in report["files"].items():
        path = f"{OUT}/{name}"
        assert facts["bytes"] == os.path.getsize(path) <= 200e6
        with open(path, "rb") as file:
            assert facts["sha256"] == hashlib.sha256(file.read()).hexdigest()
    assert {os.path.splitext(name)[1] for name in report["files"]} == {".gz", ".wsl"}
    with open(f"{OUT}/causeway-{report['version']}-{report['architecture']}.json", encoding="utf-8") as file:
        assert json.load(file)["packages"] == report["packages"]


def test_the_layout_is_that_of_the_design(distro, root, report):
    assert os.readlink(f"{distro}/versions/current") == report["version"]
    assert os.path.realpath(f"{distro}/usr/bin/causeway") == f"{root}/usr/bin/causeway"
    for path in ("usr/sbin/dockerd", "usr/bin/containerd", "usr/sbin/runc", "usr/bin/docker-init", "usr/sbin/iptables", "usr/sbin/modprobe",
                 "etc/causeway/services.d/dockerd.json", "etc/ssl/certs/ca-certificates.crt", f"{TOOLS}/bin/docker"):
        assert os.path.exists(f"{root}/{path}"), path
    for path in ("data/etc/docker", "data/causeway", "etc/causeway/owner", "etc/wsl.conf"):
        assert os.path.exists(f"{distro}/{path}"), path
    # The user's settings: from the engine's root, and where one looks for them in the distro, also from Windows.
    assert os.readlink(f"{root}/etc/docker") == "/data/etc/docker"
    assert os.path.realpath(f"{distro}/etc/docker") == f"{distro}/data/etc/docker"
    assert os.path.realpath(f"{distro}/etc/causeway/settings.json") == f"{distro}/data/etc/causeway/settings.json"
    with open(f"{distro}/etc/wsl-distribution.conf", encoding="utf-8") as file:
        text = file.read()
    assert "[shortcut]\nenabled=false" in text and "[windowsterminal]\nenabled=false" in text


def test_what_nobody_needs_is_left_out(distro):
    unwanted = ("/perl", "/apt", "/dpkg", "/systemd", "/share/doc/", "/share/man/", "/share/locale/", "/initramfs-tools/", ".pyc")
    found = [path for path in all_files(distro) if any(part in path[len(distro):] for part in unwanted) and "/licenses/" not in path]
    assert found == []


def test_every_program_finds_its_libraries(root, report):
    wanted = elf.MACHINES[report["architecture"]]
    names = {os.path.basename(path) for path in all_files(f"{root}/usr/lib")} | {os.path.basename(path) for path in all_files(f"{root}/usr/lib64")}
    tools = set(os.listdir(f"{root}/{TOOLS}/lib"))
    programs = 0
    for path in all_files(root):
        program = None if os.path.islink(path) else elf.read(path)
        if program is None:
            continue
        programs += 1
        assert program.machine == wanted, path
        missing = [name for name in program.needed if name not in (tools if f"/{TOOLS}/" in path else names)]
        assert missing == [], path
    assert programs > 20
    dangling = [path for path in all_files(root) if os.path.islink(path) and os.readlink(path)[0] != "/" and not os.path.exists(path)]
    assert dangling == []


def test_each_package_has_its_licence(root, report):
    place = f"{root}/usr/share/licenses"
    with open(f"{place}/INDEX", encoding="utf-8") as file:
        index = file.read()
    assert len(report["packages"]) > 30
    for package in report["packages"]:
        assert os.path.getsize(f"{place}/{package['name']}/copyright") > 0
        assert f"\n{package['name']} {package['version']} (source: " in index
    assert "contains golang-1" in index, "what Go programs are made of"
    assert os.path.exists(f"{place}/causeway/LICENSE") and os.path.exists(f"{place}/causeway/libuv1-dev")
    assert os.path.exists(f"{root}/usr/share/common-licenses/GPL-2")


@pytest.fixture(scope="session")
def release(report, tmp_path_factory):
    """The folder of packaging/release, made with another umask, time zone and language than `report`."""
    missing = [name for name in ("makensis", "lintian") if not shutil.which(name)] + [
        name for name in ("build/windows/host-shim/causeway.exe",) if not os.path.exists(f"{REPOSITORY}/{name}")]
    if missing:
        pytest.skip("can't make a release: missing " + ", ".join(missing))
    folder = tmp_path_factory.mktemp("release") / "dist"
    done = subprocess.run([f"{REPOSITORY}/packaging/release", "--no-build", "--cached", "--out", folder, "--agent", shipped_root.AGENT],
                          capture_output=True, text=True, check=False, umask=0o077, env={**os.environ, "TZ": "Asia/Tokyo", "LC_ALL": "C"})
    assert done.returncode == 0, done.stderr
    yield folder
    shutil.rmtree(folder)


def test_a_second_build_is_the_same_bit_for_bit(release, report):
    for name, facts in report["files"].items():
        assert hashlib.sha256((release / name).read_bytes()).hexdigest() == facts["sha256"]


def test_a_release_is_complete_and_hashed(release, report):
    version, architecture = report["version"], report["architecture"]
    names = {f"causeway-{version}-{architecture}{suffix}" for suffix in (".tar.gz", ".wsl", ".json")} | {f"causeway_{version}_{architecture}.deb"}
    if architecture == "amd64":
        names.add(f"causeway-setup-{version}.exe")
    assert set(os.listdir(release)) == names | {"SHA256SUMS"}
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=release, check=True)
    assert len((release / "SHA256SUMS").read_text().splitlines()) == len(names)


def test_the_debian_package_is_sane_and_starts_nothing(release, report, tmp_path):
    package = release / f"causeway_{report['version']}_{report['architecture']}.deb"
    told = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", package], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout
    subprocess.run(["dpkg-deb", "--raw-extract", package, tmp_path / "deb"], check=True)
    scripts = {"preinst", "postinst", "prerm", "postrm", "triggers"} & set(os.listdir(tmp_path / "deb/DEBIAN"))
    assert not scripts and not (tmp_path / "deb/usr/lib/systemd").exists()
    assert (tmp_path / "deb/etc/causeway/services.d/dockerd.json").exists()
    said = subprocess.run([tmp_path / "deb/usr/bin/causeway", "version", "--json"], capture_output=True, text=True, check=True).stdout
    assert report["version"] in said
    again = subprocess.run([f"{REPOSITORY}/packaging/agent-package", "--agent", shipped_root.AGENT, tmp_path / "again.deb"], check=False)
    assert again.returncode == 0
    assert hashlib.sha256((tmp_path / "again.deb").read_bytes()).digest() == hashlib.sha256(package.read_bytes()).digest()
    (tmp_path / "script").write_text("#!/bin/sh\necho this is no program for any machine\n")
    (tmp_path / "script").chmod(0o755)
    refused = subprocess.run([f"{REPOSITORY}/packaging/agent-package", "--agent", tmp_path / "script", tmp_path / "no.deb"], check=False)
    assert refused.returncode == 65 and not (tmp_path / "no.deb").exists()


@pytest.mark.skipif(bool(wine.missing()), reason="the setup program can't run: " + ", ".join(wine.missing()))
def test_the_setup_program_imports_this_very_archive(release, report, tmp_path):
    with wine.Prefix() as prefix:
        machine = setup_program.Machine(prefix, tmp_path)
        assert machine.setup(str(release / f"causeway-setup-{report['version']}.exe")) == 0, machine.log()
        size = report["files"][f"causeway-{report['version']}-{report['architecture']}.tar.gz"]["bytes"]
        assert machine.read(setup_program.DISTRO_DIR + r"\ext4.vhdx") == f"disk of {size}"


def test_a_release_that_fails_leaves_the_last_one(tmp_path):
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/SHA256SUMS").write_text("the last release")
    done = subprocess.run([f"{REPOSITORY}/packaging/release", "--no-build", "--cached", "--out", tmp_path / "dist", "--agent", "/nowhere"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 65 and "the agent is not there" in done.stderr
    assert os.listdir(tmp_path) == ["dist"] and (tmp_path / "dist/SHA256SUMS").read_text() == "the last release"
    (tmp_path / "dist/SHA256SUMS").rename(tmp_path / "dist/thesis.txt")
    done = subprocess.run([f"{REPOSITORY}/packaging/release", "--no-build", "--out", tmp_path / "dist"], capture_output=True, text=True, check=False)
    assert done.returncode == 65 and os.listdir(tmp_path / "dist") == ["thesis.txt"]


# ---- the tools -----------------------------------------------------------------------------------


@pytest.fixture
def strange_distro(root, tmp_path):
    """run(*argv) in a root with a static shell and the tools, and nothing else: no C library, no loader."""
    place = tmp_path / "root"
    for folder in ("bin", "dev", "proc", "root", TOOLS):
        (place / folder).mkdir(parents=True)
    shutil.copy(BUSYBOX, place / "bin/sh")
    script = 'mount --bind "$0" "$1/$2" && mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && root=$1 && shift 2 && exec chroot "$root" "$@"'

    def run(*argv):
        return subprocess.run(["unshare", "-m", "sh", "-c", script, f"{root}/{TOOLS}", str(place), TOOLS, *argv], capture_output=True, text=True,
                              check=False, timeout=60, env={"PATH": f"/{TOOLS}/bin:/bin:/usr/bin:/usr/sbin", "HOME": "/root"})

    return run


@pytest.mark.parametrize("argv, said", [(["bin/docker", "--version"], "Docker version 26.1"),
                                        (["cli-plugins/docker-buildx", "version"], "buildx 0."),
                                        (["cli-plugins/docker-compose", "version"], "Compose version"),
                                        (["bin/docker-compose", "version"], "Compose version"),
                                        (["bin/kubectl", "version", "--client"], "Client Version: v1.")])
def test_the_tools_run_without_a_c_library(strange_distro, argv, said):
    done = strange_distro(f"/{TOOLS}/{argv[0]}", *argv[1:])
    assert done.returncode == 0 and said in done.stdout, done.stderr
    # The negative control: without the loader that is beside it, the program doesn't start.
    assert strange_distro(f"/{TOOLS}/libexec/{os.path.basename(argv[0])}", *argv[1:]).returncode == 127


# ---- refused inputs ------------------------------------------------------------------------------


def left_in(folder):
    return sorted(os.listdir(folder))


@pytest.fixture
def out(report, tmp_path):
    """An output folder with somebody's earlier build in it, and the arguments to use it."""
    name = f"causeway-{report['version']}-{report['architecture']}.tar.gz"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("the last good build")
    yield tmp_path / "out"
    if os.path.isdir(tmp_path / "out"):
        assert (tmp_path / "out" / name).read_text() == "the last good build"
        assert left_in(tmp_path / "out") == [name]


def offline(out):
    return ["--out", str(out), "--packages", shipped_root.packages()]


@contextlib.contextmanager
def served(folder):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Quiet(*a, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("name", ["k3s", "kubectl"])
def test_a_file_with_another_hash_is_refused(out, tmp_path, name):
    (tmp_path / name).write_bytes(b"not what was meant")
    for source in (str(tmp_path / name), None):
        with served(tmp_path) as url:
            done = shipped_root.build(*offline(out), f"--{name}", source or f"{url}/{name}", f"--{name}-sha256", "0" * 64, check=False)
        assert done.returncode == 65 and "has the SHA-256" in done.stderr, done.stderr
        assert hashlib.sha256(b"not what was meant").hexdigest() in done.stderr


def test_k3s_and_kubectl_come_from_where_they_are_told(tmp_path, report):
    """Any program does as k3s: what it is, is its hash's business."""
    with open(shipped_root.AGENT, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    shutil.copy(shipped_root.AGENT, tmp_path / "k3s")
    with served(tmp_path) as url:
        shipped_root.build(*offline(tmp_path / "out"), "--no-archive", "--directory", str(tmp_path / "tree"), "--k3s", f"{url}/k3s", "--k3s-sha256",
                           digest, "--kubectl", shipped_root.AGENT, "--kubectl-sha256", digest.upper())
    root = f"{tmp_path}/tree/versions/{report['version']}"
    for path in ("usr/local/bin/k3s", f"{TOOLS}/libexec/kubectl"):
        with open(f"{root}/{path}", "rb") as file:
            assert hashlib.sha256(file.read()).hexdigest() == digest
    assert subprocess.run([f"{root}/{TOOLS}/bin/kubectl", "--help"], capture_output=True, check=False).returncode == 0, "static: without the loader"
    shutil.rmtree(tmp_path / "tree")


def test_a_program_of_another_architecture_is_refused(out, tmp_path):
    with open(shipped_root.AGENT, "rb") as file:
        program = bytearray(file.read())
    other = next(machine for machine in elf.MACHINES.values() if machine != struct.unpack_from("<H", program, 18)[0])
    struct.pack_into("<H", program, 18, other)
    (tmp_path / "agent").write_bytes(program)
    done = shipped_root.build(*offline(out), "--agent", str(tmp_path / "agent"), check=False)
    assert done.returncode == 65 and "is not a program for" in done.stderr, done.stderr
    (tmp_path / "agent").write_text("#!/bin/sh\n")
    done = shipped_root.build(*offline(out), "--agent", str(tmp_path / "agent"), check=False)
    assert done.returncode == 65 and "is no program" in done.stderr, done.stderr


@pytest.mark.parametrize("megabytes", [20, 600, 1050])
def test_without_room_nothing_half_made_stays(out, tmp_path, megabytes):
    """At each step: while the packages are unpacked, while the tree is put together, while it is packed."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(out)], check=True)
    try:
        name = "kept"
        (out / name).write_text("of an earlier build")
        done = shipped_root.build(*offline(out), check=False)
        assert done.returncode == 73, f"{done.returncode} {done.stderr}"
        assert "No space left" in done.stderr
        assert left_in(out) == [name]
    finally:
        subprocess.run(["umount", str(out)], check=True)


def test_a_packer_without_room_says_so_however_it_is_caught(tmp_path):
    """It ends while it is fed: at a write, or at the end when the pipe is closed."""
    source, full = tmp_path / "source", tmp_path / "full"
    source.mkdir()
    full.mkdir()
    for number in range(300):
        (source / str(number)).write_bytes(os.urandom(5000 + number))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(full)], check=True)
    try:
        for _ in range(60):
            with pytest.raises(OSError, match="No space left"):
                rootfs_archive.pack(str(source), str(full / "archive"), 0)
            assert os.listdir(full) == []
    finally:
        subprocess.run(["umount", str(full)], check=True)


@pytest.mark.parametrize("arguments", [["--k3s", "x"], ["--kubectl-sha256", "00"], ["--no-archive"], ["--version", "../x"], ["--nonsense"]])
def test_wrong_usage(arguments):
    assert shipped_root.build(*arguments, check=False).returncode == 64


# ---- versions in the distro ----------------------------------------------------------------------


class Versions:
    """`versions` as it runs in the distro: by busybox's shell and tools alone."""

    def __init__(self, folder):
        self.folder = folder
        self.tools = folder.parent / "tools"
        self.tools.mkdir()
        for applet in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
            (self.tools / applet).symlink_to(BUSYBOX)

    def run(self, *arguments, archive=b""):
        done = subprocess.run([BUSYBOX, "sh", VERSIONS, *arguments], input=archive, capture_output=True, check=False,
                              env={"PATH": str(self.tools), "CAUSEWAY_VERSIONS": str(self.folder)})
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def state(self):
        return sorted(os.listdir(self.folder)), os.readlink(self.folder / "current")


@pytest.fixture
def versions(tmp_path):
    (tmp_path / "versions").mkdir()
    made = Versions(tmp_path / "versions")
    assert made.run("add", archive=shipped_root.distro_archive("1.0.0"))[0] == 0
    return made


def test_a_version_is_added_and_undone(versions):
    assert versions.run("add", archive=shipped_root.distro_archive("1.1.0")) == (0, "1.1.0\n", "")
    assert versions.state() == (["1.0.0", "1.1.0", "current"], "1.1.0")
    assert versions.run("list")[1] == "  1.0.0\n* 1.1.0\n"
    assert versions.run("use", "1.0.0")[0] == 0
    assert versions.state()[1] == "1.0.0"
    assert versions.run("remove", "1.0.0")[0] == 1
    assert versions.run("remove", "1.1.0")[0] == 0
    assert versions.state() == (["1.0.0", "current"], "1.0.0")
    for name in ("2.0.0", "..", "", "current", "1.0.0/usr"):
        assert versions.run("use", name)[0] == 1
    assert versions.state() == (["1.0.0", "current"], "1.0.0")


def test_the_same_version_again_replaces_it(versions):
    (versions.folder / "1.0.0/old").touch()
    (versions.folder / ".discarded-7").mkdir()  # of one that was killed
    for name in ("1.0.0-2", "1.0.0", "1.0.0-2"):
        code, told, error = versions.run("add", archive=shipped_root.distro_archive("1.0.0"))
        assert (code, told) == (0, name + "\n"), error
        assert versions.state() == ([name, "current"], name)
        assert not (versions.folder / name / "old").exists()


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_there_is_a_version_to_start_at_every_moment(versions, version):
    """Whenever it is killed, the next start finds one: what the distro's own links go through is looked at all the time."""
    over, missing = threading.Event(), []
    looks = 0

    def look():
        nonlocal looks
        while not over.is_set():
            looks += 1
            if not os.path.exists(versions.folder / "current/usr/bin/causeway"):
                missing.append(os.listdir(versions.folder))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for _ in range(5):
            assert versions.run("add", archive=shipped_root.distro_archive(version))[0] == 0
    finally:
        over.set()
        watcher.join()
    assert not missing and looks > 1000, (missing[:3], looks)


@pytest.mark.parametrize("archive, said", [
    (b"", "damaged"), (b"no archive", "damaged"), (shipped_root.distro_archive("1.1.0")[:-200], "damaged"),
    (shipped_root.archive({"etc/passwd": "root"}), "damaged"), (shipped_root.archive({"versions": None, "versions/x": "y"}), "no archive of Causeway"),
    (shipped_root.archive({"versions": None, "versions/current": "-> ../../etc"}), "names the version"),
    (shipped_root.archive({"versions": None, "versions/current": "-> 1.1.0", "versions/1.1.0": None}), "not complete"),
    (shipped_root.distro_archive("1.1.0", machine="riscv64"), "is for riscv64")])
def test_a_bad_archive_changes_nothing(versions, archive, said):
    code, _, error = versions.run("add", archive=archive)
    assert code == 1 and said in error and "nothing is changed" in error
    assert versions.state() == (["1.0.0", "current"], "1.0.0")


def test_a_version_that_has_no_room_changes_nothing(versions):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(versions.folder)], check=True)
    try:
        assert versions.run("add", archive=shipped_root.distro_archive("1.0.0"))[0] == 0
        code, _, error = versions.run("add", archive=shipped_root.distro_archive("1.1.0", filler=8 << 20))
        assert code == 1 and "no space left" in error
        assert versions.state() == (["1.0.0", "current"], "1.0.0")
    finally:
        subprocess.run(["umount", str(versions.folder)], check=True)


# ---- the engine in it ----------------------------------------------------------------------------


# A real database: SQLite, which tells each row once it is safely written, as long as its container runs.
PYTHON = os.path.realpath("/usr/bin/python3")
DATABASE = """
import sqlite3, time
base = sqlite3.connect("/v/base", isolation_level=None)
base.execute("pragma journal_mode=wal")
base.execute("pragma synchronous=full")
base.execute("create table if not exists starts (time real)")
base.execute("create table if not exists rows (number integer primary key)")
base.execute("insert into starts values (?)", (time.time(),))
while True:
    row = base.execute("insert into rows default values returning number").fetchone()
    print(row[0], flush=True)
    time.sleep(0.02)
"""
DATABASE_CHECK = """
import sqlite3, sys
base = sqlite3.connect("/v/base")
print(*base.execute("select count(*) from starts").fetchone(), *base.execute("pragma integrity_check").fetchone(),
      *base.execute("select count(*) from rows where number <= ?", (sys.argv[1],)).fetchone())
"""


def load_database(vm):
    """An image of this machine's Python and SQLite."""
    library = os.path.dirname(os.path.realpath(os.__file__))
    files = {PYTHON, library}  # _sqlite3 is in there
    for program in (PYTHON, _sqlite3.__file__):
        told = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
        files |= {word for line in told.splitlines() for word in line.split() if word.startswith("/")}
    archive = subprocess.run(["tar", "-c", "--dereference", "--exclude=__pycache__", "--exclude=dist-packages", "--exclude=test", "-P", "-C", "/", *sorted(files)],
                             check=True, capture_output=True).stdout
    vm.exec("Ubuntu", ["docker", "import", "-", "database"], input=archive, text=False)


@pytest.fixture(scope="module")
def archive_path(report):
    return f"{OUT}/causeway-{report['version']}-{report['architecture']}.tar.gz"


def test_the_engine_runs_in_the_simulated_vm_and_outlives_an_upgrade(make_vm, archive_path, report, distro, tmp_path):
    vm = make_vm(["docker-desktop", "Ubuntu", "minimal"], causeway=shipped_root.AGENT, rootfs=archive_path)
    vm.wait_engine()
    assert vm.docker("version", "--format", "{{.Server.Version}}").startswith("26.1")
    vm.load_busybox()
    vm.exec("Ubuntu", ["sh", "-c", "echo there >/home/dev/f"])
    assert vm.docker("run", "--rm", "--init", "-v", "/home/dev:/w", "busybox", "cat", "/w/f") == "there\n"
    # A distro with busybox alone: our docker, its plugins.
    assert vm.docker("version", "--format", "{{.Client.Version}}", distro="minimal").startswith("26.1")
    assert "buildx" in vm.docker("buildx", "version", distro="minimal")
    vm.exec("minimal", ["sh", "-c", "mkdir -p /home/dev/b && printf 'FROM busybox\\nRUN echo built >/made\\n' >/home/dev/b/Dockerfile"])
    vm.docker("buildx", "build", "--load", "-t", "made", "/home/dev/b", distro="minimal")
    assert vm.docker("run", "--rm", "made", "cat", "/made") == "built\n"
    # Published ports: iptables and docker-proxy.
    web = vm.docker("run", "-d", "-p", "18080:80", "busybox", "sh", "-c", "echo page >/index.html; exec httpd -f -p 80 -h /").strip()
    assert vm.exec("Ubuntu", ["/bin/busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:18080/index.html"]).stdout == "page\n"
    vm.docker("rm", "-f", web)
    # A person who opens the distro stands in the engine.
    shell = vm.exec("docker-desktop", ["/usr/libexec/causeway/shell"], input="cat /etc/os-release\n")
    assert f"VERSION_ID={report['version']}" in shell.stdout and "engine is ready" in shell.stderr

    load_database(vm)
    base = vm.docker("run", "-d", "--restart", "always", "--name", "base", "-v", "kept:/v", "database", PYTHON, "-u", "-c", DATABASE).strip()
    vm.exec("docker-desktop", ["sh", "-c", "echo '{\"live_restore\": false}' >/data/etc/causeway/settings.json"])
    # The engine's own settings, where one who comes from Windows looks for them.
    vm.exec("docker-desktop", ["sh", "-c", "echo '{\"labels\": [\"of=outer\"]}' >/etc/docker/daemon.json"])
    checked = vm.causeway("check-config").stdout
    assert "/data/etc/docker/daemon.json" in checked and "wrong" not in checked and "argv" not in checked, checked
    following = upgrade_archive(distro, report["version"], "9.9.9", tmp_path)
    with open(following, "rb") as file:
        told = vm.exec("docker-desktop", ["/usr/libexec/causeway/versions", "add"], input=file.read(), text=False).stdout
    assert told == b"9.9.9\n"
    for version in ("9.9.9", report["version"]):  # forth and back again
        vm.exec("docker-desktop", ["/usr/libexec/causeway/versions", "use", version])
        vm.exec("docker-desktop", ["/usr/libexec/causeway/versions", "stop"])
        vm.stop("docker-desktop")
        vm.start("docker-desktop")
        vm.wait_engine()
        shell = vm.exec("docker-desktop", ["/usr/libexec/causeway/shell"], input="cat /etc/os-release /etc/causeway/settings.json\n").stdout
        assert f"VERSION_ID={version}" in shell and '"live_restore": false' in shell
        assert vm.docker("inspect", "--format", "{{.State.Running}}", base) == "true\n"
        assert vm.docker("info", "--format", "{{.Labels}}") == "[of=outer]\n"
        assert vm.docker("image", "ls", "-q", "made") != ""
    told = [int(line) for line in vm.docker("logs", "base").split()]
    begun, sound, kept = vm.docker("exec", "base", PYTHON, "-c", DATABASE_CHECK, str(told[-1])).split()
    assert (int(begun), sound, int(kept)) == (3, "ok", told[-1])  # nothing that was told is missing
    assert vm.exec("docker-desktop", ["/usr/libexec/causeway/versions", "remove", report["version"]], check=False).returncode == 1


def upgrade_archive(distro, version, following, folder):
    """The same root under another version's name."""
    extra = folder / "extra"
    (extra / f"versions/{following}/etc").mkdir(parents=True)
    (extra / "versions/current").symlink_to(following)
    (extra / f"versions/{following}/etc/os-release").write_text(f"VERSION_ID={following}\n")
    target = folder / "next.tar"
    subprocess.run(["tar", "-cf", target, "-C", distro, "--owner=0", "--group=0", "--exclude=versions/current", "--exclude=versions/*/etc/os-release",
                    f"--transform=flags=r;s,^versions/{version},versions/{following},", "versions"], check=True)
    subprocess.run(["tar", "-rf", target, "-C", extra, "--owner=0", "--group=0", "versions"], check=True)
    subprocess.run(["gzip", "-1", target], check=True)
    return f"{target}.gz"
