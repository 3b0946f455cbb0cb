#!/usr/bin/env bash
# Sets up, builds and runs a recipe on this machine under mpirun.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: launch/run.sh [RECIPE] [-n N] [--fresh] [key.path=value ...]
       launch/run.sh --setup

Installs what is missing and builds (see launch/setup.sh --help), then runs RECIPE with N ranks.
  RECIPE          a YAML file (default: recipes/quickstart.yaml, run in the checkout's folder);
                  relative paths in it start at the folder you are in
  -n N            number of ranks on this machine (default: 2); more than it has cores take turns, which is said
  key.path=value  overrides a key of the recipe, such as sft.max_steps=10; key.path~ removes one
  --fresh         stages that would end otherwise than before begin anew; their folders and exports are set aside
  --setup         stop after the build; the last line is the path of the program
  -h, --help      this text

Environment:
  XKDE_DEPS_DIR    where LibTorch and the model of the quick start are kept (default: .deps)
  OMP_NUM_THREADS  threads of a rank (default: its part of the CPUs that it may use)

The exit code is that of the program; before it starts: 64 bad option, 66 no such recipe, 69 something
could not be installed, 70 the build failed.
HELP
}

fail() {
  local code="$1"
  shift
  printf 'run.sh: %s\n' "$*" >&2
  exit "$code"
}

# Cores that this process may use.
allowed_cores() { env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc; }

# What mpirun counts: cores, not their hardware threads; 0 where the kernel doesn't tell.
physical_cores() {
  { lscpu -p=CORE,SOCKET 2>/dev/null || true; } | sed '/^#/d' | sort -u | wc -l
}

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
program="$root/build/release/launch/xkde_dist"
recipe=""
ranks=2
setup_only=no
overrides=()
while (($# > 0)); do
  case "$1" in
    -h | --help)
      usage
      exit 0
      ;;
    --setup) setup_only=yes ;;
    --fresh) overrides+=("$1") ;;
    -n)
      (($# >= 2)) || fail 64 "-n needs a number of ranks"
      ranks="$2"
      shift
      ;;
    -*) fail 64 "unknown option $1 (see --help)" ;;
    *=* | *'~') overrides+=("$1") ;;
    *)
      [[ -z "$recipe" ]] || fail 64 "expected one recipe, found $recipe and $1"
      recipe="$1"
      ;;
  esac
  shift
done
[[ "$ranks" =~ ^[1-9][0-9]{0,4}$ ]] || fail 64 "-n: expected a positive number, found '$ranks'"

if [[ "$setup_only" == yes ]]; then
  "$root/launch/setup.sh"
  printf '%s\n' "$program"
  exit 0
fi
if [[ -z "$recipe" ]]; then
  # Its paths, and so its output, are those of the checkout.
  cd "$root"
  recipe=recipes/quickstart.yaml
fi
[[ -f "$recipe" ]] || fail 66 "$recipe: no such recipe"
"$root/launch/setup.sh"

# The program has said what there is to say when it ends: mpirun's own banner is left out.
flags=(-n "$ranks" --bind-to none)
if ((EUID == 0)); then
  flags+=(--allow-run-as-root)
fi
cores="$(allowed_cores)"
if ((ranks > cores)); then
  printf 'run.sh: %d ranks share %d core(s) and take turns on them; -n %d is quicker\n' "$ranks" "$cores" "$cores" >&2
fi
if ((ranks > cores || ranks > $(physical_cores))); then
  flags+=(--oversubscribe)
fi

# mpirun answers Ctrl-C by killing its ranks a second or two later, which is too soon for a checkpoint. So it gets a process
# group of its own, and the first Ctrl-C (or SIGTERM, or SIGHUP) becomes the signal that stops a run after its step; the second is mpirun's.
stops=0
interrupted=no
stop() {
  interrupted=yes
  stops=$((stops + 1))
  if ((stops == 1)); then
    printf '\n[run] stops after this step, with a checkpoint; again to end it at once\n' >&2
    kill -USR1 "$mpirun" 2>/dev/null
  else
    kill -INT "$mpirun" 2>/dev/null
  fi
}
set -m
mpirun --quiet "${flags[@]}" "$program" "$recipe" "${overrides[@]}" </dev/null &
mpirun=$!
set +m
trap stop INT TERM HUP
code=0
while :; do
  interrupted=no
  if wait "$mpirun"; then code=0; else code=$?; fi
  [[ "$interrupted" == yes ]] || break
done
if ((code > 128)); then
  printf 'run.sh: a rank was ended by signal %d\n' "$((code - 128))" >&2
elif ((code == 1)); then
  # So ends one that cannot start them, and says nothing with --quiet; and one that a signal ended.
  if said="$(mpirun "${flags[@]}" true </dev/null 2>&1)"; then
    printf 'run.sh: mpirun was ended by a signal\n' >&2
  else
    printf 'run.sh: mpirun could not start the ranks; it says:\n%s\n' "$said" >&2
  fi
fi
exit "$code"
