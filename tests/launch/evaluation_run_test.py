#!/usr/bin/env python3
"""Evaluation out of an edit memory as a user meets it, on a tiny random model and encoder: modes, ranks, SIGKILL, errors.

usage: evaluation_run_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import csv
import html.parser
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import unittest

from tiny_run import WORDS, TinyRunTest, write_edits
from watching import PATIENCE, count_lines, kill_when

ENCODERS = pathlib.Path(__file__).resolve().parents[1] / "golden/encoders"

RECIPE = """\
run_name: tiny
output_dir: {out}
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
parallel: {{threads: 1}}
stages:
  - evaluate:
      benchmark: mzsre
      data: {root}/edits_enes.json
      edit_languages: [en]
      test_languages: [es, en]
      mode: {mode}
      sizes: {sizes}
      retriever: {{model_name_or_path: {encoder}, k: 2}}
      max_tokens_per_batch: 256
"""


def write_knowedit(path, count):
    rng = random.Random(4)

    def phrase(words):
        return " ".join(rng.choice(WORDS) for _ in range(words))

    def probe(answers):
        return dict(prompt=phrase(4), ground_truth=answers)

    rows = []
    for i in range(count):
        portability = {"Reasoning": [probe([["blue", "red"]]), probe([["river"]])]} if i % 2 else {}
        locality = {"Relation_Specificity": [probe([["city"], ["name"]])],
                    "Forgetfulness": [probe([[]]) if i == 0 else probe([["old"]])]}
        rows.append(dict(subject=phrase(1), prompt=phrase(3), target_new=phrase(1), portability=portability,
                         locality=locality))
    with open(path, "w") as file:
        json.dump(rows, file)


class Nesting(html.parser.HTMLParser):
    """Fails where a page's elements do not close as they opened."""

    def check(self, text):
        self.open = []
        self.feed(text)
        if self.open:
            raise AssertionError(f"not closed: {self.open}")

    def handle_starttag(self, tag, _):
        if tag not in ("meta", "!doctype"):
            self.open.append(tag)

    def handle_startendtag(self, tag, _):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes nothing at {self.getpos()}")


