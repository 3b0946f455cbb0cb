#!/usr/bin/env python3
"""XE-IT training, side by side: a plain Hugging Face loop (padded batches, AdamW, cosine schedule) against `xkde_dist` on
the same rows in the same order, with the same batch, dtype and threads.

usage: compare_train.py --model DIR --data PATH [--binary xkde_dist] [--test es fr de] [--records 8] [--rounds 3]
One epoch over records x languages x {src, rephrase, loc}. Prints one JSON line a case. A sample is one question with its
answer; the first step of either side is not timed, nor are start-up and model loading. `loss_difference` is the largest
over the steps: both sides see the same batches.
"""
import argparse
import json
import math
import time

import common
import training
from training import BETAS, MAX_NORM, WEIGHT_DECAY


class HuggingFaceSide:
    """fp32 masters; with bfloat16 the forward and backward passes run under autocast."""

    def __init__(self, options, threads):
        import torch
        import transformers
        torch.set_num_threads(threads)
        self.torch, self.transformers = torch, transformers
        self.options = options
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
        self.model = common.load_model(options.model, torch.float32)
        self.start = {name: value.clone() for name, value in self.model.state_dict().items()}

    def padded(self, batch):
        torch = self.torch
        length = max(len(p) + len(t) for p, t in batch)
        ids = torch.full((len(batch), length), self.tokenizer.eos_token_id)
        labels = torch.full((len(batch), length), -100)
        mask = torch.zeros((len(batch), length), dtype=torch.long)
        for row, (prompt, target) in enumerate(batch):
            end = len(prompt) + len(target)
            ids[row, :end] = torch.tensor(prompt + target)
            labels[row, len(prompt):end] = torch.tensor(target)
            mask[row, :end] = 1
        return ids, labels, mask

    def timed(self, samples, dtype):
        torch = self.torch
        self.model.load_state_dict(self.start)
        self.model.train()
        size = self.options.batch
        steps = math.ceil(len(samples) / size)
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=self.options.learning_rate, betas=BETAS,
                                      weight_decay=WEIGHT_DECAY)
        schedule = self.transformers.get_cosine_schedule_with_warmup(optimizer, training.warmup_steps(steps), steps)
        order = common.data_order(42, 0, len(samples))
        self.losses, counted, seconds = [], 0, 0.0
        for step in range(steps):
            start = time.perf_counter()
            batch = [samples[i] for i in order[step * size:(step + 1) * size]]
            ids, labels, mask = self.padded(batch)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == "bfloat16"):
                loss = self.model(ids, attention_mask=mask, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_NORM)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            self.losses.append(loss.item())
            if step > 0:
                counted, seconds = counted + len(batch), seconds + time.perf_counter() - start
        return counted, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    training.add_arguments(parser, records=8)
    parser.add_argument("--token-tree", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    common.check_arguments(options)
    product = common.product_of(options)
    reference = HuggingFaceSide(options, options.threads)
    samples = training.samples_of(options, reference.tokenizer)
    for dtype in options.dtype:
        sides = {"hf": lambda: reference.timed(samples, dtype)}
        if product:
            recipe = training.recipe_for(options, dtype, len(samples), {"token_tree": options.token_tree})
            ours = {}

            def run_ours():
                ours.update(training.run(product, recipe))
                return ours["samples"], ours["seconds"]

            sides["xkde"] = run_ours
        results = common.alternate(options.rounds, sides)
        report = {"case": f"sft {options.edit}->{','.join(options.test)}", "dtype": dtype, "threads": options.threads,
                  "ranks": options.ranks, "rounds": options.rounds, "samples": len(samples),
                  "batch": options.batch,
                  "steps": len(reference.losses), "token_tree": options.token_tree}
        report |= common.speed_report(results)
        report["hf_losses"] = [round(loss, 6) for loss in reference.losses]
        if product:
            report["loss_difference"] = max(abs(a - b) for a, b in zip(reference.losses, ours["losses"]))
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
