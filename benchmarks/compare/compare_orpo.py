#!/usr/bin/env python3
"""ORPO steps, side by side: TRL's ORPOTrainer against `xkde_dist`'s orpo stage on the same pairs, batch, dtype and
threads, one process each.

usage: compare_orpo.py --model DIR --data PATH [--binary xkde_dist] [--case independent groups] [--batch 22] [--steps 2]
Prints one JSON line a case; a sample is a pair. Cases: `independent` (every pair has a prompt of its own) and `groups`
(five distinct answers and the gold one to a prompt: 11 pairs, as protocol 5.3 makes them). Steps are timed without the
first one, start-up, tokenisation and model loading. --micro-batch: pairs of a forward pass of TRL.
"""
import argparse
import json
import os
import pathlib
import time

import common

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
TEST = "es"


def make_pairs(options, case):
    """Prompts of the data; an answer that a model might give is the answer to another row."""
    from transformers import AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    rows = common.load_rows(options.data, "en", TEST, 10**9)
    wanted = options.batch * (options.steps + 1)
    pairs = []
    for number, (_, edit_side, side) in enumerate(rows * 4):
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": common.edit_prompt(edit_side, side["rephrase"], TEST)}],
            add_generation_prompt=True, tokenize=False)
        others, at = [], number
        while len(others) < 5:
            at += 7
            text = rows[at % len(rows)][2]["alt"]
            if text not in others and text != side["alt"]:
                others.append(text)
        if case == "independent":
            pairs.append((prompt, side["alt"], others[0]))
        else:
            pairs += [(prompt, others[i], others[j]) for i in range(5) for j in range(i + 1, 5)]
            pairs.append((prompt, side["alt"], others[0]))
        if len(pairs) >= wanted:
            break
    return [dict(prompt=p, chosen=c, rejected=r) for p, c, r in pairs[:wanted]]


class TrlSide:
    def __init__(self, options, dtype, pairs):
        self.options, self.dtype, self.pairs = options, dtype, pairs

    def timed(self):
        import datasets
        import torch
        from transformers import AutoTokenizer, TrainerCallback
        from trl.experimental.orpo import ORPOConfig, ORPOTrainer
        torch.set_num_threads(self.options.threads)
        datasets.disable_progress_bars()
        options, ends = self.options, []

        class Clock(TrainerCallback):
            def on_step_end(self, *_, **__):
                ends.append(time.perf_counter())

        config = ORPOConfig(output_dir=f"{options.work}/compare_orpo_trl", max_steps=options.steps + 1,
                            per_device_train_batch_size=options.micro_batch,
                            gradient_accumulation_steps=options.batch // options.micro_batch, learning_rate=1e-6,
                            beta=0.1, max_length=512, report_to=[], save_strategy="no", use_cpu=True,
                            bf16=self.dtype == "bfloat16", gradient_checkpointing=False, disable_tqdm=True,
                            dataloader_num_workers=0, logging_strategy="no")
        trainer = ORPOTrainer(model=common.load_model(options.model, torch.float32), args=config,
                              processing_class=AutoTokenizer.from_pretrained(options.model),
                              train_dataset=datasets.Dataset.from_list(self.pairs), callbacks=[Clock()])
        trainer.train()
        return options.batch * options.steps, ends[-1] - ends[0]


class ProductSide:
    def __init__(self, options, dtype, pairs):
        self.options, self.product = options, common.product_of(options)
        file = pathlib.Path(options.work) / "compare_orpo_pairs.jsonl"
        file.write_text("".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs), encoding="utf-8")
        orpo = {"pairs": str(file), "global_batch_size": options.batch, "max_steps": options.steps + 1,
                "eval_steps": 0, "save_steps": 0}
        self.recipe = common.base_recipe(options, dtype) | {"stages": [{"orpo": orpo}]}

    def timed(self):
        folder, path = self.product.run(self.recipe)
        steps = common.json_lines(next(path.glob("01-*")) / "metrics.jsonl")[1:]
        folder.cleanup()
        return sum(s["samples"] for s in steps), sum(s["step_seconds"] for s in steps)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_common_arguments(parser)
    parser.add_argument("--case", nargs="+", default=["independent", "groups"], choices=["independent", "groups"])
    parser.add_argument("--batch", type=int, default=22, help="pairs of a step")
    parser.add_argument("--micro-batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--work", default="/tmp", help="folder for temporary files")
    options = parser.parse_args()
    common.check_arguments(options)
    for dtype in options.dtype:
        for case in options.case:
            pairs = make_pairs(options, case)
            sides = {"hf": TrlSide(options, dtype, pairs).timed}
            if options.binary:
                sides["xkde"] = ProductSide(options, dtype, pairs).timed
            results = common.alternate(options.rounds, sides)
            report = {"case": f"orpo {case}", "dtype": dtype, "threads": options.threads, "rounds": options.rounds,
                      "batch": options.batch, "trl_micro_batch": options.micro_batch, "steps": options.steps}
            print(json.dumps(report | common.speed_report(results)), flush=True)


if __name__ == "__main__":
    main()
