#!/usr/bin/env bash
# Packs what benchmarks/gpu/run_all.sh needs on a GPU machine without network or packages.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: benchmarks/gpu/make_bundle.sh BUILD_FOLDER BUNDLE_FOLDER

Builds the programs of BUILD_FOLDER (made by cmake, with -DXKDE_CUDA=ON -DXKDE_BENCHMARKS=ON) and
writes into BUNDLE_FOLDER
  programs.tar.xz.part-*  programs, golden files, libraries (but for glibc, libstdc++, LibTorch and
                          CUDA's), and OpenMPI from Debian's packages
  nccl.tar.xz.part-*      NCCL 2.31.2, which can put several ranks on one GPU
  SHA256SUMS              of the parts
  run_all.sh              to be run there
in parts of at most XKDE_PART_MIB. LibTorch and CUDA come from that machine's Python: torch 2.11.0+cu130.

Environment:
  XKDE_PART_MIB  largest part in MiB (default 60)
  XKDE_NCCL      a folder with libnccl.so.2, in place of the download from PyPI; "none" leaves it out
  XKDE_PREBUILT  1: takes the programs as they are, without building

Exit codes: 0 done, 64 bad arguments, 69 a package or program is missing, 70 the build failed.
HELP
}

fail() {
  local code="$1"
  shift
  printf 'make_bundle.sh: %s\n' "$*" >&2
  exit "$code"
}

say() { printf '[bundle] %s\n' "$*" >&2; }

programs=(
  launch/xkde_dist
  benchmarks/engine_bench
  tests/core/nn/tree_attention_test
  launch/xkde_dist
  tests/core/optim/adamw_test
  tests/core/optim/adamw_device_test
  tests/core/model/decoder_test
  tests/distributed/comm/nccl_communicator_test
  tests/distributed/sharding/gpu_training_test
  tests/distributed/sharding/sharded_model_test
  tests/distributed/sharding/golden_training_test
)
# OpenMPI's mpirun and plug-ins are found at run time, so ldd does not see them.
debian_packages=(openmpi-bin openmpi-common libopenmpi3)

build_programs() {
  local targets=() program
  for program in "${programs[@]}"; do
    targets+=("$(basename "$program")")
  done
  if [[ "${XKDE_PREBUILT:-0}" != 1 ]]; then
    grep -q '^XKDE_CUDA:BOOL=ON' "$build/CMakeCache.txt" ||
      fail 64 "$build: expected a build with -DXKDE_CUDA=ON"
    cmake --build "$build" --target "${targets[@]}" >&2 || fail 70 "the build failed"
  fi
  for program in "${programs[@]}"; do
    [[ -x "$build/$program" ]] || fail 69 "$build/$program is missing"
  done
}

copy_programs() {
  local program
  mkdir -p "$stage/bin" "$stage/source/tests"
  for program in "${programs[@]}"; do
    install -s -m 755 "$build/$program" "$stage/bin/"
  done
  cp -r "$root/tests/golden" "$root/tests/launch" "$stage/source/tests/"
  # Tests look for their files where they were built.
  printf '%s\n' "$root" >"$stage/SOURCE_FOLDER"
  git -C "$root" rev-parse --short HEAD >"$stage/COMMIT"
}

