#!/usr/bin/env python3
"""The JSON Schema of recipes: as checked in, true of every recipe, and of one mind with the reader.

usage: schema_test.py XKDE_DIST_BINARY SOURCE_DIR
Needs python3; all but one case need PyPI's jsonschema and PyYAML too, and are skipped without them.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

try:
    import jsonschema
    import yaml
except ImportError as error:
    jsonschema = yaml = None
    MISSING = str(error)
else:
    MISSING = ""

MODEL = "model: {model_name_or_path: m}\n"
EVALUATE = "benchmark: mzsre, data: d, edit_languages: [en], test_languages: [de]"

WRONG = {
    "no model": "stages: [{sft: {}}]",
    "a model without a path": "model: {dtype: float32}\nstages: [{sft: {}}]",
    "no stages": MODEL,
    "an empty list of stages": MODEL + "stages: []",
    "an unknown top key": MODEL + "sed: 1\nstages: [{sft: {}}]",
    "an unknown stage": MODEL + "stages: [{sfft: {}}]",
    "two stages in one item": MODEL + "stages: [{sft: {}, orpo: {}}]",
    "a mistyped key": MODEL + "stages: [{sft: {learning_rat: 1.0e-4}}]",
    "a number in quotes": MODEL + 'stages: [{sft: {max_steps: "5"}}]',
    "a text for a number": MODEL + "stages: [{sft: {learning_rate: high}}]",
    "a number below its range": MODEL + "stages: [{sft: {max_length: 0}}]",
    "a number at an open end": MODEL + "stages: [{sft: {adam_beta1: 1}}]",
    "a number above its range": MODEL + "parallel: {prefetch: 9}\nstages: [{sft: {}}]",
    "an unknown name": MODEL + "parallel: {shard: fully}\nstages: [{sft: {}}]",
    "a name for a switch": MODEL + "stages: [{sft: {packing: on_}}]",
    "a slash in the run's name": MODEL + "run_name: a/b\nstages: [{sft: {}}]",
    "a list with a value twice": MODEL + "stages: [{evaluate: {%s, sizes: [1, 1]}}]" % EVALUATE,
    "an empty list": MODEL + "stages: [{evaluate: {%s, sizes: []}}]" % EVALUATE,
    "an unknown language": MODEL + "stages: [{evaluate: {%s}}]" % EVALUATE.replace("de", "xx"),
    "no languages beside several": MODEL + "stages: [{evaluate: {benchmark: mzsre, data: d}}]",
    "a slice that is none": MODEL + 'stages: [{evaluate: {%s, records: "1-2"}}]' % EVALUATE,
    "an editor without its method": MODEL + "stages: [{evaluate: {%s, editor: {steps: 1}}}]" % EVALUATE,
    "a key of another editor": MODEL + "stages: [{evaluate: {%s, method: rome, editor: {radius: 1}}}]" % EVALUATE,
    "edits without a method": MODEL + "stages: [{edit: {benchmark: mzsre, data: d, edit_languages: [en]}}]",
    "an export to nowhere": MODEL + "stages: [{export: {dtype: float32}}]",
    "a capability of nothing": MODEL + "stages: [{capability: {max_length: 5}}]",
    "a reference within a number": MODEL + 'stages: [{sft: {max_steps: "1${seed}x"}}]',
    "a section that is a list": MODEL + "parallel: [1]\nstages: [{sft: {}}]",
}
RIGHT = {
    "sections that are left empty": MODEL + "parallel:\nstages:\n  - build_data: {sources: [{%s}], quadrants: }\n  - sft:" % EVALUATE,
    "references for numbers, names, switches and lists": MODEL + "seed: 1\nrun_name: r\nrank_logs: true\n"
    'stages: [{sft: {train_data: t.json, max_steps: "${seed}", packing: "${rank_logs}"}}, {evaluate: {%s, mode: single,'
    ' sizes: ["${seed}"]}}, {evaluate: {benchmark: mzsre, data: d, edit_languages: [en], mode: "${stages.1.mode}",'
    ' sizes: "${stages.1.sizes}", test_languages: "${stages.1.test_languages}"}}]' % EVALUATE,
    "texts that look like numbers": "run_name: 2026\nmodel: {model_name_or_path: 7}\nstages: [{quantize: {type: Q8_0}}]",
    "numbers without a fraction": MODEL + "stages: [{sft: {train_data: t.json, learning_rate: 1}}]",
    "a revert alone": MODEL + "stages: [{edit: {revert: true}}]",
    "an adapter alone": MODEL + "stages: [{export: {adapter: a}}]",
    "one language": MODEL + "stages: [{evaluate: {benchmark: zsre, data: d}}]",
    "moments of others": MODEL + "stages: [{covariance: {import: [{data: a.npz, layer: 1}]}}]",
    "an editor's own keys": MODEL + "stages: [{evaluate: {%s, method: alphaedit, editor: {cov_weight: 0, l2: 1}}}]" % EVALUATE,
    "other codes of languages": MODEL + "stages: [{evaluate: {%s}}]" % EVALUATE.replace("de", "cz, zh-cn"),
}


def core_loader():
    """YAML 1.2's scalars, as editors and the program read them: `1e-5` is a number, `no` a text."""

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {}

    for tag, pattern in (
        ("null", r"~|null|Null|NULL|"),
        ("bool", r"true|True|TRUE|false|False|FALSE"),
        ("int", r"[-+]?[0-9]+"),
        ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"),
    ):
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), None)
    Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(node.value))
    return Loader


