"""Small trees that break one rule each, so that the rules themselves are tested; and one that breaks none."""

import os

import rules

GOOD = {
    "meson.build": "project('x')\n",
    ".clang-format": "BasedOnStyle: Google\nColumnLimit: 100\n",
    "agent/README.md": f"{rules.TABLE_BEGIN}\n| module | may use |\n|---|---|\n| `base` | – |\n| `io` | base |\n"
                       f"| `http` | base, io |\n| `main` | http |\n{rules.TABLE_END}\n",
    "agent/main.cpp": '#include "http/parser.h"\n\nint main() { return 0; }\n',
    "agent/meson.build": "executable('x', 'main.cpp')\n",
    "agent/base/text.h": "// Text.\n#pragma once\n",
    "agent/base/text.cpp": '#include "base/text.h"\n\n#include <spdlog/spdlog.h>\n',
    "agent/base/meson.build": "files('text.cpp')\n",
    "agent/io/loop.h": '// The loop.\n#pragma once\n\n#include "base/text.h"\n',
    "agent/io/loop.cpp": '#include "io/loop.h"\n\n#include <uv.h>\n',
    "agent/io/meson.build": "files('loop.cpp'), dependencies : [base, libuv]\n",
    "agent/http/parser.h": '// A parser.\n#pragma once\n\n#include "io/loop.h"\n',
    "agent/http/meson.build": "dependencies : [base, io]\n",
    "host-shim/README.md": f"{rules.TABLE_BEGIN}\n| module | may use |\n|---|---|\n| `base` | – |\n| `windows` | base |\n| `settings` | – |\n"
                           f"| `link` | settings, windows |\n| `main` | link |\n{rules.TABLE_END}\n",
    "host-shim/main.cpp": '#include "link/dial.h"\n\nint main() { return 0; }\n',
    "host-shim/settings.h": "// What it is told.\n#pragma once\n",
    "host-shim/meson.build": "executable('x', 'main.cpp')\n",
    "host-shim/windows/handle.h": '// A handle.\n#pragma once\n\n#include "base/text.h"\n',
    "host-shim/link/dial.h": '// Connects.\n#pragma once\n\n#include "link/script.h"\n#include "settings.h"\n#include "windows/handle.h"\n',
    "host-shim/link/meson.build": "output : 'script.h', dependencies : [shim_windows]\n",
    "tests/unit/io/loop_test.cpp": '#include "io/loop.h"\n\nTEST_CASE("io/loop: turns") {}\n',
    "tests/unit/io/meson.build": "files('loop_test.cpp')\n",
    "tests/run": "#!/usr/bin/python3\nimport sys\nsys.path.insert(1, '.')\n",
    "tests/README.md": "# T\n\n## Status\n\n| capability | state | covered by |\n|---|---|---|\n| `a` | works | `run`, `unit/io` |\n",
}


def table(rows):
    return f"{rules.TABLE_BEGIN}\n| module | may use |\n|---|---|\n{rows}\n{rules.TABLE_END}\n"


SHIM = "| base | - |\n| windows | base |\n| settings | - |\n| link | settings, windows |\n| main | link |"
WHOLE = "| base | - |\n| io | base |\n| http | base, io |\n| main | http |"

