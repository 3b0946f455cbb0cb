#!/usr/bin/env python3
"""Collectives of two or more local CPU ranks: `collectives_bench` beside PyTorch's gloo, in turn on the same machine.

usage: compare_collectives.py --binary collectives_bench [--ranks 2] [--megabytes 32] [--rounds 5]
Prints one JSON line an operation: bus bandwidth in GB/s (bytes that must cross / time; an all-reduce counts twice), the
median over rounds of each side's median, and their ratio. fp32, one thread a rank.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import common

REPEATS = 20
VOLUME = {"all_gather": 1, "reduce_scatter": 1, "all_reduce": 2}


def gloo_worker(megabytes):
    import torch
    import torch.distributed as dist

    rank, ranks = int(os.environ["OMPI_COMM_WORLD_RANK"]), int(os.environ["OMPI_COMM_WORLD_SIZE"])
    dist.init_process_group("gloo", init_method="tcp://127.0.0.1:29543", rank=rank, world_size=ranks)
    torch.set_num_threads(1)
    full = torch.ones((megabytes << 20) // 4 // ranks * ranks)
    shard = torch.ones(full.numel() // ranks)
    calls = {
        "all_gather": lambda: dist.all_gather_into_tensor(full, shard),
        "reduce_scatter": lambda: dist.reduce_scatter_tensor(shard, full),
        "all_reduce": lambda: dist.all_reduce(full),
    }
    for operation, call in calls.items():
        seconds = []
        for _ in range(REPEATS + 3):
            dist.barrier()
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
        crossing = full.numel() * 4 * VOLUME[operation] * (ranks - 1) / ranks
        if rank == 0:
            print(json.dumps({"operation": operation, "bus": crossing / statistics.median(seconds[3:]) / 1e9}), flush=True)
    dist.barrier()


def mpirun(ranks, command):
    run = subprocess.run(["mpirun", "-n", str(ranks), "--bind-to", "none", "--oversubscribe", *command],
                         capture_output=True, text=True, env=common.mpi_environment(threads=1))
    lines = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    if not lines:
        sys.exit(f"compare_collectives.py: {command[0]} printed no result: {run.stderr.strip()[-300:]}")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--megabytes", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--gloo-worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.gloo_worker:
        return gloo_worker(options.megabytes)
    if options.binary is None:
        parser.error("--binary is required")
    ours, theirs = {o: [] for o in VOLUME}, {o: [] for o in VOLUME}
    for _ in range(options.rounds):
        for line in mpirun(options.ranks, [sys.executable, __file__, "--gloo-worker", "--megabytes", str(options.megabytes)]):
            theirs[line["operation"]].append(line["bus"])
        for line in mpirun(options.ranks, [str(options.binary), "--megabytes", str(options.megabytes), "--repeats", str(REPEATS)]):
            if line["library"].startswith("xkde") and line["dtype"] == "Float":
                ours[line["operation"]].append(line["bus_gb_per_s_median"])
    for operation in VOLUME:
        a, b = statistics.median(ours[operation]), statistics.median(theirs[operation])
        print(json.dumps({"bench": "compare_collectives", "operation": operation, "ranks": options.ranks,
                          "megabytes": options.megabytes, "rounds": options.rounds, "ours_gb_per_s": round(a, 2),
                          "gloo_gb_per_s": round(b, 2), "ratio": round(a / b, 2)}))


if __name__ == "__main__":
    main()
