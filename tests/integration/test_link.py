"""The link to Windows over link.sock, with real clients and real dockerd; `link_client` stands for causeway.exe."""

import hashlib
import json
import os
import select
import signal
import socket
import subprocess
import threading
import time

import pytest
from link.tap import SYN, Tap, frames
from link.windows_peer import LinkPeer, dial_tcp, hello, read_all, refusal
from polling import poll
from repository import BUILD
from unix_socket import dial
from wslvm.api import IMAGE, Api

MIB = 1 << 20
PINGER = os.path.join(BUILD, "tests", "bench", "pinger")


def random_bytes(count, seed=b"link"):
    return hashlib.shake_256(seed).digest(count)


def contact(vm):
    code, told = vm.control("/v1/link")
    assert code == 200
    return told


def link_status(vm):
    return vm.control("/v1/status")[1]["link"]


def start_peer(vm, folder, *options):
    return LinkPeer(folder, vm.socket_path("link.sock"), contact(vm)["nonce"], *options)


@pytest.fixture
def connect(vm, tmp_path):
    """connect(*options) → a connected LinkPeer, ended after the test."""
    peers = []

    def start(*options):
        folder = tmp_path / str(len(peers))
        folder.mkdir()
        peers.append(start_peer(vm, folder, *options))
        return peers[-1].wait_connected()

    yield start
    for peer in peers:
        peer.close()
    poll(lambda: not link_status(vm)["connected"], "the agent has noticed the end")


@pytest.fixture
def link(connect):
    return connect()


@pytest.fixture(scope="module")
def steady(vm):
    """A container in which commands can be run."""
    vm.docker("run", "-d", "--name", "linked", "--init", IMAGE, "sleep", "1000000")
    yield "linked"
    vm.docker("rm", "-f", "linked")


def follow_events(link, maker):
    """`docker events` over `link`, which has told of a container already, made over `maker`."""
    events = link.popen("events", "--filter", "type=container", "--format", "{{.Action}} {{.Actor.Attributes.name}}",
                        stderr=None)
    for attempt in range(50):
        maker.docker("run", "--rm", "--name", f"seen{attempt}", IMAGE, "true")
        if select.select([events.stdout], [], [], 0.2)[0]:
            break
    assert events.stdout.readline().decode().split()[1].startswith("seen")
    return events


def memory_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def count_fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_contact_and_status(vm, link):
    told = contact(vm)
    assert len(told["nonce"]) == 32 and told["major"] == 1
    assert told["port"] == 0  # this is not a kernel of WSL
    status = link_status(vm)
    assert status["connected"] and status["transport"] == "unix" and status["sessions"] == 1
    listeners = {entry["transport"]: entry for entry in status["listeners"]}
    assert listeners["unix"]["state"] == "listening"
    assert listeners["vsock"]["state"] == "off" and "not a kernel of WSL" in listeners["vsock"]["reason"]
    screen = vm.causeway("status").stdout
    assert "Windows is connected over unix" in screen and "link.sock" in screen
    # The control channel is the same API.
    code, over_link = link.control("/v1/status")
    assert code == 200 and over_link["link"]["connected"] and over_link["link"]["streams"] >= 1


def test_only_root_may_connect(vm):
    info = os.stat(vm.socket_path("link.sock"))
    assert info.st_uid == 0 and info.st_mode & 0o777 == 0o600
    unprivileged = subprocess.run(
        ["setpriv", "--reuid", "65534", "/usr/bin/python3", "-c",
         f"import os,socket; os.chdir({os.path.dirname(vm.socket_path('link.sock'))!r}); "
         "socket.socket(socket.AF_UNIX).connect('link.sock')"], capture_output=True, text=True, check=False)
    assert unprivileged.returncode != 0 and "PermissionError" in unprivileged.stderr


def test_version_and_run(vm, link):
    assert link.docker("version", "--format", "{{.Server.Version}}").stdout.strip()
    done = link.docker("run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")
    data = random_bytes(3 * MIB)
    assert link.docker("run", "--rm", "-i", IMAGE, "cat", input=data).stdout == data