# (rule, files that differ from GOOD, what the problem says)
BAD = (
    (rules.table_is_whole, {"agent/README.md": "nothing\n"}, "no table between"),
    (rules.table_is_whole, {"agent/README.md": table("| base | - |\n| io | base |\n| main | io |")}, "no row for agent/http/"),
    (rules.table_is_whole, {"agent/README.md": table(WHOLE + "\n| ghost | - |")}, "ghost, which is no folder"),
    (rules.table_is_whole, {"agent/README.md": table(WHOLE.replace("| base | - |", "| base | ghost |"))}, "may use ghost, which has no row"),
    (rules.table_is_whole, {"agent/README.md": table(WHOLE.replace("| base | - |", "| base | http |"))}, "a cycle: base → http → base"),
    (rules.table_is_whole, {"agent/README.md": table(WHOLE + "\n| io | base |")}, "io has two rows"),
    (rules.table_is_whole, {"agent/README.md": table("| base | - |\n| http | base, io |\n| io | base |\n| main | http |")},
     "http may use io, whose row stands below"),
    (rules.processes, {"agent/README.md": table("| base | - |\n| io | base |\n| http | base, io |\n| cli | base, io, http |\n| main | http |")},
     "cli may use 3 of 5 modules"),
    (rules.processes, {"agent/io/loop.cpp": '#include "init/a.h"\n#include "init/b.h"\n#include "init/c.h"\n'},
     "agent/init/ is PID 1's alone, and is included by agent/io/loop.cpp:1, agent/io/loop.cpp:2, agent/io/loop.cpp:3"),
    (rules.lifetimes, {"agent/io/loop.cpp": '#include "io/loop.h"\n\nstd::shared_ptr<int> lifetime_;\n'}, "loop.cpp:3: shared_ptr<int>"),
    (rules.lifetimes, {"agent/io/loop.cpp": '#include "io/loop.h"\n\nvoid f() { loop.defer([this] { g(); }); }\n'},
     "loop.cpp:3: a deferred lambda with `this`"),
    (rules.lifetimes, {"host-shim/link/dial.cpp": '#include "link/dial.h"\n\nvoid f() { port_.defer([this] { g(); }); }\n'},
     "dial.cpp:3: a deferred lambda with `this`"),
    (rules.loop_calls, {"agent/shares/look.cpp": "bool f() {\n  return ::access(path, F_OK) == 0;\n}\n"}, "look.cpp:2: access may wait"),
    (rules.loop_calls, {"agent/binds/look.cpp": "auto fd = ::open(path, O_PATH);\n"}, "look.cpp:1: open may wait"),
    (rules.loop_calls, {"agent/shares/share_tree.cpp": "auto fd = ::open(base, O_PATH);\nint s = ::stat(base, &info);\n"},
     "share_tree.cpp:2: stat may wait"),
    (rules.loop_calls, {"agent/shares/look.cpp": "auto fd = open_in_root(root, path, Lookup::in_root, O_PATH);\n"}, "look.cpp:1: Lookup may wait"),
    (rules.loop_calls, {"agent/shares/look.cpp": "auto p = handover::resolve_path(root, path);\n"}, "look.cpp:1: resolve_path may wait"),
    (rules.loop_calls, {"agent/daemon/look.cpp": "bool there = std::filesystem::exists(path);\n"}, "look.cpp:1: filesystem may wait"),
    (rules.loop_calls, {"agent/shares/look.cpp": "::fstat(fd, &info);\n"}, "look.cpp:1: fstat may wait"),
    (rules.loop_calls, {"agent/shares/look.cpp": '::statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &info);\n'}, "statx without AT_STATX_DONT_SYNC"),
    (rules.comments, {"agent/base/text.h": "// " + "x" * 98 + "\n#pragma once\n"}, "text.h:1: a comment line of 101 columns"),
    (rules.layering, {"agent/base/text.cpp": '#include "base/text.h"\n#include "io/loop.h"\n'}, "text.cpp:2: base may not use io"),
    (rules.layering, {"agent/main.cpp": '#include "io/loop.h"\n'}, "main may not use io"),
    (rules.layering, {"agent/io/loop.cpp": '#include "loop.h"\n'}, '"loop.h" is no file below agent/'),
    (rules.layering, {"agent/io/loop.cpp": '  #  include "http/parser.h"\n'}, "io may not use http"),
    (rules.layering, {"agent/io/meson.build": "dependencies : [base, http, libuv]\n"}, "io/meson.build: io may not use http"),
    (rules.table_is_whole, {"host-shim/README.md": "nothing\n"}, "host-shim/README.md: no table between"),
    (rules.table_is_whole, {"host-shim/pipe/relay.h": "// R.\n#pragma once\n"}, "no row for host-shim/pipe/"),
    (rules.table_is_whole, {"host-shim/README.md": table(SHIM.replace("| settings | - |", "| settings | link |"))}, "a cycle: link → settings → link"),
    (rules.table_is_whole, {"host-shim/README.md": table(SHIM.replace("| windows | base |", "| windows | link |"))},
     "windows may use link, whose row stands below"),
    (rules.table_is_whole, {"host-shim/README.md": table(SHIM + "\n| ghost | - |")}, "ghost, which is no folder of host-shim/"),
    (rules.layering, {"host-shim/windows/handle.h": '// A handle.\n#pragma once\n#include "link/dial.h"\n'}, "windows may not use link (host-shim/README.md)"),
    (rules.layering, {"host-shim/settings.h": '// S.\n#pragma once\n#include "link/dial.h"\n'}, "settings may not use link"),
    (rules.layering, {"host-shim/link/dial.cpp": '#include "dial.h"\n'}, '"dial.h" is no file below host-shim/, nor shared with it'),
    (rules.layering, {"host-shim/link/dial.cpp": '#include "io/loop.h"\n'}, '"io/loop.h" is no file below host-shim/, nor shared with it'),
    (rules.layering, {"host-shim/link/dial.cpp": '#include "base/text.h"\n'}, "link may not use base"),
    (rules.layering, {"host-shim/windows/meson.build": "dependencies : [shim_link]\n"}, "windows/meson.build: windows may not use link"),
    (rules.hidden_libraries, {"agent/io/loop.h": "// The loop.\n#pragma once\n#include <uv.h>\n"}, "<uv.h> in a header"),
    (rules.hidden_libraries, {"agent/http/parser.cpp": "#include <uv.h>\n"}, "<uv.h> belongs into agent/io/"),
    (rules.hidden_libraries, {"agent/base/text.h": "// T.\n#pragma once\n#include <spdlog/spdlog.h>\n"}, "in a header"),
    (rules.hidden_libraries, {"agent/io/loop.cpp": "#include <nlohmann/json.hpp>\n"}, "belongs into agent/json/"),
    (rules.hidden_libraries, {"agent/io/loop.cpp": "#include <CLI/CLI.hpp>\n"}, "belongs into agent/cli/"),
    (rules.hidden_libraries, {"host-shim/link/dial.h": "// L.\n#pragma once\n#include <CLI/CLI.hpp>\n"}, "in a header"),
    (rules.hidden_libraries, {"host-shim/link/dial.cpp": "#include <nlohmann/json.hpp>\n"}, "belongs into agent/json/"),
    (rules.hidden_libraries, {"host-shim/link/dial.cpp": "#include <uv.h>\n"}, "belongs into agent/io/"),
    (rules.hidden_libraries, {"agent/io/loop.cpp": "#include <boost/beast.hpp>\n"}, "belongs into agent/http/"),
    (rules.headers, {"agent/base/text.h": "#pragma once\n"}, "begins with a comment"),
    (rules.headers, {"agent/base/text.h": "// Text.\n#include <string>\n#pragma once\n"}, "first directive"),
    (rules.headers, {"agent/base/text.h": "// Text.\nint x;\n"}, "first directive"),
    (rules.headers, {"agent/base/text.cpp": '#include <string>\n#include "base/text.h"\n'}, "its own header"),
    (rules.formatting, {"agent/base/text.cpp": "int  f( )\n{ return 1;}\n"}, "agent/base/text.cpp: not formatted"),
    (rules.text_files, {"tests/run": "#!/bin/sh\n\techo\n"}, "tests/run:2: a tab"),
    (rules.text_files, {"tests/run": "a \nb\n"}, "run:1: blanks at the end"),
    (rules.text_files, {"tests/run": "a\r\n"}, "a carriage return"),
    (rules.text_files, {"tests/run": "a"}, "no newline"),
    (rules.text_files, {"tests/run": "cd " + "/wor" + "k/main\n"}, "a path of one machine"),
    (rules.text_files, {"tests/run": "cd " + "/hom" + "e/someone/src\n"}, "a path of one machine"),
    (rules.text_files, {"tests/run": "ninja -C " + "/tmp/bui" + "ld-mine\n"}, "a path of one machine"),
    (rules.text_files, {"tests/run": "http://deb." + "debian.org/debian\n"}, "a package source"),
    (rules.text_files, {"tests/run": "ninja -C " + "/tmp/bui" + "ld-mine\n"}, "a path of one machine"),
    (rules.text_files, {"tests/run": "https://x.jfrog" + ".io/y\n"}, "a package source"),
    (rules.names, {"stray.txt": "x\n"}, "no place at the top"),
    (rules.names, {"agent/io/LoopThing.h": "// x\n#pragma once\n"}, "LoopThing.h is not snake_case"),
    (rules.names, {"agent/my-io/loop.h": "// x\n#pragma once\n"}, "my-io is not snake_case"),
    (rules.names, {"agent/io/string_utils.h": "// x\n#pragma once\n"}, "doesn't say what is in it"),
    (rules.names, {"agent/io/loop_helper.h": "// x\n#pragma once\n"}, "doesn't say what is in it"),
    (rules.names, {"agent/common/x.h": "// x\n#pragma once\n"}, "doesn't say what is in it"),
    (rules.test_names, {"tests/unit/io/loop_test.cpp": 'TEST_CASE("turns") {}\n'}, "is named"),
    (rules.test_names, {"tests/unit/io/loop_test.cpp": 'TEST_CASE("http/parser: turns") {}\n'}, "is named"),
    (rules.test_names, {"tests/unit/io/loop_test.cpp": 'TEST_CASE("io/ghost: turns") {}\n'}, "no agent/io/ghost"),
    (rules.test_names, {"tests/unit/io/loop_test.cpp": 'TEST_CASE_TEMPLATE("turns", T, A, B) {}\n'}, "is named"),
    (rules.test_names, {"tests/unit/host_shim/link/dial_test.cpp": 'TEST_CASE("host_shim/link/ghost: turns") {}\n'}, "no host-shim/link/ghost"),
    (rules.test_names, {"tests/unit/host_shim/link/dial_test.cpp": 'TEST_CASE("host_shim/dial: turns") {}\n'}, 'named "host_shim/link/FILE'),
    (rules.fixtures, {"tests/unit/io/loop_test.cpp": "#include <x>\nfor (int i = 0; i < 10; ++i) rig.loop.turn();\n"},
     "loop_test.cpp:2: counted turns"),
    (rules.fixtures, {"tests/unit/io/loop_test.cpp": "auto made = ::mkdtemp(name);\n"}, "a directory by hand"),
    (rules.fixtures, {"tests/unit/io/loop_test.cpp": 'std::system("rm");\n'}, "a shell"),
    (rules.test_names, {"tests/unit/io/example/loop_test.cpp": 'TEST_CASE("io/example/loop: turns") {}\n'}, "no tests/unit/io/example/loop"),
    (rules.built, {"agent/io/timer.cpp": "\n"}, "timer.cpp: not in agent/io/meson.build"),
    (rules.built, {"tests/unit/io/timer_test.cpp": "\n"}, "not in tests/unit/io/meson.build"),
    (rules.scripts, {"tests/run": "#!/usr/bin/env python3\n"}, "not #!/usr/bin/env python3"),
    (rules.scripts, {"tests/other": "#!/bin/sh\n"}, "isn't executable"),
    (rules.imports, {"tests/run": "#!/usr/bin/python3\nfrom rules import *\n"}, "tests/run:2: imports *"),
    (rules.imports, {"tests/unit/x.py": "import sys\nsys.path.insert(0, '.')\n"}, "x.py:2: a module leaves sys.path"),
    (rules.status_table, {"tests/README.md": "# T\n\n## Status\n\n| a | works | `run`, `unit/io`, `unit/ghost` |\n"}, "no unit/ghost"),
)


def write(root, changes):
    """GOOD with `changes` in `root`, as a Tree."""
    for path, text in {**GOOD, **changes}.items():
        whole = os.path.join(root, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    os.chmod(os.path.join(root, "tests/run"), 0o755)
    return rules.Tree(root)


def name_of(example):
    rule, changes, says = example
    return f"{rule.__name__} finds: {says}"


def check(example, root):
    """Why the rule doesn't find what it should; empty when it does."""
    rule, changes, says = example
    found = rule(write(root, changes))
    return "" if any(says in problem for problem in found) else f"expected '{says}', found {found or 'nothing'}"


def check_good(root):
    tree = write(root, {})
    found = []
    for rule in rules.RULES:
        try:
            found += rule(tree)
        except rules.Skip:
            pass
    return "; ".join(found)
