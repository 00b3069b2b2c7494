"""What stands in a Windows program (PE32+): headers, imported DLLs, resources."""

import struct

RELOCATIONS, RESOURCES, IMPORTS, DELAY_IMPORTS = 5, 2, 1, 13  # data directories
SUBSYSTEMS = {2: "windows", 3: "console"}
DLL_FLAGS = {0x20: "high entropy", 0x40: "relocatable", 0x100: "no execution of data"}
VERSION, MANIFEST = 16, 24  # kinds of resources


class PeFile:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        header = self._at("<I", 0x3c)
        assert self.data[header:header + 4] == b"PE\0\0", "not a PE file"
        sections, optional_size = self._at("<H", header + 6), self._at("<H", header + 20)
        optional = header + 24
        assert self._at("<H", optional) == 0x20b, "not a 64-bit program"
        self.subsystem = SUBSYSTEMS.get(self._at("<H", optional + 68), "other")
        flags = self._at("<H", optional + 70)
        self.flags = {name for bit, name in DLL_FLAGS.items() if flags & bit}
        self.directories = [struct.unpack_from("<II", self.data, optional + 112 + 8 * i) for i in range(self._at("<I", optional + 108))]
        # Of each: address, size in memory, place in the file.
        self.sections = []
        for i in range(sections):
            size, address, _, place = struct.unpack_from("<IIII", self.data, optional + optional_size + 40 * i + 8)
            self.sections.append((address, size, place))

    def _at(self, form, place):
        return struct.unpack_from(form, self.data, place)[0]

    def _place(self, address):
        return next(place + address - begin for begin, size, place in self.sections if begin <= address < begin + size)

    def dlls(self):
        """Names in lower case: of what is loaded with the program, and of what would be later."""
        found = []
        for directory, entry_size, name_at in ((IMPORTS, 20, 12), (DELAY_IMPORTS, 32, 4)):
            address, _ = self.directories[directory]
            place = self._place(address) if address else None
            while place and (name := self._at("<I", place + name_at)):
                begin = self._place(name)
                found.append(self.data[begin:self.data.index(b"\0", begin)].decode().lower())
                place += entry_size
        return found

    def resource(self, kind):
        """The bytes of the first resource of that kind; None when there is none."""
        address, _ = self.directories[RESOURCES]
        if not address:
            return None
        root = self._place(address)
        table, wanted = root, kind
        for _ in range(3):  # kind, name, language
            named, numbered = struct.unpack_from("<HH", self.data, table + 12)
            entries = [struct.unpack_from("<II", self.data, table + 16 + 8 * i) for i in range(named + numbered)]
            below = next((below for key, below in entries if wanted in (None, key)), None)
            if below is None:
                return None
            table, wanted = root + (below & 0x7fffffff), None
        begin, size = struct.unpack_from("<II", self.data, table)
        begin = self._place(begin)
        return self.data[begin:begin + size]
