"""The program link_client (tests/support/programs/link_client.cpp): the Windows side of the link. Runs in the guest under QEMU, too."""

import select
import subprocess

DOCKER = "/usr/bin/docker"  # the package's, whatever else is in PATH


class LinkClient:
    """A running link_client. Its sockets `engine` and `control_socket` in `folder` are those of an engine and of the control API."""

    def __init__(self, program, folder, transport, nonce, *options, **popen):
        self.home = str(folder)
        self.engine, self.control_socket = f"{folder}/engine.sock", f"{folder}/control.sock"
        self.process = subprocess.Popen(
            [program, "--transport", transport, "--nonce", nonce, "--engine", self.engine, "--control", self.control_socket, *options],
            bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **popen)  # no lines beyond select()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def line(self, timeout=30):
        """Its next line, without the newline; empty at its end."""
        assert select.select([self.process.stdout], [], [], timeout)[0], "link_client says nothing"
        return self.process.stdout.readline().decode().rstrip("\n")

    def wait_connected(self):
        said = self.line()
        assert said == "connected", said + self.end()[1]
        return self

    def end(self):
        """Its exit code and what it said on stderr, after its end."""
        errors = self.process.communicate(timeout=30)[1].decode()
        return self.process.returncode, errors

    def close(self):
        self.process.kill()
        self.process.communicate()

    def docker(self, *arguments, input=b"", check=True, timeout=120):
        """The docker CLI, through the link: CompletedProcess with bytes."""
        done = subprocess.run([DOCKER, *arguments], env=self.environment(), input=input, capture_output=True, check=False, timeout=timeout)
        assert not check or done.returncode == 0, f"docker {arguments}: {done.returncode}\n{done.stderr.decode()}"
        return done

    def popen(self, *arguments, **options):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([DOCKER, *arguments], env=self.environment(), **{**pipes, **options})

    def environment(self, **more):
        return {"PATH": "/usr/bin:/bin", "HOME": self.home, "DOCKER_HOST": f"unix://{self.engine}", **more}
