"""Windows' part in the integration of distros: starts `causeway distro` in each and keeps it running.

As the Windows side does: `wsl.exe -u root -d NAME --exec /bin/sh -c BOOTSTRAP`, once the agent has put its binary into
`<wsl>`. One that a signal ended is started again with a growing delay; one that ended with an error, when something
changes in `<wsl>/docker-desktop`; one that ended with 0 has been told to (`causeway distro disable`) and stays ended.
"""

import os
import time

from . import enter, kernel

_FIRST_DELAY = 0.1
_LONGEST_DELAY = 5.0
_HEALTHY_SECONDS = 10.0  # after this long the next delay is the first one again
_DEFAULT_UID = "1000"  # of the distro, as Windows' registry has it


class Helpers:
    def __init__(self, wsl, log_folder, bootstrap, membership):
        self.wsl = wsl  # the folder <wsl> as this process sees it
        self.log_folder = log_folder
        self.bootstrap = bootstrap  # path of the script, None: no distro is integrated
        self.membership = membership
        self.distros = {}  # name -> the distro's facts, its entry "helper" is ours
        self.pids = {}  # pid of a helper as we see it -> distro name
        self.fd = kernel.inotify()
        self._watch()

    def add(self, facts):
        """A distro has started that wants a helper."""
        facts["helper"] = {"state": "waiting", "starts": 0, "status": None, "due": None, "delay": _FIRST_DELAY,
                           "log": f"{self.log_folder}/{facts['name']}.helper.log"}
        self.distros[facts["name"]] = facts
        self._start_if_due(facts)

    def start(self, name):
        """Starts one that has ended, whatever its end was."""
        facts = self.distros[name]
        if facts["helper"]["state"] != "running":
            facts["helper"].update(state="waiting", due=None)
            self._start_if_due(facts)

    def remove(self, name):
        """The distro has ended, and its helper with it."""
        facts = self.distros.pop(name, None)
        if facts:
            facts["helper"].update(state="stopped", due=None)

    def ended(self, pid, status):
        """True if `pid` was a helper's; `status` is waitpid's."""
        name = self.pids.pop(pid, None)
        if name is None:
            return False
        facts = self.distros.get(name)
        if facts and facts["helper"].get("pid") == pid:
            self._note_end(facts["helper"], os.waitstatus_to_exitcode(status))
        return True

    def _note_end(self, helper, code):
        helper.update(status=code, pid=None)
        if code == 0:
            helper["state"] = "done"
        elif code > 0:
            helper["state"] = "refused"
        else:
            if time.monotonic() - helper["started_at"] > _HEALTHY_SECONDS:
                helper["delay"] = _FIRST_DELAY
            helper.update(state="waiting", due=time.monotonic() + helper["delay"],
                          delay=min(helper["delay"] * 2, _LONGEST_DELAY))

    def seconds_to_next(self):
        """Until act() has something to do; None: only an event will bring something."""
        due = [facts["helper"]["due"] for facts in self.distros.values() if facts["helper"]["due"] is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def act(self):
        """After any event or the end of the time."""
        try:
            changed = bool(os.read(self.fd, 65536))
        except BlockingIOError:
            changed = False
        if changed:
            self._watch()
        for facts in self.distros.values():
            if changed and facts["helper"]["state"] == "refused":
                facts["helper"]["state"] = "waiting"
            self._start_if_due(facts)

    def _watch(self):
        for folder in ("", "/docker-desktop", "/docker-desktop/bin"):
            try:
                kernel.watch_folder(self.fd, self.wsl + folder)
            except OSError:
                return  # not there yet: its own appearance is an event of the folder above

    def _start_if_due(self, facts):
        helper = facts["helper"]
        if helper["state"] != "waiting" or not facts["running"]:
            return
        if helper["due"] is not None and helper["due"] > time.monotonic():
            return
        if not os.path.lexists(f"{self.wsl}/docker-desktop/bin/causeway"):
            helper["due"] = None
            return
        os.makedirs(self.log_folder, exist_ok=True)
        log = os.open(helper["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        try:
            with open(self.bootstrap, encoding="utf-8") as script:
                argv = ["/bin/sh", "-c", script.read(), "causeway", "--user", _DEFAULT_UID]
            session = enter.Session(facts["pid"], argv=argv, distro=facts["name"], new_session=True,
                                    stdio=(null, log, log))
            pid, pidfd = session.spawn(self.membership)
            os.close(pidfd)
        finally:
            os.close(log)
            os.close(null)
        self.pids[pid] = facts["name"]
        helper.update(state="running", pid=pid, due=None, starts=helper["starts"] + 1, started_at=time.monotonic())
