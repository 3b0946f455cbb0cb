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
import pathlib
import time

import common

QUESTIONS = (("src", "alt"), ("rephrase", "alt"), ("loc", "loc_ans"))
BATCH, WEIGHT_DECAY, BETAS, MAX_NORM = 8, 1e-4, (0.9, 0.95), 1.0


class HuggingFaceSide:
    """fp32 masters; with bfloat16 the forward and backward passes run under autocast."""

    def __init__(self, model, threads, seed, learning_rate):
        import torch
        import transformers
        torch.set_num_threads(threads)
        self.torch, self.transformers = torch, transformers
        self.seed, self.learning_rate = seed, learning_rate
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(model)
        self.model = common.load_model(model, torch.float32)
        self.start = {name: value.clone() for name, value in self.model.state_dict().items()}

    def encode(self, user, answer):
        text = self.tokenizer.apply_chat_template([{"role": "user", "content": user}], add_generation_prompt=True,
                                                  tokenize=False)
        prompt, target = (self.tokenizer(t, add_special_tokens=False)["input_ids"] for t in (text, answer))
        return prompt, target + [self.tokenizer.eos_token_id]

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
        steps = math.ceil(len(samples) / BATCH)
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=self.learning_rate, betas=BETAS,
                                      weight_decay=WEIGHT_DECAY)
        schedule = self.transformers.get_cosine_schedule_with_warmup(optimizer, warmup_steps(steps), steps)
        order = common.data_order(self.seed, 0, len(samples))
        self.losses, counted, seconds = [], 0, 0.0
        for step in range(steps):
            start = time.perf_counter()
            batch = [samples[i] for i in order[step * BATCH:(step + 1) * BATCH]]
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


class ProductSide:
    def __init__(self, product, recipe, num_samples):
        self.product, self.recipe, self.num_samples = product, recipe, num_samples

    def timed(self):
        folder, path = self.product.run(self.recipe)
        steps = common.json_lines(next(path.glob("*-sft")) / "metrics.jsonl")
        folder.cleanup()
        self.losses = [s["loss"] for s in steps]
        return self.num_samples - BATCH, sum(s["step_seconds"] for s in steps[1:])


def warmup_steps(steps):
    return math.ceil(0.05 * steps)


def recipe_for(options, dtype, num_samples):
    source = {"benchmark": options.benchmark, "data": str(pathlib.Path(options.data).resolve()),
              "edit_languages": [options.edit], "test_languages": options.test, "records": f"0:{options.records}",
              "questions": [question for question, _ in QUESTIONS]}
    per_device = BATCH // options.ranks
    sft = {"train_data": "build_data", "num_train_epochs": 1, "per_device_train_batch_size": per_device,
           "gradient_accumulation_steps": 1, "learning_rate": options.learning_rate, "lr_scheduler_type": "cosine",
           "warmup_steps": warmup_steps(math.ceil(num_samples / BATCH)), "weight_decay": WEIGHT_DECAY,
           "adam_beta1": BETAS[0], "adam_beta2": BETAS[1], "max_grad_norm": MAX_NORM, "packing": True,
           "token_tree": options.token_tree}
    return common.base_recipe(options, dtype) | {"stages": [{"build_data": {"sources": [source]}}, {"sft": sft}]}


def samples_of(options, reference):
    samples = []
    for test in options.test:
        iso = common.iso_of(test)
        for _, edit_side, side in common.load_rows(options.data, common.iso_of(options.edit), iso, options.records):
            samples += [reference.encode(common.edit_prompt(edit_side, side[question], iso), side[answer])
                        for question, answer in QUESTIONS]
    return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_common_arguments(parser)
    parser.add_argument("--test", nargs="+", default=["es", "fr", "de"], help="test languages")
    parser.add_argument("--records", type=int, default=8, help="rows of each language")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--token-tree", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    common.check_arguments(options)
    if BATCH % options.ranks:
        parser.error(f"--ranks: expected a divisor of the batch of {BATCH}, found {options.ranks}")
    product = common.product_of(options)
    reference = HuggingFaceSide(options.model, options.threads, 42, options.learning_rate)
    samples = samples_of(options, reference)
    if len(samples) <= BATCH:
        parser.error(f"--records: expected more than one step of {BATCH} samples, found {len(samples)}")
    for dtype in options.dtype:
        sides = {"hf": lambda: reference.timed(samples, dtype)}
        if product:
            other = ProductSide(product, recipe_for(options, dtype, len(samples)), len(samples))
            sides["xkde"] = other.timed
        results = common.alternate(options.rounds, sides)
        report = {"case": f"sft {options.edit}->{','.join(options.test)}", "dtype": dtype, "threads": options.threads,
                  "ranks": options.ranks, "rounds": options.rounds, "samples": len(samples),
                  "steps": len(reference.losses), "token_tree": options.token_tree}
        report |= common.speed_report(results)
        report["hf_losses"] = [round(loss, 6) for loss in reference.losses]
        if product:
            report["loss_difference"] = max(abs(a - b) for a, b in zip(reference.losses, other.losses))
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
