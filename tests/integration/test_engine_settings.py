"""The engine's daemon.json as users leave it, with a real dockerd."""

import os

import pytest
from polling import poll
from wslvm.api import identity


@pytest.fixture
def daemon_json(vm):
    """Writes the engine's daemon.json and starts dockerd anew; afterwards there is none, as before."""
    path = f"/proc/{vm.init_pid()}/root/etc/docker/daemon.json"
    os.makedirs(os.path.dirname(path), exist_ok=True)

    def write(content):
        with open(path, "wb") as file:
            file.write(content)
        vm.causeway("restart", "dockerd")
        poll(lambda: vm.control("/v1/status")[1]["engine"]["state"] == "ready", "the engine is ready")

    yield write
    os.unlink(path)
    vm.causeway("restart", "dockerd")
    vm.wait_engine()


def labels(vm):
    return identity(vm, "engine").good("GET", "/info").body["Labels"] or []


def notes(vm):
    return [note["text"] for note in vm.control("/v1/status")[1]["notes"] if "daemon.json" in note["text"]]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_file_of_powershell_is_read_and_an_emptied_one_means_the_defaults(vm, daemon_json, encoding):
    """`… > daemon.json` writes UTF-16 in Windows PowerShell, and UTF-8 with a mark by Out-File -Encoding utf8."""
    daemon_json('{"labels": ["of=powershell"]}\r\n'.encode(encoding))
    assert labels(vm) == ["of=powershell"]
    assert not any("is not used" in note for note in notes(vm)), notes(vm)
    daemon_json(b"")
    assert labels(vm) == []
    assert any(note.endswith("/etc/docker/daemon.json: it is empty: the default settings are used") for note in notes(vm)), notes(vm)
    assert not any("did not come up" in note or "is not used" in note for note in notes(vm)), notes(vm)
    # One that can't be used later gives way to what worked last: the defaults.
    daemon_json(b"{")
    assert labels(vm) == []
    assert any("is not used: line 1" in note for note in notes(vm)), notes(vm)
