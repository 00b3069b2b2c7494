"""What clients and peers can take from the agent when they take all that they can get: nobody else goes without, and it is as before after."""

import concurrent.futures
import contextlib
import json
import resource
import socket
import threading
import time
import urllib.parse

import pytest
from link.windows_peer import hello, read_all
from polling import poll
from unix_http import request
from unix_socket import dial
from wslvm.api import IMAGE, fresh_name, identity

MIB = 1 << 20
MOST = 4200


@pytest.fixture(autouse=True, scope="module")
def descriptors():
    """This process holds thousands of clients."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 3 * MOST
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def half_body(length, content=b"{"):
    return b"POST /v1.41/containers/create HTTP/1.1\r\nHost: docker\r\nContent-Length: %d\r\n\r\n" % length + content


class Crowd:
    """Many clients at one socket, each of which says the same and then nothing more."""

    def __init__(self, path, count, say):
        self.clients = []
        for _ in range(count):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            client.setblocking(False)
            if not self.connects(client, path):  # the backlog is full, too
                client.close()
                break
            self.clients.append(client)
        self.left = {client: say for client in self.clients}
        self.push()

    @staticmethod
    def connects(client, path):
        for _ in range(100):
            try:
                client.connect(path)
                return True
            except BlockingIOError:
                time.sleep(0.01)  # the agent's turn: it has one of two cores
        return False

    def push(self, seconds=60):
        """Until everybody has said all, or those that are left aren't read."""
        end = time.monotonic() + seconds
        moved = time.monotonic()
        while self.left and time.monotonic() < end and time.monotonic() - moved < 2:
            for client, text in list(self.left.items()):
                try:
                    sent = client.send(text)
                except BlockingIOError:
                    continue
                except OSError:  # it was answered, and closed
                    sent = len(text)
                moved = time.monotonic()
                if sent == len(text):
                    del self.left[client]
                else:
                    self.left[client] = text[sent:]
            if self.left:
                time.sleep(0.01)  # the agent's turn: it has one of two cores

    def answers(self):
        """What those were told who were told something."""
        out = []
        for client in self.clients:
            try:
                if said := client.recv(65536):
                    out.append(said)
            except OSError:
                pass
        return out

    def close(self):
        for client in self.clients:
            client.close()


@pytest.fixture
def crowd(vm):
    """crowd(distro, count, say) at that distro's docker.sock."""
    crowds = []

    def gather(distro, count, say):
        crowds.append(Crowd(f"{vm.root(distro)}/run/docker.sock", count, say))
        return crowds[-1]

    yield gather
    for each in crowds:
        each.close()
    poll(lambda: sum(entry["connections"] for entry in sockets(vm)) < 50, "the crowd has gone")


def sockets(vm):
    code, status = vm.control("/v1/status")
    assert code == 200
    return status["sockets"]


def socket_of(vm, distro):
    return next(entry for entry in sockets(vm) if entry["path"] == "/run/docker.sock" and entry["purpose"].endswith(distro))


class StatusWatch:
    """Whether status said meanwhile that Ubuntu's socket is full: that ends as soon as those that have stalled give way."""

    def __init__(self, vm):
        self.vm = vm
        self.on_screen = self.in_notes = False
        self.most = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look)

    def _look(self):
        while not self.over.wait(0.05):
            self.on_screen |= any("Docker API for Ubuntu" in line and "(full)" in line for line in self.vm.causeway("status").stdout.splitlines())
            self.in_notes |= any("so further clients wait" in note["text"] for note in self.vm.control("/v1/status")[1]["notes"])
            self.most = max(self.most, socket_of(self.vm, "Ubuntu")["connections"])

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def memory_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def ping(path):
    """Seconds until `_ping` is answered."""
    begin = time.monotonic()
    assert request(path, "/_ping", timeout=60) == (200, b"OK")
    return time.monotonic() - begin


