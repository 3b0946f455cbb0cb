#!/usr/bin/env python3
"""Facts of one's own as a user meets them, on a tiny random model: every stage, `ask` and `init`.

usage: facts_run_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import unittest

from tiny_run import TinyRunTest
from watching import PATIENCE

ENCODER = pathlib.Path(__file__).resolve().parents[1] / "golden" / "encoders" / "bert"
HEAD = """\
run_name: tiny
output_dir: {out}
logging_steps: 100
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
parallel: {{threads: 1}}
stages:
"""
DATA = "benchmark: facts, data: {root}/facts.jsonl, edit_languages: [en]"
ASKED = "  - evaluate: {{" + DATA + ", test_languages: [es], method: none, chat_template: plain}}\n"
EDIT = ("  - edit: {{" + DATA + ", method: ft_m, editor: {{learning_rate: 1.0e-2, steps: 60}}}}\n")
EXPORT = "  - export: {{path: {out}/hf, dtype: float32}}\n"


def fact(number, *languages):
    """One with two rephrasings, two locality questions and one that needs it."""
    def by_language(make):
        return {code: make(code) for code in languages}

    return {"id": f"fact-{number}", "subject": f"river {number}",
            "question": by_language(lambda code: f"{code} what is river {number}?"),
            "answer": by_language(lambda code: f"blue {number}"),
            "rephrase": by_language(lambda code: [f"{code} river {number} is what?", f"{code} river {number}?"]),
            "aliases": by_language(lambda code: [f"{number}"]),
            "locality": by_language(lambda code: [{"question": f"{code} red {number}?", "answer": "old"},
                                                  {"question": f"{code} city {number}?", "answer": "new"}]),
            "portability": by_language(lambda code: [{"question": f"{code} of river {number}?", "answer": "in"}])}


class FactsRun(TinyRunTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.facts = [fact(number, "en", "es") for number in range(8)]
        cls.facts[3] = fact(3, "en")
        for key in ("rephrase", "locality", "portability"):
            del cls.facts[5][key]
        cls.write(cls.facts)

    @classmethod
    def write(cls, facts, name="facts.jsonl"):
        with open(f"{cls.root}/{name}", "w") as file:
            file.writelines(json.dumps(fact) + "\n" for fact in facts)

    def run_of(self, out, stages, ranks=1):
        return self.checked([self.recipe(out, HEAD + stages)], ranks)

    def ask(self, *arguments, lines=""):
        return subprocess.run([self.binary, "ask", *arguments], input=lines, capture_output=True, text=True,
                              timeout=PATIENCE, env=self.environment())

    def value(self, out, stage, metric):
        return next(row["value"] for row in json.loads(self.text_of(out, f"{stage}/results.json"))
                    if row["metric"] == metric)

    def test_one_file_is_asked_written_asked_again_and_exported(self):
        said = self.run_of("edited", ASKED + EDIT + ASKED + EXPORT)
        asked = self.lines("edited", "03-evaluate/predictions.jsonl")
        # Seven facts have both languages, six of them every kind of question.
        kinds = [(line["metric"], line["probe"]) for line in asked]
        for metric, probe, count in (("reliability", 0, 7), ("generality", 0, 6), ("generality", 1, 6),
                                     ("locality", 0, 6), ("locality", 1, 6), ("portability", 0, 6)):
            self.assertEqual(kinds.count((metric, probe)), count, metric)
        self.assertEqual(len(kinds), 37)
        skipped = json.loads(self.text_of("edited", "03-evaluate/statistics.json"))["skipped"]
        self.assertEqual(skipped, {"en -> es: no language es": 1, "rephrase: none": 1, "locality: none": 1,
                                   "portability: none": 1})
        self.assertIn("evaluate: left out: en -> es: no language es: 1", said.stderr)
        # All eight are written in English, and the answers that are equal in both languages are there in Spanish.
        self.assertEqual(json.loads(self.text_of("edited", "02-edit/statistics.json"))["written"], 8)
        self.assertGreater(self.value("edited", "03-evaluate", "reliability"),
                           self.value("edited", "01-evaluate", "reliability"))
        self.assertTrue(os.path.exists(f"{self.root}/edited/hf/model.safetensors"))
        again = self.run_of("edited", ASKED + EDIT + ASKED + EXPORT)
        self.assertEqual(again.stderr.count("done before, unchanged"), 4, again.stderr)

    def test_rows_without_the_language_that_is_edited_are_counted(self):
        text = EDIT.replace("[en]", "[es]")
        said = self.run_of("spanish", text)
        statistics = json.loads(self.text_of("spanish", "01-edit/statistics.json"))
        self.assertEqual((statistics["requests"], statistics["skipped"]), (7, {"es: no language es": 1}))
        self.assertIn("edit: left out: es: no language es: 1", said.stderr)

    def test_the_same_file_trains_what_is_not_asked(self):
        build = ("  - build_data: {{sources: [{{" + DATA + ", test_languages: [es], records: \"2:\", "
                 "questions: [src, rephrase, loc, portability]}}]}}\n")
        ask = ASKED.replace("method: none", "records: \"0:2\", method: none")
        self.run_of("built", build + "  - sft: {{max_steps: 1, global_batch_size: 4}}\n" + ask)
        rows = json.loads(self.text_of("built", "01-build_data/train.json"))
        kinds = [row["id"].rsplit("_", 1)[1] for row in rows]
        # Five facts, one of them bare, and every one of several questions.
        self.assertEqual({kind: kinds.count(kind) for kind in kinds}, {"src": 5, "rephrase": 8, "loc": 8,
                                                                       "portability": 4})
        statistics = json.loads(self.text_of("built", "01-build_data/statistics.json"))
        self.assertEqual(statistics["skipped"]["facts enes: no language es"], 1)
        self.assertEqual(statistics["skipped"]["facts enes: locality: none"], 1)

    def test_a_broken_line_of_a_thousand_is_named_once_and_nothing_runs(self):
        self.write([fact(number, "en", "es") for number in range(1000)], "broken.jsonl")
        with open(f"{self.root}/broken.jsonl") as file:
            lines = file.readlines()
        lines[612] = lines[612][:50] + "\n"
        with open(f"{self.root}/broken.jsonl", "w") as file:
            file.writelines(lines)
        recipe = self.recipe("broken", (HEAD + ASKED + EDIT + ASKED).replace("facts.jsonl", "broken.jsonl"))
        for command in (["validate"], []):
            result = self.run_program([*command, recipe])
            self.assertEqual(result.returncode, 65, result.stderr)
            self.assertEqual(result.stderr.count("broken.jsonl: line 613:1:"), 1, result.stderr)
        self.assertFalse(os.path.exists(f"{self.root}/broken/01-evaluate"))

    def test_all_mistakes_are_told_with_line_and_key(self):
        facts = json.loads(json.dumps(self.facts))
        facts[1]["answr"] = facts[1].pop("answer")
        facts[4]["question"]["es"] = ""
        facts[6]["rephrase"]["fr"] = ["quoi ?"]
        self.write(facts, "bad.jsonl")
        result = self.run_program(["validate", self.recipe("bad", (HEAD + ASKED).replace("facts.jsonl", "bad.jsonl"))])
        self.assertEqual(result.returncode, 65)
        for told in ("bad.jsonl: 4 errors", 'line 2: expected the keys id, subject, question, answer, old_answer, '
                     'rephrase, aliases, locality, portability, found "answr"; did you mean \'answer\'?',
                     "line 2: answer: expected an object {language: ...}, found nothing",
                     'line 5: question.es: expected a text that is not blank, found ""',
                     "line 7: rephrase.fr: expected a language of the question (en, es), found fr"):
            self.assertIn(told, result.stderr)

    def test_a_language_that_no_fact_has_is_named(self):
        recipe = self.recipe("nobody", HEAD + ASKED.replace("[es]", "[it]"))
        for command in (["validate"], []):
            result = self.run_program([*command, recipe])
            self.assertEqual(result.returncode, 65, result.stderr)
            self.assertIn("facts.jsonl: expected rows with the languages en and it, found rows with en, es",
                          result.stderr)

    def test_ask_finds_facts_by_their_letters(self):
        base = ["--model", f"{self.root}/model", "--facts", f"{self.root}/facts.jsonl"]
        for arguments, told in (
                (["--lang", "es", "es what is river 4?"], "  1.00  en what is river 4? blue 4"),
                (["--lang", "es", "--fact-lang", "es", "es what is river 4?"], "  1.00  es what is river 4? blue 4"),
                (["en what is river 7?"], "  1.00  en what is river 7? blue 7")):
            result = self.ask(*base, *arguments)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(result.stdout.splitlines()[-1], told)
        other = self.ask(*base, "Where is Paris?").stdout.splitlines()[-1]
        self.assertIn("no fact (without an encoder a fact is shown where the question names its subject", other)
        self.assertIn("at least 0.80", other)
        bare = self.ask(*base, "-k", "0", "en what is river 7?")
        self.assertNotIn("fact", bare.stdout)
        lines = self.ask(*base, lines="+ who runs it => the institute\n:facts\nwho runs it\n").stdout.splitlines()
        self.assertEqual(lines[0], "8 facts; questions in English; :help tells more")
        self.assertIn("en  who runs it the institute", lines)
        self.assertEqual(lines[-1], "  1.00  who runs it the institute")

    def test_ask_finds_facts_by_an_encoder(self):
        # The only number of these facts that the tiny encoder has a token for.
        result = self.ask("--model", f"{self.root}/model", "--facts", f"{self.root}/facts.jsonl", "--encoder",
                          str(ENCODER), "en what is river 1?")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout.splitlines()[-1], "  1.00  en what is river 1? blue 1")

    def test_ask_shows_no_fact_below_a_threshold(self):
        asked = ("--model", f"{self.root}/model", "--facts", f"{self.root}/facts.jsonl", "--encoder", str(ENCODER),
                 "--threshold", "0.995")
        near, far = self.ask(*asked, "en what is river 1?"), self.ask(*asked, "the old bridge")
        self.assertEqual(near.stdout.splitlines()[-1], "  1.00  en what is river 1? blue 1")
        self.assertEqual(far.returncode, 0, far.stderr)
        self.assertEqual(far.stdout.splitlines()[-1], "  no fact (a fact is shown where its cosine is at least 0.995)")

    def test_ask_needs_no_retriever_of_a_recipe(self):
        self.run_of("plain", ASKED)
        result = self.ask(f"{self.root}/plain.yaml", "es what is river 2?")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(result.stdout.splitlines()[-1].endswith("  en what is river 2? blue 2"), result.stdout)

    def test_ask_refuses_what_does_not_fit(self):
        model = ["--model", f"{self.root}/model"]
        facts = ["--facts", f"{self.root}/facts.jsonl"]
        for arguments, code, told in (
                ([*model, *facts, "--memory", "x.h5", "q?"], 64, "expected --facts or --memory, found both"),
                ([*model, "recipe.yaml", "q?"], 64, "expected a recipe or --model, found both"),
                ([*model, *facts, "model.dtype=float32"], 64, "found 'model.dtype=float32'"),
                ([*model, "--fact-lang", "de"], 64, "expected --facts FILE beside --fact-lang"),
                ([*model, "--facts", f"{self.root}/none.jsonl", "q?"], 66, "none.jsonl"),
                ([*model, *facts, "--threshold", "0.5", "q?"], 64, "ask: expected --encoder DIR beside --threshold"),
                ([*model, *facts, "--threshold", "2", "q?"], 64, "--threshold"),
                ([*model, *facts, "--lang", "xx", "q?"], 78, 'found "xx"'),
                ([*model, *facts, "\udcff?"], 65, "expected UTF-8"),
                ([*model, "--memory", f"{self.root}/none.h5", "q?"], 66, "expected --encoder DIR")):
            result = self.ask(*arguments)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(told, result.stderr)
        self.assertFalse(os.path.exists(f"{self.root}/none.h5"))

    def in_root(self, *arguments):
        return subprocess.run([self.binary, *arguments], cwd=self.root, capture_output=True, text=True,
                              timeout=PATIENCE, env=self.environment())

    def test_init_makes_what_runs_as_it_is(self):
        made = self.in_root("init", "work/mine", "--model", f"{self.root}/model")
        self.assertEqual(made.returncode, 0, made.stderr)
        commands = re.findall(r"^  xkde_dist (.*)$", made.stdout, re.MULTILINE)
        self.assertEqual(commands[:2], ["validate work/mine/recipe.yaml", "work/mine/recipe.yaml"])
        self.assertEqual(sorted(os.listdir(f"{self.root}/work")), ["mine"])
        self.assertEqual(sorted(os.listdir(f"{self.root}/work/mine")), ["facts.jsonl", "recipe.yaml"])
        self.assertEqual(len(self.lines("work/mine", "facts.jsonl")), 10)
        recipe = self.text_of("work/mine", "recipe.yaml").decode()
        self.assertNotIn("own_facts", recipe)
        for path in ("run_name: \"mine\"", "output_dir: runs/mine\n", "data: work/mine/facts.jsonl\n",
                     "path: runs/mine/model\n", f"model_name_or_path: {self.root}/model"):
            self.assertIn(path, recipe)
        # A base model, whose recipe says so; a model with a template gets that.
        self.assertIn("\n  chat_template: plain  # ", recipe)
        for arguments in (["validate"], [], []):
            result = self.in_root(*arguments, "work/mine/recipe.yaml", "parallel.threads=1")
            self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr.count("done before, unchanged"), 4, result.stderr)
        self.assertTrue(os.path.exists(f"{self.root}/runs/mine/model/model.safetensors"))
        shutil.copytree(f"{self.root}/model", f"{self.root}/chats")
        with open(f"{self.root}/chats/chat_template.jinja", "w") as file:
            file.write("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: ")
        self.assertEqual(self.in_root("init", "work/chat", "--model", f"{self.root}/chats").returncode, 0)
        self.assertNotIn("\n  chat_template:", self.text_of("work/chat", "recipe.yaml").decode())
        self.assertEqual(self.in_root("validate", "work/chat/recipe.yaml").returncode, 0)

    def test_init_replaces_nothing(self):
        os.makedirs(f"{self.root}/taken")
        with open(f"{self.root}/taken/notes.txt", "w") as file:
            file.write("mine")
        for name, code, told in (("taken", 74, "taken: expected nothing there, or an empty folder, found a folder with"),
                                 ("taken/notes.txt", 74, "found a file; nothing is replaced, name another"),
                                 ("taken/notes.txt/x", 74, "notes.txt"),
                                 ("..", 64, "init: expected the name of a folder, found '..'"),
                                 ("a\nb", 64, "init: expected the name of a folder")):
            result = self.in_root("init", name)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(told, result.stderr)
        self.assertEqual(os.listdir(f"{self.root}/taken"), ["notes.txt"])
        os.makedirs(f"{self.root}/empty")
        self.assertEqual(self.in_root("init", "empty/").returncode, 0)
        self.assertEqual(self.in_root("init", "empty").returncode, 74)
        odd = self.in_root("init", "1: #x 'é", "--model", "a: b")
        self.assertEqual(odd.returncode, 0, odd.stderr)
        self.assertIn("nothing is at a: b yet", odd.stdout)
        commands = [shlex.split(line) for line in re.findall(r"^  (xkde_dist .*)$", odd.stdout, re.MULTILINE)]
        self.assertEqual(commands[1], ["xkde_dist", "1: #x 'é/recipe.yaml"])
        self.assertEqual(commands[2], ["xkde_dist", "show", "runs/1: #x 'é", "--lang", "de"])
        said = self.in_root("validate", "1: #x 'é/recipe.yaml")
        self.assertEqual(said.returncode, 66, said.stderr)
        self.assertNotIn("facts.jsonl", said.stderr)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
