#!/usr/bin/env bash
# What: a run that is logged to W&B in its mode "offline", or by MLflow to a file of SQLite, still goes to
# the network. Both packages report their own use, whatever store they write to. When the run ends, wandb
# asks for the host of its server (WANDB_BASE_URL, or W&B's own), although nothing of the run is to be sent.
# A server of one's own that is named so gets a POST to /sdk/otel/v1/metrics: versions of wandb and Python,
# and how long its calls took. mlflow asks for config.mlflow-telemetry.io. Neither prints a word about it.
# Seen with: wandb 0.31.0, mlflow-skinny 3.17.2 (sqlalchemy 2.1.9, alembic 1.20.1), python 3.11, Linux
# x86-64, without a way to the hosts that are asked for: one connection to port 53 in each of five runs.
# Way out: WANDB_ERROR_REPORTING=false and MLFLOW_DISABLE_TELEMETRY=true, set before the packages are
# loaded, each for its own package: no connection in any of five runs.
# Needs: python3 with venv, strace that may trace (else it says so and ends with 0). Downloads some 40 MB
# into a temporary folder.
set -euo pipefail

if ! strace -qq -o /dev/null true 2>/dev/null; then
  printf 'not tried: needs strace, and leave to trace\n'
  exit 0
fi
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: \
  wandb==0.31.0 mlflow-skinny==3.17.2 sqlalchemy==2.1.9 alembic==1.20.1

fail() {
  printf 'changed: %s\n' "$*" >&2
  exit 1
}

cat >"$work/wandb.txt" <<'PY'
import wandb

with wandb.init(project="tiny", mode="offline") as run:
    run.log({"loss": 1.0})
print("wandb", wandb.__version__)
PY
cat >"$work/mlflow.txt" <<'PY'
import mlflow

mlflow.set_tracking_uri("sqlite:///tiny.db")
with mlflow.start_run():
    mlflow.log_metric("loss", 1.0)
print("mlflow", mlflow.__version__)
PY

# trace PACKAGE [NAME=VALUE] logs a run in a folder of its own, with nothing else in its environment: in one
# that looks like continuous integration mlflow is silent. Sets `version`, `port53` (connections to a DNS
# server) and `attempts` (all that go to an internet address, or to systemd's resolver by its socket).
trace() {
  local package="$1" folder
  shift
  folder="$(mktemp -d "$work/run.XXXXXX")"
  (cd "$folder" && env -i PATH="$PATH" HOME="$folder" TMPDIR="$folder" "$@" \
    strace -f -qq -e trace=connect,sendto,sendmmsg -o "$folder/calls" \
    "$work/venv/bin/python" "$work/$package.txt" >"$folder/out" 2>"$folder/errors") ||
    fail "expected $package to log a run, found: $(tail -n 2 "$folder/errors")"
  [[ -s "$folder/calls" ]] || fail "expected calls of $package in strace's record, found none"
  version="$(grep "^$package " "$folder/out")"
  port53="$(grep -c 'htons(53)' "$folder/calls" || true)"
  attempts="$(grep -cE 'sa_family=AF_INET6?,|io\.systemd\.Resolve' "$folder/calls" || true)"
}

for way_out in wandb:WANDB_ERROR_REPORTING=false mlflow:MLFLOW_DISABLE_TELEMETRY=true; do
  package="${way_out%%:*}" variable="${way_out#*:}"
  trace "$package"
  [[ "$attempts" -ge 1 ]] || fail "expected $version to go to the network as it comes, found no attempt"
  as_it_comes="connections: $attempts, to port 53: $port53"
  trace "$package" "$variable"
  [[ "$attempts" == 0 ]] || fail "expected no attempt of $version with $variable, found $attempts"
  printf 'as described: %s as it comes, %s; with %s, connections: %s\n' \
    "$version" "$as_it_comes" "$variable" "$attempts"
done
