#!/usr/bin/env python3
"""What a run, `watch` and tables draw on a terminal: lines that fit, and nothing drawn over where it cannot do that.

usage: progress_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import contextlib
import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import unittest

from tiny_run import RECIPE, TinyRunTest

LONG = RECIPE.replace("max_steps: 10", "max_steps: 30")
CLEAR = "\033[K"


class TerminalTest(TinyRunTest):
    def seen_on_terminal(self, command, columns, stream="stderr", **environment):
        """What a command says on a terminal so wide."""
        own, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        streams = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) | {stream: other}
        process = subprocess.Popen(command, env=self.environment() | {"TERM": "xterm"} | environment, **streams)
        os.close(other)
        seen = b""
        while True:
            try:
                part = os.read(own, 65536)
            except OSError:  # all who wrote have ended
                break
            if not part:
                break
            seen += part
        os.close(own)
        self.assertEqual(process.wait(), 0, seen)
        return seen.decode()


class ProgressRun(TerminalTest):
    def seen_of_run(self, out, columns, ranks=1, **environment):
        return self.seen_on_terminal(self.command([self.recipe(out, LONG)], ranks), columns, **environment)

    def drawn(self, seen):
        """The lines that were drawn over one another."""
        return [line.split("\r")[-1] for line in seen.split(CLEAR) if "/30" in line and "left" in line]

    def assert_fits(self, seen, columns):
        drawn = self.drawn(seen)
        self.assertGreater(len(drawn), 0, seen)
        self.assertLess(max(map(len, drawn)), columns)
        self.assertIn("30/30", drawn[-1])

    def test_a_line_fits_the_terminal(self):
        for columns in (40, 80, 200):
            with self.subTest(columns=columns):
                self.assert_fits(self.seen_of_run(f"wide{columns}", columns), columns)

    def test_below_mpirun_its_terminal_counts(self):
        self.assert_fits(self.seen_of_run("ranks", 60, ranks=2), 60)

    def test_a_dumb_terminal_gets_plain_lines(self):
        seen = self.seen_of_run("dumb", 80, TERM="dumb")
        self.assertNotIn("\033", seen)
        self.assertNotIn("\r", seen.replace("\r\n", "\n"))
        self.assertIn("30/30", seen)


class Tables(TerminalTest):
    """Commands that print tables: lines of a terminal's width there, whole lines for whoever reads a pipe."""

    def lines_of(self, arguments, columns=None):
        if columns is None:
            return self.checked(arguments).stdout.splitlines()
        return self.seen_on_terminal([self.binary, *arguments], columns, "stdout").split("\r\n")

    def assert_fits(self, arguments, *kept):
        """No line takes more than 80 columns there, and all words are still there."""
        whole = self.lines_of(arguments)
        self.assertGreater(max(map(len, whole)), 80)
        for columns in (60, 80):  # what is narrower than 80 is taken for 80
            self.assertLessEqual(max(map(len, self.lines_of(arguments, columns))), 80)
        self.assertEqual(self.lines_of(arguments, 300), [*whole, ""])
        seen = " ".join(self.lines_of(arguments, 80)).split()
        for word in kept:
            self.assertIn(word, " ".join(seen))

    def test_recipes_keep_their_names(self):
        names = [line.split()[0] for line in self.lines_of(["recipes"])]
        self.assert_fits(["recipes"], *names)

    def test_an_estimate_is_folded(self):
        words = RECIPE.replace("parallel: {{threads: 1}}", "parallel: {{threads: 1, shard: full, recompute: block}}")
        recipe = self.recipe("estimated", words.replace("run_name: tiny", "run_name: " + "n" * 90))
        plan = next(line for line in self.lines_of(["estimate", recipe, "-n", "8", "--machine", "h100"])
                    if line.startswith("plan "))
        self.assert_fits(["estimate", recipe, "-n", "8", "--machine", "h100"], " ".join(plan.split()))

    def test_a_report_of_several_runs_is_folded(self):
        runs = []
        for name, rate in (("one", 1.0e-2), ("other", 2.0e-2)):
            self.checked([self.recipe(name), f"sft.learning_rate={rate}"])
            runs.append(f"{self.root}/{name}")
        self.assert_fits(["report", *runs, "--out", f"{self.root}/both.html"],
                         "reliability", "p (Holm)", "95 % interval", "sft.learning_rate")


    def test_the_results_at_the_end_of_a_run_are_in_blocks(self):
        arguments = [self.recipe("ended"), "evaluate.free_answers.contexts=[question]", "evaluate.free_answers.max_new_tokens=4"]
        whole = self.lines_of(arguments)
        numbers = re.findall(r"\d+\.\d\d", " ".join(whole))
        self.assertGreater(len(numbers), 20)
        self.assert_fits(arguments, *numbers, "did_not_stop", "agreement of scorers")


