"""The link to Windows over real AF_VSOCK: a kernel of its own under QEMU, our init and agent, real dockerd; link_client in a
second process stands for causeway.exe. The functions that take no fixture run in the guest."""

import pytest
from qemu import product


@pytest.fixture(scope="module")
def machine(guests):
    with product.boot() as booted:
        booted.call(prepare, timeout=120)
        yield booted


def prepare():
    import guest_link
    with guest_link.Peer() as peer:
        peer.wait_connected().import_image()
        peer.docker("run", "-d", "--name", "linked", "--init", guest_link.IMAGE, "sleep", "1000000")


def greet():
    import guest_link
    before = guest_link.link_status()
    with guest_link.Peer() as peer:
        peer.wait_connected()
        status = guest_link.follow(lambda status: status["link"]["connected"])["link"]
        over_link = guest_link.request(peer.control_socket, "/v1/status")[1]["link"]
        engine = guest_link.request(peer.engine, "/v1.40/version")[1]
    after = guest_link.follow(lambda status: not status["link"]["connected"])["link"]
    return {"before": before, "status": status, "over_link": over_link, "os": engine["Os"], "after": after,
            "told": guest_link.control("/v1/link")}


def test_hello(machine):
    seen = machine.call(greet)
    assert not seen["before"]["connected"] and not seen["after"]["connected"]
    assert seen["told"]["port"] > 0 and len(seen["told"]["nonce"]) == 32
    listeners = {entry["transport"]: entry["state"] for entry in seen["status"]["listeners"]}
    assert listeners["vsock"] == "listening"
    assert seen["status"]["transport"] == "vsock" and seen["status"]["sessions"] == 1
    assert seen["over_link"]["streams"] >= 1  # the control channel is one
    assert seen["os"] == "linux"


def end_each_side_first():
    import hashlib
    import guest_link
    data = hashlib.shake_256(b"half").digest(2_000_000)
    with guest_link.Peer() as peer:
        peer.wait_connected()
        # The client's end first: its input ends, the answer to it comes behind that.
        stream = peer.exec("linked", ["sh", "-c", "cat | md5sum; echo end"])
        stream.send(data)
        stream.end_input()
        after_input = stream.read(None)[0].decode()
        stream.close()
        # The other end first: the output ends, and the input still flows.
        stream = peer.exec("linked", ["head", "-c", "5"])
        stream.send(data[:100])
        early = stream.read(None)[0].hex()
        stream.close()
        # Everything at once, by the docker CLI.
        cli = peer.docker("exec", "-i", "linked", "cat", input=data).stdout == data
    return after_input, hashlib.md5(data).hexdigest(), early, data[:5].hex(), cli


def test_half_close_both_ways(machine):
    after_input, checksum, early, wanted, cli = machine.call(end_each_side_first, timeout=120)
    assert after_input.split() == [checksum, "-", "end"]
    assert early == wanted
    assert cli


