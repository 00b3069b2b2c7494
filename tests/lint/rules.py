"""The rules of the tree, each a function from a Tree to the list of what breaks it.

Standard library only. tests/lint/run and pytest (test_lint.py) both run all of RULES, and hold the rules themselves against
bad_examples.py.
"""

import os
import re
import shutil
import subprocess

SOURCES = (".h", ".cpp", ".c")
TABLE_BEGIN = "<!-- may-use:begin -->"
TABLE_END = "<!-- may-use:end -->"


class Tree:
    """The files of a checkout: what git knows or would add, or all of them without git."""

    def __init__(self, root):
        self.root = root
        self.files = sorted(f for f in self._list() if os.path.isfile(os.path.join(root, f)))
        self._texts = {}

    def _list(self):
        if os.path.exists(os.path.join(self.root, ".git")):
            listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"], cwd=self.root,
                                    stdout=subprocess.PIPE, check=False)
            if listed.returncode == 0:
                return set(os.fsdecode(listed.stdout).split("\0")) - {""}
        found = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [f for f in folders if f not in (".git", "__pycache__", ".pytest_cache") and not f.startswith("build")]
            found += [os.path.relpath(os.path.join(folder, n), self.root) for n in names]
        return found

    def text(self, path):
        """The file's text; None when it is binary or isn't there."""
        if path not in self._texts:
            try:
                with open(os.path.join(self.root, path), encoding="utf-8", newline="") as file:
                    self._texts[path] = file.read()
            except (UnicodeDecodeError, FileNotFoundError):
                self._texts[path] = None
        return self._texts[path]

    def sources(self, *folders):
        return [f for f in self.files if f.endswith(SOURCES) and f.startswith(tuple(d + "/" for d in folders))]

    def modules(self, root):
        """The folders of `root` that hold sources, and its files beside them, each by its name: agent/main.cpp is `main`."""
        return sorted({module_of(f) for f in self.sources(root)})


def module_of(path):
    return path.split("/")[1].partition(".")[0]


class Skip(Exception):
    """A rule that can't be checked here, and why."""


# The programs, each with its table in ROOT/README.md.
ROOTS = ("agent", "host-shim")


def may_use(tree, root="agent"):
    """The table of ROOT/README.md: {module: set of modules}. Problems are raised as ValueError."""
    where = f"{root}/README.md"
    text = tree.text(where)
    if text is None or TABLE_BEGIN not in text or TABLE_END not in text:
        raise ValueError(f"{where}: no table between {TABLE_BEGIN} and {TABLE_END}")
    table = {}
    for line in text.split(TABLE_BEGIN)[1].split(TABLE_END)[0].strip().splitlines()[2:]:
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        if len(cells) < 2 or not cells[0]:
            raise ValueError(f"{where}: not a row of the may-use table: {line}")
        if cells[0] in table:
            raise ValueError(f"{where}: {cells[0]} has two rows")
        table[cells[0]] = {name.strip().strip("`") for name in cells[1].split(",")} - {"", "–", "-"}
    return table


def includes(text):
    """(line number, name, is it in quotes) of every include."""
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', text, re.M):
        yield text.count("\n", 0, match.start()) + 1, match[1] or match[2], bool(match[1])


def borrowed(tree, root, table):
    """The rows of the Windows program's table that are folders of the agent: what both programs are built from."""
    return set(table) & set(tree.modules("agent")) - set(tree.modules(root)) if root != "agent" else set()


def table_is_whole(tree):
    """Each may-use table has one row for each folder and each file beside them, names only such, and has no cycle."""
    return [problem for root in ROOTS if tree.sources(root) for problem in table_of_root(tree, root)]


def table_of_root(tree, root):
    where = f"{root}/README.md"
    try:
        table = may_use(tree, root)
    except ValueError as error:
        return [str(error)]
    problems = []
    modules = set(tree.modules(root))
    problems += [f"{where}: no row for {root}/{m}/ in the may-use table" for m in sorted(modules - set(table))]
    problems += [f"{where}: the may-use table has {m}, which is no folder of {root}/"
                 for m in sorted(set(table) - modules - borrowed(tree, root, table))]
    for module, used in sorted(table.items()):
        problems += [f"{where}: {module} may use {u}, which has no row" for u in sorted(used - set(table))]
    rows = list(table)
    problems += [f"{where}: {m} may use {u}, whose row stands below: arrows point down, towards the first row"
                 for m in rows for u in sorted(table[m]) if u in table and rows.index(u) > rows.index(m)]
    done, on_path = set(), []

    def visit(module):
        if module in on_path:
            problems.append(f"{where}: a cycle: " + " → ".join(on_path[on_path.index(module):] + [module]))
        elif module not in done:
            on_path.append(module)
            for used in sorted(table.get(module, ())):
                visit(used)
            on_path.pop()
            done.add(module)

    for module in sorted(table):
        visit(module)
    return problems


