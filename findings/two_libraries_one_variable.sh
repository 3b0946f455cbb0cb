#!/usr/bin/env bash
# What: a program that is linked to LibTorch and to Debian's libsentencepiece, in this order, loses LibTorch's
# errors: an allocation that fails, or any other failed check of that kind, aborts the process in place of
# throwing c10::Error. With the libraries in the other order it throws. Nothing says so, neither at the link
# nor at the start. Both libraries define a variable FLAGS_minloglevel: libc10.so an int of 4 bytes,
# libsentencepiece.so.0 an absl::Flag<int> of 32. The loader gives both that of the library which comes first,
# and the constructor of sentencepiece's writes 28 bytes too many, over FLAGS_caffe2_use_fatal_for_enforce
# and what else libc10 keeps behind it. That flag, which no code sets, is a byte of an address when main
# begins: in 255 of 256 starts it is not 0.
# Whom it meets: C++ programs that tokenise with SentencePiece and compute with LibTorch. A linker's order is
# what a build tool makes of it: a change elsewhere in the program may turn it round.
# Seen with: torch 2.11.0 (PyPI, manylinux x86-64), libsentencepiece0 0.1.97-3+b1 (Debian 12), g++ 12.2.
# Way out: -lsentencepiece before LibTorch's libraries, where no build tool moves it (an option of the link).
# Needs: Debian 12 with apt-get, dpkg, g++, python3 with pip. Downloads some 500 MB into a temporary folder.
set -euo pipefail

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get download -qq -o APT::Sandbox::User=root libsentencepiece0=0.1.97-3+b1)
dpkg -x "$work"/libsentencepiece0_*.deb "$work/debian"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" \
  --only-binary=:all: --python-version 3.11 --implementation cp --platform manylinux_2_28_x86_64 \
  torch==2.11.0
python3 -m zipfile -e "$work"/torch-2.11.0-*.whl "$work/wheel"
torch="$work/wheel/torch/lib"
sentencepiece="$(dirname "$(find "$work/debian" -name 'libsentencepiece.so.0')")"

fail() {
  printf 'changed: %s\n' "$*" >&2
  exit 1
}

cat >"$work/allocate.cpp" <<'CPP'
#include <cstddef>
#include <cstdio>
#include <exception>
#include <dlfcn.h>
#include <sys/resource.h>
namespace c10 { void* alloc_cpu(std::size_t bytes); }
int main() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  // Not by its name: the linker would then give the program a copy of its own.
  const void* flag = dlsym(RTLD_DEFAULT, "FLAGS_caffe2_use_fatal_for_enforce");
  std::printf("flag %d\n", *static_cast<const unsigned char*>(flag));
  std::fflush(stdout);
  try {
    c10::alloc_cpu(std::size_t{1} << 60);
  } catch (const std::exception&) {
    std::puts("thrown");
  }
}
CPP
# built NAME LIBRARY...: the program with the libraries in this order.
built() {
  local name="$1"
  shift
  g++ -std=c++20 "$work/allocate.cpp" -o "$work/$name" -Wl,--no-as-needed -Wl,--allow-shlib-undefined "$@" \
    -Wl,-rpath,"$torch:$sentencepiece" || fail "expected $name to link without a word"
}
built torch_first "$torch/libc10.so" "$sentencepiece/libsentencepiece.so.0"
built torch_last "$sentencepiece/libsentencepiece.so.0" "$torch/libc10.so"

last="$("$work/torch_last" 2>/dev/null | tr '\n' ' ')"
[[ "$last" == "flag 0 thrown " ]] || fail "expected 'flag 0 thrown' with LibTorch last, found '$last'"
code=0
for _ in 1 2 3 4; do # where the byte is 0
  code=0
  first="$("$work/torch_first" 2>"$work/errors" | tr '\n' ' ')" || code=$?
  [[ "$first" == "flag 0 "* ]] || break
done
[[ "$first" =~ ^flag\ [1-9][0-9]*\ $ && "$code" == 134 ]] ||
  fail "expected a flag that is not 0 and SIGABRT (134) with LibTorch first, found '$first' and $code"
grep -q 'enforce fail at alloc_cpu' "$work/errors" || fail "expected LibTorch's words, found: $(head -n 1 "$work/errors")"
printf 'LibTorch last: %s; LibTorch first: %s, then SIGABRT\nas described\n' "$last" "$first"
