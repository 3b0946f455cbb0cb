#!/usr/bin/env python3
"""Opening a GGUF file, side by side: `model_open_bench` (all weights into fp32 masters, as a run does) and transformers'
`from_pretrained(gguf_file=)` in fp32, each with its tokenizer and in a process of its own that is there already.

usage: compare_open.py --binary build/release/benchmarks/model_open_bench --model FILE.gguf [--rounds 5] [--threads N]
The file is read once before, so that both find it in the page cache. Prints one JSON line: medians of seconds and of the
peak resident set above what the process had before, how many times faster ours is, and our peak in parts of the decoded
weights. Needs gguf beside what requirements.txt names.
"""
import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

import common


def open_with_transformers(options):
    """A child's whole life; prints what it measured."""
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer, modeling_gguf_pytorch_utils  # noqa: F401: not timed
    torch.set_num_threads(options.threads)
    transformers.utils.logging.disable_progress_bar()
    path = pathlib.Path(options.model).resolve()
    with open("/proc/self/statm", encoding="ascii") as file:
        before = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    begin = time.perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    seconds = time.perf_counter() - begin
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    print(json.dumps({"seconds": seconds, "peak_bytes": peak, "share_bytes": weights, "tokens": len(tokenizer)}))


def last_line(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="model_open_bench")
    parser.add_argument("--model", required=True, help="GGUF file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of each side")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return open_with_transformers(options)
    pathlib.Path(options.model).read_bytes()
    ours = [options.binary, "--model", options.model, "--threads", str(options.threads)]
    results = common.alternate(options.rounds, {"xkde": lambda: last_line(ours),
                                                "transformers": lambda: last_line([sys.executable, *sys.argv, "--child"])})
    report = {"case": pathlib.Path(options.model).name, "threads": options.threads, "rounds": options.rounds}
    for side, rounds in results.items():
        report |= {f"{side}_seconds": round(statistics.median(r["seconds"] for r in rounds), 3),
                   f"{side}_peak_bytes": int(statistics.median(r["peak_bytes"] for r in rounds)),
                   f"{side}_all_seconds": [round(r["seconds"], 3) for r in rounds]}
    report["times_faster"] = round(report["transformers_seconds"] / report["xkde_seconds"], 2)
    report["peak_to_weights"] = round(report["xkde_peak_bytes"] / results["xkde"][0]["share_bytes"], 3)
    print(json.dumps(report), flush=True)
    return None


if __name__ == "__main__":
    main()
