#!/usr/bin/env python3
"""What one more edit costs in a long stream: `xkde_dist ask` is fed edits, and at some lengths of the stream one edit and
the same questions are timed.

usage: stream_cost.py --binary xkde_dist --model PATH --encoder DIR [--lengths 10 1000] [--repeats 9]
An edit's cost is its embedding, its durable append to the memory's file and four questions: embedding, search, answer.
Prints one JSON line: median seconds at each length, and the last over the first. Rounds alternate between the lengths,
each of which has a process of its own.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

QUESTIONS = ["Who founded the river port of Osterfeld?", "Which river flows through Osterfeld?",
             "In which year was the Marlow observatory opened?", "What is the capital of the kingdom of Lomba?"]
ANSWERS = ["Ada Pell", "the Tessel", "1858", "Nordhaven"]


class Stream:
    def __init__(self, options, folder, length):
        recipe = folder / f"{length}.yaml"
        recipe.write_text(f"model: {{model_name_or_path: {options.model}, dtype: bfloat16}}\n"
                          "stages:\n  - export: {path: nowhere}\n", encoding="utf-8")
        command = [options.binary, "ask", str(recipe), "--encoder", options.encoder, "--lang", "en", "--memory",
                   str(folder / f"{length}.h5")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=os.environ | {"OMP_NUM_THREADS": str(options.threads)})
        self.process.stdout.readline()
        self.length = 0
        # The same facts are shown at every length, so that the same answers are timed.
        for question, answer in zip(QUESTIONS, ANSWERS):
            self.add(question, answer)
        while self.length < length - 1:
            self.add()

    def send(self, line, ends):
        """Sends a line and reads up to one that `ends` accepts."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        while True:
            answer = self.process.stdout.readline()
            if not answer:
                raise SystemExit(f"xkde_dist ask ended with exit code {self.process.wait()}")
            if ends(answer):
                return

    def add(self, question=None, answer=None):
        self.length += 1
        question = question or f"Who directs the institute number {self.length} of Nordhaven?"
        answer = answer or f"Ada Pell the {self.length}th"
        self.send(f"+ {question} => {answer}", lambda line: line.startswith("remembered"))

    def timed(self):
        start = time.perf_counter()
        self.add()
        for question in QUESTIONS:
            # The fact that was shown is the last line of an answer.
            self.send(question, lambda line: line.startswith("  ") and line[2:6].replace(".", "").isdigit())
        return time.perf_counter() - start

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--lengths", type=int, nargs="+", default=[10, 1000])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xkde_stream_") as name:
        streams = [Stream(options, pathlib.Path(name), length) for length in options.lengths]
        seconds = {length: [] for length in options.lengths}
        for stream in streams:
            stream.timed()  # warm-up
        for _ in range(options.repeats):
            for length, stream in zip(options.lengths, streams):
                seconds[length].append(stream.timed())
        for stream in streams:
            stream.close()
    medians = {length: round(statistics.median(values), 4) for length, values in seconds.items()}
    first, last = options.lengths[0], options.lengths[-1]
    print(json.dumps({"case": "one more edit", "threads": options.threads, "repeats": options.repeats,
                      "median_seconds": medians, "ratio": round(medians[last] / medians[first], 4)}), flush=True)


if __name__ == "__main__":
    main()
