#!/usr/bin/env python3
"""The judge of `xkde_dist` (protocol 6.10) on labelled answers: how far it says what people say, its log-probabilities against
transformers, and the time of a verdict packed and one by one.

usage: check_judge.py --judge DIR_OR_GGUF [--binary xkde_dist] [--rows FILE.jsonl] [--dtype float32] [--reference] [--rounds 0]
Prints one JSON line a language with agreement and kappa, as the program counts them and counted anew here, and ends with 1
where these differ. --reference: DIR is a Hugging Face folder that transformers loads as well; ends with 1 where a
log-probability of a word differs by more than 1e-4. --rounds N: so many runs each with a batch of many prompts and with one
prompt a batch, in turn; a line with both medians.
"""
import argparse
import json
import pathlib
import statistics
import sys

import common

TOLERANCE = 1e-4
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TASK = ("Decide whether an answer to a question is right. It is right if it says the same as one of the right answers, be it in "
        "other words, in another spelling, in another language, or with more words around it. It is wrong if it says something "
        "else, only a part of it, or both, or if it does not answer.\n\n"
        "Question: {question}\nRight answers: {right}\nAnswer to judge: {answer}\nIs this answer right, Yes or No?")


def one_line(text):
    return " ".join(text.split())


def asked_of(row):
    return one_line(row["question"]), tuple(map(one_line, row["right"])), one_line(row["answer"])


def run(options, **keys):
    """Statistics, verdicts by what was asked, and the judge's metrics."""
    judge = {"model_name_or_path": str(options.judge.resolve()), "dtype": options.dtype,
             "labelled": str(options.rows.resolve())}
    stage = {"benchmark": "mzsre", "data": str(REPOSITORY / "recipes/data/test/invented_enes.json"),
             "edit_languages": ["en"], "test_languages": ["es"], "records": "0:1", "method": "none",
             "bootstrap_resamples": 0, "judge": judge | keys,
             "free_answers": {"contexts": ["question"], "scorers": ["exact"], "max_new_tokens": 1}}
    recipe = {"run_name": "judge", "model": {"model_name_or_path": str(options.judge.resolve()), "chat_template": "plain"},
              "parallel": {"threads": options.threads}, "stages": [{"evaluate": stage}]}
    folder, out = common.Product(options.binary, options.threads, 1).run(recipe)
    with folder:
        told = json.loads((out / "01-evaluate/statistics.json").read_text(encoding="utf-8"))["judge"]
        verdicts = {asked_of(one): (one["yes"], one["no"])
                    for one in common.json_lines(out / "01-evaluate/judge/verdicts.jsonl")}
        return told, verdicts, common.json_lines(out / "01-evaluate/judge/metrics.jsonl")


def kappa_of(pairs):
    n = len(pairs)
    equal = sum(one == other for one, other in pairs) / n
    first, second = (sum(pair[i] for pair in pairs) / n for i in (0, 1))
    chance = first * second + (1 - first) * (1 - second)
    return None if chance == 1 else (equal - chance) / (1 - chance)


def check_agreement(options, told, verdicts):
    """Prints each language; returns how many numbers of the program are not ours."""
    rows = common.json_lines(options.rows)
    wrong = 0
    for line in told["labelled"]:
        pairs = [(row["label"], verdicts[asked_of(row)][0] > verdicts[asked_of(row)][1]) for row in rows
                 if line["language"] in ("all", row["lang"])]
        equal = 100 * sum(one == other for one, other in pairs) / len(pairs)
        kappa = kappa_of(pairs)
        same = kappa == line["kappa"] if kappa is None or isinstance(line["kappa"], str) else abs(kappa - line["kappa"]) < 1e-9
        same = same or (kappa is None and isinstance(line["kappa"], str))
        wrong += not same or abs(equal - line["equal"]) > 0.00501 or line["n"] != len(pairs)
        print(json.dumps({"judge": options.judge.name, "rows": line["language"], "n": len(pairs), "equal": round(equal, 2),
                          "kappa": None if kappa is None else round(kappa, 3),
                          "said_right": sum(said for _, said in pairs), "labelled_right": sum(label for label, _ in pairs)}),
              flush=True)
    return wrong


def check_reference(options, verdicts):
    """The largest difference to transformers' log-probabilities of the first tokens of both words."""
    import torch
    from transformers import AutoTokenizer
    torch.set_num_threads(options.threads)
    tokenizer = AutoTokenizer.from_pretrained(options.judge)
    model = common.load_model(options.judge, getattr(torch, options.dtype)).eval()
    worst = 0.0
    asked = {asked_of(row) for row in common.json_lines(options.rows)}
    for question, right, answer in asked:
        text = TASK.format(question=question, right=" | ".join(right), answer=answer)
        prompt = tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False)
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        words = [tokenizer(prompt + word, add_special_tokens=False)["input_ids"][len(ids)] for word in ("Yes", "No")]
        with torch.no_grad():
            log_probs = model(torch.tensor([ids])).logits[0, -1].float().log_softmax(-1)
        ours = verdicts[question, right, answer]
        worst = max([worst, *(abs(log_probs[word].item() - value) for word, value in zip(words, ours, strict=True))])
    print(json.dumps({"judge": options.judge.name, "reference": "transformers", "prompts": len(asked),
                      "worst_difference": worst}), flush=True)
    return worst > TOLERANCE


def time_verdicts(options):
    def seconds(tokens):
        metrics = run(options, max_tokens_per_batch=tokens)[2]
        return sum(one["seconds"] for one in metrics) / sum(one["asked"] for one in metrics)

    found = common.alternate(options.rounds, {"packed": lambda: seconds(2048), "one_by_one": lambda: seconds(1)})
    medians = {name: statistics.median(values) for name, values in found.items()}
    print(json.dumps({"judge": options.judge.name, "threads": options.threads, "rounds": options.rounds,
                      "seconds_a_verdict": medians, "times": round(medians["one_by_one"] / medians["packed"], 2)}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", type=pathlib.Path, required=True)
    parser.add_argument("--binary", default="xkde_dist")
    parser.add_argument("--rows", type=pathlib.Path, default=REPOSITORY / "recipes/data/judge/labelled.jsonl")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--rounds", type=int, default=0)
    options = parser.parse_args()
    told, verdicts, _ = run(options)
    wrong = check_agreement(options, told, verdicts)
    if options.reference:
        wrong += check_reference(options, verdicts)
    if options.rounds:
        time_verdicts(options)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
