#!/usr/bin/env python3
"""Perplexity and choices (protocol 6.9), item by item: `xkde_dist` against lm-evaluation-harness on the same files, fp32.

usage: check_capability.py --model DIR [--binary xkde_dist] [--data FOLDER] [--max-length 24]
Needs lm_eval==0.4.13 with torch==2.11.0 and transformers. DIR is a Hugging Face folder that both sides read; FOLDER holds
choices.jsonl and text_*.txt in the form of docs/recipes.md. Prints one JSON line for each kind and ends with 1 where a
log-likelihood differs by more than 1e-4 of its size, a choice, or a number of results.json. A short --max-length makes
windows and cut contexts; 0 is the model's context.
"""
import argparse
import importlib.metadata
import json
import math
import pathlib
import subprocess
import sys
import tempfile

PIN = "0.4.13"
TOLERANCE = 1e-4
METRICS = ("acc", "acc_norm", "acc_bytes")


def json_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def run_product(options, folder):
    texts = sorted(options.data.glob("text_*.txt"))
    stage = {"perplexity": [{"data": str(text), "name": "text", "lang": text.stem.removeprefix("text_")} for text in texts],
             "choices": [{"data": str(options.data / "choices.jsonl"), "name": "choices"}],
             "max_length": options.max_length, "max_tokens_per_batch": 256}
    recipe = folder / "recipe.yaml"
    recipe.write_text(json.dumps({"run_name": "check", "output_dir": str(folder / "run"), "parallel": {"threads": 1},
                                  "model": {"model_name_or_path": str(options.model), "dtype": "float32"},
                                  "stages": [{"capability": stage}]}), encoding="utf-8")
    subprocess.run([options.binary, recipe], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    out = folder / "run/01-capability"
    rows = json.loads((out / "results.json").read_text(encoding="utf-8"))
    return texts, json_lines(out / "predictions.jsonl"), {(r["test_language"], r["metric"]): r["value"] for r in rows}


def run_harness(options, texts):
    import datasets
    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    torch.set_num_threads(1)
    model = HFLM(pretrained=str(options.model), device="cpu", dtype="float32", batch_size=1,
                 max_length=options.max_length or None)
    rows = json_lines(options.data / "choices.jsonl")
    task = ConfigurableTask(config={
        "task": "choices", "output_type": "multiple_choice", "test_split": "test",
        "custom_dataset": lambda **_: {"test": datasets.Dataset.from_list(rows)},
        "doc_to_text": lambda doc: doc["context"], "doc_to_choice": lambda doc: doc["choices"],
        "doc_to_target": lambda doc: doc["answer"], "target_delimiter": " ",
        "metric_list": [{"metric": metric, "aggregation": "mean", "higher_is_better": True} for metric in METRICS]})
    found = simple_evaluate(model=model, tasks=[task], bootstrap_iters=0, log_samples=True)
    samples = sorted(found["samples"]["choices"], key=lambda sample: sample["doc_id"])
    documents = [line for text in texts for line in text.read_text(encoding="utf-8").splitlines() if line.strip()]
    asked = [Instance("loglikelihood_rolling", {}, (line,), i) for i, line in enumerate(documents)]
    return samples, documents, model.loglikelihood_rolling(asked)


def difference(ours, theirs):
    return abs(ours - theirs) / abs(theirs)


def check_choices(predictions, samples, results):
    worst, wrong = 0.0, 0
    for ours, sample in zip(predictions, samples, strict=True):
        theirs = [float(answer[0]) for answer in sample["filtered_resps"]]
        worst = max([worst, *(difference(a, b) for a, b in zip(ours["log_likelihoods"], theirs, strict=True))])
        wrong += any(ours[metric] != sample[metric] for metric in METRICS)
    for language in {ours["language"] for ours in predictions}:
        of = [s for p, s in zip(predictions, samples, strict=True) if p["language"] == language]
        for metric in METRICS:
            mean = 100 * sum(sample[metric] for sample in of) / len(of)
            wrong += abs(results[language, metric] - mean) > 0.00501
    return {"kind": "choices", "items": len(predictions), "cut": sum(p["cut"] > 0 for p in predictions),
            "worst_relative_difference": worst, "different": wrong}


def check_texts(predictions, documents, theirs, results):
    worst, wrong = 0.0, 0
    for ours, text, value in zip(predictions, documents, theirs, strict=True):
        worst = max(worst, difference(ours["log_likelihood"], value))
        wrong += ours["bytes"] != len(text.encode("utf-8"))
    for language in {ours["language"] for ours in predictions}:
        of = [(value, len(text.encode("utf-8"))) for p, text, value in zip(predictions, documents, theirs, strict=True)
              if p["language"] == language]
        bits = -sum(value for value, _ in of) / sum(size for _, size in of) / math.log(2)
        wrong += abs(results[language, "bits_per_byte"] - bits) > 2 * TOLERANCE * bits
    return {"kind": "perplexity", "items": len(predictions), "windows": sum(p["windows"] for p in predictions),
            "worst_relative_difference": worst, "different": wrong}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    own = pathlib.Path(__file__).resolve().parents[2] / "recipes/data/capability"
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--binary", default="xkde_dist")
    parser.add_argument("--data", type=pathlib.Path, default=own)
    parser.add_argument("--max-length", type=int, default=0)
    options = parser.parse_args()
    version = importlib.metadata.version("lm_eval")
    if version != PIN:
        sys.exit(f"lm_eval: expected {PIN}, found {version}")
    with tempfile.TemporaryDirectory() as folder:
        texts, predictions, results = run_product(options, pathlib.Path(folder))
    samples, documents, theirs = run_harness(options, texts)
    cases = [check_choices([p for p in predictions if p["mode"] == "choices"], samples, results),
             check_texts([p for p in predictions if p["mode"] == "perplexity"], documents, theirs, results)]
    for case in cases:
        print(json.dumps({"lm_eval": version, "max_length": options.max_length} | case))
    sys.exit(any(case["different"] or case["worst_relative_difference"] > TOLERANCE for case in cases))


if __name__ == "__main__":
    main()
