#!/usr/bin/env python3
"""Compiles each public header on its own, so that no header leans on what its users include.

    headers_alone.py --root DIR --self-test FILE -- COMPILER FLAG...

FILE has a fault of each kind: with it the check first proves that it can fail.

The standard library comes precompiled, so that a header costs a tenth of a second and not one: with clang, which reads
of a precompiled header what it needs; g++ reads all of it and takes four times as long. What that could hide is looked
up first: each name of the library that a header uses must come from a standard header that it, or one of ours that it
includes, names. A header that includes other large libraries gets those precompiled, too.
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
ATEN, TENSOR, JSON = "<ATen/ATen.h>", "<ATen/core/Tensor.h>", "<nlohmann/json.hpp>"
# The costly ones of other libraries, together as headers include them, the most costly first.
LARGE = [(ATEN, JSON), (ATEN,), (TENSOR, JSON), (TENSOR,), (JSON,)]

# Where the names of the standard library that our headers use are declared; one that is missing here is a complaint.
STANDARD = {
    "<algorithm>": "all_of any_of clamp copy count_if equal fill find find_if max max_element min min_element mismatch pop_heap "
                   "push_heap ranges reverse sort stable_sort transform",
    "<array>": "array get ssize",
    "<atomic>": "atomic memory_order_acquire memory_order_relaxed memory_order_release",
    "<barrier>": "barrier",
    "<bit>": "bit_cast",
    "<chrono>": "chrono",
    "<cmath>": "isfinite isnan pow sqrt",
    "<concepts>": "integral same_as",
    "<condition_variable>": "condition_variable condition_variable_any",
    "<cstddef>": "byte size_t",
    "<cstdlib>": "aligned_alloc free getenv",
    "<cstring>": "memcpy",
    "<ctime>": "time_t",
    "<deque>": "deque ssize",
    "<exception>": "current_exception exception exception_ptr rethrow_exception",
    "<filesystem>": "filesystem",
    "<fstream>": "ifstream ios ofstream",
    "<functional>": "equal_to function hash less",
    "<future>": "future",
    "<initializer_list>": "initializer_list",
    "<ios>": "ios",
    "<iosfwd>": "istream ostream",
    "<istream>": "ios istream",
    "<iterator>": "back_inserter istreambuf_iterator ssize",
    "<limits>": "numeric_limits",
    "<map>": "map multimap ssize",
    "<memory>": "make_shared make_unique shared_ptr unique_ptr weak_ptr",
    "<mutex>": "lock_guard mutex recursive_mutex scoped_lock unique_lock",
    "<new>": "bad_alloc",
    "<numeric>": "accumulate iota",
    "<optional>": "nullopt optional",
    "<ostream>": "ios ostream",
    "<set>": "multiset set ssize",
    "<source_location>": "source_location",
    "<span>": "span ssize",
    "<sstream>": "ios istringstream ostringstream",
    "<stdexcept>": "invalid_argument logic_error runtime_error",
    "<stop_token>": "stop_callback stop_source stop_token",
    "<string>": "size_t ssize string to_string u32string",
    "<string_view>": "ssize string_view u32string_view",
    "<system_error>": "error_code system_error",
    "<thread>": "jthread this_thread thread",
    "<tuple>": "get tie tuple",
    "<type_traits>": "decay_t invoke_result_t is_pointer_v is_same_v is_trivially_copyable_v",
    "<typeinfo>": "bad_cast",
    "<unordered_map>": "unordered_map",
    "<unordered_set>": "unordered_set",
    "<utility>": "exchange forward get move pair swap",
    "<variant>": "get get_if holds_alternative monostate variant visit",
    "<vector>": "ssize vector",
}
STANDARD_NAME = re.compile(r"\bstd::(\w+)")


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


def homeless_names(text, named):
    """The names of the standard library in a header's text that none of the headers in `named` declares, with those that do."""
    for name in sorted(set(STANDARD_NAME.findall(source_rules.code_of(text)))):
        homes = [header for header, names in STANDARD.items() if name in names.split()]
        if not homes:
            yield f"std::{name}: its header is to be added to STANDARD"
        elif named.isdisjoint(homes):
            yield f"std::{name} without {' or '.join(homes)}"


def group_of(named):
    """The most costly of LARGE that a header includes; empty: none."""
    return next((names for names in LARGE if named.issuperset(names)), ())


def precompile(command, header, names):
    """Writes and precompiles a header of these names, and returns the flags that give it to another file."""
    header.write_text("".join(f"#include {name}\n" for name in names), encoding="utf-8")
    subprocess.run([*command, "-x", "c++-header", str(header), "-o", f"{header}.gch"], check=True)
    return ["-include", str(header)]


def compile_alone(command, path, flags):
    """The compiler's complaints, empty when there are none. Clang looks for a precompiled header at the first -include."""
    result = subprocess.run(
        [command[0], *flags, *command[1:], "-fsyntax-only", "-x", "c++", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return "" if result.returncode == 0 else result.stdout or f"exit code {result.returncode}"


def prove_failing(arguments, flags):
    """Ends the check where it has no complaint of the file that has one fault of each kind."""
    homeless = list(homeless_names(arguments.self_test.read_text(encoding="utf-8"), set()))
    if homeless != ["std::string without <string>"]:
        sys.exit(f"{arguments.self_test}: expected a string without its header, found: {homeless}")
    complaint = compile_alone(arguments.command, arguments.self_test, flags)
    if "xkde" not in complaint.partition("error:")[2]:  # Each compiler has words of its own.
        sys.exit(f"{arguments.self_test}: expected an undeclared name, found: {complaint!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--self-test", type=pathlib.Path, required=True)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    root = arguments.root.resolve()

    headers = [
        path
        for path in source_rules.files_of(root)
        if path.suffix == ".h" and source_rules.part_of(path)
    ]
    if not headers:
        sys.exit(f"{root}: no header to check")
    known = {}
    groups = {path: group_of(all_includes(root, path, known)) for path in headers}
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        makers = {
            names: pool.submit(precompile, arguments.command, pathlib.Path(folder) / f"group{number}.h", [*STANDARD, *names])
            for number, names in enumerate(sorted({(), *groups.values()}, reverse=True))
        }
        flags = {names: maker.result() for names, maker in makers.items()}
        prove_failing(arguments, flags[()])

        def check(path):
            text = (root / path).read_text(encoding="utf-8")
            return "\n".join(homeless_names(text, known[path])) or compile_alone(arguments.command, root / path, flags[groups[path]])

        complaints = list(pool.map(check, headers))
    failed = [(path, text) for path, text in zip(headers, complaints) if text]
    for path, text in failed:
        print(f"{path} does not compile alone:\n{text}")
    print(f"{len(headers) - len(failed)} of {len(headers)} headers compile alone")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