def layering(tree):
    """Every include of ours names a file, by folder, in a folder that its program's table allows; meson.build agrees."""
    return [problem for root in ROOTS if tree.sources(root) for problem in layering_of_root(tree, root)]


def layering_of_root(tree, root):
    where = f"{root}/README.md"
    try:
        table = may_use(tree, root)
    except ValueError as error:
        return [str(error)]
    problems = []
    shared = borrowed(tree, root, table)

    def found(name):
        """Whether there is such a file: of the program, made by its build, or shared with the agent."""
        folder, _, file = name.partition("/")
        return (f"{root}/{name}" in tree.files or f"output : '{file}'" in (tree.text(f"{root}/{folder}/meson.build") or "")
                or folder in shared and f"agent/{name}" in tree.files)

    for path in tree.sources(root):
        module = module_of(path)
        for line, name, quoted in includes(tree.text(path)):
            if not quoted:
                continue
            used = module_of(f"{root}/{name}")
            if not found(name):
                problems.append(f"{path}:{line}: \"{name}\" is no file below {root}/" + (", nor shared with it" if shared else ""))
            elif used not in table.get(module, set()) | {module}:
                problems.append(f"{path}:{line}: {module} may not use {used} ({where})")
    for module in tree.modules(root):
        text = tree.text(f"{root}/{module}/meson.build") or ""
        for names in re.findall(r"dependencies *: *\[([^\]]*)\]", text):
            for name in re.findall(r"\w+", names):
                name = name.removeprefix("shim_")
                if name in table and name not in table.get(module, set()):
                    problems.append(f"{root}/{module}/meson.build: {module} may not use {name} ({where})")
    return sorted(set(problems))


# PID 1's folder is nobody's library: its options, for the command line, and no more.
MOST_INCLUDES_OF_INIT = 2


def processes(tree):
    """`cli` may use at most half of the modules, and PID 1's folder is included from outside at most twice."""
    try:
        table = may_use(tree)
    except ValueError as error:
        return [str(error)]
    problems = []
    if 2 * len(table.get("cli", ())) > len(table):
        problems.append(f"agent/README.md: cli may use {len(table['cli'])} of {len(table)} modules; it is only what people type")
    from_outside = [f"{path}:{line}" for path in tree.sources("agent") if not path.startswith("agent/init/")
                    for line, name, quoted in includes(tree.text(path)) if quoted and name.startswith("init/")]
    if len(from_outside) > MOST_INCLUDES_OF_INIT:
        problems.append("agent/init/ is PID 1's alone, and is included by " + ", ".join(from_outside))
    return problems


def lifetimes(tree):
    """base/lifetime.h tells deferred work whether its owner lives; and a deferred lambda that captures `this` is guarded."""
    problems = []
    for path in tree.sources("agent", "host-shim"):
        text = tree.text(path)
        for match in re.finditer(r"(?:shared|weak)_ptr<int>", text):
            problems.append(f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}: base/lifetime.h says who lives")
        for match in re.finditer(r"[.>]defer\(\s*\[[^\]]*\bthis\b", text):
            problems.append(f"{path}:{text.count(chr(10), 0, match.start()) + 1}: a deferred lambda with `this` and no Lifetime::guard()")
    return problems


# What runs in the agent's loop, and which calls by path its files may make: to places of our own (RUN, DATA, <wsl>, the placeholders), or
# with O_PATH to where a share's root is attached, which asks no file system.
LOOP = ("shares", "binds", "containers", "daemon", "proxy", "link", "control", "http_client", "mounts")
BY_PATH = re.compile(r"(?<!\w)::(f?statat|stat|lstat|open|openat|openat2|creat|access|faccessat|readlink|readlinkat|mkdir|mkdirat|rmdir|unlink|unlinkat|"
                     r"rename|renameat|chmod|fchmodat|chown|fchownat|utimensat|truncate|statfs|statvfs|opendir|scandir|realpath|symlink|link|"
                     r"mount|umount2|open_tree|inotify_add_watch|getxattr|execve)\((?!const )")
