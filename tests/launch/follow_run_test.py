#!/usr/bin/env python3
"""What a run tells of itself while it goes on: logs of its ranks, traces of steps, its page. And a run from run.json.

usage: follow_run_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import collections
import json
import os
import re
import shutil
import sys
import unittest

from tiny_run import RECIPE, TinyRunTest
from watching import all_names_in, kill_when, read_if_there, wait_until

LOGGED = RECIPE.replace("logging_steps: 100", "logging_steps: 2\nrank_logs: true")
LONG = LOGGED.replace("max_steps: 10", "max_steps: 200")
TIMED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ")
LANES = {"compute", "gather", "reduce", "wait", "optimizer", "data", "save"}


class RankLogs(TinyRunTest):
    def log(self, out, rank):
        """The lines of a rank's log without their times; each has one."""
        lines = self.text_of(out, f"logs/rank-{rank:05}.log").decode().splitlines()
        for line in lines:
            self.assertRegex(line, TIMED)
        return [TIMED.sub("", line, count=1) for line in lines]

    def test_each_rank_has_its_own_and_the_terminal_is_as_without(self):
        plain = self.checked([self.recipe("plain", LOGGED.replace("rank_logs: true", "rank_logs: false"))], ranks=2).stderr
        told = self.checked([self.recipe("logged", LOGGED)], ranks=2).stderr
        self.assertFalse(os.path.exists(f"{self.root}/plain/logs"))

        def without_figures(text):
            text = re.sub(r"^evaluate \d+/.*\n", "", text, flags=re.MULTILINE)  # of the chunks that rank 0 got
            return re.sub(r"[\d.:e+-]+", "#", text.replace("/plain/", "/logged/"))

        self.assertEqual(without_figures(told), without_figures(plain))
        for rank in (0, 1):
            lines = self.log("logged", rank)
            self.assertTrue(lines[0].startswith(f"start of tiny: rank {rank} of 2 on "), lines[0])
            self.assertIn("02-sft: starts", lines)
            self.assertTrue(any(line.startswith("02-sft: done in ") for line in lines))
            self.assertTrue(any(line.startswith("sft 10/10  loss ") for line in lines))
        # Of the steps between, the log of a rank that prints none has no more than one in 10 s.
        self.assertLess(len([line for line in self.log("logged", 1) if line.startswith("sft ")]), 5)

    def test_after_a_kill_it_is_whole_and_goes_on(self):
        process = self.start([self.recipe("killed", LONG)], ranks=2)
        saved = f"{self.root}/killed/02-sft/checkpoints/LATEST"  # written beside the steps
        self.assertTrue(kill_when(process, lambda: os.path.exists(saved)))
        for rank in (0, 1):
            self.assertIn("02-sft: starts", self.log("killed", rank))
        result = self.run_program([self.recipe("killed", LONG), "sft.max_steps=201"])
        self.assertEqual(result.returncode, 78)
        self.checked([self.recipe("killed", LONG)], ranks=2)
        for rank in (0, 1):
            lines = self.log("killed", rank)
            self.assertEqual(len([line for line in lines if line.startswith(f"start of tiny: rank {rank} of 2")]), 2)
            self.assertTrue(any("goes on from" in line for line in lines))

    def test_the_reason_of_an_end_is_in_every_log(self):
        text = LOGGED.replace("learning_rate: 1.0e-2", "learning_rate: 1.0e30").replace("max_steps: 10", "max_steps: 60")
        result = self.run_program([self.recipe("diverged", text)], ranks=2)
        self.assertEqual(result.returncode, 80, result.stderr)
        for rank in (0, 1):
            self.assertTrue(self.log("diverged", rank)[-1].startswith("NumericError: "), self.log("diverged", rank)[-3:])
        self.assertEqual(result.stderr.count("NumericError"), 1)

    def test_a_log_that_cannot_be_written_ends_no_run(self):
        os.makedirs(f"{self.root}/full/logs")
        os.symlink("/dev/full", f"{self.root}/full/logs/rank-00001.log")
        result = self.checked([self.recipe("full", LOGGED)], ranks=2)
        self.assertEqual(result.stderr.count("lines of its log are lost"), 1)
        self.assertIn("[rank 1/2] warning: ", result.stderr)
        self.assertIn("02-sft: starts", self.log("full", 0))


