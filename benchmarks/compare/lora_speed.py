#!/usr/bin/env python3
"""LoRA training, side by side: an adapter and all weights trained by `xkde_dist`, and an adapter by PEFT with transformers'
Trainer, on the same rows with the same batch, threads, rank and layers (r 16, all linear layers of the blocks, bf16).

usage: lora_speed.py --model DIR --data PATH [--binary xkde_dist] [--test es fr de] [--records 8] [--rounds 3]
One epoch over records x languages x {src, rephrase, loc}, sides in turn. Prints one JSON line: samples a second of each
side (medians over the rounds), how many times faster our adapter is, and the peak resident set above what the process
had before its model was built, and the ratios of those. The first step of a side is not timed, nor are start-up and
model loading. PEFT runs in a process of its own each time; requirements.txt names the versions.
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
import compare_train

RANK, ALPHA = 16, 32
SIDES = ("xkde_lora", "xkde_full", "peft")


def resident_bytes():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class PlainSide:
    """What compare_train's samples_of() needs of a side, without its model."""

    def __init__(self, model):
        import transformers
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(model)

    encode = compare_train.HuggingFaceSide.encode


def train_with_peft(options, out):
    """A child's whole life: one epoch with the Trainer; writes what it measured to `out`."""
    import peft
    import torch
    import transformers
    torch.set_num_threads(options.threads)
    side = PlainSide(options.model)
    rows = [{"input_ids": prompt + target, "attention_mask": [1] * len(prompt + target),
             "labels": [-100] * len(prompt) + target}
            for prompt, target in compare_train.samples_of(options, side)]
    before = resident_bytes()
    model = common.load_model(options.model, torch.bfloat16)
    model = peft.get_peft_model(model, peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear",
                                                       task_type="CAUSAL_LM"))
    ends = []

    class Watch(transformers.TrainerCallback):
        def on_step_end(self, *_arguments, **_more):
            ends.append(time.perf_counter())

    if side.tokenizer.pad_token is None:
        side.tokenizer.pad_token = side.tokenizer.eos_token
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder, per_device_train_batch_size=compare_train.BATCH, num_train_epochs=1,
            learning_rate=options.learning_rate, lr_scheduler_type="cosine", bf16=True, use_cpu=True, save_strategy="no",
            logging_strategy="no", report_to=[], disable_tqdm=True, seed=42, data_seed=42,
            weight_decay=compare_train.WEIGHT_DECAY, max_grad_norm=compare_train.MAX_NORM)
        transformers.Trainer(model=model, args=arguments, train_dataset=rows, callbacks=[Watch()],
                             data_collator=transformers.DataCollatorForSeq2Seq(side.tokenizer)).train()
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = {"samples": len(rows) - compare_train.BATCH, "seconds": ends[-1] - ends[0], "peak": peak - before}
    pathlib.Path(out).write_text(json.dumps(result), encoding="utf-8")


def run_peft():
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/peft.json"
        done = subprocess.run([sys.executable, *sys.argv, "--peft-child", out], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"PEFT: exit code {done.returncode}\n{done.stderr[-2000:]}")
        return json.loads(pathlib.Path(out).read_text(encoding="utf-8"))


def run_ours(product, recipe, num_samples):
    folder, path = product.run(recipe)
    steps = common.json_lines(next(path.glob("*-sft")) / "metrics.jsonl")
    folder.cleanup()
    return {"samples": num_samples - compare_train.BATCH, "seconds": sum(s["step_seconds"] for s in steps[1:]),
            "peak": steps[-1]["peak_bytes"] - steps[-1]["baseline_bytes"]}


def report_of(results):
    speed = {side: statistics.median(r["samples"] / r["seconds"] for r in rounds) for side, rounds in results.items()}
    peak = {side: statistics.median(r["peak"] for r in rounds) for side, rounds in results.items()}
    report = {f"{side}_samples_per_second": round(value, 3) for side, value in speed.items()}
    report |= {f"{side}_peak_bytes": int(value) for side, value in peak.items()}
    report |= {f"{side}_seconds": [round(r["seconds"], 3) for r in rounds] for side, rounds in results.items()}
    for side in ("xkde_full", "peft"):
        if side in speed and "xkde_lora" in speed:
            report[f"times_faster_than_{side}"] = round(speed["xkde_lora"] / speed[side], 3)
            report[f"share_of_the_memory_of_{side}"] = round(peak["xkde_lora"] / peak[side], 3)
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_common_arguments(parser)
    parser.add_argument("--test", nargs="+", default=["es", "fr", "de"], help="test languages")
    parser.add_argument("--records", type=int, default=8, help="rows of each language")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--token-tree", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=SIDES)
    parser.add_argument("--peft-child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    common.check_arguments(options)
    if options.peft_child:
        return train_with_peft(options, options.peft_child)
    product = common.product_of(options)
    if product is None and options.sides != ["peft"]:
        parser.error("--binary: expected it unless --sides is peft, found none")
    samples = len(compare_train.samples_of(options, PlainSide(options.model)))
    if samples <= compare_train.BATCH:
        parser.error(f"--records: expected more than one step of {compare_train.BATCH} samples, found {samples}")
    full = compare_train.recipe_for(options, "bfloat16", samples)
    adapter = json.loads(json.dumps(full))
    adapter["stages"][1]["sft"]["lora"] = {"r": RANK, "alpha": ALPHA, "target_modules": ["all-linear"]}
    runs = {"xkde_lora": lambda: run_ours(product, adapter, samples),
            "xkde_full": lambda: run_ours(product, full, samples), "peft": run_peft}
    results = common.alternate(options.rounds, {side: runs[side] for side in options.sides})
    report = {"case": f"lora r {RANK} {options.edit}->{','.join(options.test)}", "dtype": "bfloat16",
              "threads": options.threads, "ranks": options.ranks, "rounds": options.rounds, "samples": samples}
    print(json.dumps(report | report_of(results)), flush=True)
    return None


if __name__ == "__main__":
    main()