OF_OURS = {
    "containers/container_records.cpp": {"filesystem"},  # dockerd's records
    "daemon/shares_wait.cpp": {"access"},  # RUN
    "mounts/mount_calls.cpp": {"open", "open_tree", "umount2"},
    "mounts/mount_watch.cpp": {"open"},  # mountinfo
    "mounts/open_in_root.cpp": {"Lookup"},  # what Lookup means
    "mounts/placeholder.cpp": {"open", "mkdirat", "unlinkat", "opendir"},
    "proxy/collected_body.cpp": {"open", "unlink"},  # DATA
    "shares/api_sockets.cpp": {"opendir", "rmdir", "unlink"},  # RUN
    "shares/attached_shares.cpp": {"fstat"},  # sockets and pidfds
    "shares/distro_resolver.cpp": {"open"},
    "shares/helper_listener.cpp": {"utimensat"},  # <wsl>
    "shares/helper_sessions.cpp": {"open", "mkdir", "rmdir", "readlink"},  # staging; /proc/self/fd
    "shares/rendezvous_directory.cpp": {"open", "openat", "mkdirat", "unlinkat", "renameat", "fstat"},  # <wsl>, the program
    "shares/share_tree.cpp": {"open"},
    "shares/walker.cpp": {"open"},
}
WITHOUT_WAITING = ("Lookup::cached", "Lookup::in_root_cached")


def loop_calls(tree):
    """The agent's loop waits for nobody's file system: it looks along a path by the kernel's cache alone, or has a walker do it."""
    problems = []
    for path in tree.sources(*(f"agent/{folder}" for folder in LOOP)):
        allowed = OF_OURS.get(path.removeprefix("agent/"), set())
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            code = line.partition("//")[0]
            found = {match[1] for match in BY_PATH.finditer(code)}
            found |= {"fstat"} if re.search(r"(?<!\w)::fstat\(", code) else set()
            found |= {"filesystem"} if re.search(r"std::filesystem::(?!path\b)", code) else set()
            found |= {"Lookup"} if any(name not in WITHOUT_WAITING for name in re.findall(r"Lookup::\w+", code)) else set()
            found |= {"resolve_path"} if "resolve_path(" in code else set()
            problems += [f"{path}:{number}: {name} may wait for a file system of somebody: Lookup::cached, or a walker (decisions.md, 9)"
                         for name in sorted(found - allowed)]
        text = tree.text(path)
        if "::statx(" in text and "AT_STATX_DONT_SYNC" not in text:
            problems.append(f"{path}: statx without AT_STATX_DONT_SYNC asks the file system")
    return problems


COMMENT_COLUMNS = 100


def comments(tree):
    """No comment line is longer than 100 columns: the formatter leaves comments alone, so that tables and diagrams survive."""
    problems = []
    for path in tree.sources("agent", "host-shim", "tests"):
        for number, line in enumerate((tree.text(path) or "").splitlines(), 1):
            if len(line) > COMMENT_COLUMNS and line.lstrip().startswith(("//", "/*", "* ")):
                problems.append(f"{path}:{number}: a comment line of {len(line)} columns; wrap it at {COMMENT_COLUMNS}")
    return problems


# A library, the one folder whose .cpp files include it, and whether headers there may.
HIDDEN = (("uv.h", "io", False), ("nlohmann/", "json", False), ("spdlog/", "base", False), ("fmt/", "base", False),
          ("boost/", "http", False), ("CLI/", "cli", False))
# In the Windows program these stand in no header.
SHIM_LIBRARIES = ("CLI/",)


def hidden_libraries(tree):
    """Libraries that are slow to compile, and libuv, stand behind our headers, each in one folder (README, "Compile time")."""
    problems = []
    for path in tree.sources("agent", "host-shim"):
        for line, name, quoted in includes(tree.text(path)):
            for library, home, in_headers in HIDDEN:
                if name != library and not (library.endswith("/") and name.startswith(library)):
                    continue
                if path.startswith("host-shim/") and library in SHIM_LIBRARIES:
                    if path.endswith(".h"):
                        problems.append(f"{path}:{line}: <{name}> in a header")
                elif not path.startswith(f"agent/{home}/"):
                    problems.append(f"{path}:{line}: <{name}> belongs into agent/{home}/ only")
                elif path.endswith(".h") and not in_headers:
                    problems.append(f"{path}:{line}: <{name}> in a header")
    return problems


