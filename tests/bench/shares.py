"""The rows about shares: real distros are needed, so they run in the simulated VM of tests/support, not in the sandbox.

What is compared stands in one VM: the agent's dockerd, and a plain dockerd inside the distro Ubuntu, on the same folder.
"""
import json
import select
import shutil
import statistics
import time

from unix_http import HttpConnection
from wslvm.api import Api, identity
from wslvm.engine import EngineVm
from wslvm.folders import fresh_folder
from wslvm.plain_dockerd import PlainDockerd

GROUPS = ["files", "create", "share"]
STATE = "/var/tmp/causeway-bench-vm"
FILES, BINDS, MOUNTS = 10_000, 50, 30

FULL = {"file_rounds": 21, "creates": 1000, "shares": 11}
QUICK = {"file_rounds": 5, "creates": 200, "shares": 3}


class Shares:
    def __init__(self, table, options, bootstrap):
        self.table, self.options, self.bootstrap = table, options, bootstrap
        self.plan = QUICK if options.quick else FULL
        self.payload = f"{options.build}/tests/bench/payload"
        self.vm = EngineVm(STATE)

    def everything(self, groups):
        self.vm.down()  # of a run that was killed
        try:
            self.vm.up(["docker-desktop", "Ubuntu"], causeway=self.options.agent)
            self.vm.wait_engine()
            self.vm.load_busybox()
            for group in groups:
                getattr(self, group)()
        finally:
            self.vm.down()

    # -- rows ------------------------------------------------------------------------------------

    def files(self):
        """One container on each side runs the payload again and again in its bind of one folder; who begins changes."""
        folder = fresh_folder(self.vm, "Ubuntu")
        shutil.copy(self.payload, f"{folder.host}/payload")
        work = folder.make("work")
        plain = PlainDockerd(self.vm, "Ubuntu")
        try:
            plain.load_busybox()
            binds = [f"{work}:/w", f"{folder.path}/payload:/payload:ro"]
            what = {"binds": binds}
            plain_api, ours = Api(plain.socket_path, "plain"), identity(self.vm, "Ubuntu")
            with plain_api.running(**what) as first, plain_api.running(**what) as second, ours.running(**what) as shared:
                run = {"plain": lambda: plain.docker("exec", first, "/payload", "files", "/w", str(FILES)),
                       "plain again": lambda: plain.docker("exec", second, "/payload", "files", "/w", str(FILES)),
                       "share": lambda: self.vm.docker("exec", shared, "/payload", "files", "/w", str(FILES))}
                took = {name: [] for name in run}
                for act in run.values():
                    act()  # not counted: the disk's first blocks
                for index in range(self.plan["file_rounds"]):
                    order = list(run)
                    for name in order[index % 3:] + order[:index % 3]:
                        took[name].append([int(part) for part in run[name]().split()])
        finally:
            plain.stop()
            folder.remove()
        steps = ("create", "stat", "read", "unlink")
        for name, rounds in took.items():
            self.table.add(f"{FILES} small files: {name}", statistics.median(map(sum, rounds)) / 1e6, "ms",
                           note=", ".join(f"{step} {statistics.median(r[i] for r in rounds) / 1e6:.0f}" for i, step in enumerate(steps)))
        total = {name: list(map(sum, rounds)) for name, rounds in took.items()}
        base = [(a + b) / 2 for a, b in zip(total["plain"], total["plain again"])]
        self.ratio(f"{FILES} small files: plain again / plain (noise)", total["plain again"], total["plain"])
        self.ratio(f"{FILES} small files: share / plain", total["share"], base, 1.03)

    def ratio(self, title, over, under, limit=None):
        def value(a, b):
            return statistics.median(x / y for x, y in zip(a, b))
        self.table.add(title, value(over, under), "ratio", limit, interval=self.bootstrap(value, over, under))

    def create(self):
        """containers/create with an image that isn't there: dockerd reads and checks all of the body, and answers in well under a
        millisecond. The same body by the engine's identity is passed through; by Ubuntu's, 50 paths are resolved and spliced."""
        folder = fresh_folder(self.vm, "Ubuntu")
        names = [folder.make(f"source{i}") for i in range(BINDS)]
        sides = {"pass-through": (self.vm.socket_path("engine.sock"), "/mnt/distro/Ubuntu"),
                 "pass-through again": (self.vm.socket_path("engine.sock"), "/mnt/distro/Ubuntu"),
                 "mapped": (identity(self.vm, "Ubuntu").find(), "")}
        took = {name: [] for name in sides}
        calls = {}
        for name, (path, prefix) in sides.items():
            body = json.dumps({"Image": "nosuchimage", "HostConfig": {"Binds": [f"{prefix}{source}:/mnt/{i}" for i, source in enumerate(names)]}})
            calls[name] = (HttpConnection(path, 60), body)
        try:
            for index in range(self.plan["creates"]):
                order = list(calls)
                for name in order[index % 3:] + order[:index % 3]:
                    connection, body = calls[name]
                    begun = time.perf_counter()
                    connection.request("POST", "/v1.41/containers/create", body, {"Content-Type": "application/json"})
                    answer = connection.getresponse()
                    data = answer.read()
                    spent = time.perf_counter() - begun
                    assert answer.status == 404, (name, answer.status, data)
                    if index >= 20:
                        took[name].append(spent * 1e6)
        finally:
            for connection, _ in calls.values():
                connection.close()
            folder.remove()
        for name, values in took.items():
            self.table.add(f"create with {BINDS} mounts p50: {name}", statistics.median(values), "us")

        def more(a, b):
            return statistics.median(x - y for x, y in zip(a, b))
        for name, limit in (("pass-through again", None), ("mapped", 200)):
            self.table.add(f"create with {BINDS} mounts: {name} - pass-through" + ("" if limit else " (noise)"),
                           more(took[name], took["pass-through"]), "us", limit,
                           interval=self.bootstrap(more, took[name], took["pass-through"]))

    def share(self):
        """From the call of the Windows side (`wsl.exe … causeway distro`) until all mounts are attached, which the engine's mount
        table tells as an event."""
        took, linked = [], []
        for _ in range(self.plan["shares"]):
            self.vm.start("Bench", helper=False)
            self.vm.exec("Bench", ["sh", "-c", f"mkdir -p /srv/m; i=0; while [ $i -lt {MOUNTS} ]; do mkdir -p /srv/m/$i && "
                                               "mount -t tmpfs none /srv/m/$i; i=$((i+1)); done"])
            table = open(f"/proc/{self.vm.init_pid()}/mountinfo", encoding="utf-8", errors="replace")
            waiter = select.poll()
            waiter.register(table, select.POLLPRI)
            begun = time.monotonic()
            self.vm.start_helper("Bench")
            first = None
            while True:
                table.seek(0)
                points = {line.split()[4] for line in table if "/mnt/distro/Bench" in line}
                if points and first is None:
                    first = time.monotonic()
                if all(f"/mnt/distro/Bench/srv/m/{i}" in points for i in range(MOUNTS)):
                    break
                if time.monotonic() > begun + 30:
                    raise AssertionError(f"after 30 s only {len(points)} mounts of Bench are shared\n{self.vm.helper_log('Bench')}")
                waiter.poll(1000)
            now = time.monotonic()
            took.append((now - begun) * 1000)
            linked.append((now - first) * 1000)
            table.close()
            self.vm.wait_distro("Bench")
            self.vm.stop("Bench")
        self.table.add(f"share with {MOUNTS} sub-mounts: from the first mount to the last", statistics.median(linked), "ms")
        self.table.add(f"share with {MOUNTS} sub-mounts: start of the helper to the last mount", statistics.median(took), "ms", 50)
