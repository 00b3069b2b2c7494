"""The rows about the link to Windows: the agent behind link.sock with link_client as the Windows side, against two bare relays, which is
as many hops."""
import contextlib
import os
import resource
import socket
import statistics
import subprocess

import engine as engines
import evidence
from link.tap import Tap

PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
GIB, MIB = 1 << 30, 1 << 20
CONTAINER = "any"  # the stand-in has them all
STANDIN_SERVICE = """{{"name": "dockerd", "description": "stand-in", "argv": ["{program}", "${{run}}/dockerd.sock"],
 "ready": {{"http": {{"socket": "${{run}}/dockerd.sock", "path": "/_ping"}}, "timeout_s": 20}}, "nofile": 1048576}}
"""

# `streams` of `size` bytes, `loads`: pings beside a stream of a GiB; `churn`: rounds of 112 streams.
FULL = {"rounds": 200, "block": 100, "streams": 15, "size": GIB, "loads": 15, "held": 1000, "churn": 893, "warm": 90}
QUICK = {"rounds": 20, "block": 100, "streams": 3, "size": GIB // 4, "loads": 3, "held": 1000, "churn": 90, "warm": 10}


def faster(relays, link):
    """Throughput of the link as a part of the relays', by their times."""
    return statistics.median(x / y for x, y in zip(relays, link))


def slower(over, under):
    return statistics.median(x / y for x, y in zip(over, under))


def mean(result, key):
    return [(a + b) / 2 for a, b in zip(result["relays"][key], result["relays2"][key])]


def number_of_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Links:
    def __init__(self, bench, work, bootstrap):
        self.bench, self.work, self.bootstrap = bench, work, bootstrap
        self.table, self.pinger = bench.table, bench.pinger
        self.plan = QUICK if bench.options.quick else FULL
        self.clients = []

    def everything(self):
        with self.hops(self.bench.engine):
            self.ping("behind dockerd", 1.15)
        engine = self.standin()
        # An agent each: what an earlier load has left to the C library would take up the growth.
        with self.hops(engine):
            self.churn()
        with self.hops(engine):
            self.idle_attach()
        with self.hops(engine):
            self.idle_keep_alive()
        with self.hops(engine):
            self.round_trips(engine)
            self.ping("behind the stand-in", None)
            self.stream("out", "one stream out")
            self.stream("in", "one stream in")
            self.many()
            self.busy()

    # -- what is measured --------------------------------------------------------------------------

    def standin(self):
        """An agent whose dockerd is a program that moves bytes as fast as it can."""
        services = f"{self.work}/standin/etc/services.d"
        os.makedirs(services)
        with open(f"{services}/dockerd.json", "w") as target:
            target.write(STANDIN_SERVICE.format(program=self.bench.programs["standin"]))
        return engines.Engine(f"{self.work}/standin/work", services, self.bench.agent)

    @contextlib.contextmanager
    def hops(self, engine):
        """A new agent before `engine`. relays and relays2: two relays each; link: link_client and the agent."""
        engine.start_agent()
        self.agent = engine.processes[-1].pid
        hops = engines.Hops(self.work, engine.dockerd_socket, self.bench.pin)
        try:
            for name in ("relays", "relays2"):
                hops.relay(f"{name}-far", self.bench.programs["relay"])
                hops.relay(name, self.bench.programs["relay"], hops.sockets[f"{name}-far"])
            self.bench.pin(self.agent)  # its engine is started already
            self.sockets = {name: hops.sockets[name] for name in ("relays", "relays2")}
            self.nonce = engines.api(f"{engine.run}/control.sock", "GET", "/v1/link")["nonce"]
            self.client("link", f"{engine.run}/link.sock")
            yield
        finally:
            while self.clients:
                client = self.clients.pop()
                client.kill()
                client.wait()
            hops.stop()
            engine.stop()

    def client(self, name, transport):
        """The Windows side, connected; its socket is `name`.sock."""
        self.sockets[name] = f"{self.work}/{name}.sock"
        process = subprocess.Popen([self.bench.programs["link_client"], "--transport", f"unix:{transport}", "--nonce", self.nonce,
                                    "--engine", self.sockets[name]], stdout=subprocess.PIPE, text=True, preexec_fn=self.bench.pin)
        self.clients.append(process)
        said = process.stdout.readline().strip()
        if said != "connected":
            raise engines.Failure(f"link_client: {said or process.wait()}")

    def targets(self):
        return [f"{name}={self.sockets[name]}" for name in ("relays", "relays2", "link")]

    def rss(self):
        with open(f"/proc/{self.agent}/status") as source:
            return next(int(line.split()[1]) * 1024 for line in source if line.startswith("VmRSS"))

    # -- rows --------------------------------------------------------------------------------------

    def ratio(self, title, value, over, under, limit=None, **how):
        return self.table.add(title, value(over, under), "ratio", limit, interval=self.bootstrap(value, over, under), **how)

    def ping(self, where, limit):
        result = self.pinger("ping", self.plan["rounds"], self.plan["block"], *self.targets())
        title = f"link _ping {where}"
        self.unloaded = {name: figures["p99"] for name, figures in result.items()}
        for name, figures in result.items():
            self.table.add(f"{title} p50: {name}", figures["p50"] / 1000, "us")
        self.ratio(f"{title} p50: relays2 / relays (noise)", slower, result["relays2"]["rounds_p50"], result["relays"]["rounds_p50"])
        ok = self.ratio(f"{title} p50: link / relays", slower, result["link"]["rounds_p50"], mean(result, "rounds_p50"), limit)
        self.ratio(f"{title} p99: link / relays", slower, result["link"]["rounds_p99"], mean(result, "rounds_p99"))
        if not ok or self.bench.options.evidence:
            only = f"link={self.sockets['link']}"
            for name, pid in (("agent", self.agent), ("link_client", self.clients[0].pid)):
                self.table.explain(evidence.explain(name, pid, lambda: self.pinger("ping", 20, 100, only), 20 * 112 + 50, "request",
                                                    self.work))

    def throughput(self, title, result, size, limit):
        for name, figures in result.items():
            self.table.add(f"link {title}: {name}", figures["p50"] / 1e9, "s", note=f"{size / figures['p50']:.2f} GB/s")
        self.ratio(f"link {title}: relays2 / relays (noise)", faster, result["relays"]["rounds_p50"], result["relays2"]["rounds_p50"])
        self.ratio(f"link {title}: throughput, link / relays", faster, mean(result, "rounds_p50"), result["link"]["rounds_p50"], limit,
                   least=True)

    def stream(self, mode, title):
        result = self.pinger(mode, self.plan["streams"], self.plan["size"], CONTAINER, *self.targets())
        self.throughput(title, result, self.plan["size"], 0.60)

    def many(self):
        each = self.plan["size"] // 64
        result = self.pinger("many", self.plan["streams"], each, CONTAINER, 64, *self.targets())
        self.throughput("64 streams out", result, 64 * each, 0.60)

    def busy(self):
        """Through the same hops as the stream's, all of them on one CPU with both clients."""
        result = self.pinger("busy", self.plan["loads"], self.plan["size"], CONTAINER, *self.targets())
        title = "link _ping while a stream runs"
        for name, figures in result.items():
            for what in ("p50", "p99"):
                self.table.add(f"{title} {what}: {name}", statistics.median(figures[f"rounds_{what}"]) / 1000, "us",
                               note=f"{sum(figures['rounds_samples'])} pings" if what == "p50" else None)
        for name in ("relays", "link"):
            self.table.add(f"{title} p99: {name} / {name} without one", statistics.median(result[name]["rounds_p99"]) / self.unloaded[name],
                           "ratio")
        self.ratio(f"{title} p99: relays2 / relays (noise)", slower, result["relays2"]["rounds_p99"], result["relays"]["rounds_p99"])
        self.ratio(f"{title} p50: link / relays", slower, result["link"]["rounds_p50"], mean(result, "rounds_p50"))
        self.ratio(f"{title} p99: link / relays", slower, result["link"]["rounds_p99"], mean(result, "rounds_p99"), 3)

    def round_trips(self, engine):
        """With all that the agent says held back, a new stream's request leaves; or it waits for an answer."""
        def dial():
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(f"{engine.run}/link.sock")
            return connection

        tap = Tap(f"{self.work}/tap.sock", dial)
        self.client("tapped", f"{self.work}/tap.sock")
        tap.hold()
        since, heard = len(tap.said), tap.heard
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(10)
            stream.connect(self.sockets["tapped"])
            stream.sendall(PING)
            left = tap.wait_said(PING, since)
            self.table.add("link, a new stream: answers awaited before its request has left", 0 if left else 1, "", 0,
                           note=f"{len(tap.said) - since} bytes sent, {tap.heard - heard} received")
            tap.release()
            if not stream.recv(65536).startswith(b"HTTP/1.1 200"):
                raise engines.Failure("the held back _ping isn't answered")
        client = self.clients.pop()
        client.kill()
        client.wait()
        tap.join(10)

    def warm(self):
        self.pinger("fresh", 1, 100, f"link={self.sockets['link']}")  # what is made once

    def idle_attach(self):
        count = self.plan["held"]
        self.warm()
        before = self.rss()
        holder = subprocess.Popen([self.bench.programs["pinger"], "hold", str(count), CONTAINER, self.sockets["link"]],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        answer = holder.stdout.readline()
        after = self.rss()
        _, errors = holder.communicate("")
        if not answer.startswith("held "):
            raise engines.Failure(f"{count} streams: {answer.strip()} {errors.strip()}")
        self.table.add("link, streams open at once", int(answer.split()[1]), "", count, least=True)
        self.table.add(f"link, RSS per idle attach stream at {count}: agent", (after - before) / count / 1000, "KB", 4.0)

    def idle_keep_alive(self):
        """Streams on which HTTP goes on: with both parsers and an engine connection each."""
        count = self.plan["held"]
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self.warm()
        before = self.rss()
        with contextlib.ExitStack() as streams:
            for _ in range(count):
                stream = streams.enter_context(socket.socket(socket.AF_UNIX))
                stream.settimeout(10)
                stream.connect(self.sockets["link"])
                stream.sendall(PING)
                if not stream.recv(65536).startswith(b"HTTP/1.1 200"):
                    raise engines.Failure("a stream's _ping isn't answered")
            self.table.add(f"link, RSS per idle keep-alive stream at {count}: agent", (self.rss() - before) / count / 1000, "KB", 4.0)

    def churn(self):
        """The same before and after: what it keeps for the next streams is there after the first."""
        only = f"link={self.sockets['link']}"
        self.pinger("fresh", self.plan["warm"], 100, only)
        memory, files = self.rss(), number_of_files(self.agent)
        result = self.pinger("fresh", self.plan["churn"], 100, only)
        count = self.plan["churn"] * 112 + 50
        self.table.add("link, _ping on a new stream p50", result["link"]["p50"] / 1000, "us")
        self.table.add(f"link, {count} streams opened and closed: growth of RSS: agent", (self.rss() - memory) / 1000, "KB", 256)
        self.table.add(f"link, {count} streams opened and closed: growth of descriptors: agent", number_of_files(self.agent) - files, "", 8)
