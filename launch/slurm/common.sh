# shellcheck shell=bash
# What the scripts of this folder share. Each sets RESTARTS and CHECKOUT, reads this file and ends with run_recipe.
set -euo pipefail

# Of an installation (CHECKOUT is its share/xkde_dist) or of a checkout.
program="$CHECKOUT/../../bin/xkde_dist"
[[ -x "$program" && ! -e "$CHECKOUT/CMakeLists.txt" ]] || program="$CHECKOUT/build/release/launch/xkde_dist"
program="${XKDE_PROGRAM:-$program}"

say() { printf '[slurm] %s\n' "$*" >&2; }

# fail CODE TEXT: one line, then the end of the job.
fail() {
  local code="$1"
  shift
  printf '%s: %s\n' "${SLURM_JOB_NAME:-launch/slurm}" "$*" >&2
  exit "$code"
}

[[ -n "${SLURM_JOB_ID:-}" ]] || fail 64 "expected to run as a job, found none; submit it: sbatch launch/slurm/train.sbatch"
# Its own name: one element of an array has the number of the whole array as its SLURM_JOB_ID.
job="${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID:-}}"
job="${job:-$SLURM_JOB_ID}"
restart="${SLURM_RESTART_COUNT:-0}"
ranks="${SLURM_NTASKS:-1}"

# take_words WORD...: parts the words behind the script's name into `recipes` and `overrides`.
take_words() {
  local word
  recipes=()
  overrides=()
  for word in "$@"; do
    case "$word" in
      -*) fail 64 "expected options of sbatch before the script's name, found $word behind it" ;;
      *=*) overrides+=("$word") ;;
      *) recipes+=("$word") ;;
    esac
  done
}

# take_recipe DEFAULT WORD...: the same for one recipe, the first word if none is named.
take_recipe() {
  local default="$1"
  shift
  take_words "$@"
  ((${#recipes[@]} > 0)) || recipes=("$default")
  ((${#recipes[@]} == 1)) || fail 64 "expected one recipe, found ${recipes[0]} and ${recipes[1]}"
  recipe="${recipes[0]}"
}

# Open MPI's programs find each other through PMIx. An srun without it would start each rank as a run of its own.
choose_launcher() {
  launcher="${XKDE_LAUNCHER:-}"
  case "$launcher" in
    srun | mpirun) return ;;
    "") ;;
    *) fail 64 "XKDE_LAUNCHER: expected srun or mpirun, found '$launcher'" ;;
  esac
  local plugins
  plugins="$(srun --mpi=list 2>&1 || true)"
  if [[ "$plugins" == *pmix* ]]; then
    launcher=srun
  elif command -v mpirun >/dev/null; then
    launcher=mpirun
    say "srun has no pmix (srun --mpi=list), so mpirun starts the ranks"
  else
    fail 69 "expected an srun with pmix or an mpirun, found neither"
  fi
}

# launch COMMAND...: starts `ranks` ranks in the background; `ranks_pid` is what passes signals on to them.
launch() {
  local flags
  # Every rank shall see all GPUs of the job on its node: it takes the one of its number there. Asked for by task, they
  # would be handed out one to a rank. (--gpu-bind=none isn't the way: it shows a rank the GPUs of other jobs, too.)
  unset SLURM_GPUS_PER_TASK SLURM_TRES_PER_TASK
  if [[ "$launcher" == srun ]]; then
    # A rank that ends leaves the others a minute to end with their own code.
    flags=(--mpi=pmix --ntasks="$ranks" --export=ALL --input=none --kill-on-bad-exit=0 --wait=60)
    # srun does not ask again for what sbatch was asked.
    [[ -z "${SLURM_CPUS_PER_TASK:-}" ]] || flags+=(--cpus-per-task="$SLURM_CPUS_PER_TASK")
    ((ranks >= ${SLURM_NNODES:-1})) || flags+=(--nodes="$ranks")
    srun "${flags[@]}" "$@" &
  else
    flags=(-n "$ranks" --bind-to none)
    ((EUID != 0)) || flags+=(--allow-run-as-root)
    mpirun "${flags[@]}" "$@" </dev/null &
  fi
  ranks_pid=$!
}

# SLURM wants the node back: the ranks hear SIGUSR1, which stops a run after its step. (mpirun answers SIGTERM by killing them.)
stop() {
  interrupted=yes
  if [[ "$stops" == no ]]; then
    stops=yes
    say "SIG$1: the run stops after this step, with a checkpoint"
  fi
  [[ -z "$ranks_pid" ]] || kill -USR1 "$ranks_pid" 2>/dev/null || true
}

# A job that SLURM is ending already was cancelled, unless its time was up before it could be stopped.
is_cancelled() {
  local state
  state="$(scontrol --oneliner show job "$job" 2>/dev/null || true)"
  [[ "$state" == *JobState=COMPLETING* || "$state" == *JobState=CANCELLED* ]] && [[ "$state" != *Reason=TimeLimit* ]]
}

# The end of a job whose run can go on.
requeue() {
  local again="the same sbatch goes on from there"
  if is_cancelled; then
    say "job $job: cancelled, so it is not requeued; $again"
  elif ((restart >= RESTARTS)); then
    say "job $job: RESTARTS=$RESTARTS is used up, so it is not requeued; $again"
  elif scontrol requeue "$job" >&2; then
    say "job $job: requeued, restart $((restart + 1)) of at most $RESTARTS"
  else
    say "job $job: scontrol requeue failed; $again"
  fi
  exit 75
}

# run_recipe: runs `recipe` with `overrides` on `ranks` ranks and ends the job with the program's code, 75 after a requeue.
run_recipe() {
  local code
  [[ "$RESTARTS" =~ ^[0-9]+$ ]] || fail 64 "RESTARTS: expected a number, found '$RESTARTS'"
  [[ -x "$program" ]] || fail 69 "$program: expected the program, found none; build it: $CHECKOUT/launch/run.sh --setup"
  [[ -f "$recipe" ]] || fail 66 "$recipe: no such recipe in $PWD"
  choose_launcher
  [[ -z "${SLURM_CPUS_PER_TASK:-}" ]] || export OMP_NUM_THREADS="$SLURM_CPUS_PER_TASK"
  say "job $job, restart $restart: $ranks ranks by $launcher on ${SLURM_JOB_NODELIST:-this node}: $recipe${overrides[*]:+ ${overrides[*]}}"

  ranks_pid=""
  stops=no
  trap 'stop USR1' USR1
  trap 'stop TERM' TERM
  launch "$program" "$recipe" "${overrides[@]}"
  [[ "$stops" == no ]] || kill -USR1 "$ranks_pid" 2>/dev/null || true
  while :; do
    interrupted=no
    if wait "$ranks_pid"; then code=0; else code=$?; fi
    [[ "$interrupted" == yes ]] || break
  done
  trap '' USR1 TERM

  # 138: the signal came before the ranks could hear it, so there was nothing to save yet.
  if ((code == 75)) || [[ "$stops$code" == yes138 ]]; then requeue; fi
  ((code == 0)) || say "job $job: ended with $code"
  exit "$code"
}
