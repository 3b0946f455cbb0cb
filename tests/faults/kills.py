"""SIGKILL, and other deaths, at random moments of runs on one and on more ranks."""

import os
import signal
import time

from bench import ALL_STAGES, STAGE_FOLDERS
from registry import Wrong, scenario
from watching import family_of, kill_family, send, wait_until

DEATHS = ("SIGKILL", "SIGSEGV", "SIGABRT", "SIGBUS")


def calls_in(attempt, stage):
    return sum(1 for _, path in attempt.bench.calls(ALL_STAGES) if f"/out/{stage}" in path)


def expect_death(attempt, outcome, number):
    if outcome.code not in (0, -number):
        raise Wrong(f"{attempt.told()}: expected signal {number}, found {outcome}")
    return outcome.code != 0


@scenario("R1", "R2", quick=12, long=60)
def kill_calls(attempt):
    """SIGKILL at random calls to the system in sft, sample, orpo and evaluate: no checkpoint under a final name is
    damaged, and the end is bit-equal."""
    arguments = attempt.recipe(ALL_STAGES)
    stages = STAGE_FOLDERS[attempt.number % 4:] + ("",)
    attempt.tried = 0
    for stage in stages[:3]:
        call = attempt.rng.randint(1, calls_in(attempt, stage))
        attempt.note(f"any:{call}:SIGKILL:/out/{stage}")
        outcome = attempt.run(arguments, fault=f"any:{call}:SIGKILL:{attempt.out}/{stage}")
        attempt.tried += expect_death(attempt, outcome, signal.SIGKILL)
        attempt.expect_whole_checkpoints()
    attempt.go_on(ALL_STAGES, arguments)


def names_that_change(bench):
    """The calls of a run that change names below its folder."""
    return [(kind, path) for kind, path in bench.calls(ALL_STAGES) if kind in ("rename", "mkdir", "remove") and "/out/" in path]


@scenario("R1", "R2", quick=6, long=lambda bench: len(names_that_change(bench)))
def kill_names(attempt):
    """SIGKILL right before a folder or file is renamed, made or removed: the same."""
    calls = names_that_change(attempt.bench)
    index = attempt.rng.randrange(len(calls)) if attempt.bench.is_quick else (attempt.number - 1) % len(calls)
    kind, path = calls[index]
    number = sum(1 for other, _ in calls[:index + 1] if other == kind)
    attempt.note(f"{kind}:{number}:SIGKILL:/out/ ({path})")
    arguments = attempt.recipe(ALL_STAGES)
    outcome = attempt.run(arguments, fault=f"{kind}:{number}:SIGKILL:{attempt.out}/")
    expect_death(attempt, outcome, signal.SIGKILL)
    attempt.go_on(ALL_STAGES, arguments)


@scenario("R1", "R2", quick=4, long=30)
def kill_moments(attempt):
    """SIGKILL at random times of a run, between calls too: the same."""
    arguments = attempt.recipe(ALL_STAGES)
    attempt.bench.undisturbed(ALL_STAGES)
    for _ in range(3):
        process = attempt.start(arguments)
        delay = attempt.rng.uniform(0.3, 1.6)
        attempt.note(f"killed after {delay:.2f} s")
        time.sleep(delay)
        kill_family(process)
        attempt.finish(process)
        attempt.expect_whole_checkpoints()
    attempt.tried = 3
    attempt.go_on(ALL_STAGES, arguments)


