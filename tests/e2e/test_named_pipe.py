"""The engine's pipe and the link behind it: the shim's core under Wine, the agent played by tests/support/link/agent_peer.py."""

import contextlib
import json
import os
import subprocess
import time

import pytest
from link.agent_peer import AgentPeer, pattern
from polling import poll
from repository import VERSION
from windows.shim_process import PIPE, PRIVATE, Client, ShimProcess, client, program
from windows.wine import Prefix, missing

pytestmark = pytest.mark.skipif(bool(missing()) or not os.path.exists(program("shim_harness")),
                                reason="Windows programs can't run: " + ", ".join(missing() or ["build/windows isn't built"]))
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def prefix():
    with Prefix() as made:
        yield made


@pytest.fixture
def peer():
    with AgentPeer() as made:
        yield made


def direct(peer, **settings):
    """Settings with which the shim dials the peer without attach."""
    return {"tcp": peer.address, "tcp_nonce": peer.nonce.hex(), **settings}


@pytest.fixture
def shim(prefix, peer):
    with ShimProcess(prefix, **direct(peer)) as started:
        started.wait_state("connected")
        yield started


# ---- the pipe ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["message", "byte"])
def test_a_half_close_needs_a_pipe_of_message_type(prefix, kind):
    """The negative control: on a pipe of byte type the end of a client's data is never heard, and its answer never comes."""
    name = rf"\\.\pipe\echo_{kind}"
    with prefix.start(program("pipe_echo_server"), name, kind, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout.readline().strip() == "serving"
        code, lines = client(prefix, "echo", "hello", size=1000, seconds=5, pipe=name)
        server.stdin.close()
    if kind == "message":
        assert (code, lines[0]["end"], lines[0]["bytes"]) == (0, "message", 1005)
    else:
        assert (code, lines[0]["end"]) == (4, "timeout")


def test_half_close_both_ways_with_data_behind_it(prefix, shim, peer):
    code, lines = client(prefix, "echo", "echo\n", size=3 * MIB)
    assert code == 0
    assert lines == [{"end": "message", "after": "broken", "bytes": 3 * MIB + 5, "right": True, "write_error": 0}]
    peer.wait(lambda: peer.records["ends"] == ["fin"])


def test_opening_a_stream_costs_no_round_trip(prefix, shim, peer):
    """The agent says nothing any more, not even that it takes the stream: the request is there all the same."""
    peer.mute = True
    running = Client(prefix, "hold", "wait\n")
    peer.wait(lambda: peer.records["engine"])
    running.kill()


def test_100_clients_at_once(prefix, shim):
    code, lines = client(prefix, "echo", "echo\n", size=20_000, count=100, seconds=60)
    assert code == 0
    assert len(lines) == 100 and all(line["right"] and line["end"] == "message" for line in lines)
    ask_until(shim, clients=0, streams=0)


def ask_until(shim, **wanted):
    """Its status must become so; of clients and streams no event tells."""
    status = {}

    def reached():
        status.update(shim.status())
        return wanted.items() <= status.items()

    poll(reached, lambda: f"{wanted}: {status}")


def test_a_slow_reader_gets_everything(prefix, shim):
    code, lines = client(prefix, "slow", "echo\n", size=MIB, seconds=60)
    assert code == 0 and lines[0]["right"]


def test_closed_is_not_half_closed(prefix, shim, peer):
    """FIN and RST close the handle, also of a client that doesn't end its writing (Node); FIN alone doesn't."""
    code, lines = client(prefix, "ask", "close\n")
    assert code == 0
    assert lines[0]["text"] == "bye" and lines[0]["after"] == "broken"
    code, lines = client(prefix, "ask", "half\n", seconds=1)
    assert code == 4 and lines[0]["message"] and lines[0]["bytes"] == 4
    # That one was ended by its time: the agent hears of it.
    peer.wait(lambda: peer.records["ends"] == ["own", "fin"])


def test_who_is_silent_behind_the_engines_half_close_is_closed(prefix, shim, peer):
    """dockerd never closes an attach or exec, and Node doesn't hear a half-close: it would wait for ever. Who goes on writing may."""
    code, lines = client(prefix, "ask", "half\n", seconds=10)
    assert code == 0 and lines[0]["text"] == "half" and (lines[0]["end"], lines[0]["after"]) == ("message", "broken")
    peer.wait(lambda: peer.records["ends"] == ["fin"])
    code, lines = client(prefix, "drip", "half\n", size=10, seconds=20)
    assert code == 0 and lines[0]["text"] == "half" and lines[0]["write_error"] == 0
    peer.wait(lambda: peer.records["ends"] == ["fin", "fin"])


def test_an_aborted_stream_is_an_error_for_the_client(prefix, shim):
    code, lines = client(prefix, "ask", "abort\n")
    assert code == 1
    assert lines[0]["end"] == "error 233"  # ERROR_PIPE_NOT_CONNECTED, not an end


def test_a_client_that_leaves_is_told_to_the_agent_behind_its_data(prefix, shim, peer):
    code, _ = client(prefix, "leave", "echo\n", size=1000, count=200)
    assert code == 0
    peer.wait(lambda: peer.records["ends"].count("rst behind fin") == 200)


def test_a_killed_client_ends_its_stream(prefix, shim, peer):
    running = Client(prefix, "hold", "wait\n")
    assert running.line() == {"connected": True}
    peer.wait(lambda: peer.records["engine"])
    running.kill()
    peer.wait(lambda: peer.records["ends"] == ["rst behind fin"])


def test_an_agent_that_does_not_read_holds_the_client_up(prefix, shim):
    """Bounds: 256 KiB of the stream's window, as much in the shim, 64 KiB of the pipe and what is on its way."""
    code, lines = client(prefix, "ask", "stall\n", size=16 * MIB, seconds=4)
    assert code == 4
    assert 256 * 1024 <= lines[0]["written"] < MIB


def test_a_client_that_does_not_read_holds_the_agent_up(prefix, shim, peer):
    running = Client(prefix, "deaf", f"source {16 * MIB}\n", seconds=4)
    code, lines = running.end()
    assert code == 4 and lines[0]["bytes"] == 0
    assert 256 * 1024 <= peer.sent < MIB


def test_a_large_answer_comes_whole(prefix, shim):
    code, lines = client(prefix, "sum", f"source {4 * MIB}\n", seconds=60)
    expected = sum(pattern(4 * MIB)) & 0xffffffff
    assert (code, lines[0]["bytes"], lines[0]["sum"]) == (0, 4 * MIB, expected)


def test_a_name_that_another_program_serves(prefix, peer):
    taker = Client(prefix, "take", seconds=6)
    assert taker.line() == {"taken": True}
    with ShimProcess(prefix, **direct(peer)) as shim:
        connected = shim.wait_state("connected")
        ours, private = connected["pipes"]
        assert not ours["serving"]
        assert "DOCKER_HOST=npipe:////./pipe/test_private" in ours["reason"]
        assert private["serving"]
        code, lines = client(prefix, "echo", "echo\n", size=1000, pipe=PRIVATE)
        assert code == 0 and lines[0]["right"]
        # Its owner ends: the name is ours within a retry.
        taker.end()
        shim.wait(lambda event: event["event"] == "change" and event["pipes"][0]["serving"])
        code, _ = client(prefix, "echo", "echo\n", size=1000, pipe=PIPE)
        assert code == 0


# ---- without a link ----------------------------------------------------------------------------

REQUEST = "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"


def refusal(lines):
    head, _, body = lines[0]["text"].partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 503 "), lines
    return json.loads(body)["message"]


def test_without_a_link_the_answer_is_503_at_once(prefix, peer):
    peer.accepting = False
    with ShimProcess(prefix, **direct(peer, first_delay_ms=60_000, longest_delay_ms=60_000)) as shim:
        shim.wait_state("waiting")
        begin = time.monotonic()
        code, lines = client(prefix, "ask", REQUEST)
        assert code == 0 and time.monotonic() - begin < 2
        assert refusal(lines).startswith("Causeway: the engine can't be reached: waiting: ")
        # Its body is read on, so that it can look for the answer.
        code, lines = client(prefix, "ask", "POST /build HTTP/1.1\r\n\r\n", size=2 * MIB)
        assert code == 0 and refusal(lines) and lines[0]["write_error"] == 0
        assert shim.status()["refused_total"] == 2


def test_while_it_starts_a_client_waits_bounded(prefix, peer):
    peer.hello = "silent"
    with ShimProcess(prefix, **direct(peer, client_wait_ms=1500)) as shim:
        peer.wait(lambda: peer.records["hellos"])
        begin = time.monotonic()
        code, lines = client(prefix, "ask", REQUEST)
        assert code == 0 and 1.4 < time.monotonic() - begin < 6
        assert refusal(lines) == "Causeway: the engine can't be reached: dialing"
        # The next one waits, too, and is served when the link comes.
        running = Client(prefix, "hold", "close\n")
        assert running.line() == {"connected": True}
        ask_until(shim, clients=1)
        peer.release()
        code, lines = running.end()
        assert code == 0 and lines[0]["text"] == "bye"


# ---- the link ----------------------------------------------------------------------------------


@pytest.mark.parametrize("hello, reason", [
    ("stale", "another agent answered"),
    ("old", "speaks version 7 of the link's protocol, this one version 1"),
    ("garbage", "does not speak Causeway's protocol"),
    ("refuse", "the agent refuses: the agent ends"),
    ("half", "didn't say hello within 10 s"),
])
def test_a_bad_hello_has_a_clear_state_and_a_new_try(prefix, peer, hello, reason):
    peer.hello = hello
    with ShimProcess(prefix, **direct(peer)) as shim:
        waiting = shim.wait(lambda event: event["event"] == "change" and event["state"] == "waiting", timeout=25)
        assert waiting["carrier"] == "" and waiting["reason"].startswith("tcp: ")
        assert reason in waiting["reason"]
        since = shim.mark()
        peer.hello = "ok"
        shim.wait_state("connected", since)
        assert client(prefix, "echo", "echo\n", size=10)[0] == 0


def test_a_cut_link_is_an_error_for_its_clients_and_comes_back(prefix, shim, peer):
    running = Client(prefix, "hold", "wait\n", count=5)
    for _ in range(5):
        assert running.line() == {"connected": True}
    peer.wait(lambda: len(peer.records["engine"]) == 5)
    since = shim.mark()
    peer.cut()
    code, lines = running.end()
    assert code == 1 and [line["end"] for line in lines] == ["error 233"] * 5  # not an end
    shim.wait_state("connected", since)
    assert client(prefix, "echo", "echo\n", size=10)[0] == 0


def test_a_silent_agent_is_found_out_after_the_machine_slept(prefix, shim, peer):
    shim.tell("resumed")
    peer.wait(lambda: peer.records["control"])
    request, body = peer.records["control"][0]
    assert request == "POST /v1/clock HTTP/1.1"
    assert abs(json.loads(body)["unix_ms"] - time.time() * 1000) < 5000
    shim.wait(lambda event: event["event"] == "log" and event["text"].startswith("clock: status=200"))
    assert shim.status()["links_total"] == 1
    since = shim.mark()
    peer.mute = True
    shim.tell("resumed")
    lost = shim.wait_state("waiting", since, timeout=15)
    assert "didn't answer within 5000 ms" in lost["reason"]
    peer.mute = False
    shim.wait_state("connected", since)


def test_the_agent_asks_for_a_distro_and_the_shim_for_its_api(prefix, shim, peer):
    assert json.loads(peer.ask(3, b'{"distro":"Ubuntu"}\n')) == {"started": True}
    assert json.loads(peer.ask(3, b'{"distro":"other"}\n')) == {"started": False, "reason": "not enabled"}
    assert json.loads(peer.ask(3, b'{"name":"Ubuntu"}\n'))["started"] is False
    assert peer.ask(9, b"x\n") == ""  # an unknown channel is answered with RST
    shim.tell("request GET /v1/status")
    answer = shim.wait(lambda event: event["event"] == "answer")
    assert (answer["code"], answer["body"]) == (200, '{"seen":"GET /v1/status HTTP/1.1"}')


@pytest.mark.parametrize("command", ["stop", "session-end"])
def test_a_stop_says_farewell(prefix, peer, command):
    with ShimProcess(prefix, **direct(peer)) as shim:
        shim.wait_state("connected")
        running = Client(prefix, "hold", "wait\n")
        peer.wait(lambda: peer.records["engine"])
        begin = time.monotonic()
        shim.tell(command)
        shim.wait(lambda event: event["event"] == "stopped")
        assert time.monotonic() - begin < 3
        peer.wait(lambda: peer.records["farewells"] == [0])
        assert running.end()[0] == 1


def test_a_client_that_never_reads_does_not_hold_up_the_end(prefix, peer):
    """Its stream is closed and its bytes wait in a write that nobody takes: they end with the shim."""
    with ShimProcess(prefix, **direct(peer)) as shim:
        shim.wait_state("connected")
        running = Client(prefix, "deaf", "source 200000\n", seconds=20)
        peer.wait(lambda: peer.records["ends"])
        ask_until(shim, clients=0)
        begin = time.monotonic()
        shim.tell("stop")
        shim.wait(lambda event: event["event"] == "gone")
        assert time.monotonic() - begin < 3
        running.kill()


def test_cut_at_every_byte_of_a_conversation(prefix, peer):
    """56 bytes of hello each way, then frames: every link ends one byte later than the one before, in both directions."""
    each_way = 160
    peer.cuts = [(at, None) for at in range(1, each_way)] + [(None, at) for at in range(1, each_way)]
    with ShimProcess(prefix, **direct(peer, first_delay_ms=1, longest_delay_ms=5)) as shim:
        storm = Client(prefix, "storm", "echo\n", size=40, count=16, seconds=30)
        # The last one is cut, too: another comes behind it.
        peer.wait(lambda: len(peer.records["carriers"]) > 2 * each_way - 2, timeout=60)
        code, lines = storm.end()
        assert code == 0 and lines[0]["right"] > 0 and lines[0]["failed"] > 0 and lines[0]["longest_ms"] < 5000, lines
        ask_until(shim, state="connected")
        assert client(prefix, "echo", "echo\n", size=10)[0] == 0


def look(shim):
    """Its handles, and the bytes of memory that are its own."""
    handles = shim.status()["handles"]
    with open(f"/proc/{shim.process.pid}/status", encoding="ascii") as file:
        return handles, next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))


