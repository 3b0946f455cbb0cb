#!/usr/bin/env python3
"""Ranks that wait for one which was stopped: for a while, and until their time-out.

usage: waiting_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import os
import signal
import subprocess
import sys
import unittest

from tiny_run import RECIPE, TinyRunTest
from watching import PATIENCE, family_of, reaches, send, wait_until

LONG = RECIPE.replace("max_steps: 10", "max_steps: 100")


def environment_of(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []  # it has just ended


def is_rank(pid, rank):
    try:
        with open(f"/proc/{pid}/comm") as file:
            name = file.read().strip()
    except OSError:
        return False
    return name == "xkde_dist" and b"OMPI_COMM_WORLD_RANK=%d" % rank in environment_of(pid)


class Waiting(TinyRunTest):
    def stop_second_rank(self, out, *overrides):
        """A run of two ranks whose second one is stopped in a step, the file that has its words, and the rank."""
        said = open(f"{self.root}/{out}.said", "w+")
        self.addCleanup(said.close)
        process = self.start([self.recipe(out, LONG), *overrides], 2, stderr=said)
        self.assertTrue(reaches(process, lambda: self.steps(out) > 4))
        rank = [pid for pid in family_of(process.pid) if is_rank(pid, 1)]
        self.assertEqual(len(rank), 1)
        send(rank, signal.SIGSTOP)
        return process, rank, lambda: open(f"{self.root}/{out}.said").read()

    def test_a_stopped_rank_ends_the_run_after_the_time_out(self):
        process, _, said = self.stop_second_rank("stopped", "parallel.timeout=4")

        self.assertEqual(process.wait(PATIENCE), 81, said())
        self.assertRegex(said(), r"CommError: group \w+: rank 1 did not arrive at \w+ #\d+ \(.*sft step \d+\) within 4 s\n")

    def test_a_rank_that_was_stopped_for_a_while_goes_on(self):
        process, rank, said = self.stop_second_rank("resumed", "parallel.heartbeat_timeout=3")
        wait_until(lambda: "rank 1 on host" in said(), "a warning")
        send(rank, signal.SIGCONT)

        self.assertEqual(process.wait(PATIENCE), 0, said())
        self.assertRegex(said(), r"warning: heartbeat: rank 1 on host \S+ is stopped, or starved of processor time")
        peace = subprocess.run(self.command([self.recipe("peace", LONG)], 2), env=self.environment(), timeout=PATIENCE)
        self.assertEqual(peace.returncode, 0)
        self.assertEqual(self.losses("resumed"), self.losses("peace"))

    def test_times_are_checked(self):
        for key, expected in (("timeout=0", "seconds from 1 to 604800"),
                              ("heartbeat_timeout=1", "0 or seconds from 3 to 604800")):
            result = self.run_program(["validate", self.recipe("bad"), f"parallel.{key}"])

            self.assertEqual(result.returncode, 78)
            self.assertIn(expected, result.stderr)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
