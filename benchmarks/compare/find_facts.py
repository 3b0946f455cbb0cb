#!/usr/bin/env python3
"""How often `xkde_dist ask` finds an English fact by a question in another language: by letters and by sentence encoders.

usage: find_facts.py --binary xkde_dist --data DIR [--encoder DIR ...] [--threshold X ...] [--test de fr zh] [--records 200]
The facts are the edits of the first rows of BMIKE-53's zsRE part (DIR, or one of its files) in English, with their English
subjects. Asked are the edit question, its rephrasing and the row's unrelated question in each language. A tiny random model
answers, which changes nothing about what is found. Prints a JSON line for each way and language: percent of edit questions
and of rephrasings for which the fact that comes first is the right one (hit@1), percent of unrelated questions that are shown
a fact, and the median cosine of each kind. An encoder is asked without a threshold, and once with each.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

import common

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "launch"))
from tiny_run import write_model  # noqa: E402

KINDS = ("src", "rephrase", "loc")


def shown_facts(options, way, folder, language, questions):
    """For each question (the fact that is shown first, its cosine), or nothing."""
    command = [options.binary, "ask", "--model", folder / "model", "--facts", folder / "facts.jsonl", "--lang", language, *way]
    done = subprocess.run(command, input="".join(f"{question}\n" for question in questions), text=True, capture_output=True)
    if done.returncode != 0:
        raise SystemExit(f"{done.args}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    lines = re.findall(r"^  (?:(-?\d\.\d\d)  (.*)|no fact \(.*\))$", done.stdout, re.MULTILINE)
    if len(lines) != len(questions):
        raise SystemExit(f"{language}: expected {len(questions)} lines on facts, found {len(lines)}")
    return [(fact, float(cosine)) if fact else None for cosine, fact in lines]


def measure(options, way, folder, language, rows):
    asked = {kind: [test[kind] for _, _, test in rows] for kind in KINDS}
    found = shown_facts(options, way, folder, language, [question for kind in KINDS for question in asked[kind]])
    line = {"language": language, "facts": len(rows)}
    for number, kind in enumerate(KINDS):
        part = found[number * len(rows):(number + 1) * len(rows)]
        cosines = [one[1] for one in part if one]
        if kind == "loc":
            line["unrelated_shown"] = round(100 * len(cosines) / len(rows), 1)
        else:
            right = sum(one is not None and one[0] == f"{edit['src']} {edit['alt']}" for one, (_, edit, _) in zip(part, rows))
            line[f"{kind}_hit1"] = round(100 * right / len(rows), 1)
        line[f"{kind}_cosine"] = round(statistics.median(cosines), 2) if cosines else None
    return line


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--encoder", type=pathlib.Path, nargs="*", default=[])
    parser.add_argument("--threshold", nargs="*", default=[])
    parser.add_argument("--test", nargs="*", default=["de", "es", "fr", "pt", "ru", "zh"])
    parser.add_argument("--records", type=int, default=200)
    options = parser.parse_args()
    ways = [("letters", [])]
    for encoder in options.encoder:
        ways.append((encoder.name, ["--encoder", encoder]))
        ways += [(f"{encoder.name} at {least}", ["--encoder", encoder, "--threshold", least]) for least in options.threshold]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_model(folder / "model")
        for language in options.test:
            rows = common.load_rows(options.data, "en", language, options.records)
            with open(folder / "facts.jsonl", "w", encoding="utf-8") as file:
                for _, edit, _ in rows:
                    file.write(json.dumps({"question": {"en": edit["src"]}, "answer": {"en": edit["alt"]},
                                           "subject": {"en": edit["subject"]}}) + "\n")
            for label, way in ways:
                print(json.dumps({"by": label, **measure(options, way, folder, language, rows)}), flush=True)


if __name__ == "__main__":
    main()