def nothing_grew(shim, before, allowed=MIB):
    """At last: threads that Windows' own pool keeps for a while are not ours."""
    shown = []

    def is_small():
        shown[:] = look(shim)
        return shown[0] <= before[0] + 8 and shown[1] - before[1] < allowed

    poll(is_small, lambda: f"handles and memory are as they were: {before}, {shown}")


def test_1000_cuts_leave_no_handle_and_no_memory(prefix, peer):
    with ShimProcess(prefix, **direct(peer, first_delay_ms=1, longest_delay_ms=2)) as shim:
        def cut(times):
            for _ in range(times):
                links = len(peer.records["links"])
                peer.cut()
                peer.wait(lambda links=links: len(peer.records["links"]) > links)

        shim.wait_state("connected")
        cut(100)
        before = look(shim)
        assert before[0] > 0
        storm = Client(prefix, "storm", "echo\n", size=5000, count=4, seconds=8)
        cut(1000)
        code, lines = storm.end()
        assert code == 0 and lines[0]["right"] > 0 and lines[0]["failed"] > 0 and lines[0]["longest_ms"] < 5000, lines
        ask_until(shim, clients=0, streams=0)
        assert shim.status()["links_total"] >= 1100
        nothing_grew(shim, before)


def test_1000_bad_hellos_leave_no_handle_and_no_memory(prefix, peer):
    kinds = ["stale", "old", "garbage", "refuse"]

    def meet(count):
        for number in range(count):
            seen = len(peer.records["hellos"])
            peer.hello = kinds[number % len(kinds)]
            peer.wait(lambda seen=seen: len(peer.records["hellos"]) > seen)

    peer.hello = "stale"
    with ShimProcess(prefix, **direct(peer, first_delay_ms=1, longest_delay_ms=2)) as shim:
        meet(100)
        before = look(shim)
        meet(1000)
        nothing_grew(shim, before)
        since = shim.mark()
        peer.hello = "ok"
        shim.wait_state("connected", since)
        assert client(prefix, "echo", "echo\n", size=10)[0] == 0


