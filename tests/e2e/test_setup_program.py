"""The Windows setup program under Wine: installed, upgraded, uninstalled. wsl.exe is played by wsl_recorder.cpp; the root file
system in it is a file of random bytes: what becomes of a real one stands in test_rootfs.py."""

import os
import shutil

import pytest
from windows import setup_program
from windows.setup_program import DATA, DISTRO_DIR, OURS, PROGRAM, RUN, UNINSTALL, Machine
from windows.wine import Prefix, missing

_NEEDED = {"makensis": shutil.which("makensis"), "build/windows": os.path.exists(setup_program.RECORDER)}
_MISSING = [*missing(), *(name for name, there in _NEEDED.items() if not there)]
pytestmark = pytest.mark.skipif(bool(_MISSING), reason="can't build or run the setup program: missing " + ", ".join(_MISSING))
VERSIONS_ADD = ["-d", "docker-desktop", "-u", "root", "--exec", "/usr/libexec/causeway/versions", "add"]
ROOTFS_SIZE = {"0.1.0": 100_000, "0.2.0": 120_000}


@pytest.fixture(scope="module")
def setups(tmp_path_factory):
    """{version: setup program}; the newer one brings docker.exe."""
    folder = tmp_path_factory.mktemp("setup")
    clients = folder / "clients"
    clients.mkdir()
    shutil.copy(setup_program.RECORDER, clients / "docker.exe")
    made = {}
    for version, size in ROOTFS_SIZE.items():
        rootfs = folder / f"{version}.tar.gz"
        rootfs.write_bytes(os.urandom(size))
        made[version] = str(folder / f"setup-{version}.exe")
        setup_program.build(str(rootfs), made[version], version, str(clients) if version == "0.2.0" else None)
    return made


@pytest.fixture(scope="module")
def prefix():
    with Prefix() as made:
        yield made


@pytest.fixture
def machine(prefix, tmp_path):
    made = Machine(prefix, tmp_path)
    yield made
    made.wsl()
    if made.exists(PROGRAM + r"\uninstall.exe"):
        assert made.uninstall("/REMOVEDATA") == 0
    for key in (OURS, setup_program.LXSS):
        made.remove_registry(key)
    made.prefix.run(setup_program.REG, "add", setup_program.LXSS, "/f")
    for folder in (DATA, PROGRAM):
        shutil.rmtree(made.path(folder), ignore_errors=True)


def test_install_and_uninstall_leave_the_machine_as_it_was(machine, setups):
    before = machine.snapshot()
    assert machine.setup(setups["0.2.0"]) == 0, machine.log()
    assert machine.distros() == {"docker-desktop": DISTRO_DIR}
    [call] = machine.take_calls()
    assert call[:3] == ["--import", "docker-desktop", DISTRO_DIR] and call[4:] == ["--version", "2"]
    assert machine.read(DISTRO_DIR + r"\ext4.vhdx") == f"disk of {ROOTFS_SIZE['0.2.0']}", "the import got another file than the build's"
    assert machine.run(PROGRAM + r"\bin\causeway.exe", "version") == 0
    assert machine.exists(PROGRAM + r"\bin\causewayw.exe") and machine.exists(PROGRAM + r"\bin\docker.exe")
    assert machine.registry(OURS)["Distro"] == "docker-desktop"
    assert "Importing" not in machine.registry(OURS)
    assert PROGRAM + "\\bin\\" in machine.registry(RUN)["Causeway"] and machine.registry(RUN)["Causeway"].endswith(" start")
    entry = machine.registry(UNINSTALL)
    assert entry["DisplayVersion"] == "0.2.0" and entry["UninstallString"] == f'"{PROGRAM}\\uninstall.exe"'
    assert machine.registry(r"HKCU\Environment")["Path"].split(";")[-1] == PROGRAM + r"\bin"

    assert machine.uninstall("/REMOVEDATA") == 0
    assert ["--unregister", "docker-desktop"] in machine.take_calls()
    after = machine.snapshot()
    assert after[1] == before[1]
    assert after[0] == before[0]


def test_an_upgrade_keeps_the_distro(machine, setups):
    assert machine.setup(setups["0.1.0"]) == 0, machine.log()
    assert not machine.exists(PROGRAM + r"\bin\docker.exe")
    disk = machine.path(DISTRO_DIR + r"\ext4.vhdx")
    with open(disk, "a", encoding="ascii") as file:
        file.write(", with images")
    machine.take_calls()
    assert machine.setup(setups["0.2.0"]) == 0, machine.log()
    # The engine is stopped in order, then the archive comes over standard input, to the last byte.
    assert machine.take_calls() == [[*VERSIONS_ADD[:-1], "stop"], [*VERSIONS_ADD, str(ROOTFS_SIZE["0.2.0"])]]
    assert machine.read(DISTRO_DIR + r"\ext4.vhdx").endswith(", with images")
    assert machine.registry(UNINSTALL)["DisplayVersion"] == "0.2.0"
    assert machine.exists(PROGRAM + r"\bin\docker.exe")


