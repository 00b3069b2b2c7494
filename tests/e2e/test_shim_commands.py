"""causeway.exe's commands under Wine, as a person or a script uses them. The agent is played by tests/support/link/agent_peer.py."""

import json
import os
import shutil
import signal
import subprocess

import pytest
from link.agent_peer import AgentPeer
from polling import poll
from repository import VERSION
from windows.causeway_exe import ELEVATED, Causeway, Running, add_distro
from windows.shim_process import Client, client, program
from windows.wine import PRODUCT, Prefix, missing, windows_path

pytestmark = pytest.mark.skipif(bool(missing()) or not os.path.exists(PRODUCT),
                                reason="Windows programs can't run: " + ", ".join(missing() or ["build/windows isn't built"]))
PUBLIC, PRIVATE = r"\\.\pipe\docker_engine", r"\\.\pipe\causeway_engine"
RUN_KEY = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run"


@pytest.fixture(scope="module")
def prefix():
    with Prefix() as made:
        add_distro(made, "docker-desktop", uid=0)
        add_distro(made, "Ubuntu")
        add_distro(made, "Old", version=1)
        yield made


@pytest.fixture
def peer():
    with AgentPeer() as made:
        yield made


@pytest.fixture
def causeway(prefix):
    """Without a shim before and after the test, and without files of another one."""
    made = Causeway(prefix)
    for name in ("settings.json", "distros.json", "causeway.log", "causeway.log.1", "causeway.log.2"):
        if os.path.exists(made.file(name)):
            os.unlink(made.file(name))
    yield made
    made("stop", check=False)


def attach(peer):
    return [windows_path(program("attach_stand_in")), str(peer.attach_port), "utf16-bom"]


# ---- usage -------------------------------------------------------------------------------------


def test_version_and_help(causeway):
    assert causeway("version").stdout == f"causeway {VERSION} (Windows)\n"
    shown = causeway("--help").stdout
    for word in ("start", "stop", "status", "run", "install-autostart", "remove-autostart", "distro", "version", "exit codes"):
        assert word in shown
    assert "--json" in causeway("status", "--help").stdout
    assert "NAME" in causeway("distro", "enable", "--help").stdout


@pytest.mark.parametrize("arguments, says", [
    ([], "subcommand is required"),
    (["fly"], "fly"),
    (["status", "--yaml"], "--yaml"),
    (["distro"], "subcommand is required"),
    (["distro", "enable"], "NAME is required"),
    (["stop", "now"], "now"),
])
def test_wrong_usage_is_64_and_named(causeway, arguments, says):
    done = causeway(*arguments, check=False)
    assert (done.returncode, done.stdout) == (64, "") and says in done.stderr, done


@pytest.mark.parametrize("arguments", [["status"], ["stop"], ["distro", "enable", "Ubuntu"]])
def test_what_needs_a_shim_says_that_there_is_none(causeway, arguments):
    done = causeway(*arguments, check=False)
    assert done.returncode == 3 and "the shim doesn't run" in done.stderr and "causeway.exe start" in done.stderr


def test_an_elevated_shim_is_refused(causeway):
    for command in ("start", "run"):
        done = causeway(command, check=False)
        assert done.returncode == 4 and "elevated" in done.stderr, done


# ---- start, status, stop -----------------------------------------------------------------------


def test_start_status_stop(prefix, causeway, peer):
    causeway.configure(attach=attach(peer))
    assert "started" in causeway("start", ELEVATED).stdout
    peer.wait(lambda: peer.records["links"])
    poll(lambda: causeway("status", check=False).returncode == 0, "it is connected")
    status = causeway.status()
    assert status["state"] == "connected" and status["link"]["transport"] == "stdio"
    assert [(pipe["name"], pipe["serving"]) for pipe in status["pipes"]] == [(PUBLIC, True), (PRIVATE, True)]
    assert status["settings"]["problems"] == [] and status["attach"]["starts"] == 1
    screen = causeway("status").stdout
    for text in (f"connected, version {VERSION}", f"stdio, agent {VERSION}", PUBLIC, PRIVATE, "Ubuntu: not enabled"):
        assert text in screen, screen
    for pipe in (PUBLIC, PRIVATE):
        code, lines = client(prefix, "echo", "echo\n", size=100_000, pipe=pipe)
        assert code == 0, lines
    # A second one joins, or says so.
    assert "runs already" in causeway("start", ELEVATED).stdout
    done = causeway("run", ELEVATED, check=False)
    assert done.returncode == 69 and "another shim" in done.stderr
    assert causeway("stop").stdout == "stopped\n"
    peer.wait(lambda: not peer.sessions)
    assert peer.records["farewells"], "the link was cut, not ended"
    assert causeway("status", check=False).returncode == 3
    log = causeway.read("causeway.log")
    assert f"shim.start version={VERSION}" in log and log.rstrip().endswith("link.stopped")