# ---- attach ------------------------------------------------------------------------------------


def attach(peer, *words):
    return ("Z:" + program("attach_stand_in").replace("/", "\\"), str(peer.attach_port), *words)


@pytest.mark.parametrize("noise", ["none", "utf8", "utf16", "utf16-bom"])
def test_no_hvsocket_so_the_link_goes_over_attach(prefix, peer, noise):
    peer.vm_id, peer.port = "01234567-89ab-cdef-0123-456789abcdef", 0x43570001
    with ShimProcess(prefix, attach(peer, noise)) as shim:
        connected = shim.wait_state("connected")
        assert connected["carrier"] == "stdio"
        assert "(10047)" in connected["carrier_reason"]  # WSAEAFNOSUPPORT: Wine has no AF_HYPERV
        assert connected["agent_version"] == VERSION and connected["vm_id"] == peer.vm_id
        code, lines = client(prefix, "echo", "echo\n", size=300_000, count=5)
        assert code == 0 and len(lines) == 5
        status = shim.status()
        assert status["attach"]["pid"] > 0 and status["attach"]["starts"] == 1
        said = status["attach"]["last_lines"]
        assert "attached, WSL_UTF8=1" in said
        if noise.startswith("utf16"):
            assert "wsl: Eine localhost-Proxykonfiguration wurde erkannt – CAUSEWAY" in said


