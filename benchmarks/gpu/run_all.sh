#!/usr/bin/env bash
# Everything of this project that needs a GPU: checks first, then figures, one JSON line each.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: run_all.sh BUNDLE_FOLDER RESULTS_FOLDER [--checks | --figures]

On a machine with an NVIDIA GPU and a Python with torch 2.11.0+cu130, without network: unpacks the
bundle of make_bundle.sh (whose parts may lie in the folder, or already be unpacked in
BUNDLE_FOLDER/unpacked), runs all checks and, if they pass, all figures.
  RESULTS_FOLDER/results.jsonl   one object a check or case: device, commit, seconds, exit code
  RESULTS_FOLDER/<name>.log      what a check or case printed

Environment:
  XKDE_PYTHON     the Python that holds torch (default python3)
  XKDE_CASE_S     time limit of a check or case in seconds (default 240)
  XKDE_QUICK      1: cuts the models of the figures to 4 blocks

Exit codes: 0 done, 1 a check or case failed, 64 bad arguments, 65 a damaged bundle, 69 no GPU, torch or
bundle.
HELP
}

fail() {
  local code="$1"
  shift
  printf 'run_all.sh: %s\n' "$*" >&2
  exit "$code"
}

need_gpu() {
  command -v nvidia-smi >/dev/null || fail 69 "skipped: no nvidia-smi, so no NVIDIA GPU"
  device="$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1)" ||
    fail 69 "skipped: nvidia-smi finds no GPU"
  [[ -n "$device" ]] || fail 69 "skipped: nvidia-smi finds no GPU"
  gpus="$(nvidia-smi --list-gpus | wc -l)"
}

# Parts that came in several transfers lie side by side by now.
unpack() {
  local name
  unpacked="$bundle/unpacked"
  [[ -e "$unpacked/COMMIT" ]] && return
  compgen -G "$bundle/programs.tar.xz.part-*" >/dev/null || fail 69 "$bundle: no programs.tar.xz.part-*"
  (cd "$bundle" && sha256sum --quiet --check SHA256SUMS) || fail 65 "$bundle: damaged or missing parts"
  mkdir -p "$unpacked"
  for name in nccl programs; do
    if compgen -G "$bundle/$name.tar.xz.part-*" >/dev/null; then
      cat "$bundle/$name".tar.xz.part-* | tar -C "$unpacked" -xJ
    fi
  done
}

set_up_libraries() {
  local torch site
  torch="$("$python" -c 'import os, torch; print(os.path.dirname(torch.__file__))' 2>/dev/null)" ||
    fail 69 "skipped: $python has no torch"
  [[ "$("$python" -c 'import torch; print(torch.__version__)')" == 2.11.0+cu130 ]] ||
    fail 69 "skipped: expected torch 2.11.0+cu130 in $python"
  site="$(dirname "$torch")"
  torch_nccl="$site/nvidia/nccl/lib"
  libraries="$unpacked/lib:$torch/lib:$site/nvidia/cu13/lib:$site/nvidia/cudnn/lib:$site/nvidia/nvshmem/lib"
  libraries+=":$site/nvidia/cusparselt/lib"
  # Tests know their files by the folder they were built in.
  source_folder="$(cat "$unpacked/SOURCE_FOLDER")"
  if [[ ! -e "$source_folder" ]]; then
    if ! mkdir -p "$(dirname "$source_folder")" || ! ln -s "$unpacked/source" "$source_folder"; then
      fail 69 "cannot make $source_folder, where tests look for tests/golden"
    fi
  fi
}

