#!/usr/bin/env python3
"""Teacher-forced evaluation (protocol 6.1), side by side: Hugging Face at batch 1, as the published evaluator works,
against `xkde_dist` on the same rows, dtype and threads.

usage: compare_eval.py --model DIR --data PATH [--binary xkde_dist] [--test es fr] [--records 10] [--rounds 3]
Prints one JSON line a case. A sample is one record in one language pair (five forward passes in the plain way). Both
sides are timed without start-up and model loading; `different_ids` counts predictions in which the two disagree.
"""
import argparse
import json
import pathlib
import time

import common


class HuggingFaceSide:
    def __init__(self, model, dtype, threads):
        import torch
        from transformers import AutoTokenizer
        torch.set_num_threads(threads)
        self.torch = torch
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        self.model = common.load_model(model, getattr(torch, dtype)).eval()

    def ids(self, text):
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def predict(self, user, target):
        """Predicted ids, target ids."""
        prompt = self.tokenizer.apply_chat_template([{"role": "user", "content": user}], add_generation_prompt=True,
                                                    tokenize=False)
        target_ids = self.ids(target)
        sequence = self.ids(prompt + target + "<|im_end|>")
        with self.torch.no_grad():
            logits = self.model(self.torch.tensor([sequence])).logits[0]
        end = len(sequence) - 2
        return logits[end - len(target_ids):end].argmax(-1).tolist(), target_ids

    def evaluate(self, rows, test):
        """{(record, metric): (target ids, predicted ids)} as predictions.jsonl has them."""
        predictions = {}
        for position, edit_side, side in rows:
            questions = [("reliability", side["src"], side["alt"]), ("generality", side["rephrase"], side["alt"])]
            if common.portability(side):
                questions.append(("portability", *common.portability(side)))
            for metric, question, target in questions:
                predicted, target_ids = self.predict(common.edit_prompt(edit_side, question, test), target)
                predictions[position, metric] = target_ids, predicted
            bare, _ = self.predict(side["loc"], side["loc_ans"])
            edited, _ = self.predict(common.edit_prompt(edit_side, side["loc"], test), side["loc_ans"])
            predictions[position, "locality"] = bare, edited
        return predictions

    def timed(self, rows, test):
        start = time.perf_counter()
        self.predictions = self.evaluate(rows, test)
        return len(rows), time.perf_counter() - start


class ProductSide:
    def __init__(self, product, recipe):
        self.product, self.recipe = product, recipe

    def timed(self):
        folder, path = self.product.run(self.recipe)
        stage = next(path.glob("01-*"))
        chunks = common.json_lines(stage / "metrics.jsonl")
        records = sum(c["records"] for c in chunks)
        # Chunks of several ranks run side by side: their sum is shared out evenly.
        seconds = sum(c["seconds"] for c in chunks) / self.product.ranks
        self.predictions = {(p["record"], p["metric"]): (p["target_ids"], p["predicted_ids"])
                            for p in common.json_lines(stage / "predictions.jsonl")}
        folder.cleanup()
        return records, seconds


def recipe_for(options, dtype, test):
    evaluate = {"benchmark": options.benchmark, "data": str(pathlib.Path(options.data).resolve()),
                "edit_languages": [options.edit], "test_languages": [test], "mode": "single",
                "records": f"0:{options.records}"}
    return common.base_recipe(options, dtype) | {"stages": [{"evaluate": evaluate}]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_common_arguments(parser)
    parser.add_argument("--test", nargs="+", default=["es"], help="test languages")
    parser.add_argument("--records", type=int, default=10, help="rows of each case")
    options = parser.parse_args()
    common.check_arguments(options)
    product = common.product_of(options)
    for dtype in options.dtype:
        reference = HuggingFaceSide(options.model, dtype, options.threads)
        for test in options.test:
            iso = common.iso_of(test)
            rows = common.load_rows(options.data, common.iso_of(options.edit), iso, options.records)
            reference.evaluate(rows[:1], iso)  # warm-up
            sides = {"hf": lambda: reference.timed(rows, iso)}
            if product:
                other = ProductSide(product, recipe_for(options, dtype, test))
                sides["xkde"] = other.timed
            results = common.alternate(options.rounds, sides)
            report = {"case": f"evaluate {options.edit}->{test}", "dtype": dtype, "threads": options.threads,
                      "ranks": options.ranks, "rounds": options.rounds, "records": len(rows)}
            report |= common.speed_report(results)
            if product:
                report["predictions"] = len(reference.predictions)
                report["different_ids"] = sum(other.predictions.get(key) != value
                                              for key, value in reference.predictions.items())
            print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
