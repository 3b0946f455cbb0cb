"""Signals that ask a run to stop, to save, or that nobody meant: to a run of one rank, to a rank, to mpirun."""

import os
import pathlib
import signal
import subprocess
import time

from bench import ALL_STAGES, STAGE_FOLDERS, TRAINING, results_of
from kills import calls_in
from registry import Wrong, scenario

STOPS = ("SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP")


def stop_and_go_on(attempt, fault, codes):
    arguments = attempt.recipe(ALL_STAGES)
    attempt.note(fault.replace(attempt.folder, ""))
    outcome = attempt.run(arguments, fault=fault)
    attempt.judge(outcome, codes)
    if outcome.code == 0:
        attempt.expect_end(ALL_STAGES)
    attempt.go_on(ALL_STAGES, arguments, asked=True)


@scenario("R14", quick=8, long=60)
def stop_one(attempt):
    """SIGTERM, INT, USR1 or HUP at a random call of a run of one rank: 75 with a checkpoint, or 0 where no work was
    left; the next start ends bit-equal."""
    stage = (*STAGE_FOLDERS, "04-rank", "01-build_data")[attempt.number % 6]
    made = attempt.bench.calls(ALL_STAGES)
    # Once the export has begun no work is left: it and the report only read what other stages wrote.
    end = next((i for i, (call, path) in enumerate(made) if call == "mkdir" and "/out/07-export" in path), len(made))
    calls = sum(1 for _, path in made[:end] if f"/out/{stage}" in path)
    number = attempt.rng.choice(STOPS)
    fault = f"any:{attempt.rng.randint(1, calls)}:{number}:{attempt.out}/{stage}"
    # The last stage that can be stopped may be over with the call.
    stop_and_go_on(attempt, fault, {75, 0} if stage == "06-evaluate" else {75})


EARLY = ("open:1:{}:recipe.yaml", "open:1:{}:/model/config.json")


@scenario("R14", quick=2, long=12)
def stop_early(attempt):
    """The same when the recipe is read, and when the model is opened: 75, and nothing is lost."""
    moment = EARLY[(attempt.number - 1) % len(EARLY)]
    arguments = attempt.recipe(TRAINING)
    fault = moment.format(attempt.rng.choice(STOPS))
    attempt.note(fault)
    attempt.run(arguments, codes={75}, fault=fault, under="/")
    attempt.go_on(TRAINING, arguments, asked=True)


@scenario("R14", quick=2, long=12)
def save_asked(attempt):
    """SIGUSR2 during training: a checkpoint, and the run goes on to the same end."""
    text = TRAINING.replace("save_steps: 2", "save_steps: 0")
    arguments = attempt.recipe(text)
    call = attempt.rng.randint(1, 6)
    attempt.note(f"write:{call}:SIGUSR2:metrics.jsonl")
    made = f"write:{call}:SIGUSR2:/02-sft/metrics.jsonl"
    outcome = attempt.run(arguments, fault=made)
    attempt.judge(outcome, {0})
    if call < 5 and not any("/checkpoints/step-0000000" in path and "step-00000006" not in path
                            for kind, _, path in attempt.logged() if kind == "mkdir"):
        raise Wrong(f"{attempt.told()}: no checkpoint was made when it was asked for")
    expected = attempt.bench.undisturbed(text)["02-sft/metrics.jsonl"]
    if results_of(attempt.out)["02-sft/metrics.jsonl"] != expected:
        raise Wrong(f"{attempt.told()}: another curve")


@scenario("R14", quick=2, long=8)
def reader_gone(attempt):
    """Who reads the output ends (`| head -1`), or SIGPIPE comes: the run goes on to the same end."""
    arguments = attempt.recipe(ALL_STAGES)
    if attempt.number % 2:
        attempt.note("SIGPIPE")
        fault = f"any:{attempt.rng.randint(1, 60)}:SIGPIPE:/02-sft"
        attempt.run(arguments, codes={0}, fault=fault)
    else:
        attempt.note("2>&1 | head -1")
        process = attempt.start(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        process.stdout.readline()
        process.stdout.close()
        code = process.wait(timeout=300)
        if code not in (0, 74):  # 74: the table of results could not be printed
            raise Wrong(f"{attempt.told()}: exit code {code}")
    attempt.go_on(ALL_STAGES, arguments)


@scenario("R14", quick=2, long=20)
def stop_ranks(attempt):
    """A stop signal to one of two ranks, or to mpirun: 75 (from mpirun also its own 1, 143 and 130), nobody stays,
    the next start ends bit-equal."""
    arguments = attempt.recipe(ALL_STAGES)
    attempt.bench.undisturbed(ALL_STAGES, 2)
    number = attempt.rng.choice(STOPS)
    if attempt.number % 2:
        stage = attempt.rng.choice(STAGE_FOLDERS[:3])
        fault = f"any:{attempt.rng.randint(1, calls_in(attempt, stage) // 2)}:{number}:{attempt.out}/{stage}"
        attempt.note(f"rank 0: {fault.replace(attempt.folder, '')}")
        attempt.run(arguments, 2, codes={75}, fault=fault, rank=0)
    else:
        process = attempt.start(arguments, 2)
        metrics = pathlib.Path(f"{attempt.out}/02-sft/metrics.jsonl")
        while process.poll() is None and not metrics.exists():
            time.sleep(0.005)
        time.sleep(attempt.rng.uniform(0, 0.3))
        attempt.note(f"mpirun: {number}")
        if process.poll() is None:
            os.kill(process.pid, getattr(signal, number))
        outcome = attempt.finish(process)
        if outcome.code not in (0, 75, 1, 143, 130, 129, -1, -2, -15):
            raise Wrong(f"{attempt.told()}: {outcome}")
    attempt.expect_gone()
    attempt.go_on(ALL_STAGES, arguments, 2, asked=True)