def test_an_upgrade_that_fails_leaves_the_old_version(machine, setups):
    assert machine.setup(setups["0.1.0"]) == 0, machine.log()
    machine.wsl("add-fails")
    assert machine.setup(setups["0.2.0"]) == 13
    assert "no space left" in machine.log() and "are as before" in machine.log()
    assert machine.registry(UNINSTALL)["DisplayVersion"] == "0.1.0"
    assert machine.exists(DISTRO_DIR + r"\ext4.vhdx") and not machine.exists(PROGRAM + r"\bin\docker.exe")
    machine.wsl()
    assert machine.setup(setups["0.2.0"]) == 0, machine.log()


def test_uninstall_keeps_the_data_unless_told(machine, setups):
    assert machine.setup(setups["0.1.0"]) == 0, machine.log()
    machine.take_calls()
    assert machine.uninstall() == 0
    assert machine.take_calls() == []
    assert not machine.exists(PROGRAM) and machine.registry(UNINSTALL) is None
    assert "Causeway" not in (machine.registry(RUN) or {})
    assert machine.distros() == {"docker-desktop": DISTRO_DIR} and machine.exists(DISTRO_DIR + r"\ext4.vhdx")
    # The next setup knows whose it is.
    assert machine.setup(setups["0.2.0"]) == 0, machine.log()
    assert [call[0] for call in machine.take_calls()] == ["-d", "-d"]
    assert machine.exists(DISTRO_DIR + r"\ext4.vhdx")


@pytest.mark.parametrize("name, place", [("docker-desktop", r"C:\users\root\AppData\Local\Docker\wsl"),
                                         ("Docker-Desktop", r"C:\users\root\AppData\Local\Causeway\distro2")],
                         ids=["docker-desktop", "other-spelling"])
def test_a_foreign_distro_is_never_touched(machine, setups, name, place):
    machine.add_distro("{11111111-0000-4000-8000-000000000000}", name, place)
    before = machine.snapshot()
    assert machine.setup(setups["0.1.0"]) == 11
    assert "isn't Causeway's" in machine.log() and "/DISTRO=" in machine.log()
    assert machine.take_calls() == []
    os.unlink(machine.path(DATA + r"\setup.log"))
    registry, files = machine.snapshot()
    assert registry == before[0]
    # The log's folder, if the foreign distro isn't in there.
    assert [name for name in files if name not in before[1]] == ([] if place.startswith(DATA) else ["users/root/AppData/Local/Causeway"])

    # The way out that it names: another name. Then the foreign one stays through all of our life.
    assert machine.setup(setups["0.1.0"], "/DISTRO=causeway") == 0, machine.log()
    assert machine.distros() == {name: place, "causeway": DISTRO_DIR}
    assert machine.read(DATA + r"\settings.json") == '{"distro": "causeway"}\n'
    assert machine.uninstall("/REMOVEDATA") == 0
    assert machine.distros() == {name: place}
    assert machine.read(place + r"\ext4.vhdx") == "somebody's disk"


def test_a_distro_that_took_our_name_later_stays(machine, setups):
    """Ours was removed by hand, and Docker Desktop was installed: the uninstall must not take that."""
    assert machine.setup(setups["0.1.0"]) == 0, machine.log()
    machine.remove_registry(setup_program.LXSS)
    machine.add_distro("{22222222-0000-4000-8000-000000000000}", "docker-desktop", r"C:\foreign")
    machine.take_calls()
    assert machine.uninstall("/REMOVEDATA") == 0
    assert machine.take_calls() == []
    assert machine.distros() == {"docker-desktop": r"C:\foreign"}


def test_other_distros_are_released_first(machine, setups):
    """Each is told to the program that knows what it added there, before that stops."""
    machine.add_distro("{44444444-0000-4000-8000-000000000000}", "Ubuntu 24.04", r"C:\ubuntu")
    assert machine.setup(setups["0.1.0"]) == 0, machine.log()
    assert machine.uninstall() == 0
    calls = [line for line in machine.log().splitlines() if line.startswith('"' + PROGRAM)]
    assert [call.partition('causeway.exe" ')[2] for call in calls] == ["install-autostart", 'distro disable "Ubuntu 24.04"', "stop", "remove-autostart"]
    assert machine.exists(r"C:\ubuntu\ext4.vhdx")


