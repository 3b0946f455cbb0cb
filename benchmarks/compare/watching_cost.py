#!/usr/bin/env python3
"""What it costs to watch a training: the same training alone, with event files for TensorBoard, with a page that is written
anew, with logs of its ranks, and with `xkde_dist watch` on a terminal beside it, in turn.

usage: watching_cost.py --model PATH --data PATH --binary xkde_dist [--steps 60] [--every 1] [--rounds 5] [--ranks 1]
Prints one JSON line a dtype. Of each side: the median of the seconds of a step over steps and rounds, its ratio to that of the
training alone, the processor seconds of a step (of the ranks and, with `watch`, of both), and the peak of memory of a rank.
Of `watch` alone: its processor time as a share of a step, without what it takes to start (`watch --once` behind the run), that
start, and the most memory that it held while it drew: resident, and what no other process shares. The first steps, which warm up, are left out. The model is a Hugging Face folder or a .gguf file.
"""
import argparse
import json
import os
import pathlib
import pty
import statistics
import subprocess
import tempfile
import threading
import time

import common

WARM_STEPS = 3
QUIET = {"live_report": False}
SIDES = {"alone": QUIET, "tensorboard": QUIET | {"report_to": ["tensorboard"]}, "live_report": {"live_report": True},
         "rank_logs": QUIET | {"rank_logs": True}, "watch": QUIET}


def held_bytes(process):
    """(resident, of its own) of a process that runs; nothing of one that has ended."""
    try:
        lines = pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return 0, 0
    sizes = {line.split()[0]: int(line.split()[1]) * 1024 for line in lines}
    return sizes.get("Rss:", 0), sizes.get("Private_Clean:", 0) + sizes.get("Private_Dirty:", 0)


class Ended:
    """A process that ended: its processor seconds and its peak of memory."""

    def __init__(self, process, log):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"{' '.join(process.args)}: exit code {process.returncode}\n{log()[-2000:]}")
        self.seconds, self.peak_bytes = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


class Watcher:
    """`watch` on a terminal of its own, which somebody reads."""

    def __init__(self, binary, folder, *options):
        self.seen, (self.own, other) = b"", pty.openpty()
        self.resident_bytes = self.own_bytes = 0
        self.process = subprocess.Popen([binary, "watch", str(folder), *options], stdin=subprocess.DEVNULL,
                                        stdout=other, stderr=other, env=os.environ | {"TERM": "xterm"})
        os.close(other)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        try:
            while part := os.read(self.own, 1 << 16):
                self.seen = (self.seen + part)[-4096:]
                resident, own = held_bytes(self.process)
                self.resident_bytes, self.own_bytes = max(resident, self.resident_bytes), max(own, self.own_bytes)
        except OSError:
            pass  # all who wrote have ended

    def ended(self):
        ended = Ended(self.process, lambda: self.seen.decode(errors="replace"))
        self.reader.join()
        ended.resident_bytes, ended.own_bytes = self.resident_bytes, self.own_bytes
        os.close(self.own)
        return ended


def recipe_of(options, dtype, folder, keys):
    sources = [{"benchmark": options.benchmark, "data": str(pathlib.Path(options.data).resolve()),
                "edit_languages": [options.edit], "test_languages": options.test, "records": f"0:{options.records}"}]
    stages = [{"build_data": {"sources": sources}}, {"sft": {"max_steps": options.steps, "global_batch_size": options.batch}}]
    return common.base_recipe(options, dtype) | keys | {
        "output_dir": str(folder / "run"), "parallel": {"threads": max(1, options.threads // options.ranks)}, "stages": stages}


def run(options, dtype, side):
    with tempfile.TemporaryDirectory(prefix="xkde_watching_") as name:
        folder = pathlib.Path(name)
        (folder / "recipe.yaml").write_text(json.dumps(recipe_of(options, dtype, folder, SIDES[side])), encoding="utf-8")
        command = [options.binary, str(folder / "recipe.yaml")]
        if options.ranks > 1:
            command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(options.ranks), *command]
        with open(folder / "log", "w", encoding="utf-8") as log:
            process = subprocess.Popen(command, env=common.mpi_environment(), stdout=log, stderr=log)
        while side == "watch" and not (folder / "run/run.json").exists() and process.poll() is None:
            time.sleep(0.01)
        watcher = Watcher(options.binary, folder / "run", "--every", str(options.every)) if side == "watch" else None
        trained = Ended(process, lambda: (folder / "log").read_text(encoding="utf-8"))
        watched = watcher.ended() if watcher else None
        start = Watcher(options.binary, folder / "run", "--once").ended() if watcher else None
        lines = common.json_lines(folder / "run/02-sft/metrics.jsonl")[WARM_STEPS:]
        return {"steps": [line["step_seconds"] for line in lines], "all_steps": options.steps, "trained": trained, "watched": watched,
                "start": start}


def report_of(side, rounds, alone):
    step = statistics.median(seconds for one in rounds for seconds in one["steps"])
    found = {"step_seconds": round(step, 5), "step_ratio": round(step / alone, 4) if alone else 1.0,
             "cpu_seconds_a_step": round(statistics.median(one["trained"].seconds / one["all_steps"] for one in rounds), 5),
             "peak_bytes": int(statistics.median(one["trained"].peak_bytes for one in rounds))}
    if side == "watch":
        starts = [one["start"].seconds for one in rounds]
        looks = [one["watched"].seconds - one["start"].seconds for one in rounds]
        share = statistics.median(look / one["all_steps"] / step for look, one in zip(looks, rounds))
        found |= {"watch_cpu_share_of_a_step": round(share, 5), "watch_start_cpu_seconds": round(statistics.median(starts), 3),
                  "watch_resident_bytes": int(statistics.median(one["watched"].resident_bytes for one in rounds)),
                  "watch_own_bytes": int(statistics.median(one["watched"].own_bytes for one in rounds))}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--benchmark", default="bmike53", choices=["bmike53", "mzsre", "bizsre"])
    parser.add_argument("--edit", default="en")
    parser.add_argument("--test", nargs="+", default=["es"])
    parser.add_argument("--records", type=int, default=100)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two looks of `watch`")
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=list(SIDES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--dtype", nargs="+", default=["float32"], choices=["float32", "bfloat16"])
    options = parser.parse_args()
    if options.steps <= WARM_STEPS:
        parser.error(f"--steps: expected more than {WARM_STEPS}, found {options.steps}")
    names = ["alone", *(side for side in options.sides if side != "alone")]
    for dtype in options.dtype:
        found = common.alternate(options.rounds, {side: lambda side=side: run(options, dtype, side) for side in names})
        alone = statistics.median(seconds for one in found["alone"] for seconds in one["steps"])
        print(json.dumps({"case": "watching", "dtype": dtype, "threads": options.threads, "ranks": options.ranks,
                          "rounds": options.rounds, "steps": options.steps, "every": options.every}
                         | {side: report_of(side, found[side], alone) for side in names}), flush=True)


if __name__ == "__main__":
    main()
