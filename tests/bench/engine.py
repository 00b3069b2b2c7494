"""Processes under test: the bare engine, the agent in front of one, the relay, nginx."""
import ctypes
import http.client
import io
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import tarfile
import time

libc = ctypes.CDLL(None, use_errno=True)
IN_ATTRIB, IN_MOVED_TO, IN_CREATE = 0x4, 0x80, 0x100

# Used while the repository has no service files; the arguments are those of the product.
DEFAULT_SERVICES = {
    "containerd": {"argv": ["/usr/bin/containerd", "--address=${run}/containerd.sock", "--root=${data}/containerd",
                            "--state=${run}/containerd"],
                   "ready": {"unix": {"socket": "${run}/containerd.sock"}}},
    "dockerd": {"argv": ["/usr/sbin/dockerd", "--config-file=${run}/daemon.json", "--host=unix://${run}/dockerd.sock",
                         "--containerd=${run}/containerd.sock", "--data-root=${data}/docker",
                         "--exec-root=${run}/docker", "--pidfile=${run}/dockerd.pid"],
                "ready": {"http": {"socket": "${run}/dockerd.sock", "path": "/_ping"}}},
}
DEFAULT_DAEMON_JSON = {"live-restore": True, "log-opts": {"max-size": "10m", "max-file": "3"}}


class Failure(Exception):
    """Something under test did not do what the bench needs; the text says what."""


class Directory:
    """Notes when names appear in a directory (inotify), which is also what waiting for a socket waits on."""

    def __init__(self, path):
        self.fd = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if libc.inotify_add_watch(self.fd, path.encode(), IN_CREATE | IN_MOVED_TO | IN_ATTRIB) < 0:
            raise Failure(f"cannot watch {path}: {os.strerror(ctypes.get_errno())}")
        self.seen = {}  # name: time.monotonic() of its first event

    def wait(self, seconds, other=None):
        """Returns when something happened here, when `other` is readable, or after `seconds`."""
        ready = select.select([self.fd] + ([other] if other else []), [], [], seconds)[0]
        if self.fd in ready:
            now, events, at = time.monotonic(), os.read(self.fd, 65536), 0
            while at < len(events):
                _, _, _, size = struct.unpack_from("iIII", events, at)
                name = events[at + 16:at + 16 + size].rstrip(b"\0").decode()
                self.seen.setdefault(name, now)
                at += 16 + size
        return other in ready

    def close(self):
        os.close(self.fd)


def connect_when_there(path, process, directory, deadline):
    """A connected socket. Between bind and listen there is no event: chmod after listen is one, 5 ms the bound."""
    while True:
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(path)
            return s
        except OSError:
            s.close()
        if process.poll() is not None:
            raise Failure(f"{process.args[0]} ended with {process.returncode} before it listened on {path}")
        if time.monotonic() > deadline:
            raise Failure(f"{path}: nobody listens")
        directory.wait(0.005)