def test_without_wsl_it_says_what_to_do(machine, setups):
    before = machine.snapshot()
    machine.wsl("no-wsl")
    assert machine.setup(setups["0.1.0"]) == 10
    assert "wsl --install --no-distribution" in machine.log()
    machine.wsl()
    os.unlink(machine.path(r"C:\windows\system32\wsl.exe"))
    assert machine.setup(setups["0.1.0"]) == 10
    shutil.rmtree(machine.path(DATA))
    assert machine.snapshot() == before


def test_an_import_that_fails_leaves_nothing(machine, setups):
    before = machine.snapshot()
    machine.wsl("import-fails")
    assert machine.setup(setups["0.1.0"]) == 12
    assert "Importing the distribution failed" in machine.log()
    assert machine.distros() == {} and not machine.exists(PROGRAM)
    shutil.rmtree(machine.path(DATA))
    assert machine.snapshot() == before
    machine.wsl()
    assert machine.setup(setups["0.1.0"]) == 0, machine.log()


def test_half_an_import_of_a_setup_that_died_is_cleaned_up(machine, setups):
    """As the power fails during the import: our note, a half-made disk, and a distro that is being installed."""
    for name, data in (("Distro", "docker-desktop"), ("DistroDir", DISTRO_DIR), ("Importing", "0.1.0")):
        machine.set_registry(OURS, name, data)
    machine.add_distro("{33333333-0000-4000-8000-000000000000}", "docker-desktop", DISTRO_DIR, state=3)
    assert machine.setup(setups["0.1.0"]) == 0, machine.log()
    assert [call[0] for call in machine.take_calls()] == ["--unregister", "--import"]
    assert machine.read(DISTRO_DIR + r"\ext4.vhdx") == f"disk of {ROOTFS_SIZE['0.1.0']}"
    assert "Importing" not in machine.registry(OURS)


def test_half_an_import_under_another_name_is_no_dead_end(machine, setups):
    """It died before WSL knew the distro; then Docker Desktop took the name."""
    for name, data in (("Distro", "docker-desktop"), ("DistroDir", DISTRO_DIR), ("Importing", "0.1.0")):
        machine.set_registry(OURS, name, data)
    os.makedirs(machine.path(DISTRO_DIR))
    with open(machine.path(DISTRO_DIR + r"\ext4.vhdx"), "w", encoding="ascii") as file:
        file.write("half")
    machine.add_distro("{55555555-0000-4000-8000-000000000000}", "docker-desktop", r"C:\foreign")
    assert machine.setup(setups["0.1.0"]) == 11
    assert machine.setup(setups["0.1.0"], "/DISTRO=causeway") == 0, machine.log()
    assert [call[:2] for call in machine.take_calls()] == [["--import", "causeway"]]
    assert machine.distros() == {"docker-desktop": r"C:\foreign", "causeway": DISTRO_DIR}
    assert machine.registry(OURS)["Distro"] == "causeway"


def test_a_distro_that_cannot_be_removed_keeps_all(machine, setups):
    assert machine.setup(setups["0.1.0"]) == 0, machine.log()
    machine.wsl("unregister-fails")
    assert machine.run(PROGRAM + r"\uninstall.exe", "/S", "/REMOVEDATA", "_?=" + PROGRAM) == 15
    assert "could not remove the distro" in machine.log()
    assert machine.exists(PROGRAM + r"\bin\causeway.exe") and machine.registry(OURS)["Distro"] == "docker-desktop"
    assert machine.exists(DISTRO_DIR + r"\ext4.vhdx")


@pytest.mark.parametrize("path", [None, "", r"C:\first;%USERPROFILE%\tools", ";".join(rf"C:\folder{number}" for number in range(1000))],
                         ids=["none", "empty", "two", "long"])
def test_the_users_path_is_changed_by_one_entry_only(machine, setups, path):
    """Also when it is longer than a string of NSIS (1,024 characters)."""
    environment = r"HKCU\Environment"
    if path is not None:
        machine.set_registry(environment, "Path", path, "REG_EXPAND_SZ")
    try:
        for _ in range(2):  # once more is no second entry
            assert machine.setup(setups["0.2.0"]) == 0, machine.log()
            assert machine.registry(environment)["Path"] == ";".join(filter(None, [path, PROGRAM + r"\bin"]))
        assert machine.uninstall("/REMOVEDATA") == 0
        assert (machine.registry(environment) or {}).get("Path") == (path or None)
    finally:
        machine.prefix.run(setup_program.REG, "delete", environment, "/v", "Path", "/f", check=False)
