#!/usr/bin/env python3
"""Recipes at hand: listing, copying and showing them, dry runs, removed keys and variables in paths.

usage: recipes_at_hand_test.py XKDE_DIST_BINARY CMAKE LAUNCH_FOLDER_OF_THE_BUILD
Needs python3 only.
"""

import json
import os
import shutil
import subprocess
import sys
import unittest

from tiny_run import RECIPE, TinyRunTest

MARKED = "⟦"


class RecipesAtHand(TinyRunTest):
    def call(self, *arguments, code=0, cwd=None, **variables):
        result = subprocess.run([self.binary, *arguments], capture_output=True, text=True, cwd=cwd or self.root,
                                env=dict(os.environ, **variables))
        self.assertEqual(result.returncode, code, f"{arguments}: {result.stdout}{result.stderr}")
        return result.stdout if code == 0 else result.stderr

    def test_lists_what_came_with_the_program(self):
        lines = [line.split() for line in self.call("recipes").splitlines()]
        self.assertEqual(lines[0], ["name", "benchmarks", "model", "ranks"])
        self.assertGreater(len(lines), 100)
        by_name = {line[0]: line[1:] for line in lines}
        self.assertEqual(by_name["xkde_gemma3"], ["bmike53", "gemma-3-270m-q4_k_m.gguf", "2"])
        self.assertEqual(by_name["paper/xkde_llama2_7b"], ["bizsre,mzsre", "Llama-2-7b-chat-hf", "8"])

    def test_lists_those_with_words(self):
        names = [line.split()[0] for line in self.call("recipes", "ORPO", "gemma").splitlines()[1:]]
        self.assertEqual(names, ["xkde_gemma3"])
        self.assertIn("did you mean 'copy'?", self.call("recipes", "cpoy", code=64))

    def test_copies_never_replace(self):
        target = f"{self.root}/copied.yaml"
        self.assertEqual(self.call("recipes", "copy", "quickstart", target), target + "\n")
        with open(target) as file:
            text = file.read()
        schema = text.splitlines()[0].split("$schema=")[1]
        with open(schema) as file:
            self.assertEqual(json.load(file)["title"], "A recipe of xkde_dist")
        self.assertIn("expected nothing there", self.call("recipes", "copy", "xkde_gemma3", target, code=74))
        with open(target) as file:
            self.assertEqual(file.read(), text)
        os.makedirs(f"{self.root}/folder")
        self.call("recipes", "copy", "paper/xkde_llama2_7b", cwd=f"{self.root}/folder")
        self.assertEqual(os.listdir(f"{self.root}/folder"), ["xkde_llama2_7b.yaml"])
        self.assertIn("did you mean 'quickstart'?", self.call("recipes", "copy", "quikstart", code=66))

    def test_shows_what_a_run_would_have(self):
        written = self.recipe("shown")
        with open(written) as file:
            self.assertEqual(self.call("recipes", "show", written), file.read())
        resolved = self.call("recipes", "show", written, "--resolved", "sft.max_steps=3")
        with open(f"{self.root}/resolved.yaml", "w") as file:
            file.write(resolved)
        self.assertIn("max_steps: 3\n", resolved)
        self.assertEqual(self.call("recipes", "show", f"{self.root}/resolved.yaml", "--resolved"), resolved)
        self.call("validate", f"{self.root}/resolved.yaml")

    def test_the_variable_names_another_folder(self):
        os.makedirs(f"{self.root}/mine")
        shutil.copy(self.recipe("own"), f"{self.root}/mine/own.yaml")
        listed = self.call("recipes", XKDE_RECIPES_DIR=f"{self.root}/mine")
        self.assertEqual([line.split() for line in listed.splitlines()[1:]], [["own", "mzsre", "model", "any"]])

    def test_training_time_is_predicted_where_model_and_data_are_there(self):
        os.makedirs(f"{self.root}/timed")
        shutil.copy(self.recipe("at_hand"), f"{self.root}/timed/at_hand.yaml")
        for name, stage in (("elsewhere", "sft: {{train_data: nowhere.json}}"), ("asks", "evaluate: {{benchmark: mzsre, "
                            "data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es]}}")):
            head = "model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}\n"
            shutil.copy(self.recipe(name, f"{head}parallel: {{{{threads: 1}}}}\nstages: [{{{{{stage}}}}}]\n"),
                        f"{self.root}/timed/{name}.yaml")
        listed = self.call("recipes", "--time", XKDE_RECIPES_DIR=f"{self.root}/timed")
        lines = {line.split()[0]: line.split()[4:] for line in listed.splitlines()}
        self.assertEqual(lines["name"], ["training"])
        self.assertEqual(lines["elsewhere"], ["-"])
        self.assertEqual(lines["asks"], ["-"])
        number, unit = lines["at_hand"]
        self.assertGreater(float(number), 0)
        self.assertIn(unit, ("ms", "s"))

    def test_an_installed_program_has_recipes_schema_and_texts(self):
        prefix = f"{self.root}/usr"
        subprocess.run([CMAKE, "--install", INSTALLED_FROM, "--prefix", prefix], check=True, capture_output=True)
        listed = subprocess.run([f"{prefix}/bin/xkde_dist", "recipes"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(listed, self.call("recipes"))
        shutil.rmtree(f"{prefix}/share/xkde_dist/recipes/paper")
        listed = subprocess.run([f"{prefix}/bin/xkde_dist", "recipes"], capture_output=True, text=True, check=True).stdout
        self.assertNotIn("paper/", listed)
        copied = subprocess.run([f"{prefix}/bin/xkde_dist", "recipes", "copy", "quickstart", f"{self.root}/own.yaml"],
                                capture_output=True, text=True)
        self.assertEqual(copied.returncode, 0, copied.stderr)
        with open(f"{self.root}/own.yaml") as file:
            self.assertIn(f"$schema={prefix}/share/xkde_dist/docs/recipe.schema.json\n", file.read())
        for name, begin in (("man/man1/xkde_dist.1", '.\\"'), ("bash-completion/completions/xkde_dist", "# bash"),
                            ("zsh/site-functions/_xkde_dist", "#compdef"), ("xkde_dist/docs/recipe.schema.json", "{"),
                            ("fish/vendor_completions.d/xkde_dist.fish", "# fish")):
            with open(f"{prefix}/share/{name}") as file:
                self.assertTrue(file.read().startswith(begin), name)
        self.assertTrue(os.path.isdir(f"{prefix}/share/xkde_dist/recipes/data/train"))

    def test_paths_have_variables(self):
        recipe = self.recipe("variables", RECIPE.replace("{root}/model", '"${{XKDE_TEST_ROOT}}/model"'))
        self.call("validate", recipe, "export~", XKDE_TEST_ROOT=self.root)
        message = self.call("validate", recipe, code=78)
        self.assertIn(f"{recipe}:4:29: model.model_name_or_path: expected an environment variable XKDE_TEST_ROOT",
                      message)

    def test_a_dry_run_runs_nothing(self):
        recipe = self.recipe("dry")
        self.assertEqual(self.call(recipe, "--dry-run"), f"{recipe}: valid, 4 stages\n")
        self.assertFalse(os.path.exists(f"{self.root}/dry"))
        self.assertIn("unknown key", self.call(recipe, "--dry-run", "sft.lr=1", code=78))

    def samples(self, recipe, *arguments):
        """The blocks of what --show-samples prints."""
        text = self.call(recipe, "--dry-run", "--show-samples", "2", *arguments)
        return text.split("\n\n")

    def test_shows_samples_as_they_are_trained(self):
        """A byte is a token: what is trained is the answer and the mark that ends it."""
        head, first, second = self.samples(self.recipe("shown_samples"))
        self.assertIn("samples of 02-sft;", head)
        title, tokens = first.splitlines()
        answer = self.records[0]["es"]["alt"]
        self.assertIn("sample 1 of 36", title)
        before, trained = tokens.split(MARKED)
        self.assertEqual(trained, "·".join(answer) + "·<|im_end|>⟧")
        self.assertTrue(before.startswith("<|im_start|>·u·s·e·r·\\n·"), before)
        count = len(before.split("·")) + len(trained.split("·"))
        self.assertIn(f": {count} tokens, {len(answer) + 1} trained", title)
        self.assertIn("sample 2 of 36", second)

    def test_an_end_of_turn_that_is_not_trained_is_not_marked(self):
        _, first, _ = self.samples(self.recipe("unmarked"), "sft.train_on_end_of_turn=false")
        self.assertTrue(first.splitlines()[1].endswith("⟧·<|im_end|>") or first.splitlines()[1].endswith("⟧"), first)
        self.assertNotIn("<|im_end|>⟧", first)

    def test_tells_where_a_sample_is_cut(self):
        recipe = self.recipe("cut")
        _, whole, _ = self.samples(recipe)
        count = int(whole.split(": ")[1].split()[0])
        _, cut, _ = self.samples(recipe, f"sft.max_length={count - 2}")
        self.assertIn(f": {count - 2} tokens, ", cut)
        self.assertIn(f"cut from {count} tokens", cut)

    def test_shows_both_answers_of_pairs(self):
        with open(f"{self.root}/pairs.jsonl", "w") as file:
            file.write(json.dumps(dict(prompt="ab", chosen="cd", rejected="e")) + "\n")
        recipe = self.recipe("pairs", """\
output_dir: {out}
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
stages:
  - orpo: {{pairs: {root}/pairs.jsonl, max_steps: 1}}
""")
        _, pair = self.samples(recipe)
        lines = pair.splitlines()
        self.assertEqual(lines[0], "line 1")
        self.assertEqual(lines[1:], ["chosen: 4 tokens, 2 trained", "a·b⟦c·d⟧", "rejected: 3 tokens, 1 trained", "a·b⟦e⟧"],
                         "this tokenizer names no BOS and no EOS")

    def test_a_recipe_without_training_has_no_samples(self):
        recipe = self.recipe("untrained")
        self.assertIn("expected a stage sft or orpo",
                      self.call(recipe, "--dry-run", "--show-samples", "1", "sft~", "build_data~", code=78))


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    CMAKE, INSTALLED_FROM = sys.argv.pop(1), sys.argv.pop(1)
    unittest.main()