class Traces(TinyRunTest):
    PROFILED = RECIPE.replace("save_steps: 2", "save_steps: 2, profile_steps: 3").replace("threads: 1", "threads: 1, shard: full")

    def trace(self, out):
        return json.loads(self.text_of(out, "02-sft/trace.json"))["traceEvents"]

    def assert_is_sound(self, events, ranks, steps):
        complete = [event for event in events if event["ph"] == "X"]
        named = {(event["pid"], event["tid"]): event["args"]["name"] for event in events if event["name"] == "thread_name"}
        by_lane = collections.defaultdict(list)
        for event in complete:
            self.assertGreater(event["dur"], 0)
            by_lane[event["pid"], named[event["pid"], event["tid"]]].append((event["ts"], event["ts"] + event["dur"], event["name"]))
        for rank in range(ranks):
            self.assertEqual({lane for pid, lane in by_lane if pid == rank} - {"step"}, LANES)
            whole = by_lane[rank, "step"]
            self.assertEqual([name for _, _, name in sorted(whole)], steps)
            pieces = sorted(piece for (pid, lane), found in by_lane.items() if pid == rank and lane != "step" for piece in found)
            for before, after in zip(pieces, pieces[1:]):
                self.assertLessEqual(before[1], after[0] + 0.002, "pieces of a rank overlap")
            for begin, end, _ in pieces:
                self.assertTrue(any(first <= begin + 0.002 and end <= last + 0.002 for first, last, _ in whole), "a piece is in no step")
            took = sum(end - begin for begin, end, _ in whole)
            self.assertAlmostEqual(sum(end - begin for begin, end, _ in pieces) / took, 1, delta=0.05)
        processes = [event["args"]["name"] for event in events if event["name"] == "process_name"]
        self.assertEqual([name.split(",")[0] for name in processes], [f"rank {rank}" for rank in range(ranks)])

    def test_steps_behind_the_first_are_traced_on_all_ranks(self):
        self.checked([self.recipe("traced", self.PROFILED)], ranks=2)
        events = self.trace("traced")
        self.assert_is_sound(events, 2, ["step 2", "step 3", "step 4"])
        names = {event["name"] for event in events}
        self.assertTrue({"gather embed_tokens", "optimizer", "data", "head"} <= names or any(name.startswith("gather ") for name in names))
        self.assertFalse(os.path.exists(f"{self.root}/traced/02-sft/trace.json.parts"))
        seconds = [line["step_seconds"] for line in self.lines("traced", "02-sft/metrics.jsonl")[1:4]]
        whole = [event["dur"] / 1e6 for event in events if event["pid"] == 0 and event.get("cat") == "step"]
        self.assertAlmostEqual(sum(whole), sum(seconds), delta=2 * sum(seconds))

    def test_results_are_the_same_with_and_without(self):
        self.checked([self.recipe("with", self.PROFILED)], ranks=2)
        self.checked([self.recipe("without", self.PROFILED.replace(", profile_steps: 3", ""))], ranks=2)
        self.assertEqual(self.losses("with"), self.losses("without"))
        self.assertFalse(os.path.exists(f"{self.root}/without/02-sft/trace.json"))
        done = self.checked([self.recipe("with", self.PROFILED), "sft.profile_steps=1"], ranks=2).stderr
        self.assertIn("02-sft: done before, unchanged", done)

    def test_a_kill_leaves_a_trace_or_none(self):
        text = self.PROFILED.replace("max_steps: 10", "max_steps: 60").replace("profile_steps: 3", "profile_steps: 20")
        recipe, folder = self.recipe("killed", text), f"{self.root}/killed/02-sft"
        process = self.start([recipe], ranks=2)
        reached = lambda: "trace.json.parts" in all_names_in(folder) or self.steps("killed") > 25
        self.assertTrue(kill_when(process, reached))
        left = read_if_there(folder + "/trace.json")
        if left is not None:
            json.loads(left)
        self.checked([recipe], ranks=2)
        first = min(int(event["name"].split()[1]) for event in self.trace("killed") if event.get("cat") == "step")
        steps = [f"step {step}" for step in range(first, first + 20)]
        self.assert_is_sound(self.trace("killed"), 2, steps)

    def test_a_mistyped_number_is_named(self):
        result = self.run_program([self.recipe("typo", self.PROFILED.replace("profile_steps: 3", "profile_steps: -1"))])
        self.assertEqual(result.returncode, 78)
        self.assertIn("profile_steps: expected an integer from 0 to 1000, found -1", result.stderr)


