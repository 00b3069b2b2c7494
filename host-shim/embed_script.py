"""Writes a C++ header with a file's text: embed_script.py INPUT OUTPUT NAME."""

import sys

with open(sys.argv[1], encoding="utf-8") as source, open(sys.argv[2], "w", encoding="utf-8") as target:
    target.write(f"#pragma once\n// Generated.\ninline constexpr char {sys.argv[3]}[] =\n")
    for line in source:
        escaped = line.rstrip("\n").replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?")  # ??- is a trigraph
        target.write(f'    "{escaped}\\n"\n')
    target.write("    ;\n")