def headers(tree):
    """A header says on top what it is, then `#pragma once`; a source includes its own header first."""
    problems = []
    for path in tree.sources("agent", "host-shim", "tests/unit"):
        text = tree.text(path)
        if path.endswith(".h"):
            if not text.startswith("// "):
                problems.append(f"{path}:1: a header begins with a comment that says what it is")
            directives = re.findall(r"^[ \t]*#.*$", text, re.M)
            if not directives or directives[0].strip() != "#pragma once":
                problems.append(f"{path}: the first directive of a header is #pragma once")
        elif path.startswith(("agent/", "host-shim/")):
            root, _, own = path[:-len(".cpp")].partition("/")
            own += ".h"
            listed = [name for _, name, _ in includes(text)]
            if f"{root}/{own}" in tree.files and (not listed or listed[0] != own):
                problems.append(f"{path}: includes its own header \"{own}\" first, so that this stands alone")
    return problems


def formatting(tree):
    """clang-format has nothing to change."""
    program = shutil.which("clang-format")
    if program is None:
        raise Skip("clang-format is not installed")
    version = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True, check=False).stdout
    if not re.search(r"version 14\.", version):
        raise Skip(f"another clang-format formats differently: {version.strip()}, not 14")
    files = tree.sources("agent", "host-shim", "tests")
    if not files:
        return []
    run = subprocess.run([program, "--dry-run", "--ferror-limit=1", *files], cwd=tree.root, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, check=False)
    bad = sorted({m[1] for m in re.finditer(r"^(\S+?):\d+:\d+: (?:warning|error): code should be clang-formatted", run.stdout, re.M)})
    if run.returncode != 0 and not bad:
        return [f"clang-format: {run.stdout.strip()[:500]}"]
    return [f"{path}: not formatted (clang-format -i {path})" for path in bad]


# Written so that this file doesn't break its own rule.
LOCAL = re.compile(r"(?<![\w.$}*-])/(?:work|tmp/build|Users|home/(?!me/|user/|dev/)[a-z][\w-]*)[/-][\w.]")
SOURCES_OF_PACKAGES = re.compile(
    r"\b(?:(?:deb|security|ftp)\.debian\.org|(?:archive|security|ports)\.ubuntu\.com|registry\.npmjs\.org|pypi\.org|"
    r"files\.pythonhosted\.org|proxy\.golang\.org|(?:registry-1|index|download)\.docker\.(?:io|com)|[\w.-]*artifactor[y][\w.-]*|"
    r"[\w-]+\.jfrog\.io|nexus\.[\w.-]+)\b")


def text_files(tree):
    """No tabs, blanks at line ends or foreign line ends; no paths of somebody's machine, no hosts of package sources."""
    problems = []
    for path in tree.files:
        text = tree.text(path)
        if text is None or path == "LICENSE" or path.endswith((".out", ".patch")):
            continue
        if text and not text.endswith("\n"):
            problems.append(f"{path}: no newline at its end")
        for number, line in enumerate(text.split("\n"), 1):
            where = f"{path}:{number}"
            if "\t" in line and not path.endswith(("Makefile", ".mk", ".go")):
                problems.append(f"{where}: a tab")
            if line.endswith("\r"):
                problems.append(f"{where}: a carriage return")
            elif line != line.rstrip():
                problems.append(f"{where}: blanks at the end of the line")
            if found := LOCAL.search(line):
                problems.append(f"{where}: a path of one machine: {found[0]}")
            if found := SOURCES_OF_PACKAGES.search(line):
                problems.append(f"{where}: a package source: {found[0]}; which ones to use is the machine's business")
    return problems


SNAKE = re.compile(r"_?[a-z0-9]+(?:_[a-z0-9]+)*(?:\.[a-z0-9]+)*|__init__\.py|README\.md|Dockerfile|package-lock\.json")  # the last one is npm's name
EMPTY_WORDS = {"common", "util", "utils", "misc", "helper", "helpers", "manager", "impl", "stuff"}
# In agent/ "the helper" is a process, `causeway distro`: a name may begin with it, not end.
SUBJECTS = {"helper"}
TOP = {"agent", "host-shim", "packaging", "rootfs", "tests", "meson.build", "meson_options.txt", "README.md", "LICENSE", "CONTRIBUTING.md",
       "SECURITY.md", "CHANGELOG.md"}


def names(tree):
    """Files and folders are snake_case and say the thing; nothing new stands at the top."""
    problems = []
    for path in tree.files:
        parts = path.split("/")
        if parts[0] not in TOP and not parts[0].startswith("."):
            problems.append(f"{path}: {parts[0]} has no place at the top of the tree")
        if parts[0] not in ("agent", "host-shim", "tests"):
            continue
        for part in parts[1:]:
            if not SNAKE.fullmatch(part):
                problems.append(f"{path}: {part} is not snake_case")
            words = part.split(".")[0].removesuffix("_test").split("_")
            if len(words) > 1 and words[0] in SUBJECTS:
                words = words[1:]
            if set(words) & EMPTY_WORDS:
                problems.append(f"{path}: {part} doesn't say what is in it")
    return sorted(set(problems))