class LivePages(TinyRunTest):
    def page(self, out):
        return (read_if_there(f"{self.root}/{out}/report.html") or b"").decode()

    def test_a_run_can_be_read_while_it_goes_on(self):
        process = self.start([self.recipe("live", LONG.replace("max_steps: 200", "max_steps: 500"))])
        wait_until(lambda: process.poll() is not None or ("data-live" in self.page("live") and "<svg" in self.page("live")),
                   "a page with curves")
        self.assertIsNone(process.poll())
        page = self.page("live")
        self.assertIn("The run goes on.", page)
        self.assertTrue(page.endswith("</html>\n"))
        self.assertEqual(process.wait(), 0)
        self.assertNotIn("data-live=", self.page("live"))
        self.assertIn("finished, ", self.page("live"))

    def test_a_run_that_stops_says_so(self):
        process = self.start([self.recipe("stopped", LONG)])
        wait_until(lambda: process.poll() is not None or "data-live" in self.page("stopped"), "a page")
        process.terminate()
        self.assertEqual(process.wait(), 75)
        self.assertIn("not finished: stopped on request", self.page("stopped"))
        self.assertNotIn("data-live=", self.page("stopped"))

    def test_it_can_be_turned_off(self):
        process = self.start([self.recipe("off", LONG.replace("rank_logs: true", "live_report: false"))])
        wait_until(lambda: process.poll() is not None or self.steps("off") > 20, "steps")
        self.assertEqual(self.page("off"), "")
        process.terminate()
        process.wait()

    def test_a_refused_start_leaves_the_page_of_the_run_before(self):
        self.checked([self.recipe("before")])
        page = self.page("before")
        self.assertEqual(self.run_program([self.recipe("before"), "sft.learning_rate=0.5"]).returncode, 78)
        self.assertEqual(self.page("before"), page)


class RunJson(TinyRunTest):
    """A run from what an earlier one wrote of itself."""

    def test_the_same_folder_is_done_before(self):
        self.checked([self.recipe("first")], ranks=2)
        again = self.checked([f"{self.root}/first/run.json"])
        self.assertEqual(again.stderr.count("done before, unchanged"), 4, again.stderr)
        self.assertEqual(self.checked(["validate", f"{self.root}/first/run.json"]).stdout.count("valid"), 1)

    def test_a_fresh_folder_gets_the_same_and_the_first_stays(self):
        self.checked([self.recipe("old"), "sft.learning_rate=3e-3"])
        before = os.stat(f"{self.root}/old/hf/model.safetensors")
        self.checked([f"{self.root}/old/run.json", f"output_dir={self.root}/new"])
        self.assertEqual(self.losses("new"), self.losses("old"))
        self.assertEqual(self.text_of("new", "03-evaluate/results.json"), self.text_of("old", "03-evaluate/results.json"))
        self.assertEqual(self.text_of("new", "hf/model.safetensors"), self.text_of("old", "hf/model.safetensors"))
        self.assertEqual(os.stat(f"{self.root}/old/hf/model.safetensors").st_mtime_ns, before.st_mtime_ns)
        # The folder of the first is not needed any more.
        shutil.copy(f"{self.root}/new/run.json", f"{self.root}/kept.json")
        shutil.rmtree(f"{self.root}/new")
        self.checked([f"{self.root}/kept.json"])
        self.assertEqual(self.losses("new"), self.losses("old"))

    def test_a_mistake_has_its_place_in_the_file(self):
        self.checked([self.recipe("wrong")])
        with open(f"{self.root}/wrong/run.json") as file:
            text = file.read()
        with open(f"{self.root}/wrong.json", "w") as file:
            file.write(text.replace('"max_length"', '"max_lenght"'))
        result = self.run_program([f"{self.root}/wrong.json"])
        self.assertEqual(result.returncode, 78)
        line = next(i for i, line in enumerate(text.splitlines(), 1) if '"max_length"' in line)
        self.assertIn(f"wrong.json:{line}:", result.stderr)
        self.assertIn("did you mean 'max_length'?", result.stderr)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
