"""A helper and an agent that speak different versions of the hand-over. A FAKE agent stands where one of another version can't be had: it refuses
each hello with its own version, as agent/handover/message.h has it."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile

import pytest

from polling import poll
from repository import BINARY

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the helper needs root")

# A distro: a root of its own with nothing but the program, and <wsl> as all distros see it.
DISTRO = """
mount -t tmpfs none "$1" && cd "$1" && mkdir -p dev etc proc run var/lib wsl old
mount -t proc proc proc && mount --rbind "$2" wsl && cp "$3" old/causeway
exec chroot . /old/causeway distro --name Ubuntu --wsl /wsl
"""


class Rendezvous:
    def __init__(self, folder):
        self.folder = folder
        self.wsl = f"{folder}/wsl"
        self.program = f"{self.wsl}/docker-desktop/bin/causeway"
        for path in (f"{folder}/root", f"{self.wsl}/docker-desktop/bin", f"{self.wsl}/docker-desktop/run"):
            os.makedirs(path)
        self.path = f"{self.wsl}/docker-desktop/run/share.sock"
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listening.bind(self.path)
        self.listening.listen(8)
        self.listening.settimeout(60)
        self.log = open(f"{folder}/log", "w+b")
        self.process = None
        self.refusals = 0

    def publish(self, version):
        """The agent's program: ours with something behind its end, which changes nothing but what it is. Not while a helper is about to
        look at the one before."""
        self.wait_heard()
        shutil.copyfile(BINARY, f"{self.program}.new")
        with open(f"{self.program}.new", "ab") as file:
            file.write(version.encode())
        os.chmod(f"{self.program}.new", 0o755)
        os.rename(f"{self.program}.new", self.program)

    def start(self):
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "sh", "-ec", DISTRO, "sh",
             f"{self.folder}/root", self.wsl, BINARY], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def refuse(self, version):
        """Takes a hello and refuses it; the hello."""
        self.refusals += 1
        with contextlib.closing(self.listening.accept()[0]) as connection:
            connection.settimeout(60)
            hello = json.loads(connection.recv(65536))
            connection.sendall(json.dumps({"type": "refused", "reason": "another version", "remove": False, "version": version}).encode())
            return hello

    def wait_heard(self):
        poll(lambda: self.said("agent.refused") == self.refusals, "the helper has read the refusal")

    def call(self):
        """As an agent calls those that it has refused, once the helper has heard that it was."""
        self.wait_heard()
        os.utime(self.path)

    def helper(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            return int(file.read().split()[0])

    def runs(self):
        """Which program the helper is: the text behind its end."""
        with open(f"/proc/{self.helper()}/exe", "rb") as file:
            return file.read()[os.path.getsize(BINARY):].decode()

    def said(self, what):
        with open(self.log.name, "rb") as file:
            return file.read().count(what.encode())

    def close(self):
        if self.process:
            self.process.kill()  # --kill-child: the helper goes, too
            self.process.wait(60)
        self.listening.close()
        self.log.close()


@pytest.fixture
def rendezvous():
    with tempfile.TemporaryDirectory(prefix="causeway-version-", dir="/var/tmp") as folder:
        made = Rendezvous(folder)
        yield made
        made.close()


def test_a_helper_of_another_version_goes_on_as_the_agents_program(rendezvous):
    r = rendezvous
    r.publish("version 2")
    r.start()
    assert r.refuse(2)["version"] == 1
    first = r.helper()
    assert r.refuse(2)["distro"] == "Ubuntu"  # the agent's program says hello
    assert r.helper() == first and r.runs() == "version 2"
    # It is the agent's program and refused all the same: it waits, as always, until it is called.
    r.call()
    r.refuse(2)
    assert r.said("helper.replaced") == 1
    r.publish("version 3")
    r.call()
    r.refuse(3)
    r.refuse(3)
    assert r.helper() == first and r.runs() == "version 3"
    assert r.said("helper.replaced") == 2
    # The way back: an older agent, with the older program.
    r.publish("")
    r.call()
    r.refuse(3)
    r.refuse(3)
    assert r.runs() == ""


def test_a_program_that_is_not_roots_is_not_taken(rendezvous):
    r = rendezvous
    r.publish("version 2")
    os.chown(r.program, 65534, 65534)
    r.start()
    r.refuse(2)
    poll(lambda: r.said("helper.not_replaced") == 1, "the helper says so")
    r.call()
    r.refuse(1)
    assert r.runs() == "" and r.said("isn't root's alone") == 1


def test_a_refusal_for_another_reason_changes_no_program(rendezvous):
    r = rendezvous
    r.publish("version 2")
    r.start()
    assert r.refuse(1)["version"] == 1
    r.call()
    r.refuse(1)
    assert r.runs() == "" and r.said("helper.replaced") == 0
