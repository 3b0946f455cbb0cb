#!/usr/bin/env python3
"""Training steps on 1, 2 and 4 ranks of this host with equal work a rank: weak scaling, and the planner's error.

usage: scaling.py --binary engine_bench [--ranks 1 2 4] [--rounds 3] [--dtype bf16 fp32] [--commit HASH]
One thread a rank, so that two ranks have what one has where there are two cores; more ranks than cores take turns. Ranks
alternate within a round. Prints the line of engine_bench whose step is the median over rounds (scaling_model reads it), then
one line of efficiency: the step of one rank over that of N, times N over the cores in use where ranks outnumber them.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

from compare import common

CASE = ["--tokens", "512", "--sequence", "128", "--shared", "40", "--steps", "4", "--threads", "1"]


def step(binary, ranks, dtype, commit):
    run = subprocess.run(["mpirun", "-n", str(ranks), "--bind-to", "none", "--oversubscribe", binary, "--dtype", dtype,
                          "--commit", commit, *CASE], capture_output=True, text=True, env=common.mpi_environment(threads=1))
    if run.returncode != 0:
        sys.exit(f"scaling.py: {binary} on {ranks} ranks ended with {run.returncode}: {run.stderr.strip()[-300:]}")
    return json.loads(run.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", nargs="+", default=["bf16", "fp32"])
    parser.add_argument("--commit", default="")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    for dtype in options.dtype:
        lines = {ranks: [] for ranks in options.ranks}
        for _ in range(options.rounds):
            for ranks in options.ranks:
                lines[ranks].append(step(options.binary, ranks, dtype, options.commit))
        middle = {}
        for ranks, found in lines.items():
            median = statistics.median_low(line["step_seconds_median"] for line in found)
            middle[ranks] = next(line for line in found if line["step_seconds_median"] == median)
            print(json.dumps(middle[ranks]), flush=True)
        first = min(options.ranks)
        for ranks in options.ranks:
            turns = max(1.0, ranks / cores)
            efficiency = middle[first]["step_seconds_median"] * turns / middle[ranks]["step_seconds_median"]
            print(json.dumps({"bench": "weak_scaling", "dtype": dtype, "ranks": ranks, "cores": cores,
                              "step_seconds": middle[ranks]["step_seconds_median"], "efficiency": round(efficiency, 3),
                              "rounds": options.rounds, "commit": options.commit}), flush=True)


if __name__ == "__main__":
    main()
