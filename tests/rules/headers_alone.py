#!/usr/bin/env python3
"""Compiles each public header on its own, so that no header leans on what its users include.

    headers_alone.py --root DIR --self-test FILE -- COMPILER FLAG...

FILE must not compile alone: with it the check first proves that it can fail.

A header that includes large libraries gets those precompiled: it would come to the same names without.
A header that includes none gets nothing.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import source_rules

INCLUDE = re.compile(r'^#include ([<"][^>"]+[>"])', re.MULTILINE)
ATEN, TENSOR, JSON, FILES = "<ATen/ATen.h>", "<ATen/core/Tensor.h>", "<nlohmann/json.hpp>", "<filesystem>"
# The costly ones, together as headers include them, the most costly first.
LARGE = [(ATEN, JSON), (ATEN,), (TENSOR, JSON, FILES), (TENSOR, JSON), (TENSOR, FILES), (TENSOR,), (JSON, FILES), (JSON,), (FILES,)]


def all_includes(root, path, known):
    """What a header and our headers that it includes name in #include."""
    if path not in known:
        known[path] = set()
        own = INCLUDE.findall((root / path).read_text(encoding="utf-8"))
        found = set(own)
        for name in own:
            other = pathlib.Path(name[1:-1])
            if name[0] == '"' and (root / other).is_file():
                found |= all_includes(root, other, known)
        known[path] = found
    return known[path]


def group_of(named):
    """The most costly of LARGE that a header includes; empty: none."""
    return next((names for names in LARGE if named.issuperset(names)), ())


def precompile(command, folder, groups):
    """The flags that give each group of large headers precompiled."""
    flags = {(): []}
    for number, names in enumerate(sorted(groups - {()})):
        header = pathlib.Path(folder) / f"large{number}.h"
        header.write_text("".join(f"#include {name}\n" for name in names), encoding="utf-8")
        output = f"{header}.gch"
        subprocess.run([*command, "-x", "c++-header", str(header), "-o", output], check=True)
        flags[names] = ["-include", str(header)]
    return flags


def compile_alone(command, path, flags=()):
    """The compiler's complaints, empty when there are none."""
    result = subprocess.run(
        [*command, *flags, "-fsyntax-only", "-x", "c++", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return "" if result.returncode == 0 else result.stdout or f"exit code {result.returncode}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--self-test", type=pathlib.Path, required=True)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    root = arguments.root.resolve()

    complaint = compile_alone(arguments.command, arguments.self_test)
    if "was not declared" not in complaint and "does not name a type" not in complaint:
        sys.exit(f"{arguments.self_test}: expected an undeclared name, found: {complaint!r}")
    headers = [
        path
        for path in source_rules.files_of(root)
        if path.suffix == ".h" and source_rules.part_of(path)
    ]
    if not headers:
        sys.exit(f"{root}: no header to check")
    known = {}
    groups = {path: group_of(all_includes(root, path, known)) for path in headers}
    with tempfile.TemporaryDirectory() as folder:
        flags = precompile(arguments.command, folder, set(groups.values()))

        def check(path):
            return compile_alone(arguments.command, root / path, flags[groups[path]])

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            complaints = list(pool.map(check, headers))
    failed = [(path, text) for path, text in zip(headers, complaints) if text]
    for path, text in failed:
        print(f"{path} does not compile alone:\n{text}")
    print(f"{len(headers) - len(failed)} of {len(headers)} headers compile alone")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
