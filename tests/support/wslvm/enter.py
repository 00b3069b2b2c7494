"""Running a command inside a distro, as `wsl.exe -d DISTRO` does."""

import os
import signal

from . import cgroups, kernel

_SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ALL_BUT_PID = (kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWNET
                | kernel.CLONE_NEWCGROUP)
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT)
_FORWARDED_WITHOUT_TERMINAL = (signal.SIGINT, signal.SIGQUIT)  # a terminal sends these to the child itself


class Session:
    """One command to run in the namespaces of process `target` (a pid as the caller sees it)."""

    def __init__(self, target, *, argv, distro, user="root", folder=None, environment=None, stdio=None,
                 new_session=False):
        self.target = target
        self.argv = argv
        self.distro = distro
        self.user = user
        self.folder = folder
        self.environment = environment or {}
        self.stdio = stdio
        self.new_session = new_session

    def spawn(self, membership):
        """Starts the command. Returns (pid, pidfd) of our child; it dies with us unless new_session."""
        target = os.pidfd_open(self.target)
        own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        try:
            # Only the PID namespace for us: a mount namespace entered here would keep the disk busy.
            kernel.setns(target, kernel.CLONE_NEWPID)
            child = os.fork()
            if child == 0:
                self._child(target, membership)
            kernel.setns(own, kernel.CLONE_NEWPID)
        finally:
            os.close(target)
            os.close(own)
        return child, os.pidfd_open(child)

    def _child(self, target, membership):
        try:
            signal.set_wakeup_fd(-1)
            for number in (*_FORWARDED, *_FORWARDED_WITHOUT_TERMINAL, signal.SIGCHLD, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            cgroups.join(membership)
            if self.new_session:
                os.setsid()
            else:
                kernel.die_with_parent(signal.SIGKILL)
            if self.stdio:
                for number, fd in enumerate(self.stdio):
                    os.dup2(fd, number)
            kernel.setns(target, _ALL_BUT_PID)
            self._become_user_and_exec()
        except BaseException as error:  # pylint: disable=broad-except
            os.write(2, f"wslvm: {error}\n".encode())
        os._exit(126)

    def _become_user_and_exec(self):
        account = _account(self.user)
        environment = {"PATH": _SEARCH_PATH, "HOME": account["home"], "USER": account["name"],
                       "LOGNAME": account["name"], "SHELL": account["shell"], "LANG": "C.UTF-8",
                       "TERM": os.environ.get("TERM", "dumb"), "WSL_DISTRO_NAME": self.distro,
                       **self.environment}
        os.setgroups(account["groups"])
        os.setgid(account["gid"])
        os.setuid(account["uid"])
        if not self.new_session and account["uid"] != 0:
            kernel.die_with_parent(signal.SIGKILL)  # setuid took it back
        for folder in (self.folder or account["home"], "/"):
            try:
                os.chdir(folder)
                break
            except OSError:
                if self.folder:
                    raise
        os.umask(0o022)
        try:
            os.execvpe(self.argv[0], self.argv, environment)
        except FileNotFoundError:
            os.write(2, f"wslvm: {self.argv[0]}: command not found in {self.distro}\n".encode())
            os._exit(127)

    def run(self, vm_id):
        """Runs the command with our stdin, stdout and signals. Returns its exit code, 128+N for signal N."""
        membership = cgroups.open_membership(vm_id)
        child, child_fd = self.spawn(membership)
        for fd in membership:
            os.close(fd)
        forwarded = set(_FORWARDED)
        if os.isatty(0):
            for number in _FORWARDED_WITHOUT_TERMINAL:
                signal.signal(number, signal.SIG_IGN)
        else:
            forwarded.update(_FORWARDED_WITHOUT_TERMINAL)
        for number in forwarded:
            signal.signal(number, lambda got, _: _send(child_fd, got))
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code


def _send(pidfd, number):
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        pass


def _account(user):
    """The distro's own account database, read after entering it: the machine's would be a wrong one."""
    name, uid, gid, home, shell = "root", 0, 0, "/", "/bin/sh"
    found = user in ("root", "0")
    for fields in _database("/etc/passwd", 7):
        if user in (fields[0], fields[2]):
            name, uid, gid, home, shell = fields[0], int(fields[2]), int(fields[3]), fields[5], fields[6]
            found = True
            break
    if not found:
        raise LookupError(f"no user {user} in this distro")
    groups = [int(f[2]) for f in _database("/etc/group", 4) if name in f[3].split(",")]
    return {"name": name, "uid": uid, "gid": gid, "home": home, "shell": shell, "groups": [gid, *groups]}


def _database(path, fields):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            rows = [line.rstrip("\n").split(":") for line in file]
    except OSError:
        return []
    return [row for row in rows if len(row) == fields]


def engine_namespace_pid(vm_id, distro_pid):
    """Host pid of process 1 of the namespaces that `causeway init` made inside docker-desktop."""
    depth = len(kernel.namespace_pids(distro_pid)) + 1
    try:
        ipc = os.readlink(f"/proc/{distro_pid}/ns/ipc")
        for pid in cgroups.members(vm_id):
            numbers = kernel.namespace_pids(pid)
            if len(numbers) == depth and numbers[-1] == 1 and os.readlink(f"/proc/{pid}/ns/ipc") == ipc:
                return pid
    except OSError:
        pass
    return None
