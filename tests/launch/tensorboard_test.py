#!/usr/bin/env python3
"""What TensorBoard reads of a run on a tiny random model: the figures of metrics.jsonl and results.json, also after a kill.

usage: tensorboard_test.py XKDE_DIST_BINARY
The package tensorboard reads the files where it is installed; what needs it skips itself where it is not.
"""

import json
import os
import signal
import sys
import unittest

from tiny_run import RECIPE, TinyRunTest

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError:
    EventAccumulator = None

REPORTED = RECIPE.replace("logging_steps: 100", "logging_steps: 100\nreport_to: [tensorboard]").replace(
    'records: "12:20"', 'records: "12:20"\n      free_answers: {{contexts: [question], max_new_tokens: 4}}')
NEEDS_READER = unittest.skipIf(EventAccumulator is None, "tensorboard is not installed: pip install tensorboard")


class TensorBoard(TinyRunTest):
    def event_files(self, out, stage):
        return [name for name in os.listdir(f"{self.root}/{out}/{stage}") if name.startswith("events.out.tfevents.")]

    def read(self, out, stage):
        events = EventAccumulator(f"{self.root}/{out}/{stage}")
        events.Reload()
        return events

    def test_no_file_is_written_unasked(self):
        self.checked([self.recipe("plain")])
        self.assertEqual(self.event_files("plain", "02-sft") + self.event_files("plain", "03-evaluate"), [])

    def test_a_mistyped_reporter_is_named(self):
        text = RECIPE.replace("logging_steps: 100", "report_to: [tensorbord]")
        result = self.run_program([self.recipe("typo", text)])
        self.assertEqual(result.returncode, 78)
        self.assertIn("report_to.0: expected tensorboard, found tensorbord; did you mean 'tensorboard'?", result.stderr)

    def test_results_are_the_same_with_and_without(self):
        self.checked([self.recipe("without")])
        self.checked([self.recipe("with", RECIPE.replace("logging_steps: 100", "report_to: [tensorboard]"))])
        self.assertEqual(self.text_of("with", "03-evaluate/results.json"), self.text_of("without", "03-evaluate/results.json"))
        self.assertEqual(self.losses("with"), self.losses("without"))

    def assert_curve_is_that_of_the_lines(self, out):
        events = self.read(out, "02-sft")
        lines = self.lines(out, "02-sft/metrics.jsonl")
        for key in ("loss", "grad_norm", "learning_rate", "tokens_per_second", "peak_bytes"):
            read = events.Scalars(f"train/{key}")
            self.assertEqual([event.step for event in read], [line["step"] for line in lines], key)
            for event, line in zip(read, lines):
                self.assertAlmostEqual(event.value, line[key], delta=abs(line[key]) * 1e-6)

    @NEEDS_READER
    def test_training_and_scores_are_read(self):
        self.checked([self.recipe("whole", REPORTED)])
        self.assert_curve_is_that_of_the_lines("whole")
        events = self.read("whole", "03-evaluate")
        rows = self.lines_of_results("whole")
        self.assertGreater(len(rows), 4)
        for row in rows:
            read = events.Scalars(f"{row['metric']}/en-es")
            self.assertEqual([event.step for event in read], [row["size"]])
            self.assertAlmostEqual(read[0].value, row["value"], delta=1e-4)
        (text,) = events.Tensors("answers")
        table = text.tensor_proto.string_val[0].decode()
        asked = self.lines("whole", "03-evaluate/predictions.jsonl")[0]
        self.assertIn(f"| {asked['question']} | {asked['target']} | question | ", table)

    def lines_of_results(self, out):
        with open(f"{self.root}/{out}/03-evaluate/results.json") as file:
            return [row for row in json.load(file) if row["value"] is not None]

    @NEEDS_READER
    def test_after_a_kill_each_step_is_there_once(self):
        recipe = self.recipe("killed", REPORTED.replace("max_steps: 10", "max_steps: 40"))
        process = self.start([recipe])
        while self.steps("killed") < 5:
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGKILL)
        process.wait()

        self.checked([recipe])

        self.assertGreater(len(self.event_files("killed", "02-sft")), 1)
        self.assert_curve_is_that_of_the_lines("killed")


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
