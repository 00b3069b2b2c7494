"""What rootfs/build asks of an ELF program: for which machine it is, what it needs. The source is elf(5)."""

import struct

MACHINES = {"amd64": 62, "arm64": 183}  # EM_X86_64, EM_AARCH64
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB = 1, 5


class Elf:
    """`needed`: names of shared libraries. `interpreter`: the loader's path, None in libraries and static programs."""

    def __init__(self, machine, interpreter, needed):
        self.machine = machine
        self.interpreter = interpreter
        self.needed = needed


def read(path):
    """None when the file is no ELF; ValueError when it is one that can't be read."""
    with open(path, "rb") as file:
        head = file.read(64)
        if head[:4] != b"\x7fELF":
            return None
        if len(head) < 64 or head[4] != 2 or head[5] != 1:
            raise ValueError(f"{path}: not a 64-bit little-endian program")
        machine, = struct.unpack_from("<H", head, 18)
        table, = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        segments = []
        for number in range(count):
            kind, _, offset, address, _, length, *_ = struct.unpack("<IIQQQQQQ", _at(file, table + number * size, 56))
            segments.append((kind, offset, address, length))
        interpreter, needed = None, []
        for kind, offset, _, length in segments:
            if kind == _PT_INTERP:
                interpreter = _at(file, offset, length).rstrip(b"\0").decode()
            if kind == _PT_DYNAMIC:
                needed = _needed(file, segments, _at(file, offset, length))
    return Elf(machine, interpreter, needed)


def _needed(file, segments, dynamic):
    entries = [struct.unpack_from("<QQ", dynamic, at) for at in range(0, len(dynamic) - 15, 16)]
    names = [value for tag, value in entries if tag == _DT_NEEDED]
    strings = next((value for tag, value in entries if tag == _DT_STRTAB), None)
    if not names or strings is None:
        return []
    base = next((offset + strings - address for kind, offset, address, length in segments
                 if kind == _PT_LOAD and address <= strings < address + length), None)
    if base is None:
        raise ValueError(f"{file.name}: its table of strings is nowhere in the file")
    return [_at(file, base + name, 256).split(b"\0")[0].decode() for name in names]


def _at(file, offset, length):
    file.seek(offset)
    return file.read(length)
