#!/usr/bin/env python3
"""Compiles each public header on its own, so that no header leans on what its users include.

    headers_alone.py --root DIR --self-test FILE -- COMPILER FLAG...

FILE must not compile alone: with it the check first proves that it can fail.
"""

import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys

import source_rules


def compile_alone(command, path):
    """The compiler's complaints, empty when there are none."""
    result = subprocess.run(
        [*command, "-fsyntax-only", "-x", "c++", str(path)],
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
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = list(
            pool.map(lambda path: compile_alone(arguments.command, root / path), headers)
        )
    failed = [(path, text) for path, text in zip(headers, complaints) if text]
    for path, text in failed:
        print(f"{path} does not compile alone:\n{text}")
    print(f"{len(headers) - len(failed)} of {len(headers)} headers compile alone")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
