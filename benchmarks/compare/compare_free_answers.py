#!/usr/bin/env python3
"""Free answers of an evaluation, side by side: `generate` of transformers against `xkde_dist`'s `evaluate.free_answers` on the
same prompts, dtype and threads, greedily, in turn.

usage: compare_free_answers.py --model DIR --data PATH --binary xkde_dist [--records 8] [--test es de] [--rounds 3]
                               [--contexts question instruction chat] [--cases cached padded uncached] [--slow-prompts 2]
Cases: `cached` asks one prompt a call of `generate`; `padded` asks 8, padded on the left; `uncached` asks one a call without a
cache and lets it say 512 new tokens, as a published evaluator does (64 in the others). As that takes minutes a prompt,
only --slow-prompts of each context are asked so; xkde_dist answers all prompts, with the same budget.
The prompts are the different ones of bare questions (method `none`) about --records records. Prints one JSON line a case and dtype:
prompts, new tokens, medians of prompts/s and of new tokens/s, their ratios, and how many answers differ in text or in whether
the model ended them. Both sides are timed without start-up and loading. `ratio` is that of prompts/s where both sides answered the same
prompts, that of new tokens/s in `uncached`.
"""
import argparse
import json
import pathlib
import statistics
import time

import common

BUDGET = {"cached": 64, "padded": 64, "uncached": 512}


class ProductSide:
    """Runs the evaluation; gives the seconds of its free answers and keeps what was asked and said."""

    def __init__(self, options, dtype, budget):
        self.product = common.product_of(options)
        stage = {"benchmark": options.benchmark, "data": str(pathlib.Path(options.data).resolve()),
                 "edit_languages": [options.edit], "test_languages": options.test, "mode": "single", "method": "none",
                 "records": f"0:{options.records}", "bootstrap_resamples": 0,
                 "free_answers": {"contexts": options.contexts, "max_new_tokens": budget}}
        self.recipe = common.base_recipe(options, dtype) | {"stages": [{"evaluate": stage}]}
        self.said = {}

    def __call__(self):
        folder, path = self.product.run(self.recipe)
        stage = path / "01-evaluate"
        for line in common.json_lines(stage / "predictions.jsonl"):
            for context, told in line["free"].items():
                # The instruction is in the language of the question.
                language = line["test_language"] if context == "instruction" else None
                self.said.setdefault((context, line["prompt"], language), (told["answer"], told["stopped"]))
        free = json.loads((stage / "cost.json").read_text(encoding="utf-8"))["answers"]["free_running"]
        folder.cleanup()
        if free["prompts"] != len(self.said):
            raise SystemExit(f"cost.json: expected {len(self.said)} prompts, found {free['prompts']}")
        self.tokens = free["tokens"]
        return free["seconds"] / self.product.ranks


class HuggingFaceSide:
    def __init__(self, options, dtype):
        import torch
        import check_evaluation
        from transformers import AutoTokenizer
        torch.set_num_threads(options.threads)
        self.torch, self.words, self.iso = torch, check_evaluation.brief_words(), check_evaluation.ISO
        self.tokenizer = AutoTokenizer.from_pretrained(options.model, padding_side="left")
        self.model = common.load_model(options.model, getattr(torch, dtype)).eval()
        self.ends = set()
        for ends in (self.model.config.eos_token_id, self.model.generation_config.eos_token_id, self.tokenizer.eos_token_id):
            self.ends |= set(ends if isinstance(ends, list) else [ends] if ends is not None else [])

    def ids(self, key):
        context, user, language = key
        if context == "chat":
            text = self.tokenizer.apply_chat_template([{"role": "user", "content": user}], tokenize=False,
                                                      add_generation_prompt=True)
            return self.tokenizer(text, add_special_tokens=False)["input_ids"]
        if context == "instruction":
            sentence, answer = self.words[self.iso.get(language, language)]
            user = f"{sentence}\n\n{user}\n{answer}"
        return self.tokenizer(user)["input_ids"]

    def answer(self, keys, size, **settings):
        """New tokens, seconds, and {key: (text, stopped)}."""
        prompts = [self.ids(key) for key in keys]
        tokens, said, pad = 0, {}, min(self.ends)
        start = time.perf_counter()
        for first in range(0, len(prompts), size):
            part = prompts[first:first + size]
            width = max(map(len, part))
            with self.torch.no_grad():
                rows = self.model.generate(
                    self.torch.tensor([[pad] * (width - len(ids)) + ids for ids in part]),
                    attention_mask=self.torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in part]),
                    do_sample=False, eos_token_id=sorted(self.ends), pad_token_id=pad, **settings)[:, width:].tolist()
            for key, row in zip(keys[first:], rows):
                end = next((i for i, token in enumerate(row) if token in self.ends), None)
                tokens += len(row) if end is None else end + 1
                said[key] = (self.tokenizer.decode(row[:end], skip_special_tokens=True), end is not None)
        return tokens, time.perf_counter() - start, said


def compare(options, dtype, case, reference):
    product = ProductSide(options, dtype, BUDGET[case])
    product()  # also says what is to be asked
    keys = list(product.said)
    asked = keys
    if case == "uncached":
        asked = [key for context in options.contexts
                 for key in [k for k in keys if k[0] == context][:options.slow_prompts]]
    settings = {"max_new_tokens": BUDGET[case], "use_cache": case != "uncached"}
    reference.answer(asked[:1], 1, max_new_tokens=8)  # warm-up
    results = common.alternate(options.rounds, {
        "hf": lambda: reference.answer(asked, 8 if case == "padded" else 1, **settings), "xkde": product})
    hf_seconds = statistics.median(seconds for _, seconds, _ in results["hf"])
    seconds = statistics.median(results["xkde"])
    tokens, _, said = results["hf"][0]
    own_tokens = product.tokens - sum(len(reference.ids(key)) for key in keys)
    report = {"case": case, "dtype": dtype, "threads": options.threads, "ranks": options.ranks, "rounds": options.rounds,
              "prompts": len(keys), "new_tokens": own_tokens, "hf_prompts": len(asked), "hf_new_tokens": tokens,
              "prompts_per_second": round(len(keys) / seconds, 3), "hf_prompts_per_second": round(len(asked) / hf_seconds, 3),
              "new_tokens_per_second": round(own_tokens / seconds, 1), "hf_new_tokens_per_second": round(tokens / hf_seconds, 1),
              "seconds": [round(t, 2) for t in results["xkde"]], "hf_seconds": [round(t, 2) for _, t, _ in results["hf"]],
              "different": sum(product.said[key] != said[key] for key in asked)}
    unit = "new_tokens_per_second" if case == "uncached" else "prompts_per_second"
    print(json.dumps(report | {"ratio": round(report[unit] / report[f"hf_{unit}"], 2)}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_common_arguments(parser)
    parser.add_argument("--test", nargs="+", default=["es", "de"])
    parser.add_argument("--records", type=int, default=8)
    parser.add_argument("--contexts", nargs="+", default=["question", "instruction", "chat"])
    parser.add_argument("--cases", nargs="+", default=list(BUDGET), choices=list(BUDGET))
    parser.add_argument("--slow-prompts", type=int, default=2)
    options = parser.parse_args()
    if options.binary is None:
        parser.error("--binary is required")
    for dtype in options.dtype:
        reference = HuggingFaceSide(options, dtype)
        for case in options.cases:
            compare(options, dtype, case, reference)


if __name__ == "__main__":
    main()