# run NAME NCCL RANKS PROGRAM ARGUMENTS...: NCCL is the folder of its library.
run() {
  local name="$1" nccl="$2" ranks="$3" program="$4" began rc=0
  shift 4
  began="$(date +%s.%N)"
  env LD_LIBRARY_PATH="$nccl:$libraries" OPAL_PREFIX="$unpacked/openmpi" OMP_NUM_THREADS=1 \
    OMPI_MCA_mca_base_component_path="$unpacked/openmpi/lib/openmpi3" \
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    timeout "${XKDE_CASE_S:-240}" "$unpacked/openmpi/bin/mpirun" --oversubscribe --bind-to none \
    --mca plm isolated --mca btl self,vader --mca pml ob1 -x LD_LIBRARY_PATH -n "$ranks" \
    "$unpacked/bin/$program" "$@" >"$results/$name.log" 2>&1 || rc=$?
  "$python" - "$name" "$rc" "$began" "$device" "$commit" "$results/$name.log" <<'PYTHON' | tee -a "$results/results.jsonl"
import json, sys, time
name, rc, began, device, commit, log = sys.argv[1:]
line = {"name": name, "exit_code": int(rc), "seconds": round(time.time() - float(began), 2),
        "device": device, "commit": commit}
text = open(log, errors="replace").read().splitlines()
for printed in text:
    if printed.startswith("{"):
        line.update(json.loads(printed) | {"device": device, "commit": commit})
skipped = [t for t in text if "[  SKIPPED ]" in t and " ms)" in t]
passed = [t for t in text if "[       OK ]" in t]
if passed or skipped:
    line.update(tests_passed=len(passed), tests_skipped=len(skipped))
print(json.dumps(line))
PYTHON
  if ((rc != 0)); then
    failures=$((failures + 1))
    tail -n 20 "$results/$name.log" >&2
  fi
}

