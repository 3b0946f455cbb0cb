#!/usr/bin/env python3
"""Runs over two hosts with a cable between them, which is cut: for ever, for a while, in a step and in a save.

usage: two_hosts_test.py XKDE_DIST_BINARY FAULT_SHIM
Needs root, ip (iproute2), mpirun and python3.
"""

import contextlib
import os
import sys
import time
import unittest

from tiny_run import RECIPE, TinyRunTest
from two_hosts import TwoHosts, why_not
from watching import PATIENCE, kill_family, reaches, read_if_there, wait_until

REASON = why_not()
GONE_WITHIN = 30  # seconds after the cut: the time-out, and time to say so on a busy machine
TOLD_WITHIN = 3  # seconds: ranks tell each other each second where they are
# Seconds of a cut that is survived. TCP sends again 0.2, 0.6, 1.4, 3.0 and 6.2 s after what was lost, so a run hears of it in
# time also where a busy machine mends the cable four seconds late.
MOMENT = 2
LONG = RECIPE.replace("max_steps: 10", "max_steps: 40")
STEP = "write:5:PAUSE:/02-sft/metrics.jsonl"
SAVE = "sync:9:PAUSE:/02-sft/checkpoints/"
PLACE = r"\w+ #\d+ .*, (sft step \d+|02-sft)"


@unittest.skipIf(REASON, REASON)
class TwoHostsTest(TinyRunTest):
    shim = None  # the library that makes a call slow, to be set before the tests run
    pause = None  # of the run that starts next

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hosts = TwoHosts(cls.root)
        cls.addClassCleanup(cls.hosts.close)

    def command(self, arguments, ranks=1):
        """Of more than one rank: as many on each host. Of one number below zero: all on this machine."""
        if ranks < 0:
            return super().command(arguments, -ranks)
        return self.hosts.command([self.binary, *arguments], ranks // 2)

    def run_well(self, out, text, ranks):
        result = self.run_program([self.recipe(out, text)], ranks)
        said = self.hosts.read("said", 0) if ranks > 0 else ""
        self.assertEqual(result.returncode, 0, result.stderr + said)

    def expect_equal(self, out, other):
        self.assertEqual(self.losses(out), self.losses(other))
        for name in ("03-evaluate/results.json", "03-evaluate/predictions.jsonl", "hf/model.safetensors"):
            self.assertEqual(self.text_of(out, name), self.text_of(other, name), name)

    def environment(self):
        variables = super().environment()
        if self.pause:
            variables |= dict(LD_PRELOAD=self.shim, XKDE_FAULT=self.pause, XKDE_FAULT_RANK="0",
                              XKDE_FAULT_UNDER=f"{self.root}/", XKDE_FAULT_LOG=f"{self.root}/calls")
        return variables

    def start_until(self, out, call):
        """A long run on both hosts, at a call of rank 0 on a file that takes some seconds, as on a slow disk. Each
        rank has told where it is."""
        self.pause = call
        process = self.start([self.recipe(out, LONG)], 2)
        self.pause = None
        self.assertTrue(reaches(process, lambda: b"\t!\t" in (read_if_there(f"{self.root}/calls") or b"")),
                        f"{out} ended before its cable was cut")
        time.sleep(TOLD_WITHIN)
        os.remove(f"{self.root}/calls")
        return process

    def ranks_running(self):
        return [pid for pid, name in self.hosts.processes().items() if name == "xkde_dist"]

    @contextlib.contextmanager
    def cut_at(self, out, call):
        """A long run on both hosts whose cable is cut at a call. Neither outlives the block: what comes next finds
        the cable whole and no rank, whether this passed or not."""
        process = self.start_until(out, call)
        self.hosts.set_link("down")
        try:
            yield process
        finally:
            kill_family(process)
            self.hosts.kill_all()  # a rank that its launcher has lost is not of the family
            self.hosts.set_link("up")

    def expect_loss_of_ranks(self):
        cut = time.monotonic()
        wait_until(lambda: not self.ranks_running(), "ranks end")
        self.assertLess(time.monotonic() - cut, GONE_WITHIN)
        # The launcher may wait for its daemon on the other host; the ranks' own scripts do not.
        wait_until(lambda: all(os.path.exists(f"{self.root}/code.{rank}") for rank in (0, 1)), "exit codes")
        for rank, other in ((0, 1), (1, 0)):
            self.assertEqual(self.hosts.read("code", rank), "81\n")
            said = self.hosts.read("said", rank)
            self.assertRegex(said, rf"\[rank {rank}/2\] CommError: lost rank {other} on host host{other + 1}: expected a "
                                   rf"sign of life within 9 s, found none for \d+ s; rank {other} was at {PLACE}; "
                                   rf"rank {rank} is at {PLACE}\n")
            self.assertEqual(said.count("Error: "), 1, said)

    def test_cables(self):
        """One run in peace on one host is what all others are held against."""
        self.run_well("peace", LONG, -2)
        with self.subTest("two hosts in peace"):
            self.run_well("both", LONG, 2)
            self.expect_equal("both", "peace")
        for out, call in (("step", STEP), ("save", SAVE)):
            with self.subTest(f"cut for ever in a {out}"):
                self.remove_reports()
                with self.cut_at(out, call):
                    self.expect_loss_of_ranks()
                self.run_well(out, LONG, 2)
                self.expect_equal(out, "peace")
        with self.subTest("cut for a moment"):
            with self.cut_at("short", STEP) as process:
                time.sleep(MOMENT)
                self.hosts.set_link("up")
                self.assertEqual(process.wait(PATIENCE), 0, self.hosts.read("said", 0))
            self.expect_equal("short", "peace")

    def remove_reports(self):
        for rank in (0, 1):
            for name in ("said", "code"):
                if os.path.exists(f"{self.root}/{name}.{rank}"):
                    os.remove(f"{self.root}/{name}.{rank}")


if __name__ == "__main__":
    TinyRunTest.binary, TwoHostsTest.shim = os.path.abspath(sys.argv.pop(1)), os.path.abspath(sys.argv.pop(1))
    unittest.main()
