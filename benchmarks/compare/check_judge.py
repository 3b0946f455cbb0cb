#!/usr/bin/env python3
"""The judge of `xkde_dist` (protocol 6.10) on labelled answers: how far it says what people say, its log-probabilities against
transformers, and the time of a verdict packed and one by one.

usage: check_judge.py --judge DIR_OR_GGUF [--binary xkde_dist] [--rows FILE.jsonl] [--dtype float32] [--reference] [--rounds 0]
       [--batch-tokens 2048]
Prints one JSON line a language with agreement and kappa, as the program counts them and counted anew here, and ends with 1
where these differ. --reference: DIR is a Hugging Face folder that transformers loads as well; ends with 1 where a
log-probability of a word differs by more than 1e-4. --rounds N: so many runs each with a batch of many prompts, with one
prompt a batch and, beside --reference, of `generate` with one prompt a call, in turn; a line with the medians.
"""
import argparse
import json
import pathlib
import statistics
import sys
import time

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


class Reference:
    """transformers, one call a verdict."""

    def __init__(self, options):
        import torch
        from transformers import AutoTokenizer
        torch.set_num_threads(options.threads)
        self.torch, self.tokenizer = torch, AutoTokenizer.from_pretrained(options.judge)
        self.model = common.load_model(options.judge, getattr(torch, options.dtype)).eval()
        self.asked = sorted({asked_of(row) for row in common.json_lines(options.rows)})

    def prompt(self, question, right, answer):
        text = TASK.format(question=question, right=" | ".join(right), answer=answer)
        return self.tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False)

    def ids(self, text):
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def log_probs(self, ids):
        with self.torch.no_grad():
            told = self.model.generate(self.torch.tensor([ids]), max_new_tokens=1, do_sample=False, output_logits=True,
                                       return_dict_in_generate=True, pad_token_id=self.tokenizer.eos_token_id)
            return told.logits[0][0].float().log_softmax(-1)

    def seconds_a_verdict(self):
        prompts = [self.ids(self.prompt(*one)) for one in self.asked]
        start = time.perf_counter()
        for ids in prompts:
            self.log_probs(ids)
        return (time.perf_counter() - start) / len(prompts)


def check_reference(options, reference, verdicts):
    """The largest difference to transformers' log-probabilities of the first tokens of both words."""
    worst = 0.0
    for asked in reference.asked:
        prompt = reference.prompt(*asked)
        ids = reference.ids(prompt)
        words = [reference.ids(prompt + word)[len(ids)] for word in ("Yes", "No")]
        log_probs = reference.log_probs(ids)
        worst = max([worst, *(abs(log_probs[word].item() - value) for word, value in zip(words, verdicts[asked], strict=True))])
    print(json.dumps({"judge": options.judge.name, "reference": "transformers", "prompts": len(reference.asked),
                      "worst_difference": worst}), flush=True)
    return worst > TOLERANCE


def time_verdicts(options, reference):
    def seconds(tokens):
        metrics = run(options, max_tokens_per_batch=tokens)[2]
        return sum(one["seconds"] for one in metrics) / sum(one["asked"] for one in metrics)

    sides = {"packed": lambda: seconds(options.batch_tokens), "one_by_one": lambda: seconds(1)}
    if reference:
        sides["transformers"] = reference.seconds_a_verdict
    medians = {name: statistics.median(values) for name, values in common.alternate(options.rounds, sides).items()}
    print(json.dumps({"judge": options.judge.name, "dtype": options.dtype, "threads": options.threads, "rounds": options.rounds,
                      "batch_tokens": options.batch_tokens, "seconds_a_verdict": {name: round(s, 5) for name, s in medians.items()},
                      "times": {name: round(s / medians["packed"], 2) for name, s in medians.items() if name != "packed"}}),
          flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", type=pathlib.Path, required=True)
    parser.add_argument("--binary", default="xkde_dist")
    parser.add_argument("--rows", type=pathlib.Path, default=REPOSITORY / "recipes/data/judge/labelled.jsonl")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--batch-tokens", type=int, default=2048, help="tokens of a packed batch")
    options = parser.parse_args()
    told, verdicts, _ = run(options)
    wrong = check_agreement(options, told, verdicts)
    reference = Reference(options) if options.reference else None
    if reference:
        wrong += check_reference(options, reference, verdicts)
    if options.rounds:
        time_verdicts(options, reference)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