def properties_of(schema, path=""):
    """(path, what it says) of every key."""
    for key, value in schema.get("properties", {}).items():
        yield f"{path}.{key}", value
        yield from properties_of(value, f"{path}.{key}")
        yield from properties_of(value.get("items", {}), f"{path}.{key}")


class Schema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.printed = subprocess.run([BINARY, "schema"], capture_output=True, text=True, check=True).stdout
        cls.schema = json.loads(cls.printed)

    def needs_validator(self):
        if MISSING:
            self.skipTest(MISSING)
        return jsonschema.Draft202012Validator(self.schema)

    def mistakes_in(self, text):
        recipe = yaml.load(text, Loader=core_loader())
        return [f"{list(error.absolute_path)}: {error.message[:200]}" for error in self.needs_validator().iter_errors(recipe)]

    def read(self, path):
        """The program's reader, which opens no input."""
        return subprocess.run([BINARY, "recipes", "show", path, "--resolved"], capture_output=True, text=True)

    def test_is_the_one_that_is_checked_in(self):
        with open(f"{SOURCE}/docs/recipe.schema.json") as file:
            self.assertEqual(file.read(), self.printed, "write it again: xkde_dist schema > docs/recipe.schema.json")

    def test_says_something_of_every_key(self):
        for path, value in properties_of(self.schema):
            self.assertTrue(value.get("description"), path)

    def test_is_a_schema(self):
        self.needs_validator().check_schema(self.schema)

    def test_takes_every_recipe(self):
        self.needs_validator()
        recipes = sorted(pathlib.Path(SOURCE, "recipes").rglob("*.yaml"))
        self.assertGreater(len(recipes), 100)
        for path in recipes:
            self.assertEqual(self.mistakes_in(path.read_text()), [], path)

    def test_stands_in_the_first_line_of_every_recipe(self):
        for path in pathlib.Path(SOURCE, "recipes").rglob("*.yaml"):
            named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
            self.assertTrue(named, path)
            self.assertTrue(os.path.samefile(path.parent / named[1], f"{SOURCE}/docs/recipe.schema.json"), path)

    def test_takes_what_the_program_writes(self):
        self.needs_validator()
        for name in ("quickstart", "xkde_gemma3", "mzsre_editors", "paper/bizsre_rivals_llama2_7b", "paper/xkde_qwen25_7b"):
            shown = self.read(name)
            self.assertEqual(shown.returncode, 0, shown.stderr)
            self.assertEqual(self.mistakes_in(shown.stdout), [], name)

    def test_refuses_what_the_program_refuses(self):
        self.needs_validator()
        with tempfile.TemporaryDirectory() as folder:
            for what, text in WRONG.items():
                self.assertNotEqual(self.mistakes_in(text), [], what)
                pathlib.Path(folder, "r.yaml").write_text(text)
                self.assertEqual(self.read(f"{folder}/r.yaml").returncode, 78, what)

    def test_takes_what_the_program_takes(self):
        self.needs_validator()
        with tempfile.TemporaryDirectory() as folder:
            for what, text in RIGHT.items():
                self.assertEqual(self.mistakes_in(text), [], what)
                pathlib.Path(folder, "r.yaml").write_text(text)
                result = self.read(f"{folder}/r.yaml")
                self.assertEqual(result.returncode, 0, f"{what}: {result.stderr}")


if __name__ == "__main__":
    BINARY, SOURCE = sys.argv[1], sys.argv[2]
    unittest.main(argv=sys.argv[:1])