def test_half_bodies_of_one_distro_shut_out_nobody(vm, crowd):
    with StatusWatch(vm) as status:
        many = crowd("Ubuntu", MOST, half_body(1000))
        # What the reserves of all other listeners leave, with each distro that earlier tests have made known.
        assert len(many.clients) > MOST // 2
        poll(lambda: status.on_screen and status.in_notes, "status says that Ubuntu's socket is full")
    assert status.most > MOST // 2 - 300  # the rest is in the backlog
    began = time.monotonic()
    others = {name: identity(vm, name).find() for name in ("minimal", "windows", "engine")}
    for _ in range(5):
        for name, path in others.items():
            assert ping(path) < 5, f"{name} waits"  # for one that has stalled it would be 10 s
    # A client of each that stays, as an IDE does, up to the reserve.
    with contextlib.ExitStack() as kept:
        for path in others.values():
            for _ in range(60):
                client = kept.enter_context(contextlib.closing(dial(path)))
                client.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n")
                assert client.recv(65536).startswith(b"HTTP/1.1 200")
    # Ubuntu's own next client has to wait for those that have stalled, and not for long.
    ping(identity(vm, "Ubuntu").find())
    assert time.monotonic() - began < 40
    told = many.answers()
    assert told and all(answer.startswith(b"HTTP/1.1 408 ") for answer in told)
    assert b"others wait" in told[0]


def test_a_gigabyte_of_bodies_is_bounded_and_given_back(vm, crowd):
    """4,168 bodies of 250 KiB that end nowhere: 1,042 MB. In memory is a part of it, on disk what fits, and 5 s after the end the agent is small."""
    agent = vm.agent_pid()
    before = memory_kb(agent)
    many = crowd("Ubuntu", 4168, half_body(300_000, b'{"Env":["' + b"x" * 250_000))
    many.push(240)
    highest = memory_kb(agent)
    assert highest < 160 * 1024, f"{highest} KiB with the bodies"
    assert ping(identity(vm, "windows").find()) < 5
    many.close()
    ended = time.monotonic()
    while memory_kb(agent) >= 8 * 1024 and time.monotonic() - ended < 5:
        time.sleep(0.1)  # measured against a time: no event tells
    after = memory_kb(agent)
    assert vm.agent_pid() == agent
    print(f"agent: {before} KiB before, {highest} KiB with the bodies, {after} KiB {time.monotonic() - ended:.1f} s after them")
    assert after < max(8 * 1024, before + 512)


def test_what_dockerd_takes_passes(vm, plain):
    """Long targets and heads: the same status as from dockerd without Causeway."""
    ubuntu = identity(vm, "Ubuntu")
    made = []
    for api in (plain, ubuntu):
        long_env = api("POST", "/containers/create?Hostname=x&Env=V%3D" + "v" * 70_000, {"Image": IMAGE})
        assert long_env.status == 201, long_env
        made.append((api, long_env.body["Id"]))
        names = "&".join(["names=busybox%3Alatest"] * 3000)
        assert api("GET", "/images/get?" + names).status == 200
        arguments = urllib.parse.quote(json.dumps({f"ARG{number}": "x" * 70 for number in range(1000)}))
        assert len(arguments) > 80_000
        answer = api("POST", "/build?buildargs=" + arguments, data=b"\0" * 1024, headers={"Content-Type": "application/x-tar"})
        # What it says of an empty context; it has read the arguments.
        assert answer.status == 500 and "Cannot locate specified Dockerfile" in answer.message, answer
        assert api("GET", "/images/json", headers={"X-Registry-Config": "e" * 300_000}).status == 200
        filters = {"label": [f"com.example.number={number:05}" for number in range(4000)]}
        long_filters = "/containers/json?all=1&filters=" + urllib.parse.quote(json.dumps(filters))
        assert len(long_filters) > 100 * 1024
        assert api("GET", long_filters).body == []
    for api, container in made:
        api.remove(container)


def test_filters_of_100_kib_with_paths(vm, plain):
    """The path among 4,000 is found, also by its name in the distro."""
    for api in (plain, identity(vm, "Ubuntu")):
        path = f"/home/dev/{fresh_name('filter')}"
        vm.exec("Ubuntu", ["mkdir", "-p", path])
        container = api.created(binds=[f"{path}:/w"])
        try:
            filters = {"volume": [f"/home/dev/elsewhere/{number:06}" for number in range(1500)] + [path]}
            target = "/containers/json?all=1&filters=" + urllib.parse.quote(json.dumps(filters), safe="")
            assert len(target) > 50 * 1024
            found = api.good("GET", target).body
            assert [entry["Id"] for entry in found] == [container]
            assert found[0]["Mounts"][0]["Source"] == path
        finally:
            api.remove(container)
            vm.exec("Ubuntu", ["rmdir", path])


