#!/usr/bin/env bash
# What: HDF5's default driver makes a write again that a signal interrupted (EINTR), but not the
# ftruncate with which it ends a file whose last bytes nobody wrote (a dataset that is filled in part,
# room that it keeps for its own structure). All data is written by then, and the close fails with
# "unable to extend file properly". Where a file system may interrupt ftruncate (FUSE, some network
# file systems), a save can so be lost to a signal that a program of plain writes never notices.
# Seen with: h5py 3.12.1 (its wheel has HDF5 1.14.2), numpy 2.1.3, python 3.11, Linux x86-64.
# Way out: handlers with SA_RESTART do for most file systems; else write the file's image by one's own
# calls, or write to a temporary name and begin again.
# Needs: python3 with venv, gcc. Downloads some 25 MB into a temporary folder.
set -euo pipefail

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: h5py==3.12.1 numpy==2.1.3

fail() {
  printf 'changed: %s\n' "$*" >&2
  exit 1
}

# Interrupts the first pwrite of some size, or the first ftruncate, as EINTR_AT says.
cat >"$work/interrupt.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int once(const char* call) {
  static int done;
  const char* at = getenv("EINTR_AT");
  if (done || at == NULL || strcmp(at, call) != 0) return 0;
  done = 1;
  fprintf(stderr, "interrupted: %s\n", call);
  errno = EINTR;
  return 1;
}
ssize_t pwrite64(int fd, const void* from, size_t bytes, off64_t at) {
  static ssize_t (*real)(int, const void*, size_t, off64_t);
  if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, "pwrite64");
  return bytes > 1000 && once("pwrite") ? -1 : real(fd, from, bytes, at);
}
ssize_t pwrite(int fd, const void* from, size_t bytes, off_t at) { return pwrite64(fd, from, bytes, at); }
int ftruncate64(int fd, off64_t bytes) {
  static int (*real)(int, off64_t);
  if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, "ftruncate64");
  return once("ftruncate") ? -1 : real(fd, bytes);
}
int ftruncate(int fd, off_t bytes) { return ftruncate64(fd, bytes); }
C
gcc -shared -fPIC -O1 "$work/interrupt.c" -o "$work/interrupt.so" -ldl

cat >"$work/write.py" <<'PY'
import sys
import h5py
import numpy
file = h5py.File(sys.argv[1], "w", libver="latest")
file.create_dataset("values", (100000,), dtype="f4")[:10000] = numpy.arange(10000, dtype="f4")
try:
    file.close()
    print("closed")
except (OSError, RuntimeError) as error:
    print("failed:", str(error).replace("\n", " "))
sys.stdout.flush()
import os
os._exit(0)
PY

run() {
  EINTR_AT="$1" LD_PRELOAD="$work/interrupt.so" "$work/venv/bin/python" "$work/write.py" "$work/$1.h5" 2>"$work/errors"
}
undisturbed="$(run nothing)"
[[ "$undisturbed" == closed ]] || fail "expected a file that closes, found: $undisturbed"
written="$(run pwrite)"
grep -q '^interrupted: pwrite' "$work/errors" || fail "expected HDF5 to write by pwrite"
[[ "$written" == closed ]] || fail "expected an interrupted write to be made again, found: $written"
truncated="$(run ftruncate)"
grep -q '^interrupted: ftruncate' "$work/errors" || fail "expected HDF5 to end the file by ftruncate"
[[ "$truncated" == failed:*"errno = 4"* ]] ||
  fail "expected an interrupted truncate to fail the close, found: $truncated"
printf 'as described: interrupted write: %s; interrupted truncate: %s\n' "$written" "${truncated:0:160}"