def test_names(tree):
    """tests/unit mirrors agent/, and host-shim/ as host_shim: a case is named "module/file: behaviour" after its folder.
    In a folder `example` the file stands beside the test: it shows what a new one needs."""
    problems = []
    for path in tree.sources("tests/unit"):
        parts = path.split("/")
        if not path.endswith("_test.cpp") or len(parts) < 4:
            continue
        folder = "/".join(parts[2:-1])
        for match in re.finditer(r'\bTEST_CASE(?:_FIXTURE|_TEMPLATE)?\(\s*(?:\w+,\s*)?"([^"]*)', tree.text(path)):
            line = tree.text(path).count("\n", 0, match.start()) + 1
            named = re.match(r"([a-z0-9_/]+)/([a-z0-9_]+): \S", match[1])
            if not named or named[1] != folder:
                problems.append(f"{path}:{line}: a case here is named \"{folder}/FILE: what it shows\"")
                continue
            mirrored = "/".join(["host-shim", *parts[3:-1]]) if parts[2] == "host_shim" else f"agent/{folder}"
            if parts[-2] == "example":
                mirrored = f"tests/unit/{folder}"
            if not any(f.startswith(f"{mirrored}/{named[2]}.") for f in tree.files):
                problems.append(f"{path}:{line}: there is no {mirrored}/{named[2]}.*")
    return problems


COUNTED_TURNS = r"\bfor \([^;()]*;[^;()]*<\s*\d[\d']*;[^;()]*\)\s*\{?\s*(?:[\w()]+(?:\.|->))*turn\(\);"


def fixtures(tree):
    """Unit tests let a loop come to rest instead of counting its turns, and their directories go by themselves: tests/unit/support."""
    problems = []
    for path in tree.sources("tests/unit"):
        if path.startswith("tests/unit/support/"):
            continue
        text = tree.text(path)
        for pattern, way in ((COUNTED_TURNS, "counted turns: settle() or run_until() of support/loop_fixture.h"),
                             (r"\bmkdtemp\(", "a directory by hand: support/temp_dir.h"),
                             (r"\bstd::system\(", "a shell in a unit test")):
            for match in re.finditer(pattern, text):
                problems.append(f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {way}")
    return problems


def built(tree):
    """Every source stands in its folder's meson.build: what isn't built isn't tested."""
    problems = []
    for path in tree.sources("agent", "host-shim", "tests/unit"):
        folder, name = os.path.split(path)
        lists = tree.text(f"{folder}/meson.build")
        if not path.endswith(".h") and (lists is None or f"'{name}'" not in lists):
            problems.append(f"{path}: not in {folder}/meson.build")
    return problems


def scripts(tree):
    """Executable Python names the system's interpreter: another one in the path may lack what we use."""
    problems = []
    for path in tree.files:
        first = (tree.text(path) or "").split("\n", 1)[0]
        if first.startswith("#!") and "python" in first and first != "#!/usr/bin/python3":
            problems.append(f"{path}:1: #!/usr/bin/python3, not {first}")
        if first.startswith("#!") and not os.access(os.path.join(tree.root, path), os.X_OK):
            problems.append(f"{path}: has an interpreter line but isn't executable")
    return problems


def imports(tree):
    """Python imports no `*`; where modules are found is set by pytest.ini, and by what is started."""
    problems = []
    for path in tree.files:
        text = tree.text(path) or ""
        script = text.startswith("#!")
        if not path.endswith(".py") and not (script and "python" in text.split("\n", 1)[0]):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if re.match(r"\s*from \S+ import \*", line):
                problems.append(f"{path}:{number}: imports *")
            if re.match(r"\s*sys\.path\b", line) and not script:
                problems.append(f"{path}:{number}: a module leaves sys.path to what is started")
    return problems


def status_table(tree):
    """What tests/README.md says to cover a capability is there."""
    problems = []
    for line in (tree.text("tests/README.md") or "").partition("\n## Status\n")[2].split("\n"):
        cells = line.strip("|").split("|")
        for name in re.findall(r"`([^`]+)`", cells[2]) if len(cells) == 3 else []:
            if not any(path == f"tests/{name}" or path.startswith(f"tests/{name}/") for path in tree.files):
                problems.append(f"tests/README.md: there is no {name}")
    return problems


RULES = (table_is_whole, layering, processes, comments, lifetimes, loop_calls, hidden_libraries, headers, formatting, text_files, names, test_names,
         fixtures, built, scripts, imports, status_table)
