#!/usr/bin/env python3
"""The program as a process among others: how many threads it has, and what it does when its output is lost.

usage: process_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import os
import subprocess
import sys
import unittest

from tiny_run import RECIPE, TinyRunTest
from watching import PATIENCE, all_names_in, family_of, kill_family, reaches

LONG = RECIPE.replace("max_steps: 10", "max_steps: 100000").replace("save_steps: 2", "save_steps: 0")


class Threads(TinyRunTest):
    def threads(self, name, *keys, before=(), environment=()):
        """Of the process that trains."""
        command = [*before, self.binary, self.recipe(name, LONG), *keys]
        own = {key: value for key, value in self.environment().items() if key != "OMP_NUM_THREADS"}
        process = subprocess.Popen(command, env=own | dict(environment), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(kill_family, process)
        self.assertTrue(reaches(process, lambda: self.steps(name) > 2), "the run ended by itself")
        (trains,) = [pid for pid in family_of(process.pid)
                     if os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(self.binary)]
        count = len(all_names_in(f"/proc/{trains}/task"))
        kill_family(process)
        return count

    def test_the_allowed_cpus_and_the_environment_are_obeyed(self):
        auto = "parallel.threads=0"
        one = self.threads("one", "parallel.threads=1")
        two = self.threads("two", "parallel.threads=2")
        self.assertGreater(two, one)
        cpus = sorted(os.sched_getaffinity(0))
        bound = ["taskset", "-c", str(cpus[0])]
        self.assertEqual(self.threads("bound", auto, before=bound), one)
        self.assertEqual(self.threads("told", auto, environment={"OMP_NUM_THREADS": "1"}), one)
        self.assertEqual(self.threads("told_two", auto, environment={"OMP_NUM_THREADS": "2"}), two)
        self.assertEqual(self.threads("key_first", "parallel.threads=1", environment={"OMP_NUM_THREADS": "2"}), one)
        root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
        self.assertEqual(self.threads("mpirun", auto, before=["mpirun", *root, "--bind-to", "core", "-n", "1"]), one)
        if len(cpus) == 2:
            self.assertEqual(self.threads("all", auto), two)

    def test_more_threads_than_cpus_are_named(self):
        result = subprocess.run(["taskset", "-c", str(min(os.sched_getaffinity(0))), self.binary,
                                 self.recipe("many"), "parallel.threads=2", "sft.max_steps=1"],
                                capture_output=True, text=True, timeout=PATIENCE, env=self.environment())
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("warning: parallel.threads: 2 threads on the 1 CPU that rank 0 may use\n", result.stderr)


class StandardOutput(TinyRunTest):
    def to_full_disk(self, arguments):
        with open("/dev/full", "w") as full:
            return subprocess.run([self.binary, *arguments], stdout=full, stderr=subprocess.PIPE, text=True,
                                  timeout=PATIENCE, env=self.environment())

    def test_results_that_are_lost_are_an_error(self):
        path = self.recipe("whole")
        commands = [[path], [path], ["validate", path], ["estimate", path], ["env"], ["--help"], ["--version"],
                    ["ckpt", "ls", f"{self.root}/whole/02-sft/checkpoints"],
                    ["ckpt", "verify", f"{self.root}/whole/02-sft/checkpoints"],
                    ["report", f"{self.root}/whole"]]
        for arguments in commands:
            with self.subTest(arguments=arguments):
                result = self.to_full_disk(arguments)
                self.assertEqual(result.returncode, 74, result.stderr)
                self.assertIn("IoError: standard output: expected to write all results, found No space left",
                              result.stderr)
        self.assertTrue(os.path.exists(f"{self.root}/whole/report.html"))

    def test_a_closed_standard_output_is_an_error(self):
        result = subprocess.run(f'"{self.binary}" env >&-', shell=True, stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 74)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
