#!/usr/bin/env python3
"""The program as a process among others: what it does when its output is lost.

usage: process_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import os
import subprocess
import sys
import unittest

from tiny_run import RECIPE, TinyRunTest
from watching import PATIENCE


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
