"""Our yamux and the reference implementation (HashiCorp's, in Go), end to end over a socket pair."""

import os
import socket
import subprocess

import pytest
from repository import SUPPORT, support_program

OURS = support_program("yamux_peer")
SOURCES = "/usr/share/gocode"  # where Debian's packages of Go libraries are


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    if not os.path.isdir(f"{SOURCES}/src/github.com/hashicorp/yamux"):
        pytest.skip("golang-github-hashicorp-yamux-dev is missing: packaging/install tests")
    folder = tmp_path_factory.mktemp("yamux")
    environment = {**os.environ, "GOPATH": SOURCES, "GO111MODULE": "off", "GOFLAGS": "", "GOCACHE": str(folder / "cache")}
    subprocess.run(["go", "build", "-o", f"{folder}/yamux_peer_go", f"{SUPPORT}/programs/yamux_peer.go"], check=True, env=environment,
                   cwd=folder, timeout=240)
    return f"{folder}/yamux_peer_go"


def run(ours, theirs):
    """Both to their end; (our exit code, what we said, their exit code or None for one that only serves, what they said)."""
    left, right = socket.socketpair()
    with left, right:
        peer = subprocess.Popen(theirs, stdin=right, stdout=right, stderr=subprocess.PIPE, text=True)
        us = subprocess.Popen(ours, stdin=left, stdout=left, stderr=subprocess.PIPE, text=True)
    try:
        _, said = us.communicate(timeout=90)
        _, heard = peer.communicate(timeout=30)
    finally:
        us.kill()
        peer.kill()
    return us.returncode, said.strip(), peer.returncode, heard.strip()


@pytest.mark.parametrize("streams,size", [(1, 0), (1, 1), (3, 5_000_000), (100, 50_000), (250, 3)])
def test_their_server_answers_our_half_closed_streams(theirs, streams, size):
    code, said, _, heard = run([OURS, "send", str(streams), str(size)], [theirs, "echo"])
    assert (code, said) == (0, f"{streams} streams in order, {streams * size} bytes"), heard


@pytest.mark.parametrize("streams,size", [(1, 1), (50, 200_000)])
def test_our_server_answers_their_half_closed_streams(theirs, streams, size):
    code, said, theirs_code, heard = run([OURS, "echo", str(streams)], [theirs, "send", str(streams), str(size)])
    assert (code, said) == (0, f"{streams} streams in order, {streams * size} bytes"), heard
    assert theirs_code == 0, heard
    assert f"{streams} streams came back" in heard


@pytest.mark.parametrize("size", [1, 3_000_000])
def test_our_server_ends_its_writing_first(theirs, size):
    code, said, theirs_code, heard = run([OURS, "answer", str(size)], [theirs, "exchange", str(size)])
    assert (code, said) == (0, f"1 streams in order, {size} bytes"), heard
    assert theirs_code == 0, heard