def test_without_an_engine_status_tells_why_and_clients_hear_it(prefix, causeway):
    with Running(prefix, attach=[windows_path(program("attach_stand_in")), "1"]) as shim:
        status = shim.wait(lambda status: status["state"] == "waiting")
        assert not status["connected"] and "no agent: connection refused" in status["reason"]
        done = causeway("status", check=False)
        assert done.returncode == 1 and "no agent: connection refused" in done.stdout
        code, lines = client(prefix, "ask", "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n", pipe=PUBLIC)
        assert code == 0 and lines[0]["text"].startswith("HTTP/1.1 503 ")
        assert "no agent: connection refused" in json.loads(lines[0]["text"].split("\r\n\r\n")[1])["message"]


def test_run_ends_with_an_interrupt(prefix, peer):
    """As ^C in its window."""
    with Running(prefix, attach=attach(peer)) as shim:
        shim.wait_connected()
        shim.process.send_signal(signal.SIGINT)
        assert shim.process.wait(20) == 0
        shim.wait_log("shim.stop")
    assert peer.records["farewells"]


def test_a_killed_shim_leaves_nothing_in_the_way(prefix, peer):
    first = Running(prefix, attach=attach(peer))
    with first:
        first.wait_connected()
        first.process.kill()
        first.process.wait()
        peer.wait(lambda: not peer.sessions)  # what it had started has ended with it
    with Running(prefix, attach=attach(peer)) as second:
        assert [pipe["serving"] for pipe in second.wait_connected()["pipes"]] == [True, True]


# The id of the context `causeway` in docker's store.
CONTEXT = r"contexts\meta\c2c0a72b71b80142760661b2ca697e2bf7db5c4281da903b23af67ee1277c045"


