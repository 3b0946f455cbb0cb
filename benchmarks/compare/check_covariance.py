#!/usr/bin/env python3
"""Second moments of a `covariance` stage against transformers: the same windows, one at a time, seen by hooks, fp32.

usage: check_covariance.py --model DIR --text FILE [FILE ...] [--binary xkde_dist] [--layers 0 2] [--max-tokens 5000]
                           [--modules down_proj] [--context-length 64] [--ranks 1] [--threads 1] [--rounds 0] [--plain]
Needs torch, transformers and h5py. DIR is a Hugging Face folder that both sides read. Each document is a line. Prints one
JSON line for each layer and module and ends with 1 where a matrix differs by more than 1e-5 of its norm, or a number of
tokens. --rounds N then times both sides in turn, N times each: medians of tokens per second through the blocks that are
needed. The other side batches windows of like length, stops behind the last layer and adds fp32 products in fp64. With
--plain it computes all layers and the head, as a forward pass that knows nothing of hooks does.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import common

TOLERANCE = 1e-5
# Of a block: what our names see, by transformers' names; the first that the block has.
MODULES = {"down_proj": ("mlp.down_proj",), "gate_up": ("mlp.gate_proj", "mlp.gate_up_proj"),
           "qkv": ("self_attn.q_proj", "self_attn.qkv_proj"), "o_proj": ("self_attn.o_proj",)}


class LastLayer(Exception):
    """Nothing above is needed."""


def recipe_of(options, folder, batch):
    stage = {"texts": [{"data": str(text)} for text in options.text], "layers": options.layers, "modules": options.modules,
             "max_tokens": options.max_tokens, "context_length": options.context_length, "max_tokens_per_batch": batch}
    return {"run_name": "check", "output_dir": str(folder / "run"), "parallel": {"threads": options.threads},
            "model": {"model_name_or_path": str(options.model), "dtype": "float32", "chat_template": "plain"},
            "stages": [{"covariance": stage}]}


def run_product(options, folder, batch):
    """The stage's folder, and the tokens per second that it told."""
    recipe = folder / "recipe.yaml"
    recipe.write_text(json.dumps(recipe_of(options, folder, batch)), encoding="utf-8")
    command = [options.binary, str(recipe)]
    if options.ranks > 1:
        command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(options.ranks), *command]
    done = subprocess.run(command, env=common.mpi_environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return folder / "run/01-covariance", float(re.search(r"tokens, (\d+) tokens/s", done.stderr).group(1))


def windows_of(options, tokenizer):
    """As docs/recipes.md says: the next window is of the text that has had the fewest tokens so far."""
    def cut(text):
        for line in text.read_text(encoding="utf-8").splitlines():
            if line.strip():
                ids = tokenizer(line, add_special_tokens=True)["input_ids"]
                yield from (ids[at:at + options.context_length] for at in range(0, len(ids), options.context_length))

    texts = [cut(text) for text in options.text]
    had = dict.fromkeys(range(len(texts)), 0)
    windows, total = [], 0
    while had and total < options.max_tokens:
        text = min(had, key=lambda one: (had[one], one))
        window = next(texts[text], None)
        if window is None:
            del had[text]
            continue
        window = window[:options.max_tokens - total]
        had[text] += len(window)
        total += len(window)
        windows.append(window)
    return windows


class Hooks:
    """Sums of x' x of the inputs of all modules that are asked for, fp64, over rows where `rows` holds."""

    def __init__(self, model, options, exact):
        import torch
        self.torch, self.exact, self.sums, self.rows = torch, exact, {}, None
        for layer in options.layers:
            block = dict(model.model.layers[layer].named_modules())
            for name in options.modules:
                module = next(block[one] for one in MODULES[name] if one in block)
                module.register_forward_pre_hook(self.adder(f"layers/{layer}/{name}"))
        if exact or not options.plain:
            model.model.layers[max(options.layers)].register_forward_hook(self.stop)

    def adder(self, place):
        def add(_, inputs):
            rows = inputs[0][self.rows]
            rows = rows.double() if self.exact else rows
            product = rows.T @ rows
            self.sums[place] = self.sums[place].add_(product) if place in self.sums else product.double()
        return add

    @staticmethod
    def stop(*_):
        raise LastLayer

    def see(self, model, windows):
        torch = self.torch
        width = max(len(window) for window in windows)
        ids = torch.zeros(len(windows), width, dtype=torch.long)
        self.rows = torch.zeros(len(windows), width, dtype=torch.bool)
        for i, window in enumerate(windows):
            ids[i, :len(window)] = torch.tensor(window)
            self.rows[i, :len(window)] = True
        try:
            with torch.no_grad():
                model(input_ids=ids, attention_mask=self.rows.long(), use_cache=False)
        except LastLayer:
            pass


def open_model(options):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    torch.set_num_threads(options.threads)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    return tokenizer, lambda: AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()


def compare(folder, sums, tokens):
    import h5py
    import torch
    wrong = False
    with h5py.File(folder / "covariance.h5") as file:
        for place, total in sorted(sums.items()):
            ours = torch.from_numpy(file[place][...])
            theirs = total / tokens
            case = {"place": place, "width": len(ours), "tokens": int(file[place].attrs["tokens"]),
                    "relative_difference": float((ours - theirs).norm() / theirs.norm()),
                    "symmetric": bool(torch.equal(ours, ours.T))}
            wrong |= case["relative_difference"] > TOLERANCE or case["tokens"] != tokens or not case["symmetric"]
            print(json.dumps(case))
    return wrong


def speed_of_hooks(model, hooks, windows, batch):
    """Batches of like length, at most `batch` tokens with what fills them up."""
    began, batched = time.perf_counter(), []
    for window in sorted(windows, key=len):
        if batched and len(window) * (len(batched) + 1) > batch:
            hooks.see(model, batched)
            batched = []
        batched.append(window)
    hooks.see(model, batched)
    return sum(map(len, windows)) / (time.perf_counter() - began)


def time_both(options, load, windows, batch):
    model = load()
    hooks = Hooks(model, options, exact=False)
    ours, theirs = [], []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            ours.append(run_product(options, pathlib.Path(folder), batch)[1])
        theirs.append(speed_of_hooks(model, hooks, windows, batch))
    print(json.dumps({"tokens_per_second": statistics.median(ours), "transformers": statistics.median(theirs),
                      "rounds": options.rounds, "plain": options.plain, "ranks": options.ranks, "threads": options.threads,
                      "ours": ours, "theirs": theirs}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--text", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--binary", default="xkde_dist")
    parser.add_argument("--layers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--modules", nargs="+", choices=MODULES, default=list(MODULES))
    parser.add_argument("--max-tokens", type=int, default=5000)
    parser.add_argument("--context-length", type=int, default=64)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--plain", action="store_true")
    options = parser.parse_args()
    batch = 1024
    tokenizer, load = open_model(options)
    windows = windows_of(options, tokenizer)
    model = load()
    hooks = Hooks(model, options, exact=True)
    for window in windows:
        hooks.see(model, [window])
    del model
    with tempfile.TemporaryDirectory() as folder:
        wrong = compare(run_product(options, pathlib.Path(folder), batch)[0], hooks.sums, sum(map(len, windows)))
    if options.rounds > 0:
        time_both(options, load, windows, batch)
    sys.exit(wrong)


if __name__ == "__main__":
    main()