@scenario("R1", "R2", "R11", quick=4, long=32)
def kill_ranks(attempt):
    """A rank dies (SIGKILL, SEGV, ABRT, BUS), or mpirun, or all at once: all ranks are gone soon, and the end is
    bit-equal."""
    ranks = 2 + attempt.number % 2
    arguments = attempt.recipe(ALL_STAGES)
    attempt.bench.undisturbed(ALL_STAGES, ranks)
    for who in attempt.rng.sample(["rank", "rank", "mpirun", "all"], 2):
        stage = attempt.rng.choice(STAGE_FOLDERS)
        call = attempt.rng.randint(1, max(1, calls_in(attempt, stage) // 2))
        if who == "rank":
            rank, death = attempt.rng.randrange(ranks), attempt.rng.choice(DEATHS)
            path = "/out" if rank else f"/out/{stage}"  # other ranks make few calls
            call = call if rank == 0 else attempt.rng.randint(1, 40)
            attempt.note(f"rank {rank} of {ranks}: any:{call}:{death}:{path}")
            attempt.run(arguments, ranks, fault=f"any:{call}:{death}:{attempt.folder}{path}", rank=rank)
        else:
            process = attempt.start(arguments, ranks)
            delay = attempt.rng.uniform(0.8, 2.5)
            attempt.note(f"{who} killed after {delay:.2f} s")
            time.sleep(delay)
            send([process.pid] if who == "mpirun" else family_of(process.pid), signal.SIGKILL)
            attempt.finish(process)
        attempt.expect_gone()
        attempt.expect_whole_checkpoints()
    attempt.tried = 2
    attempt.go_on(ALL_STAGES, arguments, ranks)


def start_and_stop(attempt, arguments):
    """Two ranks, one of which stops itself at a random call of a random stage."""
    rank, stage = attempt.rng.randrange(2), attempt.rng.choice(STAGE_FOLDERS)
    path = f"/out/{stage}" if rank == 0 else "/out"  # other ranks make few calls
    call = attempt.rng.randint(1, calls_in(attempt, stage) // 2 if rank == 0 else 20)
    attempt.note(f"rank {rank}: any:{call}:SIGSTOP:{path}")
    process = attempt.start(arguments, 2, fault=f"any:{call}:SIGSTOP:{attempt.folder}{path}", rank=rank)
    wait_until(lambda: process.poll() is not None or stopped_ones(attempt), "the rank stops")
    return process


@scenario("R12", quick=1, long=12)
def stopped_rank(attempt):
    """SIGSTOP of a rank for some seconds, or over and over so that it is ten times slower: the run waits, and goes on
    to the same end."""
    arguments = attempt.recipe(ALL_STAGES)
    attempt.bench.undisturbed(ALL_STAGES, 2)
    process = start_and_stop(attempt, arguments)
    slow = stopped_ones(attempt)
    if attempt.number % 2:
        time.sleep(attempt.rng.uniform(1, 3))
        send(slow, signal.SIGCONT)
    else:
        attempt.note("ten times slower from there on")
        while process.poll() is None:
            send(slow, signal.SIGCONT)
            time.sleep(0.01)
            send(slow, signal.SIGSTOP)
            time.sleep(0.09)
    attempt.judge(attempt.finish(process), {0})
    attempt.expect_end(ALL_STAGES, 2)


@scenario("R12", quick=1, long=8)
def stopped_for_ever(attempt):
    """SIGSTOP of a rank for ever: after parallel.timeout the run ends with 81 and says who did not arrive where; all
    ranks are gone, and the next start ends bit-equal."""
    arguments = attempt.recipe(ALL_STAGES)
    attempt.bench.undisturbed(ALL_STAGES, 2)
    seconds = 6
    process = start_and_stop(attempt, [*arguments, f"parallel.timeout={seconds}"])
    begin = time.monotonic()
    outcome = attempt.finish(process, patience=120)
    if time.monotonic() - begin > seconds + 30:  # idle machines: 5 more
        raise Wrong(f"{attempt.told()}: ended {time.monotonic() - begin:.0f} s after the stop: {outcome}")
    attempt.judge(outcome, {81})
    if "did not arrive" not in outcome.stderr:
        raise Wrong(f"{attempt.told()}: does not say who did not arrive: {outcome}")
    attempt.expect_gone()
    attempt.go_on(ALL_STAGES, arguments, 2)


def stopped_ones(attempt):
    stopped = []
    for pid in attempt.own_processes():
        try:
            with open(f"/proc/{pid}/stat") as file:
                state = file.read().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state == "T" and pid != os.getpid():
            stopped.append(pid)
    return stopped