@pytest.mark.parametrize("there, word", [(False, "create"), (True, "update")])
def test_a_name_that_another_program_serves(prefix, causeway, peer, there, word, monkeypatch):
    """As with Docker Desktop: the private pipe is served, how to use it is told, and the name is taken over when it is free. `docker context
    create` fails for a name that is there."""
    monkeypatch.setitem(prefix.environment, "DOCKER_CONFIG", rf"C:\docker-{word}")
    folder = f"{prefix.drive_c}/docker-{word}/" + CONTEXT.replace("\\", "/")
    if there:
        os.makedirs(folder)
        with open(f"{folder}/meta.json", "w", encoding="utf-8") as file:
            file.write('{"Name":"causeway"}')
    other = prefix.start(program("pipe_client"), PUBLIC, "take", "600", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert json.loads(other.stdout.readline()) == {"taken": True}
        with Running(prefix, attach=attach(peer)) as shim:
            status = shim.wait_connected()
            public, private = status["pipes"]
            assert (public["serving"], private["serving"]) == (False, True)
            assert "another program serves it" in public["reason"] and "DOCKER_HOST" in public["reason"], public
            assert (f"docker context {word} causeway --docker host=npipe:////./pipe/causeway_engine, then: docker context use causeway"
                    in public["reason"])
            assert "not served" in causeway("status").stdout
            assert client(prefix, "echo", "echo\n", size=1000, pipe=PRIVATE)[0] == 0
            other.kill()
            other.wait()
            shim.wait(lambda status: status["pipes"][0]["serving"], timeout=30)
            assert client(prefix, "echo", "echo\n", size=1000, pipe=PUBLIC)[0] == 0
    finally:
        other.kill()
        other.wait()


# ---- settings and the log ----------------------------------------------------------------------


@pytest.mark.parametrize("text, says", [
    ('{"pipes": 1}', "/pipes: unknown key"),
    ('{"pipe": 5}', "/pipe: expected a string, found a number"),
    ('{"pipe": "docker_engine"}', "/pipe: must be a name like"),
    ('{"hvsocket": "no"}', "/hvsocket: expected true or false, found a string"),
    ('{"tcp": "10.0.0.1:22"}', "/tcp: must be 127.0.0.1 and a port"),
    ('{"start_timeout_s": 0}', "/start_timeout_s: expected a whole number from 1 to 3600, found 0"),
    ('{"hvsocket": true, "hvsocket": false}', "/hvsocket: key is there twice"),
    ('{"hvsocket": tru}', "line 1, column 1"),
    ('{"log_level": "loud"}', "/log_level: must be debug, info, warning or error"),
    ("[]", "the document: expected an object, found an array"),
])
def test_settings_are_read_strictly(prefix, causeway, text, says):
    causeway.configure(text)
    causeway("start", ELEVATED)
    problems = causeway.status()["settings"]["problems"]
    assert len(problems) == 1 and says in problems[0] and "settings.json" in problems[0], problems
    assert "default settings are used" in problems[0]
    assert says in causeway("status", check=False).stdout
    assert says in causeway.read("causeway.log")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be with a mark"])
def test_settings_are_read_as_windows_tools_leave_them(prefix, causeway, encoding):
    """PowerShell's `>` writes UTF-16, Notepad a byte order mark."""
    encoded = lambda text: b"\xfe\xff" + text.encode("utf-16-be") if " " in encoding else text.encode(encoding)
    os.makedirs(causeway.folder, exist_ok=True)
    for name, content in {"settings.json": {"pipe": r"\\.\pipe\my_docker"}, "distros.json": {"enabled": ["Ubuntu"]}}.items():
        with open(causeway.file(name), "wb") as file:
            file.write(encoded(json.dumps(content) + "\r\n"))
    causeway("start", ELEVATED)
    status = causeway.status()
    assert status["settings"]["problems"] == [] and status["pipes"][0]["name"] == r"\\.\pipe\my_docker"
    assert [entry["name"] for entry in status["distros"] if entry["enabled"]] == ["Ubuntu"]


@pytest.mark.parametrize("content", [b"", b"\r\n", b"\xff\xfe\r\0\n\0"])
def test_emptied_settings_are_the_defaults_and_are_said(prefix, causeway, content):
    os.makedirs(causeway.folder, exist_ok=True)
    for name in ("settings.json", "distros.json"):
        with open(causeway.file(name), "wb") as file:
            file.write(content)
    causeway("start", ELEVATED)
    status = causeway.status()
    problem, = status["settings"]["problems"]
    assert problem.endswith("settings.json is empty: the default settings are used")
    assert status["pipes"][0]["name"] == PUBLIC and not any(entry["enabled"] for entry in status["distros"])


def test_settings_of_pipe_and_level_count(prefix, causeway, peer):
    with Running(prefix, attach=attach(peer), pipe=r"\\.\pipe\my_docker", log_level="error") as shim:
        shim.wait_connected()
        assert client(prefix, "echo", "echo\n", size=10, pipe=r"\\.\pipe\my_docker")[0] == 0
        assert not any(" info " in line for line in shim.log), shim.log


def test_the_log_is_rotated(prefix, causeway, peer):
    os.makedirs(causeway.folder, exist_ok=True)
    for name, text in (("causeway.log", "second\n"), ("causeway.log.1", "first\n"), ("causeway.log.2", "dropped\n")):
        with open(causeway.file(name), "w", encoding="utf-8") as file:
            file.write(text * ((1 << 20) // len(text) + 1))
    with Running(prefix, attach=attach(peer)) as shim:
        shim.wait_connected()
    assert os.path.getsize(causeway.file("causeway.log")) < 100_000
    assert causeway.read("causeway.log.1").startswith("second") and causeway.read("causeway.log.2").startswith("first")
    assert "shim.start" in causeway.read("causeway.log")


# ---- autostart and distros ---------------------------------------------------------------------


def test_autostart(prefix, causeway):
    assert prefix.run("reg", "query", RUN_KEY, "/v", "Causeway", check=False).returncode == 1
    assert "starts at each logon" in causeway("install-autostart").stdout
    shown = prefix.run("reg", "query", RUN_KEY, "/v", "Causeway").stdout
    # Without a window: the other program. Logon isn't elevated.
    assert windows_path(PRODUCT).replace("causeway.exe", "causewayw.exe") in shown and shown.split()[-1] == "start", shown
    causeway("install-autostart")  # again: no error
    assert "starts no more" in causeway("remove-autostart").stdout
    assert prefix.run("reg", "query", RUN_KEY, "/v", "Causeway", check=False).returncode == 1
    assert "did not start" in causeway("remove-autostart").stdout


def test_distro_list_without_a_shim(prefix, causeway):
    os.makedirs(causeway.folder, exist_ok=True)
    with open(causeway.file("distros.json"), "w", encoding="utf-8") as file:
        file.write('{"enabled": ["ubuntu"]}')
    listed = {entry["name"]: entry for entry in json.loads(causeway("distro", "list", "--json").stdout)}
    assert set(listed) == {"docker-desktop", "Ubuntu", "Old"}
    assert listed["Ubuntu"]["enabled"] and "the shim doesn't run" in listed["Ubuntu"]["reason"]
    assert not listed["Old"]["enabled"]
    assert "Ubuntu: enabled" in causeway("distro", "list").stdout


def test_enabling_is_remembered(prefix, causeway):
    """Without an engine: consent is written down, and nothing is started."""
    with Running(prefix, attach=[windows_path(program("attach_stand_in")), "1"]) as shim:
        shim.wait(lambda status: status["state"] == "waiting")
        assert "Ubuntu is enabled" in causeway("distro", "enable", "uBuNtU").stdout
        assert json.loads(causeway.read("distros.json")) == {"enabled": ["Ubuntu"]}
        causeway("distro", "enable", "Ubuntu")  # again: no error, and not twice
        assert json.loads(causeway.read("distros.json")) == {"enabled": ["Ubuntu"]}
        for name, says in (("Nowhere", "there is no WSL distro Nowhere"), ("Old", "wsl --set-version Old 2")):
            done = causeway("distro", "enable", name, check=False)
            assert done.returncode == 1 and says in done.stderr
        done = causeway("distro", "disable", "docker-desktop", check=False)
        assert done.returncode == 1 and "not enabled" in done.stderr
        entry = next(entry for entry in shim.status()["distros"] if entry["name"] == "Ubuntu")
        assert entry["enabled"] and entry["helper"] == "off" and entry["pid"] == 0
    with Running(prefix, attach=[windows_path(program("attach_stand_in")), "1"]) as shim:
        status = shim.wait(lambda status: status["state"] == "waiting")
        assert [entry["name"] for entry in status["distros"] if entry["enabled"]] == ["Ubuntu"]
        assert "disabled" in causeway("distro", "disable", "Ubuntu").stdout
        assert json.loads(causeway.read("distros.json")) == {"enabled": []}


def test_a_wsl_exe_in_the_current_folder_is_not_run(prefix, causeway, peer, tmp_path):
    """Somebody's wsl.exe among the downloads, and `start` is called there: neither attach nor the helper of a distro is it."""
    downloads, recorded = tmp_path / "downloads", tmp_path / "recorded"
    for folder in (downloads, recorded):
        folder.mkdir()
    shutil.copy(program("wsl_recorder"), downloads / "wsl.exe")
    prefix.environment["WSL_RECORDER"] = windows_path(recorded)
    windows_own = os.path.join(prefix.drive_c, "windows", "system32", "wsl.exe")
    shutil.copy(program("attach_stand_in"), windows_own)
    try:
        prefix.run(windows_path(downloads / "wsl.exe"), "--version")
        assert (recorded / "calls").read_bytes() == b"--version\n"  # it would tell
        causeway.configure(attach=["wsl.exe", str(peer.attach_port)])
        with open(causeway.file("distros.json"), "w", encoding="utf-8") as file:
            file.write('{"enabled": ["Ubuntu"]}')
        assert prefix.start(PRODUCT, "start", ELEVATED, cwd=downloads, stdout=subprocess.DEVNULL).wait(60) == 0
        peer.wait(lambda: peer.records["links"])

        def helper():
            return next(entry for entry in causeway.status()["distros"] if entry["name"] == "Ubuntu")

        # The stand-in takes "-d" for its port: it has run, and found nobody there.
        poll(lambda: "exit code 3" in helper()["reason"], "the helper was started and has ended", 30)
        assert (recorded / "calls").read_bytes() == b"--version\n"
    finally:
        causeway("stop", check=False)
        os.unlink(windows_own)
        del prefix.environment["WSL_RECORDER"]


def test_a_list_of_distros_that_makes_no_sense(prefix, causeway):
    os.makedirs(causeway.folder, exist_ok=True)
    with open(causeway.file("distros.json"), "w", encoding="utf-8") as file:
        file.write('{"enabled": "Ubuntu"}')
    with Running(prefix, attach=[windows_path(program("attach_stand_in")), "1"]) as shim:
        status = shim.wait(lambda status: status["state"] == "waiting")
        assert "distros.json: /enabled: expected an array, found a string" in status["settings"]["problems"][0]
        assert not any(entry["enabled"] for entry in status["distros"])


def test_a_command_that_the_client_leaves_alone(prefix, causeway, peer):
    """A client that opens the control pipe and says nothing keeps nobody from asking."""
    with Running(prefix, attach=attach(peer)) as shim:
        shim.wait_connected()
        users = prefix.run("reg", "query", "HKEY_USERS").stdout.split()
        sid = next(key.rpartition("\\")[2] for key in users if "\\S-1-5-21-" in key and not key.endswith("_Classes"))
        silent = Client(prefix, "hold", "", pipe=rf"\\.\pipe\causeway_control_{sid}")
        assert silent.line() == {"connected": True}
        assert causeway("status").returncode == 0
        silent.kill()
