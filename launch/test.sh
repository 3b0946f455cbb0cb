#!/usr/bin/env bash
# Sets up, builds everything and runs all tests: quick ones first.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: launch/test.sh [CTEST_OPTION ...]

Installs what is missing and builds (see launch/setup.sh --help), then runs the data set's Python tests,
the tests labelled `unit` and the rest. With options, such as -R Tokenizer, only ctest runs, with them.
Fails when a test failed or none ran. Tests that lack their hardware or data skip themselves and say so.

Environment:
  XKDE_DEPS_DIR      where LibTorch and the tests' model are kept (default: .deps)
  XKDE_SHARED_DIR    folder with benchmark data for the tests that need it (default: ../shared)
  XKDE_FUZZ_SECONDS  how long each parser is fuzzed (docs/limits.md). Default: not at all, because the build
                     for it takes 20 minutes of one core.
HELP
}

case "${1:-}" in
  -h | --help)
    usage
    exit 0
    ;;
esac
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
"$root/launch/setup.sh" --tests

cores="$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)"
failed=0
ran=0

# run_part OPTION...: runs the tests that ctest selects with these, if any.
run_part() {
  local count
  count="$(ctest --test-dir "$root/build/release" -N "$@" | sed -n 's/^Total Tests: //p')"
  if ((${count:-0} == 0)); then
    return
  fi
  ran=$((ran + count))
  # One more than cores: beside a test that takes them all, one that mostly waits may run.
  ctest --test-dir "$root/build/release" --output-on-failure --parallel "$((cores + 1))" "$@" || failed=1
}

if (($# == 0)); then
  (cd "$root" && python3 -m unittest tests/recipes/data_set_test.py) || failed=1
fi
run_part -L '^unit$' "$@"
run_part -LE '^unit$' "$@"
if ((ran == 0)); then
  printf 'test.sh: no test ran\n' >&2
  failed=1
elif ((failed != 0)); then
  printf 'test.sh: tests failed, see above\n' >&2
fi
exit "$failed"
