"""The static binary in a root file system with nothing but busybox: the distro `minimal`."""

import json
import os
import shutil
import subprocess

from polling import poll
from repository import BINARY


def executables(folder):
    return [path for parent, _, names in os.walk(folder) for name in names
            if not os.path.islink(path := os.path.join(parent, name))]


def test_init_agent_and_commands_run_where_there_is_only_busybox(vm):
    root = vm.root("minimal")
    files = {path.removeprefix(root) for folder in ("bin", "sbin", "usr/bin", "usr/sbin") for path in executables(f"{root}/{folder}")}
    assert files <= {"/bin/busybox", "/sbin/busybox", "/usr/bin/busybox"}, "there is more than busybox: the test shows nothing"
    assert not os.path.exists(f"{root}/lib/x86_64-linux-gnu"), "there is a C library: the test shows nothing"
    shutil.copy(BINARY, f"{root}/causeway")
    os.makedirs(f"{root}/etc/causeway/services.d", exist_ok=True)
    with open(f"{root}/etc/causeway/services.d/web.json", "w", encoding="utf-8") as file:
        json.dump({"name": "web", "argv": ["/bin/busybox", "sh", "-c", "echo it runs; exec sleep 100000"]}, file)
    init = vm.popen("minimal", ["/causeway", "init", "--mode", "plain", "--data", "/data"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        status = {}

        def ready():
            assert init.poll() is None, init.communicate()
            done = vm.exec("minimal", ["/causeway", "status", "--json"], check=False)
            status.update(json.loads(done.stdout) if done.stdout.startswith("{") else {})
            return [entry["state"] for entry in status.get("services", [])] == ["ready"]

        poll(ready, "the service runs")
        assert "it runs" in vm.exec("minimal", ["/causeway", "logs", "web"]).stdout
        assert vm.exec("minimal", ["/causeway", "version"]).stdout.startswith("causeway")
    finally:
        init.terminate()
        _, said = init.communicate(timeout=60)
    assert init.returncode == 0, said
