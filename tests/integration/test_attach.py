"""`causeway attach`: what Windows runs in docker-desktop, and what a person gets there."""

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import time

import pytest
from polling import poll
from repository import BINARY

ATTACH = ["/usr/bin/causeway", "attach", "--mode", "wsl"]
MAGIC = b"CAUSEWAY"


@pytest.fixture
def idle_vm(make_vm):
    """docker-desktop without a boot command, as WSL starts it."""
    return make_vm(["docker-desktop"], causeway=BINARY, boot=False)


def attach(vm, *more, **options):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return vm.popen("docker-desktop", [*ATTACH, *more], **{**pipes, **options})


def read_line(process, timeout=60):
    """The first line of its output, read byte by byte: what follows is the link's."""
    line, deadline = b"", time.monotonic() + timeout
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"no line within {timeout} s, only {line!r}"
        byte = os.read(process.stdout.fileno(), 1)
        assert byte, f"its output ended after {line!r}: {process.stderr.read().decode()}"
        line += byte
    return line.decode()


def contact(process):
    word, _, text = read_line(process).partition(" ")
    assert word == "CAUSEWAY/1"
    return json.loads(text)


def hello(expected, major=1):
    """As agent/wire/hello.h draws it."""
    return (MAGIC + major.to_bytes(2, "big") + bytes(2) + b"\x01\x00\x00\x00" + bytes(8) + b"n" * 16 + bytes.fromhex(expected))


def read_exactly(process, size, timeout=10):
    got, deadline = b"", time.monotonic() + timeout
    while len(got) < size:
        ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"only {len(got)} of {size} bytes"
        part = os.read(process.stdout.fileno(), size - len(got))
        assert part, f"its output ended after {len(got)} of {size} bytes"
        got += part
    return got


def agents_hello(process):
    """(the agent's own nonce, what it expects, its refusal)"""
    head = read_exactly(process, 56)
    assert head[:12] == MAGIC + b"\x00\x01\x00\x00" and head[12] == 2
    return head[24:40].hex(), head[40:56], read_exactly(process, int.from_bytes(head[14:16], "big")).decode()


def end(process):
    with contextlib.suppress(OSError):
        process.stdin.close()
    process.kill()
    process.wait()


def inits(vm):
    return vm.find_processes("causeway", "init")


def test_two_at_once_start_one_init_which_outlives_them(idle_vm):
    vm = idle_vm
    first, second = attach(vm), attach(vm)
    try:
        told = [contact(first), contact(second)]
        assert told[0] == told[1]
        assert set(told[0]) == {"version", "major", "vm_id", "port", "nonce"}
        assert told[0]["major"] == 1 and len(bytes.fromhex(told[0]["nonce"])) == 16
        assert told[0]["port"] == 0, "no vsock is opened on a development machine"
    finally:
        end(first)
        end(second)
    assert len(inits(vm)) == 2  # its outer process and process 1
    vm.wait_engine()
    third = attach(vm)
    try:
        assert contact(third)["nonce"] == told[0]["nonce"], "another boot of init"
    finally:
        end(third)
    assert len(inits(vm)) == 2


def test_the_links_bytes_pass(vm):
    process = attach(vm)
    try:
        nonce = contact(process)["nonce"]
        process.stdin.write(hello(nonce))
        process.stdin.flush()
        theirs, expected, refusal = agents_hello(process)
        assert (theirs, expected, refusal) == (nonce, b"n" * 16, "")
        process.stdin.write(b"\x00\x02\x00\x01" + bytes(4) + (77).to_bytes(4, "big"))  # a ping of yamux
        process.stdin.flush()
        assert read_exactly(process, 12) == b"\x00\x02\x00\x02" + bytes(4) + (77).to_bytes(4, "big")
    finally:
        end(process)


@pytest.mark.parametrize("what,reason", [(hello("00" * 16), "nonce"), (hello("00" * 16, major=9), "version 9"), (b"GET / HTTP/1.1\r\n\r\n" * 5, "protocol")])
def test_who_does_not_belong_here_is_refused(vm, what, reason):
    process = attach(vm)
    try:
        contact(process)
        process.stdin.write(what)
        process.stdin.flush()
        theirs, _, refusal = agents_hello(process)
        assert reason in refusal and set(theirs) == {"0"}, (theirs, refusal)
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(30) == 3
        assert b"ended the link" in process.stderr.read()
    finally:
        end(process)


def test_a_killed_agent_ends_the_link_and_the_next_one_has_the_same_nonce(vm):
    process = attach(vm)
    try:
        nonce = contact(process)["nonce"]
        process.stdin.write(hello(nonce))
        process.stdin.flush()
        agents_hello(process)
        os.kill(vm.agent_pid(), signal.SIGKILL)
        assert process.wait(30) == 3
    finally:
        end(process)
    again = attach(vm)
    try:
        assert contact(again)["nonce"] == nonce
    finally:
        end(again)
    vm.wait_engine()


def test_only_root_and_only_the_namespace_of_the_engine(vm):
    done = vm.exec("docker-desktop", ["/bin/busybox", "su", "-s", "/bin/sh", "dev", "-c", " ".join(ATTACH)], check=False)
    assert done.returncode == 4 and "root is needed" in done.stderr, done
    done = vm.exec("docker-desktop", ["unshare", "-m", *ATTACH], check=False)
    assert done.returncode == 4, done
    assert "elevated" in done.stderr and done.stdout == ""


def test_an_init_that_cant_start_is_told_with_its_reason(idle_vm):
    done = idle_vm.exec("docker-desktop", [*ATTACH, "--version", "nosuch"], check=False)
    assert done.returncode == 71 and done.stdout == ""
    assert "nosuch" in done.stderr and "init.log" in done.stderr, done.stderr
    idle_vm.exec("docker-desktop", ["mkdir", "-p", "/several/a", "/several/b"])
    done = idle_vm.exec("docker-desktop", [*ATTACH, "--versions", "/several"], check=False)
    assert done.returncode == 71 and "current" in done.stderr, done.stderr


def test_a_person_gets_a_shell_in_the_engines_namespace(vm):
    master, slave = pty.openpty()
    process = vm.popen("docker-desktop", ATTACH, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen = b""

    def expect(text):
        nonlocal seen
        deadline = time.monotonic() + 20
        while text not in seen:
            assert select.select([master], [], [], max(0, deadline - time.monotonic()))[0], f"{text!r} is not in {seen!r}"
            seen += os.read(master, 4096)

    try:
        expect(b"the engine is ready")
        os.write(master, b"echo in=$(readlink /proc/self/ns/mnt) first=$(cat /proc/1/comm)\n")
        expect(os.readlink(f"/proc/{vm.init_pid()}/ns/mnt").encode())
        expect(b"first=causeway")
        os.write(master, b"ls /mnt/distro\n")
        expect(b"Ubuntu")
        os.write(master, b"exit 7\n")
        poll(lambda: process.poll() is not None, "the shell has ended")
        assert process.returncode == 7
    finally:
        process.kill()
        process.wait()
        os.close(master)
    done = vm.exec("docker-desktop", [*ATTACH, "--shell"], input="echo $((6*7)); exit 3\n", check=False)
    assert (done.returncode, done.stdout.strip()) == (3, "42")
