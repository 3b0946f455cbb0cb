#!/usr/bin/env python3
"""Edits written into weights as a user meets them, on a tiny random model: ranks, SIGKILL, stops, export, errors.

usage: edit_run_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import array
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import unittest

from tiny_run import WORDS, TinyRunTest, write_model
from watching import PATIENCE, count_lines, kill_when, reaches, read_if_there

EDITS = 12
HEAD = """\
run_name: tiny
output_dir: {out}
logging_steps: 100
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
parallel: {{threads: 1}}
stages:
"""
DATA = "benchmark: mzsre, data: {root}/facts_enes.json, edit_languages: [en]"
EXPORT = "  - export: {{path: {out}/hf, dtype: float32}}\n"
CONTEXTS = 'context_templates: ["{{}}", "So. {{}}"]'
# Few steps, and large ones: a random model of bytes has everything to learn.
METHODS = {"ft_m": "learning_rate: 2.0e-2, steps: 5",
           "rome": "steps: 3, " + CONTEXTS,
           "ultraedit": "learning_rate: 1.0e-3",
           "lora": "steps: 3",
           "ft_l": "steps: 3",
           "locft_bf": "epochs: 3, batch_size: 2"}

MOMENTS = "  - covariance: {{texts: [{{data: {root}/text.txt, lang: en}}], layers: [1, 2], max_tokens: 2000}}\n"
# What newer papers add to a closed form.
OPTIONS = {"memit_history": "steps: 3, layers: [1, 2], anchor_edits: 3, cov_weight: 2.0, " + CONTEXTS,
           "alphaedit": "steps: 3, layers: [1, 2], anchor_edits: 3, cov_weight: 2.0, refresh_every: 5, null_threshold: 100, "
                        + CONTEXTS}


# What stands beside the weights, with margins for so small a model.
LOOKED_UP = {"grace": "steps: 20, layers: [2]",
             "wise": "steps: 40, layers: [2], learning_rate: 3.0, mask_ratio: 1.0, norm_limit: 0, margin_in: 0.5, margin_out: 0.1, margin_between: 0.2, "
                     "shard_edits: 2, merge_edits: 4, " + CONTEXTS}


def edit_of(method, keys="", more=""):
    return f"  - edit: {{{{{DATA}, method: {method}, editor: {{{{{keys}}}}}{more}}}}}\n"


def evaluate_of(method, keys=""):
    return f"  - evaluate: {{{{{DATA}, test_languages: [en], method: {method}{keys}}}}}\n"


def read_tensors(path):
    """The fp32 tensors of a safetensors file."""
    with open(path, "rb") as file:
        length, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            tensors[name] = array.array("f", data[begin:end])
    return tensors


def norm(values):
    return sum(value * value for value in values) ** 0.5


class EditRun(TinyRunTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        shutil.rmtree(f"{cls.root}/model")
        write_model(f"{cls.root}/model", layers=4)
        rng = random.Random(11)

        def phrase(words):
            return " ".join(rng.choice(WORDS) for _ in range(words))

        def side():
            subject = phrase(2)
            return dict(subject=subject, src=f"what {subject} is {phrase(2)}?", rephrase=f"which is {subject}?",
                        alt=phrase(1), loc=phrase(4) + "?", loc_ans=phrase(1))

        cls.rows = [dict(en=side(), es=side()) for _ in range(EDITS)]
        cls.write_rows("facts_enes.json", cls.rows)
        with open(f"{cls.root}/text.txt", "w") as file:
            file.writelines(phrase(20) + "\n" for _ in range(200))
        cls.clean = read_tensors(f"{cls.root}/model/model.safetensors")

    @classmethod
    def write_rows(cls, name, rows):
        with open(f"{cls.root}/{name}", "w") as file:
            json.dump(rows, file)

    def run_of(self, out, stages, ranks=1):
        return self.checked([self.recipe(out, HEAD + stages)], ranks)

    def refused(self, out, stages, code, told):
        """Both the check and the run say `told`, once."""
        for command in (["validate"], []):
            result = self.run_program([*command, self.recipe(out, HEAD + stages)])
            self.assertEqual(result.returncode, code, result.stderr)
            lines = [line for line in result.stderr.splitlines() if told in line]
            self.assertEqual(len(lines), 1, result.stderr)

    def statistics(self, out, stage="01-edit"):
        return json.loads(self.text_of(out, f"{stage}/statistics.json"))

    def changes(self, out):
        """What an export's matrices have beside the clean model's; those that are as before are left out."""
        found = read_tensors(f"{self.root}/{out}/hf/model.safetensors")
        return {name: [a - b for a, b in zip(found[name], values)] for name, values in self.clean.items()
                if found[name] != values}

    def reliability(self, out, stage):
        return next(row["value"] for row in json.loads(self.text_of(out, f"{stage}/results.json"))
                    if row["metric"] == "reliability")

    def test_every_method_changes_the_matrices_that_it_names_alike_on_one_and_two_ranks(self):
        for method, keys in METHODS.items():
            for ranks in (1, 2):
                self.run_of(f"{method}{ranks}", edit_of(method, keys + ", batch: 4") + EXPORT, ranks)
            one, two = self.changes(f"{method}1"), self.changes(f"{method}2")
            self.assertEqual(sorted(one), sorted(self.statistics(f"{method}1")["weights"]), method)
            self.assertEqual(one.keys(), two.keys(), method)
            for name, change in one.items():
                apart = norm([a - b for a, b in zip(change, two[name])])
                # Sums over ranks are added up in another order.
                self.assertLess(apart, 1e-5 * norm(change) + 1e-7, f"{method} {name}")
            lines = [self.lines(f"{method}{ranks}", "01-edit/edits.jsonl") for ranks in (1, 2)]
            self.assertEqual([line["edit"] for line in lines[0]], list(range(EDITS)))
            self.assertEqual([line["steps"] for line in lines[0]], [line["steps"] for line in lines[1]], method)
            self.assertFalse(os.path.exists(f"{self.root}/{method}1/01-edit/state.h5"))

    def test_options_of_closed_forms_work_alike_on_one_and_two_ranks(self):
        for method, keys in OPTIONS.items():
            for ranks in (1, 2):
                self.run_of(f"{method}{ranks}", MOMENTS + edit_of(method, keys + ", batch: 4") + EXPORT, ranks)
            one, two = self.changes(f"{method}1"), self.changes(f"{method}2")
            self.assertEqual(sorted(one), sorted(self.statistics(f"{method}1", "02-edit")["weights"]), method)
            for name, change in one.items():
                apart = norm([a - b for a, b in zip(change, two[name])])
                self.assertLess(apart, 1e-5 * norm(change) + 1e-7, f"{method} {name}")
            lines = [self.lines(f"{method}{ranks}", "02-edit/edits.jsonl") for ranks in (1, 2)]
            anchors = {line["anchor_norm"] for both in lines for line in both if "batch" in line}
            self.assertEqual(len(anchors), 1, anchors)
            self.assertTrue(all(line["value_norm"] > 0 for line in lines[0]))

    def test_a_stopped_stream_keeps_its_anchor_and_its_null_space(self):
        keys = OPTIONS["alphaedit"].replace("steps: 3", "steps: 100, stop_loss: 0")
        text = edit_of("alphaedit", keys + ", covariance: {root}/moments/01-covariance/covariance.h5")
        self.run_of("moments", MOMENTS)
        self.run_of("anchored_whole", text)
        out = "anchored_stopped"
        log = f"{self.root}/{out}/01-edit/edits.jsonl"
        process = self.start([self.recipe(out, HEAD + text)], 1, stderr=subprocess.PIPE)
        self.assertTrue(reaches(process, lambda: count_lines(log) >= 7), "the run ended by itself")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 75, errors)
        self.run_of(out, text)
        for file in ("weights.h5", "edits.jsonl"):
            self.assertEqual(self.text_of(out, f"01-edit/{file}"), self.text_of("anchored_whole", f"01-edit/{file}"), file)

    def test_more_pilots_than_edits_are_refused(self):
        keys = OPTIONS["memit_history"].replace("anchor_edits: 3", "anchor_edits: 13")
        told = f"editor.anchor_edits: expected at most {EDITS}, as many edits as "
        self.refused("pilots", MOMENTS + edit_of("memit_history", keys), 78, told)
        asked = evaluate_of("memit_history", f", editor: {{{{{keys}}}}}")
        self.refused("asked_pilots", MOMENTS + asked, 78, told)
        # Which of them can be written is seen when the stage begins.
        rows = json.loads(json.dumps(self.rows))
        rows[1]["en"]["subject"] = "zzz"
        self.write_rows("nameless_enes.json", rows)
        text = MOMENTS + edit_of("memit_history", keys.replace("13", str(EDITS))).replace("facts_enes", "nameless_enes")
        result = self.run_program([self.recipe("written_pilots", HEAD + text)])
        self.assertEqual(result.returncode, 78, result.stderr)
        self.assertIn(f"editor.anchor_edits: expected at most {EDITS - 1}, as many edits as can be written, found {EDITS}",
                      result.stderr)

    def test_a_killed_stream_ends_with_the_same_bytes(self):
        for method in ("rome", "ultraedit"):
            # Long enough to be watched; a save is due rarely, so that most kills find none.
            text = edit_of(method, METHODS[method].replace("steps: 3", "steps: 60"))
            self.run_of(f"{method}_whole", text)
            whole = self.text_of(f"{method}_whole", "01-edit/weights.h5")
            log = f"{self.root}/{method}_killed/01-edit/edits.jsonl"
            process = self.start([self.recipe(f"{method}_killed", HEAD + text)])
            kill_when(process, lambda: 3 <= count_lines(log) < EDITS)
            self.run_of(f"{method}_killed", text)
            self.assertEqual(self.text_of(f"{method}_killed", "01-edit/weights.h5"), whole, method)
            self.assertEqual(self.text_of(f"{method}_killed", "01-edit/edits.jsonl"),
                             self.text_of(f"{method}_whole", "01-edit/edits.jsonl"), method)

    def test_a_stop_request_keeps_the_edits_so_far(self):
        text = edit_of("rome", "steps: 200, stop_loss: 0, " + CONTEXTS)
        self.run_of("stop_whole", text)
        whole = {file: self.text_of("stop_whole", f"01-edit/{file}") for file in ("weights.h5", "edits.jsonl")}
        for ranks, number in ((1, signal.SIGTERM), (2, signal.SIGUSR1)):
            out = f"stopped{ranks}"
            log = f"{self.root}/{out}/01-edit/edits.jsonl"
            command = [self.recipe(out, HEAD + text)]
            process = self.start(command, ranks, stderr=subprocess.PIPE)
            self.assertTrue(reaches(process, lambda: count_lines(log) >= 2), "the run ended by itself")
            process.send_signal(number)
            _, errors = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 75, errors)
            self.assertIn("stopped on request, edits kept in ", errors)
            self.assertIsNotNone(read_if_there(f"{self.root}/{out}/01-edit/state.h5"))
            kept = self.lines(out, "01-edit/edits.jsonl")
            self.assertLess(len(kept), EDITS)
            self.checked(command, ranks)
            after = self.lines(out, "01-edit/edits.jsonl")
            self.assertEqual(after[:len(kept)], kept)  # none of them was written again
            if ranks == 1:
                for file, text_of_whole in whole.items():
                    self.assertEqual(self.text_of(out, f"01-edit/{file}"), text_of_whole, file)

    def test_a_state_of_other_settings_is_not_gone_on_from(self):
        text = edit_of("rome", "steps: 200, stop_loss: 0, " + CONTEXTS)
        log = f"{self.root}/other/01-edit/edits.jsonl"
        process = self.start([self.recipe("other", HEAD + text)])
        self.assertTrue(reaches(process, lambda: count_lines(log) >= 2), "the run ended by itself")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE), 75)
        result = self.run_program([self.recipe("other", HEAD + text.replace("steps: 200", "steps: 2"))])
        self.assertEqual(result.returncode, 78, result.stderr)
        self.assertIn("edit.editor.steps 200 : 2", result.stderr)

    def test_evaluations_are_the_same_on_one_and_two_ranks(self):
        editor = f", editor: {{{{{METHODS['ft_m']}}}}}"
        for mode, keys in (("single", ""), ("batch", ", mode: batch, sizes: [1, 4]"),
                           ("sequential", ", mode: sequential, sizes: [1, 5, 8], eval_when: at_sizes"),
                           ("immediate", ", mode: sequential, sizes: [6], eval_when: immediate")):
            for ranks in (1, 2):
                self.run_of(f"{mode}{ranks}", evaluate_of("ft_m", keys + editor), ranks)
            for file in ("results.json", "predictions.jsonl"):
                self.assertEqual(self.text_of(f"{mode}1", f"01-evaluate/{file}"),
                                 self.text_of(f"{mode}2", f"01-evaluate/{file}"), f"{mode} {file}")
            statistics = self.statistics(f"{mode}1", "01-evaluate")["editor"]
            self.assertEqual(statistics["not_writable"], {})
            self.assertGreater(statistics["writable"], 0)

    def test_edits_that_are_asked_in_two_languages_are_counted_once(self):
        text = evaluate_of("ft_m", f", editor: {{{{{METHODS['ft_m']}}}}}").replace("test_languages: [en]", "test_languages: [en, es]")
        self.run_of("two_languages", text)
        cost = json.loads(self.text_of("two_languages", "01-evaluate/cost.json"))
        self.assertEqual(cost["edits"], EDITS)
        self.assertEqual(self.statistics("two_languages", "01-evaluate")["editor"]["writable"], EDITS)

    def test_evaluations_find_one_anchor_on_all_ranks(self):
        editor = f", editor: {{{{{OPTIONS['memit_history']}}}}}"
        for mode, keys in (("each", ""), ("stream", ", mode: sequential, sizes: [1, 5], eval_when: at_sizes")):
            for ranks in (1, 2):
                self.run_of(f"{mode}{ranks}", MOMENTS + evaluate_of("memit_history", keys + editor), ranks)
            for file in ("results.json", "predictions.jsonl"):
                self.assertEqual(self.text_of(f"{mode}1", f"02-evaluate/{file}"),
                                 self.text_of(f"{mode}2", f"02-evaluate/{file}"), f"{mode} {file}")

    def test_what_is_looked_up_is_found_alike_on_one_and_two_ranks(self):
        free = ", scoring: easyedit, free_answers: {{contexts: [question], max_new_tokens: 4}}"
        self.run_of("shown_none", evaluate_of("none", free))
        before = self.reliability("shown_none", "01-evaluate")
        for method, keys in LOOKED_UP.items():
            editor = f", editor: {{{{{keys}}}}}{free}"
            for mode, more in (("single", ""), ("batch", ", mode: batch, sizes: [4]"),
                               ("stream", ", mode: sequential, sizes: [1, 5, 8], eval_when: at_sizes")):
                for ranks in (1, 2):
                    self.run_of(f"{method}_{mode}{ranks}", evaluate_of(method, more + editor), ranks)
                for file in ("results.json", "predictions.jsonl"):
                    self.assertEqual(self.text_of(f"{method}_{mode}1", f"01-evaluate/{file}"),
                                     self.text_of(f"{method}_{mode}2", f"01-evaluate/{file}"), f"{method} {mode} {file}")
            self.assertGreater(self.reliability(f"{method}_single1", "01-evaluate"), before + 20.0, method)

    def test_a_size_says_the_same_whatever_other_sizes_are_asked(self):
        def rows_of(out, sizes):
            editor = f"editor: {{{{{METHODS['ft_m']}, batch: 3}}}}"
            self.run_of(out, evaluate_of("ft_m", f", mode: sequential, sizes: {sizes}, eval_when: at_sizes, {editor}"))
            rows = json.loads(self.text_of(out, "01-evaluate/results.json"))
            return [row for row in rows if row["size"] == 8]

        rows = rows_of("size8", "[8]")
        self.assertEqual(rows, rows_of("sizes8", "[2, 6, 7, 8]"))
        self.assertEqual({(row["batch"], row["order"], row["seed"]) for row in rows}, {(3, "file", None)})

    def test_a_killed_evaluation_goes_on(self):
        text = evaluate_of("ft_m", f", editor: {{{{{METHODS['ft_m'].replace('5', '60')}}}}}")
        self.run_of("asked", text)
        metrics = f"{self.root}/killed/01-evaluate/metrics.jsonl"
        process = self.start([self.recipe("killed", HEAD + text)])
        kill_when(process, lambda: count_lines(metrics) >= 3)
        self.run_of("killed", text, ranks=2)
        for file in ("results.json", "predictions.jsonl", "answers.jsonl"):
            self.assertEqual(self.text_of("asked", f"01-evaluate/{file}"),
                             self.text_of("killed", f"01-evaluate/{file}"), file)

    def test_batches_of_one_evaluation_share_their_value_vectors(self):
        def text(sizes, keys="steps: 3"):
            editor = f"editor: {{{{{keys}, max_tokens_per_batch: 64, {CONTEXTS}}}}}"
            return evaluate_of("rome", f", mode: batch, sizes: {sizes}, {editor}")

        def rows_of(out, size):
            rows = json.loads(self.text_of(out, "01-evaluate/results.json"))
            return [row for row in rows if row["size"] == size]

        # ROME writes one after another: of three batches only the first edits meet the model without edits.
        self.assertIn("value vectors 3/3 ", self.run_of("one_size", text("[4]")).stderr)
        self.run_of("sizes", text("[1, 3, 4]"))
        self.assertEqual(rows_of("one_size", 4), rows_of("sizes", 4))
        # A stop keeps those that were found, and they are not found again.
        slow = text("[1, 4]", "steps: 200, stop_loss: 0")
        self.run_of("kept_whole", slow)
        for ranks in (1, 2):
            out = f"kept{ranks}"
            process = self.start([self.recipe(out, HEAD + slow)], ranks, stderr=subprocess.PIPE)
            told = next((line for line in process.stderr if "value vectors " in line), "")
            process.send_signal(signal.SIGUSR1)
            _, errors = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 75, told + errors)
            self.assertIn("stopped on request, value vectors kept in ", errors)
            kept = f"{self.root}/{out}/01-evaluate/value_vectors.h5"
            self.assertTrue(os.path.exists(kept))
            again = self.run_of(out, slow, ranks)
            first = int(re.search(r"value vectors (\d+)/12", again.stderr).group(1))
            self.assertGreater(first, int(re.search(r"value vectors (\d+)/12", told).group(1)))
            self.assertFalse(os.path.exists(kept))
            for file in ("results.json", "predictions.jsonl"):
                self.assertEqual(self.text_of(out, f"01-evaluate/{file}"), self.text_of("kept_whole", f"01-evaluate/{file}"), file)

    def test_a_stopped_stream_of_an_evaluation_goes_on(self):
        self.stopped_stream_goes_on("rome", f"steps: 200, stop_loss: 0, {CONTEXTS}")

    def test_a_stopped_stream_beside_the_weights_goes_on(self):
        for method, keys in LOOKED_UP.items():
            self.stopped_stream_goes_on(method, re.sub(r"steps: \d+", "steps: 300, stop_loss: 0", keys))

    def stopped_stream_goes_on(self, method, keys):
        text = evaluate_of(method, f", mode: sequential, sizes: [1, 8, 11], editor: {{{{{keys}}}}}")
        whole = f"{method}_streamed_whole"
        self.run_of(whole, text)
        asked = count_lines(f"{self.root}/{whole}/01-evaluate/metrics.jsonl") - 2  # before the stream of eight
        for ranks in (1, 2):
            out = f"{method}_streamed{ranks}"
            metrics = f"{self.root}/{out}/01-evaluate/metrics.jsonl"
            for _ in range(4):  # on a busy machine the signal may come behind the last edit
                shutil.rmtree(f"{self.root}/{out}", ignore_errors=True)
                process = self.start([self.recipe(out, HEAD + text)], ranks, stderr=subprocess.PIPE)
                reaches(process, lambda: count_lines(metrics) >= asked)
                process.send_signal(signal.SIGUSR1)
                _, errors = process.communicate(timeout=PATIENCE)
                if process.returncode != 0:
                    break
            self.assertEqual(process.returncode, 75, errors)
            kept = f"{self.root}/{out}/01-evaluate/stream.h5"
            self.assertEqual("edits kept in " in errors, os.path.exists(kept), errors)
            self.run_of(out, text, ranks)
            self.assertFalse(os.path.exists(kept))
            for file in ("results.json", "predictions.jsonl"):
                self.assertEqual(self.text_of(out, f"01-evaluate/{file}"), self.text_of(whole, f"01-evaluate/{file}"), file)

    def test_the_edited_model_answers_its_edits_and_is_exported(self):
        asked = evaluate_of("none", ", chat_template: plain")
        edit = edit_of("ft_m", "learning_rate: 1.0e-2, steps: 60")
        output = self.run_of("learnt", asked + edit + asked + EXPORT).stdout
        before, after = self.reliability("learnt", "01-evaluate"), self.reliability("learnt", "03-evaluate")
        self.assertGreater(after, before + 10)
        self.assertIn(" \u2192 ", output)
        self.assertEqual(sorted(self.changes("learnt")), self.statistics("learnt", "02-edit")["weights"])
        # The export is the edited model.
        text = (HEAD + asked).replace("{root}/model", f"{self.root}/learnt/hf")
        self.checked([self.recipe("again", text)])
        self.assertEqual(self.reliability("again", "01-evaluate"), after)
        # A run that finds the stage finished has the same weights.
        shutil.rmtree(f"{self.root}/learnt/03-evaluate")
        shutil.rmtree(f"{self.root}/learnt/hf")
        shutil.rmtree(f"{self.root}/learnt/04-export")
        self.checked([self.recipe("learnt", HEAD + asked + edit + asked + EXPORT)], ranks=2)
        self.assertEqual(self.reliability("learnt", "03-evaluate"), after)

    def test_edits_stand_on_those_before_them(self):
        first = edit_of("ft_m", METHODS["ft_m"] + ", layers: [1]", ', records: "0:4"')
        second = edit_of("ft_m", METHODS["ft_m"] + ", layers: [2]", ', records: "4:8"')
        self.run_of("stacked", first + second + EXPORT)
        names = [f"model.layers.{layer}.mlp.down_proj.weight" for layer in (1, 2)]
        self.assertEqual(sorted(self.changes("stacked")), names)
        self.run_of("alone", second + EXPORT)
        self.assertNotEqual(self.changes("stacked")[names[1]], self.changes("alone")[names[1]])

    def test_training_goes_on_from_edits(self):
        train = """\
  - build_data:
      sources:
        - {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es]}}
  - sft: {{global_batch_size: 5, max_steps: 2, learning_rate: 1.0e-3}}
