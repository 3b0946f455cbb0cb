#!/usr/bin/env python3
"""Answers to XE-IT prompts, side by side: `generate` of transformers against `xkde_dist`'s sample stage on the same
prompts, dtype and threads.

usage: compare_generate.py --model DIR --data PATH [--binary xkde_dist] [--prompts 24] [--answers 5] [--hf-prompts 1]
       compare_generate.py --model DIR --data PATH --binary xkde_dist --greedy [--prompts 50]
Prints one JSON line a case; a sample is a new token. --hf-prompts: prompts in one call of `generate` (left-padded where
there are several), each answered --answers times. --greedy compares instead of timing: `different` counts prompts whose
most likely answers are not the same tokens. Both sides are timed without start-up and model loading.
"""
import argparse
import json
import pathlib
import time

import common

TEST_LANGUAGES = ("es", "fr", "de")
QUESTIONS = ("src", "rephrase", "loc")


def conversations(options):
    """As build_data writes them: language by language, record by record, question by question."""
    rows = []
    for test in TEST_LANGUAGES:
        for position, edit_side, side in common.load_rows(options.data, "en", test, 10**9):
            for question in QUESTIONS:
                answer = side["loc_ans" if question == "loc" else "alt"]
                rows.append({"id": f"{position}_{test}_{question}", "conversations": [
                    {"from": "human", "value": common.edit_prompt(edit_side, side[question], test)},
                    {"from": "gpt", "value": answer}]})
    # Neighbours, as a stage has them: a slice of each language.
    part = options.prompts // len(TEST_LANGUAGES) + 1
    size = len(rows) // len(TEST_LANGUAGES)
    chosen = [row for start in range(0, len(rows), size) for row in rows[start:start + part]]
    return chosen[:options.prompts]


class HuggingFaceSide:
    def __init__(self, options, dtype):
        import torch
        from transformers import AutoTokenizer
        torch.set_num_threads(options.threads)
        self.torch, self.options = torch, options
        self.tokenizer = AutoTokenizer.from_pretrained(options.model, padding_side="left")
        self.model = common.load_model(options.model, getattr(torch, dtype)).eval()

    def prompts(self, rows):
        return [self.tokenizer.apply_chat_template([{"role": "user", "content": row["conversations"][0]["value"]}],
                                                   add_generation_prompt=True, tokenize=False) for row in rows]

    def generate(self, prompts, **keys):
        """New ids of each answer, with the end token that ended it."""
        batch = self.tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
        end = self.tokenizer.convert_tokens_to_ids("<|im_end|>")
        with self.torch.no_grad():
            out = self.model.generate(**batch, max_new_tokens=self.options.tokens, pad_token_id=end, eos_token_id=end,
                                      **keys)
        answers = []
        for row in out[:, batch["input_ids"].shape[1]:].tolist():
            answers.append(row[:row.index(end) + 1] if end in row else row)
        return answers

    def greedy(self, rows):
        return [self.generate([prompt], do_sample=False)[0] for prompt in self.prompts(rows)]

    def timed(self, rows):
        prompts = self.prompts(rows)
        self.torch.manual_seed(1)
        start, tokens = time.perf_counter(), 0
        for first in range(0, len(prompts), self.options.hf_prompts):
            answers = self.generate(prompts[first:first + self.options.hf_prompts], do_sample=True, temperature=0.8,
                                    top_k=0, top_p=1.0, num_return_sequences=self.options.answers)
            tokens += sum(len(answer) for answer in answers)
        return tokens, time.perf_counter() - start


class ProductSide:
    def __init__(self, options, dtype, rows, **keys):
        self.product = common.product_of(options)
        self.folder = pathlib.Path(options.work)
        train = self.folder / "compare_generate_train.json"
        train.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
        sample = {"train_data": str(train), "num_return_sequences": options.answers, "max_new_tokens": options.tokens}
        self.recipe = common.base_recipe(options, dtype) | {"stages": [{"sample": sample | keys}]}

    def timed(self):
        folder, path = self.product.run(self.recipe)
        stage = next(path.glob("01-*"))
        chunks = common.json_lines(stage / "metrics.jsonl")
        self.samples = common.json_lines(stage / "samples.jsonl")
        folder.cleanup()
        # Chunks of several ranks run side by side: their sum is shared out evenly.
        return sum(c["new_tokens"] for c in chunks), sum(c["seconds"] for c in chunks) / self.product.ranks


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_common_arguments(parser)
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--answers", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=64, help="new tokens of an answer, at most")
    parser.add_argument("--hf-prompts", type=int, default=1)
    parser.add_argument("--greedy", action="store_true")
    parser.add_argument("--work", default="/tmp", help="folder for the prompts' file")
    options = parser.parse_args()
    common.check_arguments(options)
    rows = conversations(options)
    for dtype in options.dtype:
        reference = HuggingFaceSide(options, dtype)
        if options.greedy:
            options.answers = 1
            product = ProductSide(options, dtype, rows, temperature=0.0)
            product.timed()
            expected = reference.greedy(rows)
            got = [row["answers"][0]["token_ids"] for row in product.samples]
            print(json.dumps({"case": "greedy", "dtype": dtype, "prompts": len(rows),
                              "tokens": sum(map(len, expected)),
                              "different": sum(a != b for a, b in zip(got, expected, strict=True))}), flush=True)
            continue
        sides = {"hf": lambda: reference.timed(rows)}
        if options.binary:
            product = ProductSide(options, dtype, rows)
            sides["xkde"] = product.timed
        reference.timed(rows[:1])  # warm-up
        results = common.alternate(options.rounds, sides)
        report = {"case": f"generate n={options.answers}, {options.hf_prompts} prompts a call of generate",
                  "dtype": dtype, "threads": options.threads, "ranks": options.ranks, "rounds": options.rounds,
                  "prompts": len(rows)}
        print(json.dumps(report | common.speed_report(results)), flush=True)


if __name__ == "__main__":
    main()
