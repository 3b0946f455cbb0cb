#!/usr/bin/env python3
"""Completion of the command line in bash, zsh and fish, and the manual page.

usage: completion_test.py XKDE_DIST_BINARY
Needs python3 and bash. What needs zsh, fish or groff is skipped where it is not there.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ASK_BASH = """\
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_xkde_dist
printf '%s\\n' "${COMPREPLY[@]}"
"""


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="xkde_completion_")
        for shell in ("bash", "zsh", "fish"):
            with open(f"{cls.folder}/{shell}", "w") as file:
                subprocess.run([BINARY, "completion", shell], stdout=file, check=True)
        for name in ("one.yaml", "two.yaml", "notes.txt"):
            open(f"{cls.folder}/{name}", "w").close()
        os.mkdir(f"{cls.folder}/sub")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def bash(self, *words):
        """What bash offers for the last word."""
        result = subprocess.run(["bash", "--norc", "-uc", ASK_BASH, "bash", f"{self.folder}/bash", BINARY, *words],
                                capture_output=True, text=True, cwd=self.folder)
        self.assertEqual((result.returncode, result.stderr), (0, ""), words)
        return result.stdout.split()

    def needs(self, program):
        if shutil.which(program) is None:
            self.skipTest(f"no {program}")

    def test_bash_takes_the_script(self):
        result = subprocess.run(["bash", "--norc", "-c", f"source {self.folder}/bash; complete -p xkde_dist"],
                                capture_output=True, text=True)
        self.assertEqual(result.stdout.strip(), "complete -o default -F _xkde_dist xkde_dist")
        self.assertEqual(result.stderr, "")

    def test_commands(self):
        self.assertEqual(self.bash("val"), ["validate"])
        self.assertEqual(self.bash("re"), ["report", "recipes"])
        self.assertEqual(self.bash("ckpt", ""), ["ls", "verify", "export"])
        self.assertEqual(self.bash("completion", ""), ["bash", "zsh", "fish"])

    def test_options_of_each_command(self):
        self.assertEqual(self.bash("ask", "one.yaml", "--l"), ["--lang"])
        self.assertEqual(self.bash("one.yaml", "--"), ["--fresh", "--dry-run", "--show-samples", "--help"])
        self.assertEqual(self.bash("recipes", "show", "--r"), ["--resolved"])
        self.assertEqual(self.bash("schema", "--f"), [])
        self.assertEqual(self.bash("sweep", "one.yaml", "seed=1,2", "--"), ["--out", "--dry-run", "--help"])

    def test_values_of_options(self):
        self.assertEqual(self.bash("ckpt", "export", "a", "b", "--dtype", ""), ["float32", "bfloat16"])
        self.assertEqual(self.bash("ask", "one.yaml", "--memory", ""), [], "the shell's own files then")

    def test_recipes_are_files_with_their_suffix(self):
        for command in ("validate", "sweep"):
            self.assertEqual(sorted(self.bash(command, "")), ["one.yaml", "sub", "two.yaml"])
        self.assertEqual(self.bash("o"), ["one.yaml"])

    def test_keys_of_recipes(self):
        self.assertEqual(self.bash("validate", "one.yaml", "sft.learn"), ["sft.learning_rate="])
        self.assertEqual(self.bash("sweep", "one.yaml", "sft.learn"), ["sft.learning_rate="])
        self.assertEqual(self.bash("one.yaml", "sft.lora.rs"), ["sft.lora.rslora="])
        self.assertIn("build_data.sources.0.data=", self.bash("one.yaml", "build"))
        self.assertIn("model.dtype=", self.bash("recipes", "show", "x", "--resolved", "model."))

    def test_values_of_keys(self):
        """`=` parts words there."""
        self.assertEqual(self.bash("one.yaml", "model.dtype", "="), ["float32", "bfloat16"])
        self.assertEqual(self.bash("one.yaml", "sft.packing", "=", "t"), ["true"])
        self.assertEqual(self.bash("one.yaml", "sft.max_steps", "="), [])

    def test_names_of_recipes(self):
        self.assertEqual(self.bash("recipes", "copy", "quick"), ["quickstart"])
        self.assertEqual(self.bash("recipes", "show", "paper/xkde_l"), ["paper/xkde_llama2_7b"])

    def test_zsh_reads_the_script(self):
        self.needs("zsh")
        subprocess.run(["zsh", "-n", f"{self.folder}/zsh"], check=True)
        script = ("autoload -U compinit && compinit -u -d $1/dump; source $1/zsh; "
                  "_xkde_command ckpt export; print -r -- $command; print -r -- $flags")
        result = subprocess.run(["zsh", "-fc", script, "zsh", self.folder], capture_output=True, text=True)
        self.assertEqual(result.stderr, "")
        self.assertEqual(result.stdout.splitlines()[0], "ckpt export")
        self.assertIn("--dtype", result.stdout.splitlines()[1])

    def test_fish_completes(self):
        self.needs("fish")
        def offers(line):
            result = subprocess.run(["fish", "--no-config", "-c", f"source {self.folder}/fish; complete -C '{line}'"],
                                    capture_output=True, text=True, cwd=self.folder)
            self.assertEqual(result.stderr, "")
            return [offer.split("\t")[0] for offer in result.stdout.splitlines()]
        self.assertIn("validate", offers("xkde_dist val"))
        self.assertEqual(offers("xkde_dist ckpt v"), ["verify"])
        self.assertIn("--lang", offers("xkde_dist ask one.yaml --la"))
        self.assertIn("sft.learning_rate=", offers("xkde_dist validate one.yaml sft.learn"))
        self.assertEqual(offers("xkde_dist ckpt export a b --dtype f"), ["float32"])


class ManPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.page = subprocess.run([BINARY, "man"], capture_output=True, text=True, check=True).stdout

    def test_groff_has_nothing_to_say(self):
        if shutil.which("groff") is None:
            self.skipTest("no groff")
        result = subprocess.run(["groff", "-Tutf8", "-man", "-ww", "-z", "-Kutf8"], input=self.page, capture_output=True,
                                text=True)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_has_every_command_and_its_options(self):
        if shutil.which("groff") is None:
            self.skipTest("no groff")
        text = subprocess.run(["groff", "-Tascii", "-P-cbou", "-man", "-Kutf8"], input=self.page, capture_output=True,
                              text=True, check=True).stdout
        plain = re.sub(r"\s+", " ", text)
        help_text = subprocess.run([BINARY, "--help"], capture_output=True, text=True, check=True).stdout
        usages = re.findall(r"^       (xkde_dist .+)$", help_text, re.MULTILINE)
        self.assertGreater(len(usages), 10)
        for usage in usages:
            self.assertIn(usage, plain)
        for part in ("--lang CODE", "--show-samples N", "78 bad recipe", "XKDE_RECIPES_DIR"):
            self.assertIn(part, plain)


class Help(unittest.TestCase):
    def test_each_is_one_screen_with_two_examples(self):
        commands = subprocess.run(["bash", "--norc", "-c", f"source <({BINARY} completion bash); echo $_xkde_words"],
                                  capture_output=True, text=True, check=True).stdout.split()
        self.assertIn("ckpt", commands)
        for command in [*([one] for one in commands if one != "ckpt"), ["ckpt", "ls"], ["ckpt", "verify"],
                        ["ckpt", "export"], ["recipes", "copy"], ["recipes", "show"]]:
            text = subprocess.run([BINARY, *command, "--help"], capture_output=True, text=True, check=True).stdout
            lines = sum(-(-max(len(line), 1) // 80) for line in text.splitlines())
            self.assertLessEqual(lines, 40, f"{command}: {lines} lines of 80 columns\n{text}")
            examples = text.split("Examples:\n")[1].splitlines()
            self.assertGreaterEqual(len(examples), 2, command)


if __name__ == "__main__":
    BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main()
