#!/usr/bin/env python3
"""Recipes at hand: listing, copying and showing them, removed keys and variables in paths.

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
        self.assertIn("expected nothing there", self.call("recipes", "copy", "xkde_gemma3", target, code=78))
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


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    CMAKE, INSTALLED_FROM = sys.argv.pop(1), sys.argv.pop(1)
    unittest.main()
