#!/usr/bin/env python3
"""Checks that clang-format 14 would change no .h and .cpp file of this checkout, nor one seeded clean."""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

import source_rules

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77  # ctest counts this exit code as "skipped"
FILES_A_CALL = 20


def clang_format_14():
    """Other versions lay some lines out otherwise."""
    for name in ("clang-format-14", "clang-format"):
        program = shutil.which(name)
        if program:
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
            if re.search(r"version 14\.", said.stdout):
                return program
    return None


def complaints(program, paths, text=None):
    """What it says of `paths`, or of `text` as if it stood there; empty when nothing would change."""
    source = [f"--assume-filename={paths[0]}"] if text is not None else [str(path) for path in paths]
    result = subprocess.run(
        [program, "--dry-run", "-Werror", "--style=file", *source],
        cwd=CHECKOUT, input=text, capture_output=True, text=True, check=False,
    )
    return "" if result.returncode == 0 else result.stderr or f"exit code {result.returncode}"


def main():
    program = clang_format_14()
    if program is None:
        print("skipped: no clang-format 14 here (launch/setup.sh --tests installs Debian's clang-format-14)")
        sys.exit(SKIPPED)
    seeded = ["core/base/seeded.cpp"]
    if complaints(program, seeded, "int f() { return 1; }\n"):
        sys.exit("a well laid out text was refused")
    if "clang-format" not in complaints(program, seeded, "int f()  {return 1;}\n"):
        sys.exit("a badly laid out text was not found")
    paths = [p for p in source_rules.files_of(CHECKOUT) if p.suffix in (".h", ".cpp")]
    parts = [paths[i : i + FILES_A_CALL] for i in range(0, len(paths), FILES_A_CALL)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [text for text in pool.map(lambda part: complaints(program, part), parts) if text]
    print("\n".join(found))
    print(f"{len(paths)} files checked")
    sys.exit(1 if found or not paths else 0)


if __name__ == "__main__":
    main()
