#!/usr/bin/env bash
# What: the torch wheel carries headers of fmt 12 (include/fmt), and none of its libraries exports what
# they declare. A program that has the wheel's include folder on its path (as it must, to use LibTorch)
# and links the system's fmt compiles against fmt 12 and then fails to link: the system's library has
# other versioned names. No message names the wheel.
# Seen with: torch 2.11.0 (PyPI, manylinux x86-64), Debian 12's libfmt-dev 9.1.0, g++ 12.2.
# Way out: a folder that holds the system's fmt headers alone, searched before the wheel's; or
# -DFMT_HEADER_ONLY, which then means the wheel's fmt.
# Needs: python3 with pip, g++, libfmt-dev. Downloads some 500 MB into a temporary folder.
set -euo pipefail

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" \
  --only-binary=:all: --python-version 3.11 --implementation cp --platform manylinux_2_28_x86_64 \
  torch==2.11.0
python3 -m zipfile -e "$work"/torch-2.11.0-*.whl "$work/wheel"
include="$work/wheel/torch/include"
libraries="$work/wheel/torch/lib"

fail() {
  printf 'changed: %s\n' "$*" >&2
  exit 1
}

version="$(sed -n 's/^#define FMT_VERSION \([0-9]*\)$/\1/p' "$include/fmt/base.h")"
[[ "$version" == 12* ]] || fail "expected fmt 12 in the wheel, found FMT_VERSION '$version'"

exported="$(nm -DC --defined-only "$libraries/libtorch_cpu.so" "$libraries/libc10.so" | grep -c 'fmt::v12::vformat' || true)"
[[ "$exported" == 0 ]] || fail "expected no fmt::v12::vformat in the libraries, found $exported"

cat >"$work/hello.cpp" <<'CPP'
#include <fmt/format.h>
#include <cstdio>
int main(int argc, char**) { std::puts(fmt::format("{:.1f}", argc / 2.0).c_str()); }
CPP
g++ -std=c++20 "$work/hello.cpp" -lfmt -o "$work/alone" || fail "expected the system's fmt to work alone"
if g++ -std=c++20 -isystem "$include" "$work/hello.cpp" -lfmt -o "$work/both" 2>"$work/errors"; then
  fail "expected the link to fail with the wheel's headers first"
fi
grep -q 'undefined reference to `fmt::v12::vformat' "$work/errors" ||
  fail "expected an undefined fmt::v12::vformat, found: $(tail -n 2 "$work/errors")"

mkdir "$work/first"
ln -s /usr/include/fmt "$work/first/fmt"
g++ -std=c++20 -isystem "$work/first" -isystem "$include" "$work/hello.cpp" -lfmt -o "$work/mended" ||
  fail "expected a folder with the system's headers first to mend it"
printf 'as described: wheel has FMT_VERSION %s, exports none of it, and breaks the link of a user of the system fmt\n' "$version"
