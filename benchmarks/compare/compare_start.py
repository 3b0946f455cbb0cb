#!/usr/bin/env python3
"""What a start costs that computes nothing, against the program of an earlier commit: `--version`, `validate`, and a run
that is finished, on one rank and on two.

usage: compare_start.py --model PATH --data PATH --binary xkde_dist --old-binary xkde_dist [--rounds 11]
Prints one JSON line a case: medians of both sides' seconds, in turn, and their ratio. --data: BMIKE-53's folder. The
model is a Hugging Face folder or a .gguf file.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import common


def succeed(command, folder):
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=common.mpi_environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, required=True)
    parser.add_argument("--old-binary", type=pathlib.Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    binaries = {"ours": str(options.binary.resolve()), "old": str(options.old_binary.resolve())}
    stage = {"benchmark": "bmike53", "data": str(options.data.resolve()), "edit_languages": ["en"], "test_languages": ["es"],
             "mode": "single", "records": "0:4"}
    with tempfile.TemporaryDirectory() as folder:
        for side, binary in binaries.items():
            recipe = common.base_recipe(options, "bfloat16") | {"output_dir": f"run_{side}", "stages": [{"evaluate": stage}]}
            (pathlib.Path(folder) / f"{side}.yaml").write_text(json.dumps(recipe), encoding="utf-8")  # JSON is YAML
            succeed([binary, f"{side}.yaml"], folder)
        cases = {"--version": lambda side: [binaries[side], "--version"],
                 "validate": lambda side: [binaries[side], "validate", f"{side}.yaml"],
                 "finished run": lambda side: [binaries[side], f"{side}.yaml"],
                 "finished run, two ranks": lambda side: ["mpirun", "-n", "2", binaries[side], f"{side}.yaml"]}
        for case, command in cases.items():
            sides = {side: lambda side=side: succeed(command(side), folder) for side in binaries}
            found = common.alternate(options.rounds, sides)
            report = {"case": case, "rounds": options.rounds} | {side: round(statistics.median(taken), 4) for side, taken in found.items()}
            print(json.dumps(report | {"ratio": round(report["ours"] / report["old"], 3)}), flush=True)


if __name__ == "__main__":
    main()