# A check that skips all it has says nothing: without a word for the GPU, it counts as failed.
run_checks() {
  run tree_attention "$torch_nccl" 1 tree_attention_test
  run adamw "$torch_nccl" 1 adamw_test
  run adamw_device "$torch_nccl" 1 adamw_device_test
  run decoder_golden "$torch_nccl" 1 decoder_test
  run golden_training "$torch_nccl" 1 golden_training_test
  run sharded_model "$torch_nccl" 1 sharded_model_test
  run nccl_1_rank "$torch_nccl" 1 nccl_communicator_test
  run gpu_training_1_rank "$torch_nccl" 1 gpu_training_test
  if ((gpus >= 2)); then
    run nccl_2_ranks "$torch_nccl" 2 nccl_communicator_test
    run gpu_training_2_ranks "$torch_nccl" 2 gpu_training_test
  elif [[ -e "$unpacked/nccl/libnccl.so.2" ]]; then
    export NCCL_MULTI_RANK_GPU_ENABLE=1
    run nccl_2_ranks_1_gpu "$unpacked/nccl" 2 nccl_communicator_test
    run gpu_training_2_ranks_1_gpu "$unpacked/nccl" 2 gpu_training_test
    unset NCCL_MULTI_RANK_GPU_ENABLE
  else
    printf '{"name": "nccl_2_ranks", "skipped": "one GPU, and no NCCL 2.30 in the bundle"}\n' |
      tee -a "$results/results.jsonl"
  fi
  run_program_checks
  if grep -l "SKIPPED.*\(OnAGpu\|GpuTraining\|CommunicatorSuite\)" "$results"/*.log; then
    failures=$((failures + 1))
    printf 'run_all.sh: the checks above skipped their GPU part\n' >&2
  fi
}

# The program itself on a tiny random model: NCCL and a GPU against MPI and the CPU.
run_program_checks() {
  local tiny="$results/tiny" backend
  "$python" - "$unpacked/source/tests/launch" "$tiny" <<'PYTHON'
import sys
sys.path.insert(0, sys.argv[1])
import tiny_run
root = sys.argv[2]
tiny_run.write_model(f"{root}/model")
tiny_run.write_edits(f"{root}/edits_enes.json", 20)
with open(f"{root}/recipe.yaml", "w") as file:
    file.write(tiny_run.RECIPE.format(out=f"{root}/out", root=root))
PYTHON
  program_check() {
    local name="$1" nccl="$2" ranks="$3"
    shift 3
    run "program_$name" "$nccl" "$ranks" xkde_dist "$tiny/recipe.yaml" "output_dir=$tiny/$name" \
      "export.path=$tiny/$name/hf" "$@"
  }
  program_check mpi "$torch_nccl" 1 parallel.backend=mpi
  program_check nccl "$torch_nccl" 1 parallel.backend=nccl
  program_check nccl_bf16 "$torch_nccl" 1 parallel.backend=nccl model.dtype=bfloat16
  program_check nccl_offload "$torch_nccl" 1 parallel.backend=nccl parallel.offload_optimizer=true
  program_check nccl_full "$torch_nccl" 1 parallel.backend=nccl parallel.shard=full parallel.recompute=block
  backend=(nccl nccl_offload nccl_full)
  if ((gpus >= 2)); then
    program_check nccl_2_ranks "$torch_nccl" 2 parallel.backend=nccl parallel.shard=full
    backend+=(nccl_2_ranks)
  elif [[ -e "$unpacked/nccl/libnccl.so.2" ]]; then
    export NCCL_MULTI_RANK_GPU_ENABLE=1
    program_check nccl_2_ranks "$unpacked/nccl" 2 parallel.backend=nccl parallel.shard=full
    unset NCCL_MULTI_RANK_GPU_ENABLE
    backend+=(nccl_2_ranks)
  fi
  "$python" - "$tiny" "${backend[@]}" <<'PYTHON' | tee -a "$results/results.jsonl" || failures=$((failures + 1))
import json, sys
root, names = sys.argv[1], sys.argv[2:]
def losses(name):
    with open(f"{root}/{name}/02-sft/metrics.jsonl") as file:
        return [json.loads(line)["loss"] for line in file]
reference = losses("mpi")
worst = {name: max(abs(a - b) for a, b in zip(losses(name), reference, strict=True)) for name in names}
print(json.dumps({"name": "program_losses", "worst_difference": worst}))
sys.exit(any(value > 1e-4 for value in worst.values()))
PYTHON
}

figure() {
  local name="$1"
  shift
  run "engine_$name" "$torch_nccl" 1 engine_bench --device cuda --commit "$commit" "${cut[@]}" "$@"
}

run_figures() {
  cut=()
  if [[ "${XKDE_QUICK:-0}" == 1 ]]; then cut=(--layers 4); fi
  local tokens
  for tokens in 1024 4096 16384; do
    figure "smollm2_$tokens" --shape smollm2-135m --tokens "$tokens" --steps 10
    figure "qwen2.5_1.5b_$tokens" --shape qwen2.5-1.5b --tokens "$tokens" --steps 10
  done
  figure qwen2.5_1.5b_block --shape qwen2.5-1.5b --tokens 16384 --recompute block --steps 10
  figure qwen2.5_1.5b_tree --shape qwen2.5-1.5b --tokens 4096 --sequence 160 --shared 128 --steps 10
  figure qwen2.5_1.5b_fp32 --shape qwen2.5-1.5b --tokens 4096 --dtype fp32 --steps 5
  # 16 bytes a parameter: a whole 7B model needs more than one GPU has.
  figure qwen2.5_7b_8_blocks --shape qwen2.5-7b --tokens 8192 --layers 8 --steps 5
  figure llama2_7b_8_blocks --shape llama2-7b --tokens 8192 --layers 8 --steps 5
  if [[ -e "$unpacked/nccl/libnccl.so.2" ]]; then
    export NCCL_MULTI_RANK_GPU_ENABLE=1
    local shard
    for shard in grads full; do
      run "engine_2_ranks_$shard" "$unpacked/nccl" 2 engine_bench --device cuda --commit "$commit" \
        --shape smollm2-135m --tokens 4096 --shard "$shard" --recompute block --steps 10
    done
    unset NCCL_MULTI_RANK_GPU_ENABLE
  fi
}

if (($# >= 1)) && [[ "$1" == "-h" || "$1" == "--help" ]]; then
  usage
  exit 0
fi
(($# == 2 || $# == 3)) || fail 64 "expected BUNDLE_FOLDER RESULTS_FOLDER (see --help)"
part="${3:-all}"
[[ "$part" =~ ^(all|--checks|--figures)$ ]] || fail 64 "unknown option $part (see --help)"
python="${XKDE_PYTHON:-python3}"
failures=0
need_gpu
[[ -d "$1" ]] || fail 69 "$1: no such folder"
bundle="$(realpath "$1")"
results="$(realpath -m "$2")"
mkdir -p "$results"
unpack
commit="$(cat "$unpacked/COMMIT")"
set_up_libraries
if [[ "$part" != --figures ]]; then run_checks; fi
if ((failures > 0)); then fail 1 "$failures checks failed; no figures of a program that is wrong"; fi
if [[ "$part" != --checks ]]; then run_figures; fi
((failures == 0)) || fail 1 "$failures cases failed"
