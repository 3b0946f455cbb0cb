#!/usr/bin/env python3
"""LoRA training, side by side: an adapter and all weights trained by `xkde_dist`, and an adapter by PEFT with transformers'
Trainer, on the same rows with the same batch, threads, rank, dtype and layers (r 16, all linear layers of the blocks).

usage: lora_speed.py --model DIR --data PATH --binary xkde_dist [--test es fr de] [--records 8] [--batch 8]
       [--rounds 3] [--dtype bfloat16]
One epoch over records x languages x {src, rephrase, loc}, sides in turn. Prints one JSON line: samples a second of each
side (medians over the rounds), its peak resident set above what the process had before its model was built, and how many
times faster our adapter is than the other two (`speed`) with what share of their memory (`memory`). The first step of a
side is not timed, nor are start-up and model loading. PEFT runs in a process of its own each time, whose first and last
losses stand beside ours: the order of samples differs. requirements.txt names the versions.
"""
import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import common
import training

RANK, ALPHA = 16, 32
SIDES = ("xkde_lora", "xkde_full", "peft")


def resident_bytes():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def train_with_peft(options, out):
    """A child's whole life: one epoch with the Trainer; writes what it measured to `out`."""
    import peft
    import torch
    import transformers
    torch.set_num_threads(options.threads)
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    rows = [{"input_ids": prompt + target, "attention_mask": [1] * len(prompt + target),
             "labels": [-100] * len(prompt) + target} for prompt, target in training.samples_of(options, tokenizer)]
    before = resident_bytes()
    dtype = options.dtype[0]
    model = common.load_model(options.model, getattr(torch, dtype))
    model = peft.get_peft_model(model, peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear",
                                                       task_type="CAUSAL_LM"))
    ends, losses = [], []

    class Watch(transformers.TrainerCallback):
        def on_step_end(self, *_arguments, **_more):
            ends.append(time.perf_counter())

        def on_log(self, _arguments, _state, _control, logs=None, **_more):
            losses.extend([logs["loss"]] if "loss" in (logs or {}) else [])

    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder, per_device_train_batch_size=options.batch, num_train_epochs=1,
            learning_rate=options.learning_rate, lr_scheduler_type="cosine", bf16=dtype == "bfloat16", use_cpu=True, save_strategy="no",
            logging_steps=1, report_to=[], disable_tqdm=True, seed=42, data_seed=42,
            weight_decay=training.WEIGHT_DECAY, max_grad_norm=training.MAX_NORM)
        transformers.Trainer(model=model, args=arguments, train_dataset=rows, callbacks=[Watch()],
                             data_collator=transformers.DataCollatorForSeq2Seq(tokenizer)).train()
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = {"samples": len(rows) - options.batch, "seconds": ends[-1] - ends[0], "losses": losses, "peak": peak,
              "baseline": before}
    pathlib.Path(out).write_text(json.dumps(result), encoding="utf-8")


def run_peft():
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/peft.json"
        done = subprocess.run([sys.executable, *sys.argv, "--peft-child", out], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"PEFT: exit code {done.returncode}\n{done.stderr[-2000:]}")
        return json.loads(pathlib.Path(out).read_text(encoding="utf-8"))


def report_of(results):
    speed = {side: statistics.median(r["samples"] / r["seconds"] for r in rounds) for side, rounds in results.items()}
    peak = {side: statistics.median(r["peak"] - r["baseline"] for r in rounds) for side, rounds in results.items()}
    report = {}
    for side, rounds in results.items():
        losses = rounds[-1]["losses"]
        report[side] = {"samples_per_second": round(speed[side], 3), "seconds": [round(r["seconds"], 3) for r in rounds],
                        "peak_bytes": int(peak[side]), "losses": [round(losses[0], 4), round(losses[-1], 4)]}
    if "xkde_lora" in results:
        others = [side for side in results if side != "xkde_lora"]
        report["speed"] = {f"lora : {side}": round(speed["xkde_lora"] / speed[side], 3) for side in others}
        report["memory"] = {f"lora : {side}": round(peak["xkde_lora"] / peak[side], 3) for side in others}
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    training.add_arguments(parser, records=8)
    parser.set_defaults(dtype=["bfloat16"])
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=SIDES)
    parser.add_argument("--peft-child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    common.check_arguments(options)
    if len(options.dtype) != 1:
        parser.error(f"--dtype: expected one, found {' '.join(options.dtype)}")
    dtype = options.dtype[0]
    if options.peft_child:
        return train_with_peft(options, options.peft_child)
    product = common.product_of(options)
    if product is None and options.sides != ["peft"]:
        parser.error("--binary: expected it unless --sides is peft, found none")
    import transformers
    samples = len(training.samples_of(options, transformers.AutoTokenizer.from_pretrained(options.model)))
    lora = {"r": RANK, "alpha": ALPHA, "target_modules": ["all-linear"]}
    runs = {"xkde_lora": lambda: training.run(product, training.recipe_for(options, dtype, samples, {"lora": lora})),
            "xkde_full": lambda: training.run(product, training.recipe_for(options, dtype, samples, {})), "peft": run_peft}
    results = common.alternate(options.rounds, {side: runs[side] for side in options.sides})
    report = {"case": f"lora r {RANK} {options.edit}->{','.join(options.test)}", "dtype": dtype,
              "threads": options.threads, "ranks": options.ranks, "rounds": options.rounds, "batch": options.batch, "samples": samples}
    print(json.dumps(report | report_of(results)), flush=True)
    return None


if __name__ == "__main__":
    main()