"""
        edit = edit_of("ft_m", METHODS["ft_m"])
        self.run_of("trained", edit + train + EXPORT)
        self.run_of("untrained", train + EXPORT)
        self.assertNotEqual(self.losses_of("trained", "03-sft"), self.losses_of("untrained", "02-sft"))
        # and edits from training
        self.run_of("after", train + edit + EXPORT)
        self.assertGreater(len(self.changes("after")), 5)

    def losses_of(self, out, stage):
        return [line["loss"] for line in self.lines(out, f"{stage}/metrics.jsonl")]

    def test_second_moments_are_looked_for_before_the_first_stage(self):
        first = evaluate_of("none")
        keys = "steps: 3, layers: [1, 2], " + CONTEXTS
        for step in (edit_of("memit", keys), evaluate_of("memit", f", editor: {{{{{keys}}}}}")):
            self.refused("no_moments", first + step, 78,
                         "editor.covariance: expected a file of second moments for memit, or a stage covariance before this one")
            self.refused("other_layers", first + MOMENTS + step.replace("[1, 2]", "[2, 3]"), 78,
                         "editor.layers: expected layers of the stage covariance above (1, 2), found 3")
            named = step.replace("steps: 3", "steps: 3, covariance: {root}/text.txt")
            self.refused("no_file_of_moments", first + named, 65, "text.txt: ")
            self.run_of("some_moments", MOMENTS)
            named = step.replace("steps: 3", "steps: 3, covariance: {root}/some_moments/01-covariance/covariance.h5")
            self.refused("moments_of_others", first + named.replace("[1, 2]", "[2, 3]"), 65, "expected layers/3/down_proj, found layers/1/")
            for out in ("no_moments", "other_layers", "no_file_of_moments", "moments_of_others"):
                self.assertFalse(os.path.exists(f"{self.root}/{out}/01-evaluate/results.json"), out)

    def test_a_stage_that_can_write_nothing_is_refused(self):
        rows = json.loads(json.dumps(self.rows))
        for row in rows:
            row["en"]["subject"] = "zzz"
        self.write_rows("nowhere_enes.json", rows)
        result = self.run_program([self.recipe("nowhere", HEAD + edit_of("rome", METHODS["rome"]).replace("facts_enes", "nowhere_enes"))])
        self.assertEqual(result.returncode, 65, result.stderr)
        self.assertIn(f"expected an edit that can be written, found none (subject: not in the prompt: {EDITS})", result.stderr)

    def test_a_stop_in_the_first_batch_says_that_nothing_is_kept(self):
        text = edit_of("rome", f"batch: {EDITS}, steps: 400, stop_loss: 0, " + CONTEXTS)
        process = self.start([self.recipe("early", HEAD + text)], 1, stderr=subprocess.PIPE)
        self.assertTrue(reaches(process, lambda: os.path.exists(f"{self.root}/early/01-edit/edits.jsonl")), "the run ended by itself")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 75, errors)
        self.assertNotIn("edits kept", errors)
        self.assertFalse(os.path.exists(f"{self.root}/early/01-edit/state.h5"))

    def test_rows_that_cannot_be_written_are_counted(self):
        rows = json.loads(json.dumps(self.rows))
        rows[1]["en"]["subject"] = "zzz"
        rows[7]["en"]["src"] = "what is " + "the river " * 400 + rows[7]["en"]["subject"] + "?"
        self.write_rows("odd_enes.json", rows)
        too_long = "prompt: longer than the model's context"
        for method, skipped in (("ft_m", {too_long: 1}), ("rome", {"subject: not in the prompt": 1, too_long: 1})):
            text = edit_of(method, METHODS[method]).replace("facts_enes", "odd_enes")
            self.run_of(f"odd_{method}", text)
            found = self.statistics(f"odd_{method}")
            self.assertEqual(found["skipped"], skipped)
            self.assertEqual(found["requests"], EDITS)
            self.assertEqual(found["written"], EDITS - sum(skipped.values()))
            lines = self.lines(f"odd_{method}", "01-edit/edits.jsonl")
            self.assertEqual(len(lines), EDITS)
            self.assertEqual([line["reason"] for line in lines if not line["written"]],
                             sorted(skipped, reverse=True))

    def test_an_empty_answer_is_bad_data(self):
        rows = json.loads(json.dumps(self.rows))
        rows[5]["en"]["alt"] = ""
        self.write_rows("empty_enes.json", rows)
        self.refused("empty", edit_of("ft_m").replace("facts_enes", "empty_enes"), 65,
                     'row 5: en.alt: expected a non-empty string, found ""')

    def test_what_cannot_be_edited_is_named_in_one_line(self):
        for name, text, told in (
                ("layer", edit_of("ft_m", "layers: [4]"),
                 "editor.layers: expected a layer below 4, the model's number, found 4"),
                ("module", edit_of("ft_m", "modules: [dwn_proj]"), "up_proj, down_proj), found dwn_proj"),
                ("modules", edit_of("ft_m", "modules: [up_proj, down_proj]"),
                 "editor.modules: expected one module for ft_m, found 2"),
                ("layers", edit_of("rome", "layers: [1, 2]"), "editor.layers: expected one layer for rome, found 2"),
                ("place", edit_of("rome", "modules: [up_proj]"),
                 "editor.modules: expected down_proj for rome, found up_proj"),
                ("key", edit_of("rome", "epochs: 3"),
                 "edit.editor.epochs: expected method: locft_bf beside this key, found rome"),
                ("shown", evaluate_of("xkde", ", editor: {{layers: [1]}}"),
                 "evaluate.editor: expected a method that writes weights beside this key, found xkde"),
                ("beside", edit_of("grace"), "edit.method: expected a method that writes into weights: "),
                ("part", evaluate_of("wise", ", editor: {{mask_ratio: 1.5}}"),
                 "editor.mask_ratio: expected at most 1, found 1.5"),
                ("shards", evaluate_of("wise", ", editor: {{shard_edits: 300}}"),
                 "editor.merge_edits: expected a multiple of shard_edits 300, found 1000"),
                ("asked", evaluate_of("ft_m", ", editor: {{layers: [4]}}"),
                 "editor.layers: expected a layer below 4, the model's number, found 4")):
            self.refused(f"bad_{name}", text, 78, told)
        self.refused("bad_file", edit_of("memit", "covariance: none.h5"), 66, "none.h5")
        train = """\
  - build_data:
      sources:
        - {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es]}}
  - sft: {{global_batch_size: 5, max_steps: 2, lora: {{r: 2, base: q8_0}}}}
"""
        self.refused("bad_base", train + edit_of("ft_m"), 78,
                     "expected lora with base: q8_0, as sft has it above, found no lora")

    def test_damaged_weights_are_named(self):
        self.run_of("damaged", edit_of("ft_m", METHODS["ft_m"]))
        file = f"{self.root}/damaged/01-edit/weights.h5"
        os.truncate(file, os.path.getsize(file) // 2)
        result = self.run_program([self.recipe("damaged", HEAD + edit_of("ft_m", METHODS["ft_m"]) + EXPORT)])
        self.assertEqual(result.returncode, 82, result.stderr)
        self.assertIn(file, result.stderr)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
