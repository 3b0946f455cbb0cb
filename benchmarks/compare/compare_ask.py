#!/usr/bin/env python3
"""From the start of a process to the first piece of an answer, side by side: `xkde_dist ask` and transformers, each with
the model to load, on the same weights in the same dtype and with the same chat template.

usage: compare_ask.py --binary build/release/launch/xkde_dist --model MODEL --hf FOLDER [--question "…"] [--dtype float32]
       [--rounds 5] [--threads N]
MODEL is what `ask` opens, a Hugging Face folder or a GGUF file; FOLDER has the same weights for transformers. Both are
read once before, so that they are found in the page cache. Prints one JSON line: medians of seconds to the first piece
and to the end of the answer of at most 64 tokens, the same without what importing torch and transformers takes, how many
times sooner ours comes, and whether the answers are equal. Needs what requirements.txt names.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import common

MOST_TOKENS = 64
RECIPE = """\
run_name: compare_ask
output_dir: {folder}/run
model: {{model_name_or_path: {model}, dtype: {dtype}}}
parallel: {{threads: {threads}}}
stages: [export: {{path: {folder}/never}}]
"""


def answer_with_transformers(options):
    """A child's whole life: the answer goes to standard output as it comes, what importing took to standard error."""
    begin = time.perf_counter()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, TextStreamer, utils
    sys.stderr.write(json.dumps({"import_seconds": time.perf_counter() - begin}) + "\n")
    torch.set_num_threads(options.threads)
    utils.logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(options.hf)
    model = AutoModelForCausalLM.from_pretrained(options.hf, dtype=getattr(torch, options.dtype))
    ids = tokenizer.apply_chat_template([{"role": "user", "content": options.question}], add_generation_prompt=True,
                                        return_tensors="pt", return_dict=True)

    class Pieces(TextStreamer):
        def on_finalized_text(self, text, stream_end=False):
            sys.stdout.write(text)
            sys.stdout.flush()

        def put(self, value):
            # Each token at once, as `ask` does; the streamer's own waits for the end of a word.
            super().put(value)
            if not self.next_tokens_are_prompt and self.token_cache:
                text = self.tokenizer.decode(self.token_cache, **self.decode_kwargs)
                if not text.endswith("\ufffd"):
                    self.on_finalized_text(text[self.print_len:])
                    self.print_len = len(text)

    with torch.inference_mode():
        model.generate(**ids, max_new_tokens=MOST_TOKENS, do_sample=False,
                       streamer=Pieces(tokenizer, skip_prompt=True, skip_special_tokens=True))


def timed(command):
    """Seconds to the first byte of standard output and to its end, the text, and standard error."""
    with tempfile.TemporaryFile() as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=dict(os.environ, PYTHONUNBUFFERED="1"))
        data = os.read(process.stdout.fileno(), 1 << 16)
        first = time.perf_counter() - begin
        data += process.stdout.read()
        whole = time.perf_counter() - begin
        errors.seek(0)
        told = errors.read().decode()
    if process.wait() != 0 or not data:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}\n{told[-2000:]}")
    return {"first": first, "whole": whole, "text": data.decode().strip(), "told": told}


def theirs(command):
    result = timed(command)
    lines = [line for line in result["told"].splitlines() if line.startswith('{"import_seconds"')]
    return result | {"imports": json.loads(lines[0])["import_seconds"]}


def report_of(options, results):
    report = {"case": pathlib.Path(options.model).name, "dtype": options.dtype, "threads": options.threads,
              "rounds": options.rounds}
    for side, rounds in results.items():
        for key in ("first", "whole"):
            report[f"{side}_{key}_seconds"] = round(statistics.median(one[key] for one in rounds), 3)
        report[f"{side}_all_first_seconds"] = [round(one["first"], 3) for one in rounds]
    loaded = statistics.median(one["first"] - one["imports"] for one in results["transformers"])
    report["transformers_first_seconds_without_imports"] = round(loaded, 3)
    report["times_sooner"] = round(report["transformers_first_seconds"] / report["xkde_first_seconds"], 2)
    report["times_sooner_without_imports"] = round(loaded / report["xkde_first_seconds"], 2)
    report["answers_are_equal"] = results["xkde"][0]["text"] == results["transformers"][0]["text"]
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="xkde_dist")
    parser.add_argument("--model", required=True, help="folder or GGUF file")
    parser.add_argument("--hf", required=True, help="folder of the same weights")
    parser.add_argument("--question", default="What is the capital of France?")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of each side")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return answer_with_transformers(options)
    for path in (pathlib.Path(options.model), pathlib.Path(options.hf)):
        for file in [path] if path.is_file() else path.iterdir():
            if file.is_file():
                file.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        recipe = pathlib.Path(folder) / "ask.yaml"
        recipe.write_text(RECIPE.format(folder=folder, model=pathlib.Path(options.model).resolve(), dtype=options.dtype,
                                        threads=options.threads), encoding="utf-8")
        ours = [options.binary, "ask", str(recipe), "-k", "0", options.question]
        child = [sys.executable, *sys.argv, "--child"]
        results = common.alternate(options.rounds, {"xkde": lambda: timed(ours), "transformers": lambda: theirs(child)})
    print(json.dumps(report_of(options, results)), flush=True)
    return None


if __name__ == "__main__":
    main()
