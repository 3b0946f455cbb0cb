#!/usr/bin/env python3
"""What editing weights costs on more ranks, and late in a stream.

usage: editing_cost.py ranks --binary xkde_dist --model PATH --data DIR [--method ft_m] [--edits 16] [--rounds 3]
       editing_cost.py stream --binary xkde_dist --model PATH --data DIR [--method ultraedit] [--edits 1000]
Both take [--dtype float32] [--threads 1] and [--editor '{"steps": 2}'], keys of `editor:`. DIR holds KnowEdit's ZsRE.

ranks: single edits, each answered, by one rank on one core and by two ranks, in turn. Prints medians of the whole
process's seconds and of the seconds of an edit, and their ratios.
stream: a stage `edit`, one edit a batch. Prints the median seconds of batches 2 to 19 and of the last 18,
and the ratio. A batch's time is that between the moments at which its line stands in edits.jsonl.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

from compare import common

AROUND = 18  # batches 2 to 19


def command_of(options, ranks, recipe):
    if ranks == 1:
        return ["taskset", "-c", "0", options.binary, recipe] if options.threads == 1 else [options.binary, recipe]
    return ["mpirun", "-n", str(ranks), options.binary, recipe]


def start(options, folder, ranks, stage):
    """The process of a recipe with this stage, in a folder of its own."""
    recipe = {"output_dir": "run", "parallel": {"threads": options.threads}, "stages": [stage],
              "model": {"model_name_or_path": str(options.model.resolve()), "dtype": options.dtype}}
    (pathlib.Path(folder) / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")  # JSON is YAML
    return subprocess.Popen(command_of(options, ranks, "recipe.yaml"), cwd=folder, env=common.mpi_environment(),
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process):
    errors = process.communicate()[1]
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(process.args)}: exit code {process.returncode}\n{errors[-2000:]}")


def single_edits(options, ranks):
    """Seconds of the process, and of an edit."""
    stage = {"benchmark": "zsre", "data": str(options.data.resolve()), "method": options.method, "mode": "single",
             "scoring": "easyedit", "records": f"0:{options.edits}", "editor": options.editor}
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        finish(start(options, folder, ranks, {"evaluate": stage}))
        cost = json.loads((pathlib.Path(folder) / "run/01-evaluate/cost.json").read_text(encoding="utf-8"))
        return time.perf_counter() - began, cost["seconds_per_edit"]


def report_ranks(options):
    taken = {1: [], 2: []}
    for index in range(options.rounds):
        for ranks in (1, 2) if index % 2 == 0 else (2, 1):
            taken[ranks].append(single_edits(options, ranks))
    report = {"case": "ranks", "rounds": options.rounds}
    for at, name in enumerate(("seconds", "seconds_per_edit")):
        one, two = (statistics.median(times[at] for times in taken[ranks]) for ranks in (1, 2))
        report |= {name: [round(one, 3), round(two, 3)], f"{name}_ratio": round(one / two, 3)}
    return report


def report_stream(options):
    stage = {"benchmark": "zsre", "data": str(options.data.resolve()), "method": options.method,
             "records": f"0:{options.edits}", "editor": options.editor | {"batch": 1}}
    with tempfile.TemporaryDirectory() as folder:
        process = start(options, folder, 1, {"edit": stage})
        lines, moments = pathlib.Path(folder) / "run/01-edit/edits.jsonl", []
        while process.poll() is None:
            count = lines.read_bytes().count(b"\n") if lines.exists() else 0
            moments += [time.perf_counter()] * (count - len(moments))
            time.sleep(0.002)
        finish(process)
    taken = [after - before for before, after in zip(moments, moments[1:])]  # of the 2nd batch and those behind it
    early = taken[:AROUND] if options.edits > 2 * AROUND else taken[:len(taken) // 2]
    late = taken[-len(early):]
    return {"case": "stream", "edits": options.edits, "around_the_10th": round(statistics.median(early), 4),
            "the_last": round(statistics.median(late), 4), "ratio": round(statistics.median(late) / statistics.median(early), 3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=["ranks", "stream"])
    parser.add_argument("--binary", type=lambda path: str(pathlib.Path(path).resolve()), required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--method")
    parser.add_argument("--edits", type=int)
    parser.add_argument("--editor", type=json.loads, default={})
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    is_stream = options.case == "stream"
    options.method = options.method or ("ultraedit" if is_stream else "ft_m")
    options.edits = options.edits or (1000 if is_stream else 16)
    report = report_stream(options) if is_stream else report_ranks(options)
    print(json.dumps(report | {"method": options.method, "editor": options.editor, "dtype": options.dtype,
                               "threads": options.threads}))


if __name__ == "__main__":
    main()