class Watch(TerminalTest):
    """`watch`, beside a run and behind one."""

    def watched(self, out, columns, **environment):
        return self.seen_on_terminal([self.binary, "watch", f"{self.root}/{out}", "--every", "0.1"], columns, "stdout",
                                     **environment)

    def test_a_finished_run_is_drawn_once(self):
        self.checked([self.recipe("finished")])
        for columns in (80, 200):
            seen = self.watched("finished", columns)
            lines = re.sub("\033\\[[0-9]*[mKJA]", "", seen).split("\r\n")
            self.assertLess(max(map(len, lines)), columns)
            self.assertIn("done", lines[0])
            self.assertTrue(any("02-sft" in line and "10/10" in line for line in lines), seen)
            self.assertTrue(any("02-sft: loss, now " in line for line in lines), seen)
            self.assertIn("\033[32mdone\033[0m", seen)
        self.assertNotIn("\033[32m", self.watched("finished", 80, NO_COLOR="1"))

    def test_what_is_no_terminal_gets_plain_lines(self):
        self.checked([self.recipe("plain")])
        told = self.checked(["watch", f"{self.root}/plain"]).stdout
        self.assertNotIn("\033", told)
        self.assertIn("03-evaluate", told)

    def test_a_run_is_followed_to_its_end(self):
        process = self.start([self.recipe("followed", RECIPE.replace("max_steps: 10", "max_steps: 60"))])
        while self.steps("followed") < 2:
            self.assertIsNone(process.poll())
        seen = self.watched("followed", 100)
        self.assertEqual(process.wait(), 0)
        self.assertGreater(seen.count("02-sft: loss, now "), 1)
        self.assertIn("60/60", seen)

    def test_a_run_that_was_killed_is_not_said_to_run(self):
        run = self.start([self.recipe("killed", RECIPE.replace("max_steps: 10", "max_steps: 3000"))])
        while self.steps("killed") < 2:
            self.assertIsNone(run.poll())
        self.assertIn(" running ", self.checked(["watch", f"{self.root}/killed"]).stdout.splitlines()[0])
        run.kill()
        run.wait()

        told = self.checked(["watch", f"{self.root}/killed"]).stdout.splitlines()

        self.assertIn(" interrupted ", told[0])
        self.assertRegex(told[1], r"^it ended without a word, and last wrote at \d{4}-\d\d-\d\dT[\d:]{8}Z$")
        self.assertTrue(any("02-sft" in line and "ends here" in line for line in told), told)
        # At a terminal it does not wait for more.
        self.assertIn("interrupted", self.watched("killed", 100))

    def test_it_stays_without_libtorch(self):
        """It may last as long as the run, so it holds no more than it needs."""
        run = self.start([self.recipe("light", RECIPE.replace("max_steps: 10", "max_steps: 3000"))])
        while self.steps("light") < 2:
            self.assertIsNone(run.poll())
        own, other = pty.openpty()
        watch = subprocess.Popen([self.binary, "watch", f"{self.root}/light", "--every", "0.1"], stdin=subprocess.DEVNULL,
                                 stdout=other, stderr=other, env=self.environment() | {"TERM": "xterm"})
        os.close(other)
        seen = b""
        while b"02-sft: loss, now " not in seen:
            seen += os.read(own, 65536)
        with open(f"/proc/{watch.pid}/maps", encoding="utf-8") as file:
            mapped = file.read()
        self.assertIn("xkde_watch", mapped)
        self.assertNotIn("libtorch", mapped)
        watch.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # it has ended
            while os.read(own, 65536):
                pass
        os.close(own)
        self.assertEqual(watch.wait(), 0)

    def test_without_the_light_program_it_watches_itself(self):
        self.checked([self.recipe("alone")])
        moved = shutil.copy(self.binary, f"{self.root}/moved")
        told = subprocess.run([moved, "watch", f"{self.root}/alone"], capture_output=True, text=True, check=True)
        self.assertIn("03-evaluate", told.stdout)

    def test_a_folder_that_is_no_runs_is_named(self):
        result = self.run_program(["watch", f"{self.root}/model"])
        self.assertEqual(result.returncode, 66)
        self.assertIn("expected the folder of a run, found no run.json in it", result.stderr)
        self.assertEqual(self.run_program(["watch"]).returncode, 64)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
