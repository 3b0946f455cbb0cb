#!/usr/bin/env python3
"""Sweeps as a user meets them: recipes of a grid, runs of two of them, their comparison, and what is refused.

usage: sweep_run_test.py XKDE_DIST_BINARY
Needs python3 only.
"""

import difflib
import glob
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import unittest

from tiny_run import RECIPE, TinyRunTest
from watching import PATIENCE

# Its output_dir is relative, as most are.
RELATIVE = RECIPE.replace("{out}", "runs/tiny")
LOOP = r"^  for recipe in (.*); do mpirun -n 2 --bind-to none xkde_dist \"\$recipe\"; done$"
ARRAY = r"^  sbatch --array=0-(\d+) launch/slurm/sweep.sbatch (.*)$"
REPORT = r"^  xkde_dist report (.*)$"


def no_file_beyond(size):
    """What a full disk looks like to a process."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


class Sweeps(TinyRunTest):
    def call(self, *arguments, code=0, **options):
        result = subprocess.run([self.binary, *arguments], cwd=self.root, capture_output=True, text=True,
                                timeout=PATIENCE, env=self.environment(), **options)
        self.assertEqual(result.returncode, code, f"{arguments}: {result.stdout}{result.stderr}")
        return result.stdout if code == 0 else result.stderr

    def files(self, pattern):
        """What a shell in the folder `root` makes of a pattern."""
        command = f"for name in {pattern}; do printf '%s\\n' \"$name\"; done"
        return subprocess.run(["bash", "-c", command], cwd=self.root, capture_output=True, text=True,
                              check=True).stdout.splitlines()

    def read(self, name):
        with open(f"{self.root}/{name}") as file:
            return file.read()

    def everything(self):
        return sorted(glob.glob(f"{self.root}/**", recursive=True, include_hidden=True))

    def refuses(self, code, told, *arguments, **options):
        """One line, and nothing is written."""
        before = self.everything()
        message = self.call("sweep", *arguments, code=code, **options)
        self.assertIn(told, message)
        self.assertEqual(message.count("\n"), 1, message)
        self.assertEqual(self.everything(), before)

    def test_two_points_run_and_are_compared(self):
        self.recipe("lr", RELATIVE)
        said = self.call("sweep", "lr.yaml", "sft.learning_rate=1e-2,2e-2", "sft.max_steps=4")
        self.assertIn("2 recipes in lr-sweep\n", said)
        lines = [line.split() for line in said.splitlines()[:3]]
        self.assertEqual(lines, [["recipe", "sft.learning_rate"], ["tiny-00", "1e-2"], ["tiny-01", "2e-2"]])
        self.assertLessEqual(max(map(len, said.splitlines()[:3])), 80)
        recipes = self.files(re.search(LOOP, said, re.MULTILINE)[1])
        self.assertEqual(recipes, ["lr-sweep/tiny-00.yaml", "lr-sweep/tiny-01.yaml"])
        self.assertEqual(re.search(ARRAY, said, re.MULTILINE).groups(), ("1", "lr-sweep/*.yaml"))
        for recipe in recipes:
            self.call(recipe)
        runs = self.files(re.search(REPORT, said, re.MULTILINE)[1])
        self.assertEqual(runs, ["runs/lr-sweep/tiny-00", "runs/lr-sweep/tiny-01"])
        self.assertEqual([len(self.losses(run)) for run in runs], [4, 4])
        self.assertNotEqual(self.losses(runs[0]), self.losses(runs[1]))
        for run in runs:
            self.assertTrue(os.path.exists(f"{self.root}/{run}/hf/model.safetensors"), "exports go along")
        compared = self.call("report", *runs)
        self.assertRegex(compared, r"sft\.learning_rate +0?\.01 +0?\.02")
        self.assertEqual(sorted(os.listdir(f"{self.root}/runs/lr-sweep")), ["tiny-00", "tiny-01"])

    def test_a_recipe_is_the_users_with_other_values(self):
        self.recipe("mine", "# A comment.\n" + RELATIVE)
        self.call("sweep", "mine.yaml", "evaluate.records='0:4','4:8'", "sft.max_steps=2,3", "seed=7", "--out", "grid/deep")
        names = sorted(os.listdir(f"{self.root}/grid/deep"))
        self.assertEqual(names, [f"tiny-0{number}.yaml" for number in range(4)])
        texts = [self.read(f"grid/deep/{name}") for name in names]
        self.assertTrue(texts[2].startswith("# yaml-language-server: $schema=/"), texts[2])
        self.assertIn("#   xkde_dist sweep mine.yaml 'evaluate.records='\\''0:4'\\'','\\''4:8'\\''' sft.max_steps=2,3 seed=7 "
                      "--out grid/deep\n# What differs:\n#   evaluate.records='4:8'\n#   sft.max_steps=2\nrun_name:", texts[2])
        lines = [line[1:].strip() for line in difflib.ndiff(texts[2].splitlines(), texts[3].splitlines())
                 if line[0] == "+" and not line.startswith("+ #")]
        self.assertEqual(lines, ["run_name: tiny-03", "output_dir: runs/deep/tiny-03", "max_steps: 3",
                                 "path: runs/deep/tiny-03/hf"])
        self.assertIn("learning_rate: 1.0e-2\n", texts[0])
        resolved = self.call("recipes", "show", "mine.yaml", "--resolved", "evaluate.records='4:8'", "sft.max_steps=2", "seed=7")
        resolved = resolved.replace("runs/tiny", "runs/deep/tiny-02").replace("run_name: tiny", "run_name: tiny-02")
        self.assertEqual(self.call("recipes", "show", f"grid/deep/{names[2]}", "--resolved"), resolved)
        self.call("validate", f"grid/deep/{names[2]}")

    def test_a_run_that_was_recorded_is_a_recipe_too(self):
        self.recipe("recorded", RELATIVE.replace("runs/tiny", "runs/recorded"))
        self.call("recorded.yaml", "sft.max_steps=1")
        self.call("sweep", "runs/recorded/run.json", "seed=1,2", "--out", "again")
        text = self.read("again/tiny-01.yaml")
        for line in ("run_name: tiny-01\n", "output_dir: runs/again/tiny-01\n", "path: runs/again/tiny-01/hf\n", "seed: 2\n"):
            self.assertIn(line, text)

    def test_names_of_all_kinds(self):
        self.recipe("odd", RELATIVE.replace("run_name: tiny", 'run_name: "lr=1 größe"').replace(
            "output_dir: runs/tiny", "output_dir: ${{HOME}}").replace("runs/tiny/hf", '"${{HOME}}/hf"'))
        said = self.call("sweep", "odd.yaml", "seed=1,2", "--out", "my grid")
        recipes = self.files(re.search(LOOP, said, re.MULTILINE)[1])
        self.assertEqual(len(recipes), 2)
        for recipe in recipes:
            self.assertRegex(recipe, r"^my grid/[A-Za-z0-9._-]+\.yaml$")
            self.assertIn('output_dir: "${HOME}/my_grid/', self.read(recipe))
        words = re.search(ARRAY, said, re.MULTILINE)[2]
        self.assertEqual(self.files(words), recipes)
        self.assertEqual(shlex.split(words), ["my grid/*.yaml"])

    def test_the_script_of_slurm_takes_the_recipes(self):
        self.recipe("array", RELATIVE)
        self.call("sweep", "array.yaml", "seed=1,2", "--out", "for array")
        source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        job = dict(SLURM_JOB_ID="7", SLURM_JOB_NAME="xkde", SLURM_NTASKS="1", SLURM_ARRAY_JOB_ID="7", SLURM_ARRAY_TASK_ID="1",
                   SLURM_SUBMIT_DIR=source, XKDE_PROGRAM="/bin/echo", XKDE_LAUNCHER="mpirun")
        result = subprocess.run(["bash", f"{source}/launch/slurm/sweep.sbatch", *self.files("'for array'/*.yaml")],
                                cwd=self.root, capture_output=True, text=True, env=dict(self.environment(), **job))
        self.assertEqual((result.returncode, result.stdout), (0, "for array/tiny-01.yaml\n"), result.stderr)

    def test_nothing_is_replaced(self):
        self.recipe("taken", RELATIVE)
        self.call("sweep", "taken.yaml", "seed=1,2")
        before = self.read("taken-sweep/tiny-01.yaml")
        self.refuses(74, "taken-sweep: expected nothing there, or an empty folder, found a folder with files; nothing is "
                     "replaced, name another", "taken.yaml", "seed=3,4")
        self.assertEqual(self.read("taken-sweep/tiny-01.yaml"), before)
        os.makedirs(f"{self.root}/runs/used/tiny-01")
        open(f"{self.root}/runs/used/tiny-01/run.json", "w").close()
        self.refuses(74, "runs/used/tiny-01: expected nothing there", "taken.yaml", "seed=3,4", "--out", "used")
        os.makedirs(f"{self.root}/empty")
        self.call("sweep", "taken.yaml", "seed=3,4", "--out", "empty/")

    def test_a_dry_run_checks_and_writes_nothing(self):
        self.recipe("dry", RELATIVE)
        before = self.everything()
        said = self.call("sweep", "dry.yaml", "seed=1,2,3", "--dry-run")
        self.assertIn("tiny-02  3\n", said)
        self.assertIn("3 recipes, valid; --dry-run writes none of them\n", said)
        self.assertEqual(self.everything(), before)
        self.refuses(78, "seed", "dry.yaml", "seed=1,x", "--dry-run")

    def test_mistakes_name_the_point(self):
        self.recipe("bad", RELATIVE)
        self.refuses(78, "point 01 (sft.learning_rate=fast): command line: sft.learning_rate: expected a ", "bad.yaml",
                     "sft.learning_rate=1e-4,fast", "seed=1")
        self.refuses(78, "point 00 (seed=1): command line: sft.max_step: unknown key; did you mean 'max_steps'?", "bad.yaml",
                     "seed=1,2", "sft.max_step=3")
        self.refuses(78, "point 00 (orpo.beta=1): command line: orpo.beta: expected a stage of this recipe", "bad.yaml",
                     "orpo.beta=1,2")
        self.refuses(66, "none.yaml: expected a recipe file, found none", "none.yaml", "seed=1,2")

    def test_mistakes_of_the_grid(self):
        self.recipe("grid", RELATIVE)
        many = "seed=" + ",".join(map(str, range(40)))
        for words, told in (((), "expected a key with several values (key.path=value,value), found none"),
                            (("seed=1", "sft.lora~"), "expected a key with several values"),
                            (("seed=1,",), "seed: expected a value on each side of a comma, found none in '1,'"),
                            (("run_name=a,b",), "run_name: expected one value, as each recipe gets its own, found 2"),
                            ((many, many.replace("seed", "sft.max_steps")), "expected at most 1000 recipes, found 1600 (40 x 40)"),
                            (("seed=1,2", "--out", "a=b"), "--out: expected a name without '='"),
                            (("seed=1,2", "--out", "."), "expected the name of a folder, found '.'"),
                            (("seed=1,2", "x"), "expected key.path=value after the recipe, found 'x'")):
            self.refuses(64, f"sweep: {told}", "grid.yaml", *words)
        self.refuses(64, "sweep: expected another recipe at each point, found the same at 00 (sft.learning_rate=0.1) and 02 "
                     "(sft.learning_rate=1e-1)", "grid.yaml", "sft.learning_rate=0.1,0.2,1e-1")
        self.refuses(64, "found the same at 00 (seed=1 seed=3) and 02 (seed=2 seed=3)", "grid.yaml", "seed=1,2", "seed=3,4")

    def test_two_points_never_share_a_folder(self):
        self.recipe("shared", RELATIVE.replace("runs/tiny/hf", "exports/hf"))
        self.refuses(78, "export.path: expected a folder in output_dir, or another at each point, found "
                     f"{self.root}/exports/hf in tiny-01 and {self.root}/exports/hf in tiny-00", "shared.yaml", "seed=1,2")
        self.refuses(78, f"found {self.root}/exports/hf/b in tiny-01 and {self.root}/exports/hf in tiny-00", "shared.yaml",
                     "export.path=exports/hf,exports/hf/b")
        self.call("sweep", "shared.yaml", "export.path=exports/a,exports/b")

    def test_a_full_disk_leaves_nothing(self):
        self.recipe("full", RELATIVE)
        self.refuses(74, "expected to write", "full.yaml", "seed=1,2", "--out", "not/there/full",
                     preexec_fn=lambda: no_file_beyond(500))


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
