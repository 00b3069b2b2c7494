"""A simulated WSL 2 VM on this Linux machine: the Python interface (see tests/support/README.md).

    vm = Vm("/var/tmp/my-vm"); vm.up(["docker-desktop", "Ubuntu"], causeway="build/agent/causeway")
    vm.exec("Ubuntu", ["docker", "version"]); vm.stop("Ubuntu"); vm.down()
"""

import errno
import json
import os
import secrets
import select
import shutil
import signal
import subprocess

from repository import REPOSITORY, SUPPORT
from unix_socket import dial

from . import cgroups, enter, kernel, marks, roots

COMMAND = os.path.join(REPOSITORY, "tests", "wslvm")
PRODUCT_ETC = os.path.join(REPOSITORY, "rootfs", "overlay", "etc")
BOOTSTRAP = os.path.join(REPOSITORY, "agent", "distro", "bootstrap.sh")
DEFAULT_STATE = "/var/tmp/causeway-vm"
DEFAULT_DISTROS = ("docker-desktop", "Ubuntu")
_DISK_BYTES = 64 << 30  # sparse
_START_SECONDS = 30


class _Popen(subprocess.Popen):
    def __exit__(self, kind, value, traceback):
        if kind is not None:
            self.kill()
        super().__exit__(kind, value, traceback)


class VmError(Exception):
    """One sentence for the user."""