def test_no_vsock_listener_is_said_so(prefix, peer):
    peer.vm_id = "01234567-89ab-cdef-0123-456789abcdef"
    with ShimProcess(prefix, attach(peer)) as shim:
        assert shim.wait_state("connected")["carrier_reason"] == "the agent doesn't listen on vsock"


def test_a_lost_vm_is_attached_again(prefix, peer):
    with ShimProcess(prefix, attach(peer)) as shim:
        shim.wait_state("connected")
        since = shim.mark()
        peer.cut()
        shim.wait_state("waiting", since)
        shim.wait_state("connected", since)
        assert shim.status()["attach"]["starts"] == 2
        assert client(prefix, "echo", "echo\n", size=10)[0] == 0


def test_100_attaches_leave_no_handle_and_no_memory(prefix, peer):
    """Each time a process, its job and three pipes."""
    def lose(times):
        for _ in range(times):
            links = len(peer.records["links"])
            peer.cut()
            peer.wait(lambda links=links: len(peer.records["links"]) > links)

    with ShimProcess(prefix, attach(peer), first_delay_ms=1, longest_delay_ms=2) as shim:
        shim.wait_state("connected")
        lose(10)
        before = look(shim)
        lose(100)
        ask_until(shim, state="connected")
        nothing_grew(shim, before, 2 * MIB)  # a stack of that pool stays
        assert shim.status()["attach"]["starts"] >= 110