def test_exec_with_piped_input(link, steady):
    data = random_bytes(16 * MIB, b"exec")
    done = link.docker("exec", "-i", steady, "sh", "-c", "cat; echo end", input=data)
    assert done.stdout == data + b"end\n"
    # The end of the input alone: nothing to send, and the answer comes behind it.
    assert link.docker("exec", "-i", steady, "sh", "-c", "cat; echo ended", input=b"").stdout == b"ended\n"
    # A command that ends while its input still flows: the output arrives, the client ends.
    done = link.docker("exec", "-i", steady, "head", "-c", "5", input=data)
    assert done.stdout == data[:5]


def test_large_streams_keep_every_byte(link, steady):
    count = 128 * MIB
    source = f"head -c {count} /dev/zero | openssl enc -aes-128-ctr -nosalt -pass pass:x 2>/dev/null"
    done = subprocess.run(["sh", "-c", f"{source} | docker exec -i {steady} sha256sum; {source} | sha256sum"],
                          env=link.environment(), capture_output=True, text=True, timeout=120, check=True)
    inside, outside = (line.split()[0] for line in done.stdout.splitlines())
    assert inside == outside
    done = subprocess.run(["sh", "-c", f"docker exec {steady} sh -c 'head -c {count} /dev/zero | tr \"\\0\" x' | sha256sum"],
                          env=link.environment(), capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split()[0] == hashlib.sha256(b"x" * count).hexdigest()


def test_attach(link):
    link.docker("run", "-d", "-i", "--name", "attached-link", IMAGE, "sh", "-c",
                "read a; read b; echo $a and $b; exec sleep 1000000")
    try:
        client = link.popen("attach", "--sig-proxy=false", "attached-link")
        client.stdin.write(b"one\ntwo\n")
        client.stdin.flush()
        assert client.stdout.readline() == b"one and two\n"
        client.kill()
        client.communicate()
    finally:
        link.docker("rm", "-f", "attached-link")


def test_logs_follow_to_the_end(link):
    link.docker("run", "-d", "-i", "--name", "talker-link", IMAGE, "sh", "-c",
                "read start; i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done")
    try:
        follower = link.popen("logs", "-f", "talker-link", stderr=None)
        link.docker("attach", "--no-stdin=false", "talker-link", input=b"go\n")
        out, _ = follower.communicate(timeout=60)
        assert out.decode().split("\n")[:-1] == [f"line {i}" for i in range(3000)]
    finally:
        link.docker("rm", "-f", "talker-link")


def test_events_and_a_killed_client(vm, link):
    events = follow_events(link, link)
    events.kill()
    events.communicate()
    poll(lambda: link_status(vm)["streams"] == 0, "the killed client's stream is gone")


@pytest.mark.parametrize("buildkit", ["0", "1"])
def test_build(link, tmp_path, buildkit):
    context = tmp_path / "context"
    context.mkdir()
    (context / "big").write_bytes(random_bytes(8 * MIB, b"build"))
    (context / "Dockerfile").write_text(f"FROM {IMAGE}\nARG WHO\nCOPY big /big\nRUN echo built for $WHO > /greeting\n",
                                        encoding="utf-8")
    done = subprocess.run(["/usr/bin/docker", "build", "-q", "--build-arg", "WHO=link", "-t", f"linkbuilt:{buildkit}", str(context)],
                          env=link.environment(DOCKER_BUILDKIT=buildkit), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    try:
        out = link.docker("run", "--rm", f"linkbuilt:{buildkit}", "sh", "-c", "cat /greeting; md5sum < /big").stdout.decode()
        assert out == f"built for link\n{hashlib.md5((context / 'big').read_bytes()).hexdigest()}  -\n"
    finally:
        link.docker("rmi", "-f", f"linkbuilt:{buildkit}")


def test_64_parallel_clients(vm, link, steady):
    data = [random_bytes(100_000, str(i).encode()) for i in range(64)]
    clients = [link.popen("exec", "-i", steady, "cat") for _ in data]
    outputs = [None] * len(clients)

    def talk(i):
        outputs[i] = clients[i].communicate(data[i], timeout=120)

    threads = [threading.Thread(target=talk, args=(i,)) for i in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, client in enumerate(clients):
        assert client.returncode == 0 and outputs[i][0] == data[i], (i, outputs[i] and outputs[i][1])
    poll(lambda: link_status(vm)["streams"] == 0, "all streams are gone")


def test_the_clock_is_left_alone_when_right_and_nonsense_is_refused(link):
    code, told = link.control("/v1/clock", "POST", {"unix_ms": int(time.time() * 1000)})
    assert code == 200 and told["stepped"] is False and abs(told["offset_ms"]) < 1000
    for when in (0, 4_102_444_800_000):
        code, told = link.control("/v1/clock", "POST", {"unix_ms": when})
        assert code == 400 and "2020" in told["message"]


def test_wrong_peers_are_told_why_and_shown(vm):
    nonce = contact(vm)["nonce"]
    stale = nonce[::-1] if nonce[::-1] != nonce else "0" * 32
    for sent, what in ((hello(stale), "nonce"), (hello(nonce, major=9), "version 9"), (b"GET / HTTP/1.1\r\n\r\n" * 4, "does not speak")):
        connection = dial(vm.socket_path("link.sock"))
        connection.sendall(sent)
        answer = read_all(connection)
        connection.close()
        assert what in refusal(answer)
        assert bytes.fromhex(nonce) not in answer
        status = link_status(vm)
        assert what in status["refusal"] and status["refusal_age_s"] < 10 and not status["connected"]
        assert what in vm.causeway("status").stdout


def test_half_a_hello_then_silence(vm):
    connection = dial(vm.socket_path("link.sock"))
    connection.sendall(b"CAUSEWAY\0\x01")
    assert "no complete hello" in refusal(read_all(connection))  # within the socket's 30 s
    connection.close()
    assert "no complete hello" in link_status(vm)["refusal"]


def test_garbage_behind_the_hello(vm):
    connection = dial(vm.socket_path("link.sock"))
    connection.sendall(hello(contact(vm)["nonce"]) + b"\xff" * 4096)
    read_all(connection)
    connection.close()
    poll(lambda: not link_status(vm)["connected"], "the agent has dropped it")


def test_the_agent_dies_under_clients(vm, connect, steady):
    once = connect()
    nonce = contact(vm)["nonce"]
    again = connect("--reconnect", "100")
    follower = follow_events(again, once)
    running = once.popen("exec", "-i", steady, "cat")
    running.stdin.write(b"there\n")
    running.stdin.flush()
    assert running.stdout.readline() == b"there\n"
    os.kill(vm.agent_pid(), signal.SIGKILL)
    code, errors = once.end()
    assert code == 2 and "closed the transport" in errors
    running.communicate(timeout=30)
    follower.communicate(timeout=30)
    # link.sock is init's: the dial waits in its backlog until the next agent is there, and the nonce is the same.
    assert again.line().startswith("lost")
    assert again.line() == "connected"
    assert contact(vm)["nonce"] == nonce
    assert again.docker("exec", steady, "echo", "back").stdout == b"back\n"


def test_the_newest_link_counts(vm, connect):
    peers = [connect() for _ in range(5)]
    assert link_status(vm)["sessions"] == 4
    code, errors = peers[0].end()
    assert code == 2, errors
    assert peers[4].docker("version", "--format", "{{.Server.Os}}").stdout == b"linux\n"


def test_distros_are_asked_for(vm, connect):
    """A path in a distro that doesn't run, from Windows: Windows is asked, and its refusal reaches the user."""
    link = connect("--answer", '{"started":false,"reason":"minimal is not enabled"}')
    vm.stop("minimal")
    try:
        vm.wait_distro("minimal", "stopped")
        began = time.monotonic()
        answer = Api(lambda: link.engine, "windows").create(binds=["\\\\wsl$\\minimal\\root:/w"])
        assert answer.status == 400 and "minimal is not enabled" in answer.message, answer
        assert time.monotonic() - began < 8  # at once, not after the time that a start may take
        assert link.line() == "distro_start minimal"
        entry = vm.distros()["minimal"]
        assert entry["state"] == "stopped" and "minimal is not enabled" in entry["reason"]
        # Nobody there when it is asked for: told to the one that comes.
        link.close()
        poll(lambda: not link_status(vm)["connected"], "the agent has noticed the end")
        vm.docker("run", "--rm", IMAGE, "true")
        asked = threading.Thread(target=lambda: vm.docker("create", "-v", "/mnt/distro/minimal/root:/w", IMAGE, check=False))
        asked.start()
        poll(lambda: "minimal" in vm.control("/v1/status")[1]["wanted"], "minimal is wanted")
        later = connect()
        assert later.line() == "distro_start minimal"
        asked.join()
    finally:
        vm.start("minimal")
        vm.wait_distro("minimal")


@pytest.fixture
def tap(vm, tmp_path):
    """Between a LinkPeer on `tmp_path`/link.sock and the agent."""
    return Tap(f"{tmp_path}/link.sock", lambda: dial(vm.socket_path("link.sock")))


def test_opening_a_stream_costs_no_round_trip(vm, tmp_path, tap):
    """All that the agent says is held back, and a new stream's request leaves behind its SYN; so does the next one's."""
    peer = LinkPeer(tmp_path, f"{tmp_path}/link.sock", contact(vm)["nonce"]).wait_connected()
    request = b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
    try:
        for _ in range(2):
            tap.hold()
            since, heard = len(tap.said), tap.heard
            stream = dial(peer.engine)
            stream.sendall(request)
            assert tap.wait_said(request, since), "it waits for an answer"
            assert tap.heard == heard
            sent = list(frames(tap.said[since:]))
            opened = [number for _, flags, number, _ in sent if flags & SYN]
            assert len(opened) == 1
            assert request in b"".join(payload for _, _, number, payload in sent if number == opened[0])
            tap.release()
            assert stream.recv(65536).startswith(b"HTTP/1.1 200")
            stream.close()
    finally:
        peer.close()


def test_a_transport_that_is_cut_anywhere(vm, tmp_path, steady, tap):
    """A recorded conversation (version, an exec with input), cut at each of its bytes: the agent is as before, and serves the next."""
    peer = LinkPeer(tmp_path, f"{tmp_path}/link.sock", contact(vm)["nonce"]).wait_connected()
    peer.docker("version")
    peer.docker("exec", "-i", steady, "cat", input=b"some input\n" * 20)
    peer.close()
    tap.join(30)
    said = tap.said
    assert len(said) > 1000, "the conversation is shorter than 1,000 cuts"
    agent = vm.agent_pid()

    def cut(at):
        connection = dial(vm.socket_path("link.sock"))
        connection.sendall(said[:at])
        connection.close()

    def quiet():
        status = vm.control("/v1/status")[1]["link"]
        return status["sessions"] == 0 and status["streams"] == 0

    for at in range(0, len(said), len(said) // 60):  # what is made once is there before the first look
        cut(at)
    poll(quiet, "no session is left")
    before = count_fds(agent), memory_kb(agent)
    for at in range(len(said)):
        cut(at)
        if at % 32 == 0:
            vm.control("/v1/version")  # the agent has seen those before: only so many may be within their hello
    poll(quiet, "no session is left")
    assert vm.agent_pid() == agent
    poll(lambda: count_fds(agent) <= before[0] + 8, "the descriptors are closed")  # 8: idle engine connections
    assert memory_kb(agent) - before[1] < 1024
    (tmp_path / "again").mkdir()
    follower = start_peer(vm, tmp_path / "again").wait_connected()
    assert follower.docker("exec", steady, "echo", "fine").stdout == b"fine\n"
    follower.close()


def test_1000_refused_peers_leave_nothing(vm):
    nonce = contact(vm)["nonce"]
    wrong = [hello("0" * 32), hello(nonce, major=9), b"GET / HTTP/1.1\r\n\r\n" * 4, b"CAUSEWAY\0\x01", b""]
    agent = vm.agent_pid()

    def meet(count):
        for number in range(count):
            connection = dial(vm.socket_path("link.sock"))
            connection.sendall(wrong[number % len(wrong)])
            connection.shutdown(socket.SHUT_WR)
            read_all(connection)
            connection.close()

    meet(100)
    before = count_fds(agent), memory_kb(agent)
    meet(1000)
    assert vm.agent_pid() == agent
    poll(lambda: count_fds(agent) <= before[0] + 8, "the descriptors are closed")
    assert memory_kb(agent) - before[1] < 1024
    status = link_status(vm)
    assert not status["connected"] and status["refusal"]


def test_50000_streams_leave_nothing(vm, link):
    """Each opened for one `_ping` and closed, by real dockerd. The bench looks closer: at 100,000, with a new agent that has no freed memory to
    grow into."""
    agent = vm.agent_pid()

    def ping(rounds):
        """112 streams a round; its own error when one isn't answered 200."""
        subprocess.run([PINGER, "fresh", str(rounds), "100", "link=engine.sock"], cwd=link.home, check=True, stdout=subprocess.DEVNULL,
                       timeout=300)

    ping(20)
    before = count_fds(agent), memory_kb(agent)
    ping(447)
    assert vm.agent_pid() == agent
    poll(lambda: link_status(vm)["streams"] == 0, "all streams are gone")
    poll(lambda: count_fds(agent) <= before[0] + 8, "the descriptors are closed")
    assert memory_kb(agent) - before[1] < 1024


# ---- TCP, for development ----------------------------------------------------------------------

PORT = 4857


def listening_on(vm, port):
    """Addresses, as the kernel has them: 0100007F is 127.0.0.1."""
    with open(f"/proc/{vm.init_pid()}/net/tcp", encoding="ascii") as table:
        entries = [line.split() for line in table.readlines()[1:]]
    return [entry[1].split(":")[0] for entry in entries if entry[3] == "0A" and int(entry[1].split(":")[1], 16) == port]


@pytest.fixture
def link_settings(vm):
    """link_settings(tcp=...) → the agent runs with them."""
    path = f"/proc/{vm.init_pid()}/root/etc/causeway/settings.json"
    assert not os.path.exists(path)

    def restart():
        before = vm.agent_pid()
        os.kill(before, signal.SIGKILL)
        poll(lambda: vm.find_processes("causeway", "agent") not in ([], [before]), "init starts the next agent")
        vm.wait_engine()

    def use(**link):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"link": link}, file)
        restart()

    yield use
    os.unlink(path)
    restart()


def listener_of(vm, transport):
    return next((entry for entry in link_status(vm)["listeners"] if entry["transport"] == transport), None)


def test_tcp_on_loopback(vm, tmp_path, link_settings, steady):
    assert not listening_on(vm, PORT)  # off unless set
    link_settings(tcp=f"127.0.0.1:{PORT}")
    assert listener_of(vm, "tcp") == {"transport": "tcp", "address": f"127.0.0.1:{PORT}", "state": "listening", "reason": ""}
    assert listening_on(vm, PORT) == ["0100007F"]
    network = vm.init_pid()
    with pytest.raises(ConnectionRefusedError):
        dial_tcp(network, PORT, "127.0.0.2")
    # One that says nothing: nobody holds the distro with it, so it is sent away as one with half a hello.
    silent = dial_tcp(network, PORT)
    peer = LinkPeer(tmp_path, PORT, contact(vm)["nonce"], "--reconnect", "100", network=network).wait_connected()
    try:
        assert link_status(vm)["transport"] == "tcp"
        data = random_bytes(16 * MIB, b"tcp")
        assert peer.docker("exec", "-i", steady, "sh", "-c", "cat; echo end", input=data).stdout == data + b"end\n"
        code, status = peer.control("/v1/status")
        assert code == 200 and status["link"]["transport"] == "tcp"
        assert "no complete hello" in refusal(read_all(silent))
        silent.close()
        stranger = dial_tcp(network, PORT)
        stranger.sendall(hello("0" * 32))
        assert "nonce" in refusal(read_all(stranger))
        stranger.close()
        assert link_status(vm)["refusal"].startswith("tcp: ") and link_status(vm)["connected"]
        # The port is the agent's own, not init's: the next agent has it again.
        os.kill(vm.agent_pid(), signal.SIGKILL)
        said = peer.line()
        while said != "connected":
            assert said.startswith("lost"), said
            said = peer.line()
        assert peer.docker("exec", steady, "echo", "back").stdout == b"back\n"
    finally:
        peer.close()


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.1"])  # more of them: the unit tests of settings
def test_tcp_anywhere_else_is_refused(vm, link_settings, address):
    link_settings(tcp=f"{address}:{PORT}")
    assert not listener_of(vm, "tcp") and not listening_on(vm, PORT)
    reason = f"expected 127.0.0.1:PORT, found {address}:{PORT}"
    assert any(reason in note["text"] for note in vm.control("/v1/status")[1]["notes"])
    checked = vm.causeway("check-config", check=False, engine_namespace=True)
    assert checked.returncode == 1 and reason in checked.stdout
