#!/usr/bin/env python3
"""What more metrics cost: an evaluation of edits with the four metrics of every row against one with ten, which asks the six
probes too (protocol 6.11), on the same rows, dtype and threads, in turn.

usage: compare_metrics.py --model PATH --data PATH --binary xkde_dist [--old-binary xkde_dist] [--records 200] [--test es]
                          [--more '{"probes": ["negation"]}'] [--rounds 3]
Prints one JSON line a dtype: medians of the seconds of a run with four metrics and with ten, without start-up and loading,
their ratio, the same of the whole process, and the peak of memory of both. --old-binary: the program of an earlier commit, which runs
the four metrics. --more: the keys that the second evaluation has beside the first. The model is a Hugging Face folder or a .gguf file.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import common

PROBES = ["negation", "fact_check", "reverse", "prefix", "persona", "completion"]


def run(options, dtype, binary, keys):
    """What one evaluation took."""
    stage = {"benchmark": options.benchmark, "data": str(pathlib.Path(options.data).resolve()), "edit_languages": [options.edit],
             "test_languages": options.test, "mode": "single", "records": f"0:{options.records}"} | keys
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        recipe = common.base_recipe(options, dtype) | {"output_dir": str(path / "run"), "stages": [{"evaluate": stage}]}
        (path / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")  # JSON is YAML
        environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
        start = time.perf_counter()
        with open(path / "log", "w", encoding="utf-8") as log, \
                subprocess.Popen([binary, str(path / "recipe.yaml")], env=environment, stdout=log, stderr=log) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        if process.returncode != 0:
            raise SystemExit(f"{binary}: exit code {process.returncode}\n{(path / 'log').read_text(encoding='utf-8')[-2000:]}")
        chunks = common.json_lines(path / "run/01-evaluate/metrics.jsonl")
        rows = json.loads((path / "run/01-evaluate/results.json").read_text(encoding="utf-8"))
        return {"answers": sum(chunk["seconds"] for chunk in chunks), "process": wall, "peak_bytes": usage.ru_maxrss * 1024,
                "prompts": sum(chunk["prompts"] for chunk in chunks),
                "metrics": sorted({row["metric"] for row in rows if "." not in row["metric"] and row["n"] > 0})}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--old-binary")
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--benchmark", default="bmike53", choices=["bmike53", "mzsre", "bizsre"])
    parser.add_argument("--edit", default="en")
    parser.add_argument("--test", nargs="+", default=["es"])
    parser.add_argument("--records", type=int, default=200)
    parser.add_argument("--more", type=json.loads, default={"probes": PROBES})
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--dtype", nargs="+", default=["float32"], choices=["float32", "bfloat16"])
    options = parser.parse_args()
    for dtype in options.dtype:
        sides = {"four": lambda: run(options, dtype, options.old_binary or options.binary, {}),
                 "ten": lambda: run(options, dtype, options.binary, options.more)}
        found = common.alternate(options.rounds, sides)
        report = {"case": f"{options.benchmark} {options.edit}->{','.join(options.test)}", "dtype": dtype, "threads": options.threads,
                  "rounds": options.rounds, "records": options.records}
        for name, results in found.items():
            report[name] = {key: round(statistics.median(result[key] for result in results), 3)
                            for key in ("answers", "process", "peak_bytes", "prompts")} | {"metrics": results[0]["metrics"]}
        for key in ("answers", "process", "peak_bytes"):
            report[f"{key}_ratio"] = round(report["ten"][key] / report["four"][key], 3)
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