class Vm:
    def __init__(self, state_dir=DEFAULT_STATE):
        self.state_dir = os.path.realpath(state_dir)

    # Life -------------------------------------------------------------------------------------------

    def up(self, distros=DEFAULT_DISTROS, *, causeway=None, wsl_root="/mnt/wsl", boot=True,
           helpers=True, etc=PRODUCT_ETC, rootfs=None):
        """Starts the VM and its distros; joins one that runs here. True if it was started by this call.
        `rootfs`: the archive of rootfs/build, imported as docker-desktop instead of what is made of this machine's packages; its own
        agent runs, `causeway` only says that one shall. `boot`: docker-desktop runs the agent's boot command, or with a list that one.
        `helpers`: with a `causeway`, `causeway distro` is started in the distros, as Windows does."""
        self._check_machine(causeway)
        helpers = bool(helpers and causeway)
        if helpers and not os.path.exists(BOOTSTRAP):
            raise VmError(f"{BOOTSTRAP} is missing")
        with marks.exclusive():
            if self.is_up():
                started = False
            else:
                self._sweep_dead()
                self._start_holder({"causeway": causeway and os.path.realpath(causeway), "wsl_root": wsl_root,
                                    "boot": boot, "etc": etc, "rootfs": rootfs and os.path.realpath(rootfs), "bootstrap": BOOTSTRAP if helpers else None})
                started = True
        try:
            for name in distros:
                self.start(name)
        except VmError:
            if started:
                self.down()
            raise
        return started

    def down(self, keep_disks=False):
        """`wsl --shutdown`: ends all of the VM and removes what it took. Nothing to do is no error."""
        with marks.exclusive():
            mark = marks.of_state(self.state_dir)
            if mark:
                self._kill_holder(mark["id"])
                left = marks.clear(mark, keep_disks)
                if left:
                    raise VmError("; ".join(left))
            marks.tidy_folder()

    def is_up(self):
        mark = marks.of_state(self.state_dir)
        return bool(mark) and marks.is_alive(mark["id"])

    def start(self, name, helper=True):
        """`helper`: with `causeway distro`, if the VM integrates its distros."""
        self._make_disk(name)
        return self._ask({"op": "start", "name": name, "helper": helper})

    def start_helper(self, name):
        """Starts `causeway distro` where it has ended or was left out; a running one stays."""
        return self._ask({"op": "start_helper", "name": name})

    def stop(self, name, clean_shutdown=False):
        """`wsl --terminate`. Returns {"disk": "released"|"busy", "holders": [...]}."""
        reply = self._ask({"op": "stop", "name": name, "clean_shutdown": clean_shutdown})
        reply["holders"] = self._disk_users(reply.pop("device_numbers", []))
        return reply

    def status(self):
        return self._ask({"op": "status"})

    def id(self):
        mark = marks.of_state(self.state_dir)
        if not mark or not marks.is_alive(mark["id"]):
            raise VmError(f"no VM runs in {self.state_dir}: start one with `up`")
        return mark["id"]

    # Commands ---------------------------------------------------------------------------------------

    def session(self, name, argv, *, user="root", folder=None, environment=None, engine_namespace=False):
        """What `exec` runs: Session.run() gives it our terminal and returns its exit code."""
        target = self.distro_pid(name)
        if engine_namespace:
            target = self.engine_namespace_pid()
        return enter.Session(target, argv=list(argv), distro=name, user=user, folder=folder,
                             environment=environment)

    def exec_argv(self, name, argv, *, user="root", folder=None, environment=None, engine_namespace=False):
        """The command line for subprocess that runs `argv` in the distro."""
        command = [COMMAND, "exec", "--state", self.state_dir, "-u", user]
        for key, value in (environment or {}).items():
            command += ["-e", f"{key}={value}"]
        command += ["-w", folder] if folder else []
        command += ["--engine-namespace"] if engine_namespace else []
        return [*command, "--", name, *argv]

    def exec(self, name, argv, *, check=True, timeout=120, input=None, text=True, **where):
        """Runs to the end. Returns subprocess.CompletedProcess with stdout and stderr; a non-zero exit
        code is an AssertionError with both, unless check=False. `where`: user, folder, environment,
        engine_namespace."""
        stdin = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
        done = subprocess.run(self.exec_argv(name, argv, **where), capture_output=True, text=text,
                              timeout=timeout, check=False, **stdin)
        if check and done.returncode != 0:
            raise AssertionError(f"{name}: {' '.join(argv)}: exit code {done.returncode}\n"
                                 f"{done.stdout}\n{done.stderr}")
        return done

    def popen(self, name, argv, *, user="root", folder=None, environment=None, engine_namespace=False,
              **popen):
        """subprocess.Popen of a command in the distro; `popen` are Popen's own arguments. As a context manager it kills the
        command when the block fails: a test that fails must not wait for what it was to end."""
        return _Popen(self.exec_argv(name, argv, user=user, folder=folder, environment=environment,
                                     engine_namespace=engine_namespace), **popen)

    # Processes and paths as the machine sees them ---------------------------------------------------

    def distro_pid(self, name):
        """Host pid of the distro's process 1."""
        facts = self.status()["distros"].get(name)
        if not facts or not facts["running"]:
            raise VmError(f"distro {name} does not run: start it with `start {name}`")
        return facts["host_pid"]

    def helper_pid(self, name):
        """Host pid of the distro's `causeway distro`, None while none runs."""
        namespace = kernel_namespace(self.distro_pid(name), "pid")
        return next((pid for pid in self.find_processes("causeway", "distro")
                     if kernel_namespace(pid, "pid") == namespace), None)

    def engine_namespace_pid(self):
        """Host pid of `causeway init` as process 1 of its own namespaces."""
        pid = enter.engine_namespace_pid(self.id(), self.distro_pid("docker-desktop"))
        if pid is None:
            raise VmError("no `causeway init` has made its namespaces in docker-desktop")
        return pid

    def pids(self):
        """Host pids of every process of the VM."""
        return cgroups.members(self.id())

    def find_processes(self, program, *arguments):
        """Host pids of the VM's processes that run `program` (last part of its path) with argv[1:] so beginning."""
        found = []
        for pid in self.pids():
            try:
                executable = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    argv = file.read().decode(errors="replace").split("\0")[:-1]
            except OSError:
                continue
            if os.path.basename(executable) == program and argv[1:1 + len(arguments)] == list(arguments):
                found.append(pid)
        return found

    def root(self, name):
        """The distro's root folder as a path on the machine."""
        return f"/proc/{self.distro_pid(name)}/root"

    def socket_path(self, name="engine.sock"):
        """A socket in /run/causeway, as a path for programs of the machine; follows restarts."""
        return f"{self.state_dir}/run/{name}"

    # Inside -----------------------------------------------------------------------------------------

    def _check_machine(self, causeway):
        if os.geteuid() != 0:
            raise VmError("the simulated VM needs root (namespaces, mounts, loop devices)")
        for program in ("ip", "mkfs.ext4"):
            if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
                raise VmError(f"{program} is missing: run packaging/install engine")
        reason = roots.check_machine()
        if reason:
            raise VmError(reason)
        if not os.path.exists("/dev/loop-control"):
            raise VmError("/dev/loop-control is missing: this machine has no loop devices")
        if not cgroups.hierarchies():
            raise VmError("no cgroup file system is mounted here")
        if causeway and not os.access(causeway, os.X_OK):
            raise VmError(f"{causeway} is not a program: build it first")

    def _start_holder(self, options):
        vm_id = secrets.token_hex(4)
        for folder in ("disks", "log", "run"):
            os.makedirs(f"{self.state_dir}/{folder}", exist_ok=True)
        os.chmod(self.state_dir, 0o700)
        self._make_disk("drive-c")
        alive = marks.write(vm_id, self.state_dir)
        mark = marks.of_state(self.state_dir)
        try:
            marks.write_atomically(f"{self.state_dir}/config.json", {"id": vm_id, **options})
            cgroups.create(vm_id)
            message = _fork_holder(vm_id, self.state_dir, alive)
        except OSError as error:
            message = f"error {error}"
        finally:
            os.close(alive)
        if not message.startswith("ok "):
            self._kill_holder(vm_id)
            marks.clear(mark, keep_disks=True)
            raise VmError(f"the VM did not start: {message.removeprefix('error ')} "
                          f"(see {self.state_dir}/holder.log)")

    def _make_disk(self, name):
        if not name or name.startswith((".", "-")) or "/" in name:
            raise VmError(f"{name!r} is no name for a distro")
        path = f"{self.state_dir}/disks/{name}.img"
        if os.path.exists(path):
            return
        with open(path + ".new", "wb") as file:
            file.truncate(_DISK_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-E",
                        "lazy_itable_init=1,lazy_journal_init=1,nodiscard", path + ".new"],
                       check=True, stdin=subprocess.DEVNULL,
                       env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"})
        os.rename(path + ".new", path)

    def _kill_holder(self, vm_id):
        """Ends the VM's process 1, and so every process of the VM, and waits for it."""
        holder = next((p for p in cgroups.members(vm_id) if _is_holder(p)), None)
        if holder is None:
            return
        try:
            fd = os.pidfd_open(holder)
            signal.pidfd_send_signal(fd, signal.SIGKILL)
        except ProcessLookupError:
            return
        wait_readable(fd, 15)
        os.close(fd)

    def _sweep_dead(self):
        mark = marks.of_state(self.state_dir)
        for dead in sweep(keep_disks_of=self.state_dir):
            if mark and dead["id"] == mark["id"] and dead["left"]:
                raise VmError("; ".join(dead["left"]))

    def _disk_users(self, numbers):
        """Who has a file system with these device numbers mounted or open: one entry per mount or fd."""
        users, seen = [], set()
        if not numbers:
            return users
        names = {kernel_namespace(f["host_pid"], "ipc"): name
                 for name, f in self.status()["distros"].items() if f["running"]}
        for pid in self.pids():
            namespace = kernel_namespace(pid, "mnt")
            where = f"{names.get(kernel_namespace(pid, 'ipc'), 'VM')}: {_comm(pid)}"
            try:
                entries = [] if namespace in seen else kernel.mount_points(pid)
                descriptors = os.listdir(f"/proc/{pid}/fd")
            except OSError:
                continue
            seen.add(namespace)
            for entry in entries:
                if os.makedev(*map(int, entry["device"].split(":"))) in numbers:
                    users.append({"pid": pid, "where": where, "mount": entry["point"]})
            for fd in descriptors:
                try:
                    if os.stat(f"/proc/{pid}/fd/{fd}").st_dev in numbers:
                        users.append({"pid": pid, "where": where, "fd": int(fd)})
                except OSError:
                    pass
        return users

    def _ask(self, request):
        try:
            connection = dial(f"{self.state_dir}/control.sock", _START_SECONDS)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
                raise VmError(f"no VM runs in {self.state_dir}: start one with `up`") from error
            raise
        with connection:
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline()
        if not line:
            raise VmError("the VM ended during the request")
        reply = json.loads(line)
        if "error" in reply:
            raise VmError(reply["error"])
        return reply["ok"]


