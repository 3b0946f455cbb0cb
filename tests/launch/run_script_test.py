#!/usr/bin/env python3
"""launch/run.sh, with a set-up and an mpirun that only say how they were called.

usage: run_script_test.py XKDE_DIST_BINARY SOURCE_FOLDER
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = ""


class RunScript(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "launch").mkdir()
        shutil.copy(f"{SOURCE}/launch/run.sh", self.root / "launch")
        (self.root / "recipe.yaml").write_text("", encoding="utf-8")
        self.write_script("launch/setup.sh", "true")
        self.write_script("bin/mpirun", 'echo "mpirun $*"')
        self.cores = len(os.sched_getaffinity(0))

    def write_script(self, name, text):
        file = self.root / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        file.chmod(0o755)

    def run_on(self, ranks):
        environment = os.environ | {"PATH": f"{self.root}/bin:{os.environ['PATH']}"}
        done = subprocess.run([self.root / "launch/run.sh", self.root / "recipe.yaml", "-n", str(ranks)], env=environment,
                              capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"-n {ranks} ", done.stdout)
        return done

    def test_more_ranks_than_cores_are_started_and_that_is_said_before(self):
        done = self.run_on(900)
        self.assertEqual(done.stderr, f"run.sh: 900 ranks share {self.cores} core(s) and take turns on them; "
                                      f"-n {self.cores} is quicker\n")
        self.assertIn("--oversubscribe", done.stdout)

    def test_as_many_ranks_as_cores_say_nothing(self):
        self.assertEqual(self.run_on(self.cores).stderr, "")


if __name__ == "__main__":
    SOURCE = sys.argv.pop()
    sys.argv.pop()
    unittest.main()