def await_ping(path, process, directory, seconds=60):
    """Returns the time of the first 200. A connect before the engine serves waits in its backlog."""
    deadline = time.monotonic() + seconds
    while True:
        s = connect_when_there(path, process, directory, deadline)
        s.settimeout(seconds)
        s.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
        while not directory.wait(0.2, s):
            if process.poll() is not None:
                raise Failure(f"{process.args[0]} ended with {process.returncode} before /_ping was answered")
            if time.monotonic() > deadline:
                raise Failure(f"{path}: /_ping is not answered")
        answer = s.recv(65536)
        now = time.monotonic()
        s.close()
        if answer.startswith(b"HTTP/1.1 200"):
            return now
        if now > deadline:
            raise Failure(f"{path}: /_ping answers {answer[:120]!r}")
        directory.wait(0.005)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def api(path, method, target, body=None, content_type="application/json"):
    """One call on a fresh connection; JSON in, decoded JSON (or text) out."""
    connection = UnixConnection(path)
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    connection.request(method, target, data, {"Content-Type": content_type} if data is not None else {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if answer.status >= 400:
        raise Failure(f"{method} {target}: {answer.status} {text.strip()}")
    try:
        return json.loads(text)
    except ValueError:
        return text


class Engine:
    """containerd and dockerd, bare or under the agent. RUN is new for each start, DATA is kept."""

    def __init__(self, work, services, agent=None):
        self.run, self.data, self.etc = f"{work}/run", f"{work}/data", f"{work}/etc"
        self.agent = agent
        self.log_path = f"{work}/log"
        os.makedirs(self.log_path, exist_ok=True)
        os.makedirs(self.data, exist_ok=True)
        os.makedirs(self.etc, exist_ok=True)
        self.services = dict(DEFAULT_SERVICES)
        if services and os.path.isdir(services):
            shutil.copytree(os.path.dirname(services), self.etc, dirs_exist_ok=True)  # and what the services' files name
            for name in sorted(os.listdir(services)):
                if name.endswith(".json"):
                    with open(f"{services}/{name}") as source:
                        spec = json.load(source)
                    if spec["name"] in DEFAULT_SERVICES:
                        self.services[spec["name"]] = spec
        self.dockerd_socket = f"{self.run}/dockerd.sock"
        self.engine_socket = f"{self.run}/engine.sock"
        self.daemon_json = None
        self.processes = []

    def expand(self, text):
        return text.replace("${run}", self.run).replace("${data}", self.data).replace("${etc}", self.etc)

    def spawn(self, argv, name, environment=None):
        with open(f"{self.log_path}/{name}.log", "ab") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env={**os.environ, **(environment or {})})
        self.processes.append(process)
        return process

    def fresh_run(self):
        shutil.rmtree(self.run, ignore_errors=True)
        os.makedirs(f"{self.run}/log")

    def prepare_bare(self):
        """Writes dockerd's settings once, by the service's own `prepare` when there is an agent: not timed."""
        self.fresh_run()
        if self.agent:
            for argv in self.services["dockerd"].get("prepare", []):
                argv = [self.expand(a) for a in argv]
                if argv[0] == "/proc/self/exe":
                    argv[0] = self.agent
                subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        path = f"{self.run}/daemon.json"
        if os.path.exists(path):
            with open(path) as source:
                self.daemon_json = source.read()
        else:
            self.daemon_json = json.dumps(DEFAULT_DAEMON_JSON)

    def start_bare(self):
        """Seconds from the first spawn to `_ping` 200; dockerd is started when containerd's socket accepts."""
        if self.daemon_json is None:
            self.prepare_bare()
        self.fresh_run()
        with open(f"{self.run}/daemon.json", "w") as target:
            target.write(self.daemon_json)
        directory = Directory(self.run)
        start = time.monotonic()
        for name in ("containerd", "dockerd"):
            spec = self.services[name]
            process = self.spawn([self.expand(a) for a in spec["argv"]], name,
                                 {k: self.expand(v) for k, v in spec.get("environment", {}).items()})
            if name == "containerd":
                connect_when_there(f"{self.run}/containerd.sock", process, directory, start + 60).close()
            else:
                end = await_ping(self.dockerd_socket, process, directory)
        return self.timeline(directory, start, end)

    def timeline(self, directory, start, end):
        """Seconds to 200, and to what was seen on the way."""
        directory.close()
        self.steps = {name: at - start for name, at in directory.seen.items() if name.endswith(".sock")}
        self.steps["200"] = end - start
        return end - start

    def start_agent(self):
        """Seconds from the agent's spawn to `_ping` 200 on its engine socket."""
        self.fresh_run()
        directory = Directory(self.run)
        start = time.monotonic()
        process = self.spawn([self.agent, "agent", "--run", self.run, "--data", self.data, "--etc", self.etc], "agent")
        return self.timeline(directory, start, await_ping(self.engine_socket, process, directory))

    def stop(self):
        """SIGTERM in reverse order of start, each waited for."""
        while self.processes:
            process = self.processes.pop()
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise Failure(f"{process.args[0]} did not stop within 60 s of SIGTERM")

    def logs(self, lines=15):
        text = []
        for folder in (self.log_path, f"{self.data}/log"):
            for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
                with open(f"{folder}/{name}", errors="replace") as source:
                    text += [f"--- {folder}/{name}", *source.read().splitlines()[-lines:]]
        return "\n".join(text)

    def container(self, payload):
        """A running container whose image is the payload alone; its id."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(payload, "payload")
        s = self.dockerd_socket
        api(s, "POST", "/v1.40/images/create?fromSrc=-&repo=causeway-bench", archive.getvalue(), "application/x-tar")
        settings = {"Image": "causeway-bench", "Cmd": ["/payload", "idle"],
                    "HostConfig": {"NetworkMode": "none", "LogConfig": {"Type": "none"}}}
        identity = api(s, "POST", "/v1.40/containers/create", settings)["Id"]
        api(s, "POST", f"/v1.40/containers/{identity}/start")
        return identity


NGINX = """
worker_processes 1;
user root;
pid {work}/nginx.pid;
error_log {work}/nginx-error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path {work}/nginx-body; proxy_temp_path {work}/nginx-proxy;
  fastcgi_temp_path {work}/nginx-fastcgi; uwsgi_temp_path {work}/nginx-uwsgi; scgi_temp_path {work}/nginx-scgi;
  upstream engine {{ server unix:{target}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen unix:{listen};
    location / {{ proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
  }}
}}
"""


class Hops:
    """What stands between client and dockerd for comparison: relays, nginx."""

    def __init__(self, work, target, place=None):
        """`place` runs in each hop before its program does (CPU affinity)."""
        self.work, self.target, self.place, self.processes, self.sockets = work, target, place, [], {}

    def start(self, name, argv, listen):
        directory = Directory(self.work)
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, preexec_fn=self.place)
        self.processes.append(process)
        connect_when_there(listen, process, directory, time.monotonic() + 10).close()
        directory.close()
        self.sockets[name] = listen
        return process

    def relay(self, name, program, target=None):
        """`target`: another hop's socket instead of the engine's."""
        listen = f"{self.work}/{name}.sock"
        return self.start(name, [program, listen, target or self.target], listen)

    def nginx(self, program):
        listen, config = f"{self.work}/nginx.sock", f"{self.work}/nginx.conf"
        with open(config, "w") as target:
            target.write(NGINX.format(work=self.work, target=self.target, listen=listen))
        return self.start("nginx", [program, "-c", config, "-g", "daemon off;"], listen)

    def stop(self):
        for process in self.processes:
            process.terminate()
            process.wait()
        self.processes.clear()
