#!/usr/bin/env python3
"""What `optim: adamw_8bit` spares and costs: full tuning of one model on the same batches with either optimizer.

usage: optimizer_memory.py --binary xkde_dist --model MODEL --data DIR [--steps 200] [--batch 4] [--dtype bfloat16]
`shard: none` on one rank, rows of BMIKE-53 from DIR, English edits asked in Spanish and French. Two runs of --steps
save at the end only, two of 6 steps save every second one beside the next steps, with a copy of the state. Prints one
JSON line: `peak` is the largest resident set above what the process had before its model was built; `loss` the mean of
the last tenth of the steps; `difference` that of the two means, as a share of adamw's. Needs python3 only. Times are
not measured.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

OPTIMIZERS = ("adamw", "adamw_8bit")
SAVING_STEPS = 6


def recipe_for(options, optimizer, steps, save_steps):
    source = {"benchmark": "bmike53", "data": str(pathlib.Path(options.data).resolve()), "edit_languages": ["en"],
              "test_languages": ["es", "fr"]}
    sft = {"optim": optimizer, "global_batch_size": options.batch, "max_steps": steps, "save_steps": save_steps}
    return {"output_dir": "run", "seed": 42, "logging_steps": 50, "parallel": {"shard": "none", "threads": options.threads},
            "model": {"model_name_or_path": str(pathlib.Path(options.model).resolve()), "dtype": options.dtype},
            "stages": [{"build_data": {"sources": [source]}}, {"sft": sft}]}


def run(options, optimizer, steps, save_steps):
    """The losses and the peak of a run in a new folder."""
    with tempfile.TemporaryDirectory(prefix="xkde_optimizer_") as folder:
        path = pathlib.Path(folder)
        (path / "recipe.yaml").write_text(json.dumps(recipe_for(options, optimizer, steps, save_steps)), encoding="utf-8")
        command = [str(pathlib.Path(options.binary).resolve()), "recipe.yaml"]
        done = subprocess.run(command, cwd=path, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{optimizer}: exit code {done.returncode}\n{done.stderr[-2000:]}")
        with open(path / "run/02-sft/metrics.jsonl", encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
    peak = lines[-1]["peak_bytes"] - lines[-1]["baseline_bytes"]
    print(f"{optimizer}, {steps} steps, save_steps {save_steps}: peak {peak}, last loss {lines[-1]['loss']:.4f}", file=sys.stderr)
    return [line["loss"] for line in lines], peak


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="xkde_dist")
    parser.add_argument("--model", required=True, help="Hugging Face folder or GGUF file")
    parser.add_argument("--data", required=True, help="folder of BMIKE-53")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=4, help="samples of a step")
    parser.add_argument("--dtype", default="bfloat16", choices=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    trained = {name: run(options, name, options.steps, 0) for name in OPTIMIZERS}
    saving = {name: run(options, name, SAVING_STEPS, 2)[1] for name in OPTIMIZERS}
    tail = max(1, options.steps // 10)
    loss = {name: statistics.mean(losses[-tail:]) for name, (losses, _) in trained.items()}
    peak = {name: value for name, (_, value) in trained.items()}
    wide, narrow = OPTIMIZERS
    print(json.dumps({
        "case": "adamw_8bit : adamw", "dtype": options.dtype, "steps": options.steps, "batch": options.batch,
        "peak": peak, "ratio": round(peak[narrow] / peak[wide], 3),
        "peak_when_saving": saving, "ratio_when_saving": round(saving[narrow] / saving[wide], 3),
        "first_loss": {name: round(losses[0], 5) for name, (losses, _) in trained.items()},
        "loss": {name: round(value, 5) for name, value in loss.items()},
        "difference": round(loss[narrow] / loss[wide] - 1, 6)}))


if __name__ == "__main__":
    main()
