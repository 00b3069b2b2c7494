"""System calls that Python 3.11 does not wrap: namespaces, mounts, loop devices, process facts.

Everything raises OSError with the call and its target in the message.
"""

import ctypes
import errno
import fcntl
import os
import struct

_libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_NOATIME = 1024
MS_BIND = 4096
MS_MOVE = 8192
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MNT_DETACH = 2

IN_ATTRIB = 0x4
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
_IN_ONLYDIR = 0x01000000
_IN_DONT_FOLLOW = 0x02000000

_PR_SET_PDEATHSIG = 1
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}[os.uname().machine]
_SYS_SETNS = {"x86_64": 308, "aarch64": 268}[os.uname().machine]

_LOOP_SET_FD = 0x4C00
_LOOP_CLR_FD = 0x4C01
_LOOP_GET_STATUS64 = 0x4C05
_LOOP_CONFIGURE = 0x4C0A
_LOOP_CTL_GET_FREE = 0x4C82
_LO_FLAGS_AUTOCLEAR = 4


def _check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _path(value):
    return None if value is None else os.fsencode(value)


def unshare(flags):
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def setns(fd, flags):
    """`fd` is a pidfd (all the process's namespaces named by `flags`, at once) or a /proc/*/ns file."""
    _check(_libc.syscall(_SYS_SETNS, ctypes.c_int(fd), ctypes.c_int(flags)), "setns")


def mount(source, target, fstype=None, flags=0, data=None):
    result = _libc.mount(_path(source), _path(target), _path(fstype), ctypes.c_ulong(flags), _path(data))
    _check(result, f"mount {source} on {target}" + (f" as {fstype}" if fstype else ""))


def set_propagation(target, flags):
    mount(None, target, None, flags)


def umount(target, flags=0):
    _check(_libc.umount2(_path(target), ctypes.c_int(flags)), f"umount {target}")


def pivot_root(new_root, put_old):
    _check(_libc.syscall(_SYS_PIVOT_ROOT, _path(new_root), _path(put_old)), f"pivot_root {new_root}")


def sethostname(name):
    data = os.fsencode(name)
    _check(_libc.sethostname(data, ctypes.c_size_t(len(data))), "sethostname")


def die_with_parent(signal_number):
    """The kernel sends us `signal_number` when the parent ends; 0 takes that back."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal_number), 0, 0, 0), "prctl PDEATHSIG")


def inotify():
    """A descriptor that becomes readable with the first event of what watch_folder() added to it."""
    return _check(_libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK), "inotify_init1")


def watch_folder(fd, path):
    """Watches for names that appear in the folder or change their attributes; again is no error, no folder is."""
    mask = IN_CREATE | IN_MOVED_TO | IN_ATTRIB | _IN_ONLYDIR | _IN_DONT_FOLLOW
    _check(_libc.inotify_add_watch(fd, _path(path), mask), f"watch {path}")


def mount_points(pid="self"):
    """Mount entries of a process as dicts; octal escapes (\\040) are undone."""
    entries = []
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            head, _, tail = line.rstrip("\n").partition(" - ")
            fields, (fstype, source, *options) = head.split(" "), tail.split(" ")
            entries.append({
                "id": int(fields[0]), "parent": int(fields[1]), "device": fields[2],
                "root": _unescape(fields[3]), "point": _unescape(fields[4]), "options": fields[5],
                "propagation": fields[6:], "fstype": fstype, "source": _unescape(source),
                "super_options": options[0] if options else ""})
    return entries


def _unescape(text):
    return text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")


def attach_loop(image):
    """Attaches `image` to a free loop device that detaches itself with its last user.

    Returns (device path, open descriptor): the descriptor keeps the device attached.
    """
    backing = os.open(image, os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(16):
            control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
            try:
                number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
            finally:
                os.close(control)
            device = f"/dev/loop{number}"
            if not os.path.exists(device):
                os.mknod(device, 0o600 | 0o060000, os.makedev(7, number))
            fd = os.open(device, os.O_RDWR | os.O_CLOEXEC)
            name = os.fsencode(image)[-63:]
            # struct loop_info64 (linux/loop.h): 5 u64, 4 u32, two 64-byte names, a 32-byte key, 2 u64.
            info = struct.pack("=5Q4I64s64s32s2Q", 0, 0, 0, 0, 0, number, 0, 0, _LO_FLAGS_AUTOCLEAR,
                               name, b"", b"", 0, 0)
            config = struct.pack("=II", backing, 0) + info + bytes(64)
            try:
                fcntl.ioctl(fd, _LOOP_CONFIGURE, config)
                return device, fd
            except OSError as error:
                os.close(fd)
                if error.errno != errno.EBUSY:  # EBUSY: somebody else took this number in between
                    raise
        raise OSError(errno.EBUSY, "no free loop device")
    finally:
        os.close(backing)


def detach_loop(device):
    fd = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, _LOOP_CLR_FD)
    finally:
        os.close(fd)


def loop_is_free(fd):
    """True if no file system (nor anybody else exclusively) uses the loop device behind `fd`."""
    try:
        probe = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.EBUSY:
            return False
        raise
    os.close(probe)
    return True


def loops_backed_below(directory):
    """Loop devices whose backing file lies below `directory`."""
    found = []
    prefix = os.path.join(os.path.realpath(directory), "")
    for name in sorted(os.listdir("/sys/block")):
        try:
            with open(f"/sys/block/{name}/loop/backing_file", encoding="utf-8") as file:
                backing = file.read().rstrip("\n")
        except OSError:
            continue
        if backing.startswith(prefix):
            found.append(f"/dev/{name}")
    return found


def start_time(pid):
    """Start time in clock ticks (field 22 of /proc/PID/stat), None if there is no such process."""
    field = _stat_field(pid, 19)
    return None if field is None else int(field)


def state_letter(pid):
    return _stat_field(pid, 0)


def parent(pid):
    """Pid of the parent, None if there is no such process."""
    field = _stat_field(pid, 1)
    return None if field is None else int(field)


def _stat_field(pid, index):
    """A field of /proc/PID/stat behind the program's name, as text."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[index].decode()
    except (OSError, IndexError):
        return None


def namespace_pids(pid):
    """The process's pid in each nested PID namespace, outermost first; empty if it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("NSpid:"):
                    return [int(number) for number in line.split()[1:]]
    except OSError:
        pass
    return []


def own_host_pid():
    """Our pid as the machine sees it: /proc there was mounted in the outermost PID namespace."""
    return int(os.readlink("/proc/self"))