class EvaluationRun(TinyRunTest):
    def evaluation(self, name, mode, sizes, encoder=ENCODERS / "bert"):
        path = os.path.join(self.root, name + ".yaml")
        with open(path, "w") as file:
            file.write(RECIPE.format(out=os.path.join(self.root, name), root=self.root, mode=mode, sizes=sizes,
                                     encoder=encoder))
        return path

    def rows(self, name):
        with open(os.path.join(self.root, name, "01-evaluate/results.json")) as file:
            return json.load(file)

    def test_a_stream_is_the_same_on_one_two_and_three_ranks(self):
        for ranks in (1, 2, 3):
            self.checked([self.evaluation(f"stream{ranks}", "sequential", "[1, 5, 20]"),
                          "evaluate.extra_metrics=[fluency,f1,exact]", "evaluate.free_answers.max_new_tokens=6"], ranks)
        for file in ("predictions.jsonl", "results.json", "statistics.json", "answers.jsonl"):
            texts = {self.text_of(f"stream{ranks}", f"01-evaluate/{file}") for ranks in (1, 2, 3)}
            self.assertEqual(len(texts), 1, file)
        predictions = self.lines("stream1", "01-evaluate/predictions.jsonl")
        self.assertEqual(len(predictions), (1 + 5 + 20) * 4 * 2)
        for line in predictions:
            self.assertEqual(len(line["retrieved"]), min(2, line["size"]))
            self.assertLess(max(line["retrieved"]), line["size"])
        metrics = {row["metric"] for row in self.rows("stream1")}
        self.assertLessEqual({"reliability", "generality", "locality", "portability", "fluency", "f1.reliability",
                              "em.portability", "exact.generality", "retrieval.hit@1", "retrieval.hit@2.locality",
                              "free.question.exact.reliability", "free.instruction.chrf.locality",
                              "free.chat.did_not_stop.portability"},
                             metrics)
        for row in self.rows("stream1"):
            self.assertLessEqual(row["low"], row["value"])
            self.assertGreaterEqual(row["high"], row["value"])

    def test_the_fact_of_the_edit_question_itself_is_found_first(self):
        self.checked([self.evaluation("hits", "batch", "[1, 20]")])
        for row in self.rows("hits"):
            if row["metric"] == "retrieval.hit@1.reliability" and row["test_language"] == "en":
                self.assertEqual(row["value"], 100.0)
            if row["metric"].startswith("retrieval.hit@1") and row["size"] == 1:
                self.assertEqual(row["value"], 100.0)

    def test_a_batch_of_one_is_the_single_mode(self):
        self.checked([self.evaluation("batch1", "batch", "[1]")])
        single = self.evaluation("single", "single", "[1]")
        with open(single) as file:
            text = "".join(line for line in file if "retriever" not in line)
        with open(single, "w") as file:
            file.write(text)
        self.checked([single])
        key = ("record", "test_language", "metric", "prompt", "target_ids", "predicted_ids", "score")
        left, right = ([[line[k] for k in key] for line in self.lines(name, "01-evaluate/predictions.jsonl")]
                       for name in ("batch1", "single"))
        self.assertEqual(left, right)
        self.assertIsNone(self.lines("single", "01-evaluate/predictions.jsonl")[0]["retrieved"])

    def test_an_answer_whose_prompt_did_not_change_is_computed_once(self):
        self.checked([self.evaluation("once", "sequential", "[5, 10, 20]"), "evaluate.retriever.k=1"])
        prompts = sum(line["prompts"] for line in self.lines("once", "01-evaluate/metrics.jsonl"))
        distinct = {(line["prompt"], tuple(line["target_ids"]))
                    for line in self.lines("once", "01-evaluate/predictions.jsonl") if line["metric"] != "locality"}
        locality = {line["prompt"] for line in self.lines("once", "01-evaluate/predictions.jsonl")
                    if line["metric"] == "locality"}
        self.assertLessEqual(prompts, len(distinct) + len(locality) + 2 * 20)
        self.assertLess(prompts, 35 * 5 * 2)

    def test_immediate_sees_only_what_came_before(self):
        self.checked([self.evaluation("now", "sequential", "[20]"), "evaluate.eval_when=immediate"])
        for line in self.lines("now", "01-evaluate/predictions.jsonl"):
            self.assertLessEqual(max(line["retrieved"]), line["record"])

    def test_a_killed_stream_goes_on_to_the_same_files(self):
        write_edits(f"{self.root}/edits_more_enes.json", 60)
        data = f"evaluate.data={self.root}/edits_more_enes.json"
        self.checked([self.evaluation("whole", "sequential", "[10, 60]"), data])
        for attempt in range(3):
            name = f"killed{attempt}"
            arguments = [self.evaluation(name, "sequential", "[10, 60]"), data]
            process = self.start(arguments, 2)
            metrics = f"{self.root}/{name}/01-evaluate/metrics.jsonl"
            self.assertTrue(kill_when(process, lambda: count_lines(metrics) >= 2 + 5 * attempt), "the run ended by itself")
            self.checked(arguments, 3 - attempt)
            for file in ("predictions.jsonl", "results.json"):
                self.assertEqual(self.text_of(name, f"01-evaluate/{file}"), self.text_of("whole", f"01-evaluate/{file}"))
            chunks = [line["chunk"] for line in self.lines(name, "01-evaluate/metrics.jsonl")]
            self.assertEqual(chunks, list(range(len(chunks))))

    def probed(self, name, count=6):
        """A recipe that asks everything by age about edits whose questions name their subject, but the last's."""
        path = f"{self.root}/probed{count}_enes.json"
        records = write_edits(path, count)
        for number, record in enumerate(records):
            for side in record.values():
                side["subject"] = f"Tessel{number}"
                if number + 1 < count:
                    side["src"] = f"what is {side['subject']} in the old {side['src']}"
        with open(path, "w") as file:
            json.dump(records, file)
        return [self.evaluation(name, "sequential", f"[3, {count}]"), f"evaluate.data={path}", "evaluate.by_age=true",
                "evaluate.probes=[distance,completion,persona,prefix,reverse,fact_check,negation]",
                "evaluate.extra_metrics=[f1,exact]", "evaluate.max_new_tokens=4",
                "evaluate.free_answers.contexts=[chat,instruction]", "evaluate.free_answers.max_new_tokens=4"]

    def test_probes_and_ages_are_the_same_on_one_two_and_three_ranks(self):
        for ranks in (1, 2, 3):
            self.checked(self.probed(f"probed{ranks}"), ranks)
        for file in ("predictions.jsonl", "results.json", "statistics.json", "answers.jsonl"):
            texts = {self.text_of(f"probed{ranks}", f"01-evaluate/{file}") for ranks in (1, 2, 3)}
            self.assertEqual(len(texts), 1, file)
        lines = self.lines("probed1", "01-evaluate/predictions.jsonl")
        self.assertEqual({line["metric"] for line in lines},
                         {"reliability", "generality", "locality", "portability", "negation", "fact_check.new", "reverse",
                          "prefix", "persona", "completion", "distance"})
        for line in lines:
            self.assertEqual(line["age"], line["size"] - line["record"])
            self.assertLessEqual(max(line["at_once"]["retrieved"]), line["record"])
            self.assertEqual(set(line["free"]), {"chat", "instruction"})
            self.assertEqual("verdict" in line["free"]["chat"], line["metric"] == "fact_check.new")
            if line["metric"] == "prefix":
                prefix, question = line["question"].split("\n\n")
                self.assertEqual(len(prefix.encode()), 50)  # the model's tokens are bytes
                self.assertIn("Tessel" if line["record"] < 5 else "?", question)
                self.assertTrue(line["prompt"].startswith(prefix + "\n\n"))  # in front of the facts
                self.assertTrue(line["prompt"].endswith("\n" + question))
                self.assertFalse(line["prompt"].endswith(line["question"]))
            if line["metric"] == "distance":
                self.assertTrue(line["prompt"].endswith("\n" + line["question"]))  # behind the facts
            if line["metric"] == "reverse":
                self.assertEqual(line["target"], f"Tessel{line['record']}")
                self.assertNotIn("Tessel", line["question"])
                self.assertEqual(line["question"].count("___"), 2)
        rows = {(row["size"], row["test_language"], row["metric"]): row for row in self.rows("probed1")}
        for metric, n in (("fact_check", 6), ("reverse", 5), ("negation", 6), ("free.chat.verdict.fact_check.new", 6),
                          ("free.instruction.contains.negation", 6), ("exact.completion", 6), ("age.1.reliability", 1),
                          ("age.2-5.generality", 4), ("age.6-10.at_once.reliability", 1),
                          ("age.2-5.at_once.free.chat.f1.generality", 4), ("retrieval.hit@1", 24)):
            self.assertEqual(rows[6, "es", metric]["n"], n, metric)
            self.assertIsNotNone(rows[6, "es", metric]["value"], metric)
        for language in ("es", "en"):
            self.assertEqual(rows[6, language, "age.1.reliability"]["value"],
                             rows[6, language, "age.1.at_once.reliability"]["value"])
        with open(f"{self.root}/probed1/01-evaluate/statistics.json") as file:
            skipped = json.load(file)["skipped"]
        self.assertEqual(skipped["fact_check.old: no old answer"], 12)
        self.assertEqual(skipped["reverse: subject not in the question"], 2)
        with open(f"{self.root}/probed1/report.html", encoding="utf-8") as file:
            page = file.read()
        Nesting().check(page)
        self.assertIn("edits ago", page)

    def test_a_killed_run_with_probes_goes_on_to_the_same_files(self):
        self.checked(self.probed("probed_whole", 12))
        arguments = self.probed("probed_killed", 12)
        process = self.start(arguments, 2)
        metrics = f"{self.root}/probed_killed/01-evaluate/metrics.jsonl"
        self.assertTrue(kill_when(process, lambda: count_lines(metrics) >= 5), "the run ended by itself")
        self.checked(arguments, 3)
        for file in ("predictions.jsonl", "results.json", "statistics.json"):
            self.assertEqual(self.text_of("probed_killed", f"01-evaluate/{file}"),
                             self.text_of("probed_whole", f"01-evaluate/{file}"))

    def test_seeds_draw_records_and_give_means(self):
        recipes = {ranks: [self.evaluation(f"seeds{ranks}", "sequential", "[2, 6]"), "evaluate.seeds=[3,5]",
                           "evaluate.sample=6"] for ranks in (1, 2, 3)}
        for ranks, arguments in recipes.items():
            self.checked(arguments, ranks)
        for file in ("predictions.jsonl", "results.json", "statistics.json"):
            self.assertEqual(len({self.text_of(f"seeds{ranks}", f"01-evaluate/{file}") for ranks in (1, 2, 3)}), 1, file)
        lines = self.lines("seeds1", "01-evaluate/predictions.jsonl")
        drawn = {seed: list(dict.fromkeys(line["record"] for line in lines if line["seed"] == seed and line["size"] == 6
                                          and line["test_language"] == "es")) for seed in (3, 5)}
        for order in drawn.values():
            self.assertEqual(len(order), 6)
        self.assertNotEqual(drawn[3], drawn[5])
        for line in lines:
            self.assertLessEqual(set(line["retrieved"]), set(drawn[line["seed"]][:line["size"]]))
        rows = [row for row in self.rows("seeds1") if row["metric"] == "reliability" and row["size"] == 6
                and row["test_language"] == "es"]
        self.assertEqual([row.get("seed") for row in rows], [3, 5, None])
        values = [row["value"] for row in rows]
        self.assertAlmostEqual(values[2], statistics.mean(values[:2]), delta=0.0051)
        self.assertAlmostEqual(rows[2]["spread"], statistics.stdev(values[:2]), delta=0.0051)
        self.assertEqual((rows[2]["seeds"], rows[2]["records"], rows[2]["order"], rows[2]["n"]), (2, 6, "drawn", 12))
        self.assertEqual((rows[2]["batch"], rows[2]["run_seed"]), (1, 42))
        self.assertFalse(any("published" in row for row in rows))  # of a tiny model
        self.assertTrue(os.path.isfile(f"{self.root}/seeds1/report/01-evaluate_sequential_6_en_es_seed5.json"))
        shown = self.checked(["show", f"{self.root}/seeds1", "--limit", "1"]).stdout
        self.assertIn("sequential of 2, seed 3", shown)

    def test_knowedit_counts_what_it_leaves_out(self):
        write_knowedit(os.path.join(self.root, "test_cf.json"), 6)
        recipe = self.evaluation("cf", "sequential", "[6]")
        with open(recipe) as file:
            text = file.read().replace("mzsre", "counterfact").replace("edits_enes", "test_cf")
        text = "\n".join(line for line in text.splitlines() if "_languages" not in line)
        with open(recipe, "w") as file:
            file.write(text)
        self.checked([recipe])
        rows = {row["metric"]: row for row in self.rows("cf")}
        self.assertEqual(rows["portability"]["n"], 3)
        self.assertEqual(rows["locality.Forgetfulness"]["n"], 5)
        self.assertIsNone(rows["generality"]["value"])
        self.assertEqual(rows["generality"]["n"], 0)
        with open(os.path.join(self.root, "cf/01-evaluate/statistics.json")) as file:
            skipped = json.load(file)["skipped"]
        self.assertEqual(skipped["locality.Forgetfulness: no answer"], 1)
        self.assertEqual(skipped["portability: empty"], 3)
        lte = self.checked([recipe, "--fresh", "evaluate.averaging=lte"])
        self.assertIn("counterfact", lte.stdout)
        self.assertEqual(len([line for line in self.lines("cf", "01-evaluate/predictions.jsonl")
                              if line["metric"] == "portability.Reasoning"]), 3)

    def test_rivals_run_on_the_same_records(self):
        for method, keys in (("none", []), ("lte", []), ("ike", ["evaluate.nq_prefix=cut"]), ("remake", [])):
            recipe = self.evaluation(method, "batch", "[4]")
            with open(recipe) as file:
                text = file.read().replace("k: 2", "k: 1")
            if method == "none":
                text = "\n".join(line for line in text.splitlines() if "retriever" not in line)
            elif method in ("ike", "remake"):
                text += f"      demonstrations: {{benchmark: mzsre, data: {self.root}/edits_enes.json, k: 3}}\n"
            with open(recipe, "w") as file:
                file.write(text + f"\n      method: {method}\n")
            self.checked([recipe, *keys])
            line = self.lines(method, "01-evaluate/predictions.jsonl")[0]
            shown = {"none": "", "lte": "[Updated Information]", "ike": "New Fact: ", "remake": "Question: "}[method]
            self.assertIn(shown, line["prompt"])
            label = "remake-few" if method == "remake" else method
            self.assertEqual({row["method"] for row in self.rows(method)}, {label})

    def test_reports_are_whole_pages(self):
        for name in ("one", "two"):
            self.checked([self.evaluation(name, "sequential", "[5, 20]")])
        runs = [os.path.join(self.root, name) for name in ("one", "two")]
        page = os.path.join(self.root, "both.html")
        result = self.checked(["report", *runs, "--out", page])
        self.assertIn("(+0.00)", result.stdout)
        for file in (page, runs[0] + "/report.html"):
            with open(file, encoding="utf-8") as html:
                Nesting().check(html.read())
        with open(page.replace(".html", ".csv"), newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual({row["run"] for row in rows}, {f"tiny ({run})" for run in runs})
        with open(f"{runs[0]}/report/01-evaluate_sequential_20_en_es.json") as file:
            records = json.load(file)
        mean = sum(record["post"]["rewrite_acc"][0] for record in records) / len(records)
        value = next(row["value"] for row in self.rows("one") if row["metric"] == "reliability" and row["size"] == 20
                     and row["test_language"] == "es")
        self.assertAlmostEqual(100 * mean, value, delta=0.0051)
        cost = json.loads(self.text_of("one", "01-evaluate/cost.json"))
        chunks = self.lines("one", "01-evaluate/metrics.jsonl")
        self.assertAlmostEqual(cost["seconds_per_question"] * cost["questions"], sum(c["seconds"] for c in chunks))
        self.assertEqual(cost["answers"]["prompts"]["prompts"], sum(c["prompts"] for c in chunks))
        self.assertAlmostEqual(cost["seconds_per_edit"] * cost["edits"], cost["preparation_seconds"])
        self.assertGreater(cost["state_bytes"], 0)
        self.assertGreater(cost["peak_bytes"], cost["state_bytes"])
        with open(f"{runs[0]}/report/cost.csv", newline="") as file:
            told = list(csv.DictReader(file))
        self.assertEqual([row["stage"] for row in told], ["01-evaluate"])
        self.assertEqual(float(told[0]["seconds_per_question"]), cost["seconds_per_question"])
        self.assertEqual(self.run_program(["report", self.root]).returncode, 66)

    def ask(self, recipe, *arguments, lines=""):
        return subprocess.run([self.binary, "ask", recipe, *arguments], input=lines, capture_output=True, text=True,
                              timeout=PATIENCE, env=self.environment())

    def test_ask_answers_with_the_recipe_s_edits_and_remembers_new_ones(self):
        recipe = self.evaluation("ask", "batch", "[4]")
        edit = self.records[3]["en"]
        result = self.ask(recipe, "--lang", "es", edit["src"])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout.splitlines()[-2], f"  1.00  {edit['src']} {edit['alt']}")
        memory = os.path.join(self.root, "memory.h5")
        result = self.ask(recipe, "--memory", memory, lines="+ who runs it => the institute\n:facts\n:lang xx\n")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("20 facts; questions in Spanish", result.stdout)
        self.assertIn("remembered, 21 facts", result.stdout)
        self.assertIn("es  who runs it the institute", result.stdout)
        self.assertIn('found "xx"', result.stdout)
        again = self.ask(recipe, "--memory", memory, "-k", "1", "who runs it")
        self.assertEqual(again.stdout.splitlines()[-1], "  1.00  who runs it the institute")
        other = self.ask(recipe, "--memory", memory, "--encoder", str(ENCODERS / "mpnet"), "x")
        self.assertEqual(other.returncode, 65, other.stderr)
        self.assertIn("memory.h5", other.stderr)
        with open(recipe) as file:
            text = file.read()
        with open(f"{self.root}/export.yaml", "w") as file:
            file.write(text.replace("/ask\n", "/exporting\n") +
                       f"  - export: {{path: {self.root}/with_memory, dtype: float32, memory: {memory}}}\n")
        self.checked([f"{self.root}/export.yaml"])
        with open(f"{self.root}/reopened.yaml", "w") as file:
            file.write(text.replace(f"{self.root}/model", f"{self.root}/with_memory"))
        reopened = self.ask(f"{self.root}/reopened.yaml", "-k", "1", "who runs it")
        self.assertEqual(reopened.stdout.splitlines()[-1], "  1.00  who runs it the institute", reopened.stderr)
        with open(memory, "r+b") as file:
            file.truncate(1000)
        cut = self.ask(recipe, "--memory", memory, "x")
        self.assertEqual(cut.returncode, 65, cut.stderr)
        self.assertEqual(len(cut.stderr.splitlines()), 1)

    def test_bad_input_is_one_line_with_its_exit_code(self):
        cases = [(["evaluate.sizes=[21]"], 65, "sizes: expected at most 20 (the records at hand), found 21"),
                 (["evaluate.retriever.model_name_or_path=nowhere"], 66, "nowhere"),
                 ([f"evaluate.retriever.model_name_or_path={self.root}/model"], 65, "model_type"),
                 (["evaluate.mode=single"], 78, "retriever"),
                 (["evaluate.test_languages=[cs]"], 65, "cs"),
                 (["evaluate.probes=[reverse]"], 65, "edits_enes.json: probes: expected a row that allows reverse"),
                 (["evaluate.probes=[persona]", "evaluate.test_languages=[ja]"], 78,
                  "evaluate.probes: expected test languages with templates (en, cs, de"),
                 (["evaluate.by_age=true"], 78, "by_age: expected mode: sequential")]
        for keys, code, words in cases:
            with self.subTest(keys=keys):
                for command in ([], ["validate"]):
                    result = self.run_program([*command, self.evaluation("bad", "batch", "[4]"), *keys])
                    if command and code == 65 and "model" in keys[0]:
                        continue  # weights are looked into by the run
                    self.assertEqual(result.returncode, code, result.stderr)
                    self.assertIn(words, result.stderr)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