def test_http2_and_tls_are_told_what_is_spoken(vm):
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
    for sent, text in ((preface, b"the client began with HTTP/2"), (b"\x16\x03\x01\x02\x00\x01", b"the client began with TLS")):
        for name in ("Ubuntu", "windows", "engine"):
            client = dial(identity(vm, name).find())
            client.sendall(sent)
            answer = read_all(client)
            client.close()
            assert answer.startswith(b"HTTP/1.1 400 "), answer
            assert text in answer, answer


# ---- the link's peers ---------------------------------------------------------------------------


def frame(kind, flags, stream, length, payload=b""):
    return bytes([0, kind]) + flags.to_bytes(2, "big") + stream.to_bytes(4, "big") + length.to_bytes(4, "big") + payload


@pytest.mark.parametrize("what, counted", [("farewells", "farewells=20000"), ("channels", "unknown_channels=20000")])
def test_a_hostile_peer_costs_one_line(vm, what, counted):
    code, told = vm.control("/v1/link")
    assert code == 200
    before = len(vm.boot_log())
    client = dial(vm.socket_path("link.sock"))
    client.sendall(hello(told["nonce"]))
    reader = threading.Thread(target=read_all, args=(client,))
    reader.start()
    for number in range(20_000):
        client.sendall(frame(3, 0, 0, 1) if what == "farewells" else frame(0, 1, 2 * number + 1, 1, b"\x63"))
    client.shutdown(socket.SHUT_WR)
    reader.join(60)
    client.close()
    poll(lambda: counted in vm.boot_log()[before:], "the end is in the log, with the count")
    lines = [line for line in vm.boot_log()[before:].splitlines() if " link." in line]
    assert len(lines) <= 4, lines  # connected, the first of its kind, over


def test_1000_refused_peers_cost_few_lines(vm):
    """Each with another reason, which it chose."""
    before = len(vm.boot_log())
    for number in range(1000):
        client = dial(vm.socket_path("link.sock"))
        client.sendall(hello("0" * 32, major=2 + number))
        client.shutdown(socket.SHUT_WR)
        read_all(client)
        client.close()
    lines = [line for line in vm.boot_log()[before:].splitlines() if " link." in line]
    assert 0 < len(lines) < 120, len(lines)


# ---- answers in the shapes of newer APIs -------------------------------------------------------


@pytest.mark.parametrize("accept", ["application/json", "application/json-seq", "application/jsonl", "application/x-ndjson"])
def test_events_in_each_form_name_no_place_of_the_engine(vm, accept):
    """Each event comes at once, as dockerd sent it, and holds nothing that would have to be mapped: events have no host paths."""
    ubuntu = identity(vm, "Ubuntu")
    path = f"/home/dev/{fresh_name('events')}"
    vm.exec("Ubuntu", ["mkdir", "-p", path])
    client = dial(ubuntu.find())
    client.sendall(b"GET /v1.41/events HTTP/1.1\r\nHost: docker\r\nAccept: " + accept.encode() + b"\r\n\r\n")
    seen = b""
    while b"\r\n\r\n" not in seen:
        seen += client.recv(65536)
    volume = fresh_name("v")
    try:
        ubuntu.good("POST", "/volumes/create", {"Name": volume, "Driver": "local",
                                                "DriverOpts": {"type": "none", "o": "bind", "device": path}})
        with ubuntu.running(binds=[f"{path}:/w", f"{volume}:/v"], Labels={"where": path}) as container:
            # The last event of the start has come before anything else happens.
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                while not (b'"start"' in seen and b'"mount"' in seen):
                    seen += pool.submit(client.recv, 65536).result(30)
        while b'"destroy"' not in seen:
            seen += client.recv(65536)
        assert container.encode() in seen and volume.encode() in seen
        assert b"/mnt/distro" not in seen and b"/mnt/host" not in seen
        assert b'"where":"' + path.encode() + b'"' in seen
    finally:
        client.close()
        ubuntu("DELETE", f"/volumes/{volume}")
        vm.exec("Ubuntu", ["rmdir", path])
