#!/usr/bin/env python3
"""A judge of free answers as a user meets it, on tiny random models: ranks, SIGKILL, the cache, the run's model, errors.

usage: judge_run_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import json
import os
import sys
import unittest

from tiny_run import TinyRunTest, write_model
from watching import count_lines, kill_when

HEAD = """\
run_name: tiny
output_dir: {out}
logging_steps: 100
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
parallel: {{threads: 1}}
stages:
"""
ASK = """\
  - evaluate:
      benchmark: mzsre
      data: {root}/edits_enes.json
      edit_languages: [en]
      test_languages: [es]
      records: "12:RECORDS"
      bootstrap_resamples: 0
      free_answers: {{max_new_tokens: 6}}
"""
JUDGE = """\
      judge: {{model_name_or_path: {root}/judge, dtype: float32, chat_template: chatml_no_system, max_tokens_per_batch: 700}}
"""
TRAIN = """\
  - build_data:
      sources:
        - {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "0:12"}}
  - sft: {{global_batch_size: 5, max_steps: 3, learning_rate: 1.0e-2KEYS}}
"""
STAGE = "01-evaluate"
FILES = ("predictions.jsonl", "results.json", "statistics.json", "judge/verdicts.jsonl")


def ask(records=14, judge=JUDGE):
    return ASK.replace("RECORDS", str(records)) + judge


def train(keys=""):
    return TRAIN.replace("KEYS", keys)


class JudgeRun(TinyRunTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        write_model(f"{cls.root}/judge", layers=1, heads=2)
        with open(f"{cls.root}/labelled.jsonl", "w") as file:
            for i in range(8):
                file.write(json.dumps(dict(lang="de" if i % 2 else "en", question=f"what is {i}", right=["a", f"b{i}"],
                                           answer="a" if i < 4 else "c", label=i < 4)) + "\n")

    def asked(self, out, stage=STAGE):
        return sum(line["asked"] for line in self.lines(out, f"{stage}/judge/metrics.jsonl"))

    def statistics(self, out):
        return json.loads(self.text_of(out, f"{STAGE}/statistics.json"))

    def test_files_are_the_same_on_one_two_and_three_ranks(self):
        labelled = f"evaluate.judge.labelled={self.root}/labelled.jsonl"
        for ranks in (1, 2, 3):
            told = self.checked([self.recipe(f"ranks{ranks}", HEAD + ask()), labelled], ranks)
        for file in FILES:
            self.assertEqual(len({self.text_of(f"ranks{ranks}", f"{STAGE}/{file}") for ranks in (1, 2, 3)}), 1, file)
        verdicts = self.lines("ranks1", f"{STAGE}/judge/verdicts.jsonl")
        self.assertEqual(len({json.dumps([v["question"], v["right"], v["answer"]]) for v in verdicts}), len(verdicts))
        statistics = self.statistics("ranks1")
        self.assertEqual(len(verdicts), statistics["judge"]["answers"] + 8)
        self.assertEqual(len(statistics["judge"]["prompt_sha256"]), 64)
        self.assertEqual([one["n"] for one in statistics["judge"]["labelled"]], [8, 4, 4])
        self.check_predictions(verdicts)
        self.check_agreement(statistics["scorer_agreement"])
        report = self.text_of("ranks1", "report.html").decode()
        for text in ("free.chat.judge.reliability", "<h2>Agreement of scorers</h2>", "people labelled"):
            self.assertIn(text, report)
        for text in ("judge", "01-evaluate, agreement of scorers", "the judge against labelled rows"):
            self.assertIn(text, told.stdout)

    def check_predictions(self, verdicts):
        """Each answer has the verdict about its own words."""
        known = {(v["question"], v["answer"], tuple(v["right"])): (v["yes"], v["no"]) for v in verdicts}
        lines = self.lines("ranks1", f"{STAGE}/predictions.jsonl")
        rows = {row["metric"]: row for row in json.loads(self.text_of("ranks1", f"{STAGE}/results.json"))}
        said = []
        for line in lines:
            for context, told in line["free"].items():
                if line["metric"] == "locality":
                    continue
                given = told["judge_log_probs"]
                key = (" ".join(line["question"].split()), " ".join(told["answer"].split()), (line["target"],))
                self.assertEqual(known[key], (given["yes"], given["no"]))
                self.assertEqual(told["judge"], 1.0 if given["yes"] > given["no"] else 0.0)
                if (context, line["metric"]) == ("chat", "reliability"):
                    said.append(told["judge"])
        self.assertEqual(rows["free.chat.judge.reliability"]["value"], round(100 * sum(said) / len(said), 2))
        self.assertEqual(rows["free.chat.judge.reliability"]["n"], len(said))
        self.assertGreater(rows["free.question.judge.locality"]["n"], 0)

    def check_agreement(self, pairs):
        """Each pair counted anew from the predictions."""
        lines = [line for line in self.lines("ranks1", f"{STAGE}/predictions.jsonl") if line["metric"] != "locality"]
        self.assertEqual(len(pairs), 3 * 15)
        for pair in pairs:
            told = [line["free"][pair["context"]] for line in lines]
            counts = {(one, other): 0 for one in (True, False) for other in (True, False)}
            for scores in told:
                counts[scores[pair["first"]] >= 0.5, scores[pair["second"]] >= 0.5] += 1
            self.assertEqual([pair["both_right"], pair["only_first_right"], pair["only_second_right"], pair["both_wrong"]],
                             [counts[True, True], counts[True, False], counts[False, True], counts[False, False]])
            self.assertEqual(pair["n"], len(lines))
            self.assertIsNotNone(pair["kappa"])

    def test_what_was_judged_is_not_asked_again_by_another_run(self):
        cache = f"evaluate.judge.cache={self.root}/shared/verdicts"
        self.checked([self.recipe("first", HEAD + ask()), cache])
        count = len(self.lines("first", f"{STAGE}/judge/verdicts.jsonl"))
        self.assertEqual(self.asked("first"), count)
        self.checked([self.recipe("second", HEAD + ask()), cache], ranks=2)
        self.assertEqual(self.asked("second"), 0)
        for file in FILES:
            self.assertEqual(self.text_of("first", f"{STAGE}/{file}"), self.text_of("second", f"{STAGE}/{file}"), file)
        # Two more records: only what is new about them.
        self.checked([self.recipe("more", HEAD + ask(16)), cache])
        self.assertEqual(self.asked("more"), len(self.lines("more", f"{STAGE}/judge/verdicts.jsonl")) - count)
        # Another dtype is another judge.
        self.checked([self.recipe("other", HEAD + ask()), cache, "evaluate.judge.dtype=bfloat16"])
        self.assertEqual(self.asked("other"), count)

    def test_a_damaged_cache_is_told_and_asked_again(self):
        cache = f"{self.root}/damaged/verdicts"
        self.checked([self.recipe("sound", HEAD + ask()), f"evaluate.judge.cache={cache}"])
        [name] = os.listdir(cache)
        with open(f"{cache}/{name}", "r+b") as file:
            file.truncate(os.path.getsize(f"{cache}/{name}") // 2)
        told = self.checked([self.recipe("again", HEAD + ask()), f"evaluate.judge.cache={cache}"])
        self.assertIn(f"{name}: left out", told.stderr)
        self.assertEqual(self.asked("again"), self.asked("sound"))
        self.assertEqual(self.text_of("again", f"{STAGE}/{FILES[3]}"), self.text_of("sound", f"{STAGE}/{FILES[3]}"))

    def test_a_killed_run_goes_on(self):
        few = "evaluate.judge.max_tokens_per_batch=100"
        self.checked([self.recipe("whole", HEAD + ask(18)), few])
        metrics = f"{self.root}/killed/{STAGE}/judge/metrics.jsonl"
        process = self.start([self.recipe("killed", HEAD + ask(18)), few])
        self.assertTrue(kill_when(process, lambda: count_lines(metrics) >= 2), "the run ended by itself")
        kept = self.text_of("killed", f"{STAGE}/judge/verdicts.jsonl")
        self.checked([self.recipe("killed", HEAD + ask(18)), few], ranks=2)
        for file in FILES:
            self.assertEqual(self.text_of("killed", f"{STAGE}/{file}"), self.text_of("whole", f"{STAGE}/{file}"), file)
        self.assertTrue(self.text_of("killed", f"{STAGE}/judge/verdicts.jsonl").startswith(kept[:kept.rfind(b"\n") + 1]))
        self.assertEqual(self.asked("killed"), self.asked("whole"))

    def test_the_runs_model_is_the_same_behind_a_judge(self):
        for name, keys in (("full", ""), ("lora", ", lora: {{r: 4, target_modules: [q_proj]}}")):
            for judge in (JUDGE, ""):
                out = f"{name}_{'judged' if judge else 'plain'}"
                stages = ask(13, judge) + train(keys) + ask(13, judge) + train(keys).split("  - sft")[0] + ask(13, "")
                self.checked([self.recipe(out, HEAD + stages)], ranks=2)
            one, other = f"{name}_judged", f"{name}_plain"
            self.assertEqual(self.losses_of(one), self.losses_of(other))
            for file in ("04-evaluate/answers.jsonl", "06-evaluate/answers.jsonl", "06-evaluate/results.json"):
                self.assertEqual(self.text_of(one, file), self.text_of(other, file), file)

    def losses_of(self, out):
        return [line["loss"] for line in self.lines(out, "03-sft/metrics.jsonl")]

    def test_what_cannot_be_asked_is_named_before_the_run(self):
        def refused(name, code, told, *overrides, stage=ask()):
            for command in (["validate"], []):
                result = self.run_program([*command, self.recipe(name, HEAD + stage), *overrides])
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn(told, result.stderr)
            self.assertFalse(os.path.exists(f"{self.root}/{name}/{STAGE}/answers.jsonl"))

        refused("words", 78, f"{self.root}/judge: expected a judge whose answer words begin with different tokens, found "
                "that Yes and No both begin with token 32 behind its prompt", "evaluate.judge.chat_template=auto")
        refused("missing", 66, "expected a Hugging Face folder or a .gguf file",
                f"evaluate.judge.model_name_or_path={self.root}/nowhere")
        refused("file", 78, "expected a folder for verdicts, or nothing there, found a file",
                f"evaluate.judge.cache={self.root}/labelled.jsonl")
        refused("inside", 78, "expected a path apart from all inputs, found one that lies in",
                f"evaluate.judge.cache={self.root}/judge/verdicts")
        refused("alone", 78, "evaluate.judge: expected the key free_answers beside it, found none",
                stage="".join(line for line in ask().splitlines(True) if "free_answers" not in line))
        with open(f"{self.root}/bad.jsonl", "w") as file:
            file.write(json.dumps(dict(question="q", right=["a"], answer="a", label="yes")) + "\n")
        refused("labels", 65, "bad.jsonl: line 1: label: expected true or false, found a text",
                f"evaluate.judge.labelled={self.root}/bad.jsonl")


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