def test_a_direct_link_outlives_attach(prefix, peer):
    with ShimProcess(prefix, attach(peer), tcp=peer.address) as shim:
        assert shim.wait_state("connected")["carrier"] == "tcp"
        running = Client(prefix, "hold", "wait\n")
        assert running.line() == {"connected": True}
        peer.wait(lambda: peer.records["engine"])
        since = shim.mark()
        peer.end_attach()
        shim.wait(lambda event: event["event"] == "change" and event["attach"]["starts"] == 2 and event["attach"]["pid"] > 0, since)
        status = shim.status()
        assert status["links_total"] == 1 and status["clients"] == 1
        # Another agent behind it: the old link is stale.
        peer.nonce = bytes(16)
        since = shim.mark()
        peer.end_attach()
        shim.wait(lambda event: event["event"] == "change" and event["links_total"] == 2 and event["state"] == "connected", since)
        assert running.end()[1][0]["end"] == "error 233"


@pytest.mark.parametrize("line, reason", [
    (b'CAUSEWAY/1 {"version":1}\n', "lacks a member"),
    (b"x" * 70_000, "prints much"),
])
def test_an_attach_that_talks_nonsense(prefix, peer, line, reason):
    peer.line = line
    with ShimProcess(prefix, attach(peer)) as shim:
        assert reason in shim.wait_state("waiting")["reason"]
        since = shim.mark()
        peer.line = None
        shim.wait_state("connected", since)


def test_an_attach_that_fails_says_why(prefix, peer):
    with ShimProcess(prefix, ("Z:" + program("attach_stand_in").replace("/", "\\"), "1")) as shim:
        waiting = shim.wait_state("waiting")
        assert waiting["reason"] == "attach: it ended with exit code 3: no agent: connection refused"
    with ShimProcess(prefix, ("no_such_program.exe",)) as shim:
        assert "find no_such_program.exe" in shim.wait_state("waiting")["reason"]


def test_an_attach_that_says_nothing_is_given_up(prefix, peer):
    peer.line = b"wsl: starting\n"
    with ShimProcess(prefix, attach(peer, "none", "stay"), start_timeout_ms=1500) as shim:
        assert "within 1 s" in shim.wait_state("waiting")["reason"]
        since = shim.mark()
        peer.line = None
        shim.wait_state("connected", since)
        assert attached(peer) == 1
    # The shim's end is attach's end, also of one that wouldn't end by itself.
    assert attached(peer) == 0


def attached(peer):
    """How many stand-ins of attach run for this peer, as Linux sees them."""
    found = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().decode(errors="replace").split("\0")
            found += "attach_stand_in.exe" in words[0] and str(peer.attach_port) in words
    return found


# ---- the program -------------------------------------------------------------------------------

SYSTEM = {"ADVAPI32.DLL", "BCRYPT.DLL", "KERNEL32.DLL", "MSVCRT.DLL", "NTDLL.DLL", "SHELL32.DLL", "USER32.DLL", "WS2_32.DLL", "MSWSOCK.DLL"}


def test_it_needs_nothing_but_windows(tmp_path):
    stripped = tmp_path / "stripped.exe"
    subprocess.run(["x86_64-w64-mingw32-strip", "-o", stripped, program("shim_harness")], check=True)
    imports = subprocess.run(["x86_64-w64-mingw32-objdump", "-p", stripped], stdout=subprocess.PIPE, text=True, check=True).stdout
    names = {line.split(":")[1].strip().upper() for line in imports.splitlines() if "DLL Name:" in line}
    assert names and names <= SYSTEM
    assert stripped.stat().st_size <= 2 * MIB
