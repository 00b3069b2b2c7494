"""The Docker API as a client with a certain identity meets it, and containers made through it."""

import contextlib
import itertools
import json
import os
import urllib.parse

from unix_http import HttpConnection

IMAGE = "busybox"
API = "/v1.41"
_numbers = itertools.count(1)


class Answer:
    def __init__(self, status, data, headers):
        self.status, self.data, self.headers = status, data, headers
        try:
            self.body = json.loads(data) if data else None
        except ValueError:
            self.body = data.decode(errors="replace")

    @property
    def message(self):
        return self.body.get("message") if isinstance(self.body, dict) else None

    def __repr__(self):
        return f"{self.status} {self.data[:2000]!r}"


class Api:
    """The Docker API over one socket, and so as that socket's identity. Each call is a connection of its own. `find()` gives the
    socket's path, which changes when its distro starts anew."""

    def __init__(self, find, name):
        self.find, self.name = find, name

    def __call__(self, method, target, body=None, data=None, headers=None):
        """`body` is sent as JSON, `data` as it is."""
        connection = HttpConnection(self.find(), 120)
        try:
            sent = json.dumps(body) if body is not None else data
            connection.request(method, API + target, sent,
                               {**({"Content-Type": "application/json"} if sent is not None else {}), **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), dict(answer.getheaders()))
        finally:
            connection.close()

    def good(self, method, target, body=None, **more):
        """As a call; an answer that isn't 2xx or 304 is an AssertionError."""
        answer = self(method, target, body, **more)
        assert 200 <= answer.status < 305, f"{self.name}: {method} {target}: {answer}\nsent: {str(body)[:2000]}"
        return answer

    def create(self, *, command=("true",), binds=None, mounts=None, name=None, host=None, **config):
        """The answer to containers/create."""
        host = {"NetworkMode": "none", **({"Binds": binds} if binds is not None else {}),
                **({"Mounts": mounts} if mounts is not None else {}), **(host or {})}
        body = {"Image": IMAGE, "Cmd": list(command), "Tty": True, "HostConfig": host, **config}
        return self("POST", "/containers/create" + (f"?name={name}" if name else ""), body)

    def created(self, **what):
        answer = self.create(**what)
        assert answer.status == 201, f"{self.name}: create {what}: {answer}"
        return answer.body["Id"]

    def start(self, container):
        return self("POST", f"/containers/{container}/start")

    def inspect(self, container):
        return self.good("GET", f"/containers/{container}/json").body

    def remove(self, container):
        return self("DELETE", f"/containers/{container}?force=1&v=1")

    def run(self, script, **what):
        """Output of a shell script in a container that is created, started, and removed after its end."""
        container = self.created(command=("sh", "-c", script), **what)
        try:
            started = self.start(container)
            assert started.status == 204, f"{self.name}: start with {what}: {started}"
            code = self.good("POST", f"/containers/{container}/wait").body["StatusCode"]
            output = self.good("GET", f"/containers/{container}/logs?stdout=1&stderr=1").data.decode().replace("\r\n", "\n")
            assert code == 0, f"{self.name}: {script!r} with {what} ended with {code}:\n{output}"
            return output
        finally:
            self.remove(container)

    @contextlib.contextmanager
    def running(self, script="exec sleep 1000000", **what):
        """A container that runs a shell script: its id. Removed at the end."""
        container = self.created(command=("sh", "-c", script), **what)
        try:
            started = self.start(container)
            assert started.status == 204, f"{self.name}: start with {what}: {started}"
            yield container
        finally:
            self.remove(container)

    def names(self):
        """Names of all containers there are."""
        return {name.lstrip("/") for entry in self.good("GET", "/containers/json?all=1").body for name in entry["Names"]}


def identity(vm, name):
    """The API as a client with this identity meets it: `engine`, `windows`, or a distro's name."""
    if name == "engine":
        return Api(lambda: vm.socket_path("engine.sock"), name)
    if name == "windows":
        return Api(lambda: vm.socket_path("api/windows.sock"), name)
    return Api(lambda: f"{vm.root(name)}/run/docker.sock", name)


def fresh_name(prefix="t"):
    return f"{prefix}{os.getpid()}-{next(_numbers)}"


def query(**parameters):
    return "?" + urllib.parse.urlencode({k: v if isinstance(v, str) else json.dumps(v) for k, v in parameters.items()})
