#!/usr/bin/env python3
"""Faults with a seed: lets what can go wrong go wrong, and holds the end against a run that nothing disturbed.

usage: faults_test.py PROGRAM SHIM [--size quick|long] [--seed N] [--only NAME,NAME] [--number N]
       [--count N] [--jobs N] [--keep] [--record FILE] [--list]
PROGRAM is xkde_dist, SHIM the library that CMake builds from shim.cpp. A wrong is printed with the command that
repeats it. Needs python3 and mpirun only; what needs root is skipped without it.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import json
import os
import sys
import time
import traceback

import calls  # noqa: F401  each module enters its scenarios
import disks  # noqa: F401
import edits  # noqa: F401
import inputs  # noqa: F401
import kills  # noqa: F401
import limits  # noqa: F401
import memory_flips  # noqa: F401
import not_finite  # noqa: F401
import pieces  # noqa: F401
import power_cuts  # noqa: F401
import ranks  # noqa: F401
import stops  # noqa: F401
from bench import Attempt, Bench
from registry import SCENARIOS, Skip, Wrong


class Tally:
    """What became of the attempts of one scenario."""

    def __init__(self):
        self.tried = self.survived = self.wrong = 0
        self.skipped = collections.Counter()


def attempt_once(bench, scenario, number):
    """(tried, what went wrong or None, why it was skipped or None)"""
    attempt = Attempt(bench, scenario.name, number)
    wrong = skipped = None
    try:
        scenario.act(attempt)
    except Skip as reason:
        skipped = str(reason)
    except Wrong as what:
        wrong = str(what)
    except Exception:
        wrong = f"{attempt.told()}: the test itself failed: {traceback.format_exc()}"
    attempt.close(keep=wrong is not None and bench.keeps)
    return attempt.tried, wrong, skipped


def command_for(options, scenario, number):
    return (f"{sys.executable} {os.path.abspath(__file__)} {options.program} {options.shim} --seed {options.seed} "
            f"--size {options.size} --only {scenario.name} --number {number}")


def chosen_attempts(bench, options):
    names = options.only.split(",") if options.only else list(SCENARIOS)
    for name in names:
        scenario = SCENARIOS[name]
        count = options.count or (scenario.quick if bench.is_quick else scenario.long)(bench)
        for number in [options.number] if options.number else range(1, count + 1):
            yield scenario, number


@contextlib.contextmanager
def cancelled_at_exit(pool):
    """Ctrl-C ends with the attempts that have begun."""
    try:
        yield
    finally:
        pool.shutdown(cancel_futures=True)


def run_all(bench, options):
    tallies = {}
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool, cancelled_at_exit(pool):
        tasks = {pool.submit(attempt_once, bench, scenario, number): (scenario, number)
                 for scenario, number in chosen_attempts(bench, options)}
        for task in concurrent.futures.as_completed(tasks):
            scenario, number = tasks[task]
            tally = tallies.setdefault(scenario.name, Tally())
            tried, wrong, skipped = task.result()
            if skipped:
                tally.skipped[skipped] += 1
                continue
            tally.tried += tried
            tally.wrong += wrong is not None
            tally.survived += tried - (wrong is not None)
            if wrong:
                print(f"WRONG {scenario.name} {number}: {wrong.replace(bench.root, '')}\n"
                      f"  repeat: {command_for(options, scenario, number)}", flush=True)
    print(f"seed {options.seed}, {options.size}, {time.monotonic() - begin:.0f} s with {options.jobs} jobs")
    return tallies


def record(tallies, options):
    """Adds a line for each scenario, so that runs can be added up."""
    with open(options.record, "a") as file:
        for name, tally in tallies.items():
            line = dict(scenario=name, figures=SCENARIOS[name].figures, seed=options.seed, size=options.size,
                        tried=tally.tried, survived=tally.survived, wrong=tally.wrong, skipped=tally.skipped)
            file.write(json.dumps(line) + "\n")


def print_table(tallies):
    print(f"{'scenario':<16} {'figures':<14} {'tried':>6} {'survived':>9} {'wrong':>6}")
    for name in (name for name in SCENARIOS if name in tallies):
        tally = tallies[name]
        print(f"{name:<16} {', '.join(SCENARIOS[name].figures):<14} {tally.tried:>6} {tally.survived:>9} {tally.wrong:>6}")
        for reason, count in tally.skipped.items():
            print(f"  skipped {count}: {reason}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("shim")
    parser.add_argument("--size", choices=("quick", "long"), default="quick")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="scenarios by name, with commas between")
    parser.add_argument("--number", type=int, help="this attempt alone")
    parser.add_argument("--count", type=int, help="attempts of each scenario, in place of the size's own number")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--keep", action="store_true", help="leave the folders of attempts that went wrong")
    parser.add_argument("--record", help="a file to which a line of JSON for each scenario is added")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    options = parser.parse_args()
    if options.list:
        for scenario in SCENARIOS.values():
            print(f"{scenario.name} ({', '.join(scenario.figures)}): {scenario.claim}")
        return 0
    bench = Bench(options.program, options.shim, options.seed)
    bench.is_quick, bench.keeps = options.size == "quick", options.keep
    try:
        tallies = run_all(bench, options)
    finally:
        if not options.keep:
            bench.close()
    print_table(tallies)
    if options.record:
        record(tallies, options)
    return 1 if any(tally.wrong for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