def sweep(keep_disks_of=None):
    """Clears what dead VMs left on this machine. Call within marks.exclusive()."""
    swept = []
    for mark in marks.all_marks():
        if not marks.is_alive(mark["id"]):
            left = marks.clear(mark, keep_disks=mark["state"] == keep_disks_of)
            swept.append({"id": mark["id"], "state": mark["state"], "left": left})
    return swept


def _fork_holder(vm_id, state_dir, alive):
    """Forks the VM's process 1 into new namespaces; returns its first line: "ok PID" or "error REASON"."""
    ready_read, ready_write = os.pipe2(os.O_CLOEXEC)
    top, leaves = cgroups.open_membership(vm_id, top=True), cgroups.open_membership(vm_id)
    log = os.open(f"{state_dir}/holder.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    middle = os.fork()
    if middle == 0:
        try:
            # Until it is in the VM's cgroups nobody could find it: it must not outlive us before that.
            kernel.die_with_parent(signal.SIGKILL)
            cgroups.join(top)
            os.setsid()
            null = os.open("/dev/null", os.O_RDONLY)
            for number, fd in enumerate((null, log, log)):
                os.dup2(fd, number)
            kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWNET | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC
                           | kernel.CLONE_NEWCGROUP | kernel.CLONE_NEWPID)
            cgroups.join(leaves)
            if os.fork() == 0:
                os.set_inheritable(ready_write, True)
                os.set_inheritable(alive, True)
                os.chdir(SUPPORT)  # where -m finds the package
                os.execv("/usr/bin/python3", ["python3", "-m", "wslvm.holder", state_dir, str(ready_write), str(alive)])
            os._exit(0)
        except BaseException as error:  # pylint: disable=broad-except
            os.write(ready_write, f"error {error}\n".encode())
            os._exit(1)
    for fd in (ready_write, log, *top, *leaves):
        os.close(fd)
    os.waitpid(middle, 0)
    cgroups.enable_below(vm_id)
    with os.fdopen(ready_read, encoding="utf-8") as stream:
        return stream.readline().rstrip("\n") or "error its first process ended"


def _is_holder(pid):
    numbers = kernel.namespace_pids(pid)
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return len(numbers) == 2 and numbers[1] == 1 and b"\0wslvm.holder\0" in file.read()
    except OSError:
        return False


def kernel_namespace(pid, kind):
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return None


def _comm(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "gone"


def wait_readable(fd, seconds):
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(seconds * 1000))
