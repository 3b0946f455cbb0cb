#!/usr/bin/env python3
"""Checkpoints of whole runs: SIGKILL at random moments, damage, full disks, copies, export.

usage: checkpoint_run_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import filecmp
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import unittest

from tiny_run import RECIPE as TINY_RECIPE
from tiny_run import TinyRunTest, write_model
from watching import PATIENCE, all_names_in, kill_family, kill_when, names_in, reaches

SEED = 20
KILLS = 20
STEPS_A_KILL = 8
MORE_STEPS = 200  # than the last kill waits for: enough that the run does not end unwatched
RECIPE = """\
output_dir: {out}
logging_steps: 1000
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
parallel: {{threads: 1}}
stages:
  - build_data:
      sources:
        - {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "0:12"}}
  - sft: {{global_batch_size: 5, max_steps: STEPS, learning_rate: 1.0e-2, save_steps: 2}}
"""


def with_steps(steps):
    return RECIPE.replace("STEPS", str(steps))


def flip_bit(path):
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 4]))


def limit_files():
    """For a process that is about to start: its files find no room from their 20,000th byte on."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))


class CheckpointRun(TinyRunTest):
    def checkpoints(self, out):
        return f"{self.root}/{out}/02-sft/checkpoints"

    def folders(self, out):
        """Names of complete checkpoints, oldest first."""
        return [name for name in names_in(self.checkpoints(out)) if name.startswith("step-")]

    def unfinished(self, out):
        """Folders of checkpoints that are being written, or were when their run was killed."""
        names = [name for name in all_names_in(self.checkpoints(out)) if name.startswith("step-") and name.endswith(".tmp")]
        return {(name, self.inode(f"{self.checkpoints(out)}/{name}")) for name in names}

    @staticmethod
    def inode(path):
        try:
            return os.stat(path).st_ino
        except FileNotFoundError:
            return None

    def kill_once(self, path, out, rng, number):
        """Starts the run and kills it at a random moment; says whether a save was under way."""
        kind = rng.choice(["start", "lines", "lines", "save", "save"])
        lines = number * STEPS_A_KILL + rng.randrange(STEPS_A_KILL)
        delay = rng.random() * (1.5 if kind == "start" else 0.02)
        leftovers = self.unfinished(out)
        process = self.start([path], 2)
        begin = time.monotonic()
        if kind == "lines":
            reaches(process, lambda: self.steps(out) >= lines)
            begin = time.monotonic()
        moments = {
            # A fast run may be far by then.
            "start": lambda: time.monotonic() - begin > delay or self.steps(out) >= lines + STEPS_A_KILL,
            "lines": lambda: time.monotonic() - begin > delay,
            "save": lambda: self.steps(out) >= lines and self.unfinished(out) - leftovers,
        }
        self.assertTrue(kill_when(process, moments[kind]), f"seed {SEED}, kill {number}: the run ended by itself")
        return bool(self.unfinished(out) - leftovers)

    def test_a_run_killed_twenty_times_ends_as_one_that_was_not(self):
        text = with_steps(STEPS_A_KILL * KILLS + MORE_STEPS)
        self.checked([self.recipe("whole", text)], 2)
        path = self.recipe("killed", text)
        rng = random.Random(SEED)
        during_saves = sum(self.kill_once(path, "killed", rng, number) for number in range(KILLS))
        self.assertGreaterEqual(during_saves, 3, f"seed {SEED}: of {KILLS} kills")
        self.checked([path], 2)
        self.assertEqual(self.losses("killed"), self.losses("whole"), f"seed {SEED}")
        self.checked(["ckpt", "verify", self.checkpoints("killed")])
        self.assertEqual(self.folders("killed"), self.folders("whole"))
        self.assertEqual(self.unfinished("killed"), set())

    def test_synchronous_and_asynchronous_saves_are_the_same_files(self):
        text = with_steps(6)
        self.checked([self.recipe("async", text)], 2)
        self.checked([self.recipe("sync", text.replace("save_steps: 2", "save_steps: 2, async_save: false"))], 2)
        self.assertEqual(self.folders("async"), ["step-00000004", "step-00000006"])
        self.assertEqual(self.folders("sync"), self.folders("async"))
        for folder in self.folders("async"):
            for rank in (0, 1):
                files = [f"{self.checkpoints(out)}/{folder}/rank_0000{rank}.h5" for out in ("async", "sync")]
                self.assertTrue(filecmp.cmp(*files, shallow=False), files)

    def test_copies_of_a_model_write_one_checkpoint_and_go_on_from_it(self):
        text = with_steps(8).replace("threads: 1", "threads: 1, replicate: 2")
        self.checked([self.recipe("copies", text)], 4)
        folder = f"{self.checkpoints('copies')}/step-00000008"
        self.assertEqual(sorted(name for name in os.listdir(folder) if name.startswith("rank_")),
                         ["rank_00000.h5", "rank_00001.h5"])
        losses = self.losses("copies")
        os.remove(f"{self.root}/copies/02-sft/DONE")
        shutil.rmtree(folder)
        self.checked([f"{self.root}/copies.yaml"], 4)
        self.assertEqual(self.losses("copies"), losses)

    def test_moments_in_bytes_come_back_bit_for_bit_to_any_number_of_ranks(self):
        text = with_steps(8).replace("save_steps: 2", "save_steps: 2, optim: adamw_8bit")
        self.checked([self.recipe("bytes", text)], 2)
        folder, losses = f"{self.checkpoints('bytes')}/step-00000008", self.losses("bytes")
        self.checked(["ckpt", "verify", folder])
        shutil.copytree(folder, f"{self.root}/last")
        for ranks in (2, 1, 3):
            os.remove(f"{self.root}/bytes/02-sft/DONE")
            shutil.rmtree(folder)
            self.checked([f"{self.root}/bytes.yaml"], ranks)
            if ranks == 2:
                self.assertEqual(self.losses("bytes"), losses)
                for name in ("rank_00000.h5", "rank_00001.h5"):
                    self.assertTrue(filecmp.cmp(f"{folder}/{name}", f"{self.root}/last/{name}", shallow=False), name)
            for got, expected in zip(self.losses("bytes"), losses, strict=True):
                self.assertAlmostEqual(got, expected, delta=1e-3)

    def test_the_best_checkpoint_is_kept(self):
        text = with_steps(12).replace("save_steps: 2", "save_steps: 2, save_total_limit: 1, keep_best: true")
        # With this rate the loss falls first, and rises again.
        self.checked([self.recipe("best", text.replace("1.0e-2", "1.0"))])
        losses = self.losses("best")
        means = {end: (losses[end - 2] + losses[end - 1]) / 2 for end in range(2, 13, 2)}
        best = f"step-{min(means, key=means.get):08d}"
        with open(f"{self.checkpoints('best')}/BEST") as file:
            self.assertEqual(file.read(), best + "\n")
        self.assertEqual(self.folders("best"), sorted({best, "step-00000012"}))

    def interrupted(self, out, ranks=2, steps=400):
        """A run killed after it has left at least two checkpoints; returns their names."""
        path = self.recipe(out, with_steps(steps))
        process = self.start([path], ranks)
        self.assertTrue(kill_when(process, lambda: len(self.folders(out)) >= 2), "the run ended by itself")
        return self.folders(out)

    def expect_one_error(self, result, code, kind, *words):
        self.assertEqual(result.returncode, code, result.stderr)
        errors = [line for line in result.stderr.splitlines() if kind in line]
        self.assertEqual(len(errors), 1, result.stderr)
        for word in words:
            self.assertIn(word, errors[0])

    def test_an_exported_checkpoint_equals_the_export_stage(self):
        source = f"{self.root}/model/generation_config.json"
        with open(source, "w") as file:
            json.dump(dict(eos_token_id=9, top_k=7), file)
        self.addCleanup(os.remove, source)
        self.checked([self.recipe("exported", TINY_RECIPE)], 2)
        stage, ours = f"{self.root}/exported/hf", f"{self.root}/exported/ours"
        for dtype, arguments in (("float32", ["--dtype", "float32"]), ("bfloat16", [])):
            self.checked([f"{self.root}/exported.yaml", f"export.dtype={dtype}"])
            self.checked(["ckpt", "export", f"{self.checkpoints('exported')}/step-00000010", ours,
                           "--model", f"{self.root}/model", *arguments])
            # What a checkpoint does not know is the run: it has no card, and so another mark.
            names = sorted(set(os.listdir(stage)) - {"README.md", ".xkde_export.json"})
            self.assertIn("model.safetensors", names)
            # The model had none: what it was trained with was named by the recipe.
            with open(f"{stage}/chat_template.jinja") as file:
                self.assertIn("<|im_start|>assistant", file.read())
            self.assertEqual(sorted(set(os.listdir(ours)) - {".xkde_export.json"}), names)
            self.assertEqual(filecmp.cmpfiles(stage, ours, names, shallow=False)[0], names)
            # Whoever answers with it stops at the end of a turn, 257.
            with open(f"{ours}/generation_config.json") as file:
                self.assertEqual(json.load(file), dict(eos_token_id=[9, 257], top_k=7, bos_token_id=256))
            shutil.rmtree(ours)
        as_gguf = TINY_RECIPE.replace("/hf, dtype: float32", "/hf, format: gguf")
        self.checked([self.recipe("exported", as_gguf)])
        self.checked(["ckpt", "export", self.checkpoints("exported"), ours, "--model", f"{self.root}/model",
                       "--gguf", "BF16"])
        self.assertEqual(sorted(os.listdir(ours)), [".xkde_export.json", "model.gguf"])
        self.assertTrue(filecmp.cmp(f"{stage}/model.gguf", f"{ours}/model.gguf", shallow=False))
        shutil.rmtree(ours)
        self.checked([self.recipe("exported", TINY_RECIPE)])
        # What was exported is a model, of which the newest checkpoint can be exported.
        self.checked(["ckpt", "export", self.checkpoints("exported"), ours, "--model", stage])

    def test_ls_tells_damage_that_sizes_show(self):
        self.checked([self.recipe("listed", with_steps(4))])
        folder = self.checkpoints("listed")
        self.assertNotIn("DAMAGED", self.checked(["ckpt", "ls", folder]).stdout)
        newest = f"{folder}/step-00000004"
        for name, damage, told in (("rank_00000.h5", lambda path: os.truncate(path, 100), " bytes, found 100"),
                                   ("state.json", os.remove, "expected a file of "),
                                   ("manifest.json", lambda path: os.truncate(path, 100), "manifest.json:")):
            with self.subTest(name):
                shutil.copytree(newest, f"{self.root}/kept")
                damage(f"{newest}/{name}")
                lines = self.checked(["ckpt", "ls", folder]).stdout.splitlines()
                self.assertNotIn("DAMAGED", lines[0])
                self.assertIn("  LATEST  DAMAGED: ", lines[1])
                self.assertIn(name, lines[1])
                self.assertIn(told, lines[1])
                shutil.rmtree(newest)
                os.rename(f"{self.root}/kept", newest)

    def test_an_export_that_cannot_be_leaves_nothing(self):
        self.checked([self.recipe("unexported", with_steps(2))])
        checkpoint, out = f"{self.checkpoints('unexported')}/step-00000002", f"{self.root}/not_there"
        write_model(f"{self.root}/other", layers=3)
        arguments = ["ckpt", "export", checkpoint, out, "--model"]
        self.expect_one_error(self.run_program([*arguments, f"{self.root}/other"]), 82, "CheckpointError",
                              "expected a tensor model.layers.2.", "found none")
        self.expect_one_error(self.run_program([*arguments, f"{self.root}/nothing"]), 66, "MissingInputError", "nothing")
        self.expect_one_error(self.run_program(["ckpt", "export", checkpoint, self.root, "--model", f"{self.root}/model"]),
                              74, "IoError", "expected no such folder yet")
        ours = [*arguments, f"{self.root}/model"]
        self.expect_one_error(self.run_program([*ours, "--gguf", "Q8_0"]), 78, "ConfigError",
                              "GGUF export: expected rows of a multiple of 32 weights for Q8_0, found 24")
        unknown = self.run_program([*ours, "--gguf", "Q9"])
        self.assertEqual(unknown.returncode, 64, unknown.stderr)
        self.assertIn("--gguf: expected F32, BF16, Q8_0, Q4_0 or Q4_K_M, found 'Q9'", unknown.stderr)
        self.expect_one_error(self.run_program([*ours[:3], self.root, *ours[4:], "--gguf", "F32"]), 74, "IoError",
                              "expected no such folder yet")
        limited = subprocess.run([self.binary, *ours, "--gguf", "F32"], capture_output=True, text=True, timeout=PATIENCE,
                                 env=self.environment(), restore_signals=False, preexec_fn=limit_files)
        self.expect_one_error(limited, 74, "IoError", "model.gguf.tmp", "File too large")
        flip_bit(f"{checkpoint}/rank_00000.h5")
        self.expect_one_error(self.run_program(ours), 82, "CheckpointError",
                              "rank_00000.h5: SHA-256: expected")
        self.assertEqual([name for name in os.listdir(self.root) if name.startswith("not_there")], [])

    def test_damage_is_named_and_the_older_checkpoint_is_used(self):
        damages = {
            "truncated": (lambda path: os.truncate(path, os.path.getsize(path) // 2), r"expected \d+ bytes, found \d+"),
            "flipped": (flip_bit, "SHA-256: expected"),
            "missing": (os.remove, "expected a file of"),
        }
        for name, (damage, words) in damages.items():
            *_, older, newest = self.interrupted(name)
            shutil.copytree(self.checkpoints(name), f"{self.root}/{name}_kept")
            damage(f"{self.checkpoints(name)}/{newest}/rank_00001.h5")
            self.expect_one_error(self.run_program(["ckpt", "verify", self.checkpoints(name)]), 82, "CheckpointError",
                                  f"{newest}/rank_00001.h5: ")
            process = self.start([f"{self.root}/{name}.yaml"], 2, stderr=subprocess.PIPE)
            text = ""
            for line in process.stderr:
                text += line
                if "goes on from" in line:
                    break
            kill_family(process)
            process.stderr.close()
            self.assertRegex(text, f"{newest}/rank_00001.h5: {words}")
            self.assertIn(f"goes on from {self.checkpoints(name)}/{older}", text)
            # And with no checkpoint left there is one line, and nothing is touched.
            shutil.rmtree(self.checkpoints(name))
            shutil.copytree(f"{self.root}/{name}_kept", self.checkpoints(name))
            for folder in self.folders(name):
                damage(f"{self.checkpoints(name)}/{folder}/rank_00001.h5")
            before = self.folders(name)
            result = self.run_program([f"{self.root}/{name}.yaml"])
            self.expect_one_error(result, 82, "CheckpointError", "expected a checkpoint that verifies")
            self.assertEqual(self.folders(name), before)
            self.assertEqual(self.run_program([f"{self.root}/{name}.yaml"], 2).returncode, 82)

    def test_a_checkpoint_of_another_model_is_refused(self):
        write_model(f"{self.root}/shallow", layers=1)
        self.checked([self.recipe("shallow_run", with_steps(2).replace("{root}/model", "{root}/shallow"))])
        self.interrupted("mixed", ranks=1)
        shutil.rmtree(self.checkpoints("mixed"))
        shutil.copytree(self.checkpoints("shallow_run"), self.checkpoints("mixed"))
        result = self.run_program([f"{self.root}/mixed.yaml"])
        self.expect_one_error(result, 82, "CheckpointError", "expected a tensor model.layers.1.", "found none")
        self.assertEqual(self.folders("mixed"), ["step-00000002"])

    def test_a_write_that_fails_beside_the_steps_exits_74(self):
        path = self.recipe("limited", with_steps(2000))
        process = self.start([path], stderr=subprocess.PIPE, restore_signals=False,
                             preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
        self.assertTrue(reaches(process, lambda: len(self.folders("limited")) >= 2), "the run ended by itself")
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (150000, 150000))  # less than the rank file
        _, errors = process.communicate(timeout=PATIENCE)
        result = subprocess.CompletedProcess(path, process.returncode, stderr=errors)
        self.expect_one_error(result, 74, "IoError", ".tmp/rank_00000.h5", "File too large")
        self.assertEqual(self.unfinished("limited"), set())
        self.assertEqual(len(self.folders("limited")), 2)
        self.checked(["ckpt", "verify", self.checkpoints("limited")])

    def test_a_full_disk_exits_74(self):
        disk = f"{self.root}/disk"
        os.makedirs(disk)
        options = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]
        if subprocess.run(options, capture_output=True).returncode != 0:
            self.skipTest("this user may not mount a small file system")
        try:
            oldest = self.interrupted("disk/full")[0]
            # What the program would remove itself, after which there would be room.
            for name in [oldest, *(name for name, _ in self.unfinished("disk/full"))]:
                shutil.rmtree(f"{self.checkpoints('disk/full')}/{name}")
            folders = self.folders("disk/full")
            room = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
            with open(f"{disk}/filler", "wb") as file:
                file.write(b"x" * (room - 100000))  # enough for all but a checkpoint
            result = self.run_program([f"{disk}/full.yaml"])
            self.expect_one_error(result, 74, "IoError", "disk full: a checkpoint needs", "available are")
            self.assertEqual(self.folders("disk/full"), folders)
            self.assertEqual(self.run_program([f"{disk}/full.yaml"], 2).returncode, 74)
            self.checked(["ckpt", "verify", self.checkpoints("disk/full")])
        finally:
            subprocess.run(["umount", "-l", disk], check=True)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