def open_at_once(commands, followers):
    """Streams of commands that give back what they get, and of a container's output: each sees all of it and nothing else's."""
    import hashlib
    import threading
    import guest_link
    count, size = commands + followers, 50_000
    data = [hashlib.shake_256(str(number).encode()).digest(size) for number in range(commands)]
    right = [False] * count

    def echo(number):
        streams[number].send(data[number])
        streams[number].end_input()
        right[number] = streams[number].read(None)[0] == data[number]

    def follow(number):
        right[number] = streams[number].read(len(told))[0] == told

    with guest_link.Peer() as peer:
        peer.wait_connected()
        peer.docker("run", "-d", "--name", "talker", "--init", guest_link.IMAGE, "sh", "-c",
                    f"i=0; while [ $i -lt {size // 25} ]; do echo $i; i=$((i+1)); done; exec sleep 1000000")
        told = "".join(f"{number}\n" for number in range(size // 25)).encode()
        streams = [peer.exec("linked", ["cat"]) for _ in range(commands)]
        streams += [peer.logs("talker") for _ in range(followers)]
        open_now = guest_link.follow(lambda status: status["link"]["streams"] == count)["link"]
        threads = [threading.Thread(target=echo if number < commands else follow, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for stream in streams:
            stream.close()
        guest_link.follow(lambda status: status["link"]["streams"] == 0)
    return {"right": right.count(True), "streams": open_now["streams"], "sessions": open_now["sessions"]}


def test_64_parallel_streams(machine):
    assert machine.call(open_at_once, 8, 56, timeout=240) == {"right": 64, "streams": 64, "sessions": 1}


def kill_the_agent():
    import os
    import signal
    import guest_link

    def services():
        return {entry["name"]: entry["pid"] for entry in guest_link.control("/v1/status")["services"] if entry["name"] != "k3s"}

    with guest_link.Peer() as once, guest_link.Peer("--reconnect", "100") as again:
        once.wait_connected()
        again.wait_connected()
        stream = once.exec("linked", ["cat"])
        stream.send(b"there\n")
        there = stream.read(6)[0].decode()
        before, nonce, agent = services(), guest_link.control("/v1/link")["nonce"], guest_link.agent_pid()
        os.kill(agent, signal.SIGKILL)
        cut = len(stream.read(None)[0])
        code, errors = once.end()
        lines = [again.line()]
        while lines[-1] not in ("connected", ""):  # while nobody listens, each dial is refused
            lines.append(again.line())
        status = guest_link.follow(lambda status: status["engine"]["state"] == "ready")
        back = again.docker("exec", "linked", "echo", "back").stdout.decode()
        return {"there": there, "cut": cut, "once": [code, errors], "lines": lines, "adopted": services() == before,
                "new": status["agent"]["pid"] != agent, "same_nonce": guest_link.control("/v1/link")["nonce"] == nonce, "back": back}


def test_the_agent_is_killed_and_windows_reconnects(machine):
    """Init starts the next one, which adopts the daemons; the container never notices."""
    seen = machine.call(kill_the_agent, timeout=150)
    assert seen["there"] == "there\n" and seen["cut"] == 0
    assert seen["once"][0] == 2, seen["once"]
    assert seen["lines"][0].startswith("lost the agent closed") and seen["lines"][-1] == "connected"
    assert seen["adopted"] and seen["new"] and seen["same_nonce"]
    assert seen["back"] == "back\n"


def break_the_listener():
    import subprocess
    import guest_link
    agent = guest_link.agent_pid()
    with guest_link.Peer() as peer, guest_link.Peer() as knock:
        peer.wait_connected()
        knock.wait_connected()
        with subprocess.Popen(["break_listener", str(agent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as breaker:
            said = breaker.stdout.readline().decode()
            # Somebody connects: accept fails, and while the old socket holds the port there can't be another one.
            with guest_link.Peer():
                failed = guest_link.follow(lambda status: any(entry["transport"] == "vsock" and entry["state"] == "failed"
                                                              for entry in status["link"]["listeners"]))["link"]
                # Connections that are there live on.
                works = guest_link.request(peer.engine, "/_ping")[0]
            breaker.stdin.close()
        again = guest_link.follow(lambda status: any(entry["transport"] == "vsock" and entry["state"] == "listening"
                                                     for entry in status["link"]["listeners"]), 60)["link"]
        with guest_link.Peer() as later:
            later.wait_connected()
            served = guest_link.request(later.engine, "/_ping")[0]
    return {"said": said, "failed": [entry for entry in failed["listeners"] if entry["transport"] == "vsock"], "works": works,
            "again": [entry for entry in again["listeners"] if entry["transport"] == "vsock"], "served": served,
            "same_agent": guest_link.agent_pid() == agent}


def test_a_listener_that_dies_is_made_again(machine):
    since = len(machine.console.lines)
    seen = machine.call(break_the_listener, timeout=120)
    assert seen["said"] == "broken\n"
    assert seen["failed"][0]["reason"], seen
    assert machine.console.find("link.not_listening transport=vsock .*Invalid argument", since), machine.console.text()
    assert machine.console.find("link.listening transport=vsock", since), machine.console.text()
    assert (seen["works"], seen["served"], seen["same_agent"]) == (200, 200, True)


def come_from_the_wrong_place(settings):
    import os
    import signal
    import guest_link

    def restart_with(text):
        path = guest_link.settings_file()
        with open(path, encoding="utf-8") as file:
            before = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        agent = guest_link.agent_pid()
        os.kill(agent, signal.SIGKILL)
        guest_link.follow(lambda status: status["agent"]["pid"] != agent and status["engine"]["state"] == "ready")
        return before

    before = restart_with(settings)
    try:
        with guest_link.Peer() as peer:
            code, errors = peer.end()
        refused = guest_link.link_status()
    finally:
        restart_with(before)
    with guest_link.Peer() as peer:
        peer.wait_connected()
    return {"code": code, "errors": errors, "refused": refused}


def test_only_windows_may_connect(machine):
    """As it is without the settings of these tests: the peer is CID 2, and this guest's own programs are CID 1."""
    seen = machine.call(come_from_the_wrong_place, '{"link": {"vsock": "on"}}', timeout=120)
    assert seen["code"] == 2, seen
    assert not seen["refused"]["connected"] and "CID 1 is not Windows' (2)" in seen["refused"]["refusal"]