# Debian's packages as they are, under openmpi/, for OPAL_PREFIX.
copy_openmpi() {
  local debs
  debs="$(mktemp -d)"
  (cd "$debs" && apt-get download "${debian_packages[@]}" >&2) || fail 69 "apt-get download failed"
  mkdir -p "$stage/debian" "$stage/openmpi/bin" "$stage/openmpi/lib"
  for deb in "$debs"/*.deb; do
    dpkg -x "$deb" "$stage/debian"
  done
  rm -rf "$debs"
  cp -L "$stage/debian/usr/bin/mpirun.openmpi" "$stage/openmpi/bin/mpirun"
  cp -L "$stage/debian/usr/bin/orted" "$stage/openmpi/bin/orted"
  cp -r "$stage/debian/usr/lib/x86_64-linux-gnu/openmpi/lib/openmpi3" "$stage/openmpi/lib/openmpi3"
  mkdir -p "$stage/openmpi/share"
  cp -r "$stage/debian/usr/share/openmpi" "$stage/openmpi/share/"
  cp -rn "$stage/debian/etc/openmpi" "$stage/openmpi/etc" 2>/dev/null || true
  rm -rf "$stage/debian"
}

# The closure of what the programs, mpirun and its plug-ins need. Those of glibc, the compiler, LibTorch
# and CUDA are the other machine's.
copy_libraries() {
  local name path
  mkdir -p "$stage/lib"
  find "$stage/bin" "$stage/openmpi" -type f \( -perm -u+x -o -name '*.so' \) -print0 |
    xargs -0 -n 1 ldd 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// {print $1, $3}' | sort -u |
    while read -r name path; do
      case "$name" in
        libc.so.* | libm.so.* | libdl.so.* | librt.so.* | libpthread.so.* | libutil.so.* | \
          libresolv.so.* | libstdc++.so.* | libgcc_s.so.* | libgomp* | ld-linux* | \
          libtorch* | libc10* | libshm* | libcaffe2* | libnccl* | libnv* | libcuda* | libcublas* | \
          libcudnn* | libcufft* | libcufile* | libcupti* | libcurand* | libcusolver* | \
          libcusparse*) ;;
        *) cp -L "$path" "$stage/lib/$name" ;;
      esac
    done
}

copy_nccl() {
  local work="$stage/nccl"
  mkdir -p "$work"
  case "${XKDE_NCCL:-}" in
    none) return ;;
    "")
      python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 \
        --platform manylinux_2_18_x86_64 --platform manylinux2014_x86_64 -d "$work" \
        --require-hashes -r "$root/benchmarks/gpu/requirements.txt" >&2 ||
        fail 69 "pip download of NCCL failed"
      python3 -m zipfile -e "$work"/*.whl "$work/wheel"
      cp -L "$work/wheel/nvidia/nccl/lib/libnccl.so.2" "$work/"
      rm -rf "$work/wheel" "$work"/*.whl
      ;;
    *) cp -L "$XKDE_NCCL/libnccl.so.2" "$work/" || fail 69 "$XKDE_NCCL: no libnccl.so.2" ;;
  esac
}

# pack NAME FOLDER...: folders of the stage as NAME.tar.xz.part-*.
pack() {
  local name="$1"
  shift
  tar -C "$stage" -c "$@" | xz -T0 -3 | split -b "${XKDE_PART_MIB:-60}M" - "$bundle/$name.tar.xz.part-"
}

if (($# == 1)) && [[ "$1" == "-h" || "$1" == "--help" ]]; then
  usage
  exit 0
fi
(($# == 2)) || fail 64 "expected two folders (see --help)"
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
[[ -f "$1/CMakeCache.txt" ]] || fail 64 "$1: not a build folder of cmake"
build="$(realpath "$1")"
bundle="$(realpath -m "$2")"
for tool in apt-get dpkg xz split ldd git; do
  command -v "$tool" >/dev/null || fail 69 "$tool is missing"
done

stage="$(mktemp -d)"
trap 'rm -rf "$stage"' EXIT
mkdir -p "$bundle"
rm -f "$bundle"/*.part-* "$bundle/SHA256SUMS"
say "programs"
build_programs
copy_programs
say "OpenMPI"
copy_openmpi
say "libraries"
copy_libraries
say "NCCL"
copy_nccl
say "parts"
pack programs bin lib openmpi source SOURCE_FOLDER COMMIT
if [[ -e "$stage/nccl/libnccl.so.2" ]]; then pack nccl nccl; fi
cp "$root/benchmarks/gpu/run_all.sh" "$bundle/"
(cd "$bundle" && sha256sum ./*.part-* >SHA256SUMS)
say "done: $(du -sh "$bundle" | cut -f 1) in $bundle"
