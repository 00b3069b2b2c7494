"""The shim's core in a Windows process of its own (tests/support/programs/windows/shim_harness.cpp), and clients of its pipe."""

import json
import os
import subprocess
import threading

from .wine import PROGRAMS

PIPE, PRIVATE = r"\\.\pipe\test_engine", r"\\.\pipe\test_private"


def program(name):
    return os.path.join(PROGRAMS, name + ".exe")


class ShimProcess:
    """Started with `settings`; its events are recorded as they come."""

    def __init__(self, prefix, attach=(), **settings):
        chosen = {"pipe": PIPE, "private_pipe": PRIVATE, "first_delay_ms": 20, "longest_delay_ms": 100, **settings}
        arguments = [f"{key}={value}" for key, value in chosen.items()] + [f"attach={word}" for word in attach]
        self.prefix, self.events, self.changed = prefix, [], threading.Condition()
        self.process = prefix.start(program("shim_harness"), *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.events.append(json.loads(line))
                self.changed.notify_all()
        with self.changed:
            self.events.append({"event": "gone"})
            self.changed.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.process.stdin.close()
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()

    def mark(self):
        with self.changed:
            return len(self.events)

    def wait(self, condition, since=0, timeout=20):
        """The first event since `since` for which the condition holds."""
        found = None

        def look():
            nonlocal found
            found = next((event for event in self.events[since:] if condition(event)), None)
            return found is not None

        with self.changed:
            assert self.changed.wait_for(look, timeout), self.events[-5:]
        return found

    def wait_state(self, state, since=0, timeout=20):
        return self.wait(lambda event: event["event"] == "change" and event["state"] == state, since, timeout)

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def status(self):
        since = self.mark()
        self.tell("status")
        return self.wait(lambda event: event["event"] == "status", since)

    def logs(self):
        with self.changed:
            return [event["text"] for event in self.events if event["event"] == "log"]


def client(prefix, mode, text="", *, size=0, seconds=20, count=1, pipe=PIPE):
    """Runs pipe_client to its end: its exit code and its lines."""
    done = prefix.run(program("pipe_client"), pipe, mode, seconds, count, size, text.replace("\n", "\\n"), timeout=seconds + 60, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


class Client:
    """One that runs beside the test."""

    def __init__(self, prefix, mode, text="", *, size=0, seconds=30, count=1, pipe=PIPE):
        self.process = prefix.start(program("pipe_client"), pipe, mode, seconds, count, size, text.replace("\n", "\\n"), stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE)

    def line(self):
        return json.loads(self.process.stdout.readline())

    def end(self, timeout=60):
        """Its exit code and the lines that were not yet read."""
        out, _ = self.process.communicate(timeout=timeout)
        return self.process.returncode, [json.loads(line) for line in out.splitlines()]

    def kill(self):
        self.process.kill()
        self.process.wait()
