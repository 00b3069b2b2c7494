"""Runs commands in the guest for the tests outside: lines of JSON over a virtio-serial port.

  {"id": 1, "argv": [...], "input": base64, "timeout": s, "environment": {...}}
  {"id": 1, "code": n, "out": base64, "err": base64}       code: null when it was killed at its time limit
The first line says {"ready": true}. Commands run at the same time.
"""

import base64
import json
import os
import select
import subprocess
import threading

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin", "HOME": "/tmp", "PYTHONPATH": "/inside", "LC_ALL": "C.UTF-8",
               "PYTHONDONTWRITEBYTECODE": "1"}


def find_port(name):
    for port in os.listdir("/sys/class/virtio-ports"):
        with open(f"/sys/class/virtio-ports/{port}/name", encoding="ascii") as file:
            if file.read().strip() == name:
                return f"/dev/{port}"
    raise SystemExit(f"no port {name}")


class Driver:
    def __init__(self, path):
        self.port = os.open(path, os.O_RDWR)
        self.lock = threading.Lock()

    def send(self, answer):
        data = (json.dumps(answer) + "\n").encode()
        with self.lock:
            while data:
                data = data[os.write(self.port, data):]

    def run(self, job):
        try:
            done = subprocess.run(job["argv"], input=base64.b64decode(job["input"]), capture_output=True, check=False,
                                  timeout=job["timeout"], cwd="/tmp", env={**ENVIRONMENT, **job["environment"]})
            code, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as late:
            code, out, err = None, late.stdout or b"", late.stderr or b""
        except OSError as error:
            code, out, err = 127, b"", str(error).encode()
        self.send({"id": job["id"], "code": code, "out": base64.b64encode(out).decode(), "err": base64.b64encode(err).decode()})

    def serve(self):
        self.send({"ready": True})
        rest = b""
        while True:
            select.select([self.port], [], [])
            data = os.read(self.port, 65536)
            if not data:
                return  # nobody outside any more
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                threading.Thread(target=self.run, args=(json.loads(line),), daemon=True).start()


if __name__ == "__main__":
    Driver(find_port("driver")).serve()
