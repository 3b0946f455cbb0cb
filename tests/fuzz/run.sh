#!/usr/bin/env bash
# Builds the fuzzing programs with clang, feeds the targets one after another, and prints what each did.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: tests/fuzz/run.sh [SECONDS [TARGET ...]]

Feeds each target, or those named, for SECONDS (default: XKDE_FUZZ_SECONDS) and prints a line for each:
executions, inputs of its corpus, findings. The corpus grows in build/fuzz/corpus from call to call; inputs that
are findings, and the log, are in build/fuzz/findings/TARGET. The build takes some 20 minutes of one core the
first time.

Environment:
  XKDE_FUZZ_CXX    the compiler (default: clang++-14)
  XKDE_FUZZ_BUILD  the build folder (default: build/fuzz)
  XKDE_DEPS_DIR    where LibTorch is (default: .deps)

Exit codes: 0 no finding, 1 a finding or a failed build, 77 nothing was asked for or clang is not there.
HELP
}

case "${1:-}" in
  -h | --help)
    usage
    exit 0
    ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds="${1:-${XKDE_FUZZ_SECONDS:-0}}"
shift $(($# > 0 ? 1 : 0))
wanted=" $* "
compiler="${XKDE_FUZZ_CXX:-clang++-14}"
build="${XKDE_FUZZ_BUILD:-build/fuzz}"
if [[ "$seconds" == 0 ]]; then
  echo "fuzzing: not asked for; XKDE_FUZZ_SECONDS says how long each target is fed"
  exit 77
fi
if ! command -v "$compiler" >/dev/null; then
  echo "fuzzing: expected $compiler, found none"
  exit 77
fi

mkdir -p "$build"
settings=(-DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_COMPILER_LAUNCHER="$(command -v ccache || true)")
[[ -z "${XKDE_DEPS_DIR:-}" ]] || settings+=(-DXKDE_DEPS_DIR="$XKDE_DEPS_DIR")
if ! { cmake --preset fuzz -B "$build" "${settings[@]}" &&
  nice cmake --build "$build" --target parser_fuzz state_fuzz; } >"$build/build.log" 2>&1; then
  tail -40 "$build/build.log"
  exit 1
fi

# What targets write as files: in memory where there is room.
TMPDIR="$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)"
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
# LibTorch and the libraries for files keep memory until the process ends.
export ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=0"
export UBSAN_OPTIONS="print_stacktrace=1" OMP_NUM_THREADS=1

# feed PROGRAM TARGET: prints the target's line; fails when there is a finding.
feed() {
  local found="$build/findings/$2" corpus="$build/corpus/$2" result=0
  mkdir -p "$found" "$corpus"
  XKDE_FUZZ_TARGET="$2" "$1" "$corpus" "tests/fuzz/corpus/$2" -max_total_time="$seconds" -max_len=65536 \
    -dict=tests/fuzz/dictionary.txt -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1024 \
    -print_final_stats=1 -artifact_prefix="$found/" >"$found/log" 2>&1 || result=1
  printf '%-16s %10s executions %6s inputs  %s\n' "$2" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$found/log")" "$(find "$corpus" -type f | wc -l)" \
    "$( ((result == 0)) && echo 'no finding' || echo "FINDING, see $found/log")"
  return "$result"
}

status=0
for program in parser state; do
  binary="$build/tests/fuzz/${program}_fuzz"
  for target in $(XKDE_FUZZ_TARGET='' "$binary" 2>&1 | sed -n 's/.*expected one of \(.*\), found.*/\1/p'); do
    [[ "$wanted" == "  " || "$wanted" == *" $target "* ]] || continue
    feed "$binary" "$target" || status=1
  done
done
exit "$status"
