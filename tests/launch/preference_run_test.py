#!/usr/bin/env python3
"""TL-PO as a user meets it, on a tiny random model: sample, rank, orpo on any number of ranks, after SIGKILL, and on
what is not as it should be.

usage: preference_run_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import json
import os
import random
import shutil
import sys
import unittest

from tiny_run import TinyRunTest
from watching import chunks_done, count_lines, kill_when

RECIPE = """\
run_name: tiny
output_dir: {out}
logging_steps: 100
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
parallel: {{threads: 1}}
stages:
  - build_data:
      sources:
        - {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "0:12"}}
  - sft: {{global_batch_size: 5, max_steps: 4, learning_rate: 1.0e-2}}
  - sample: {{num_return_sequences: 4, max_new_tokens: 12, prompts_per_chunk: 3, max_sequences: 8}}
  - rank: {{}}
  - orpo:
      global_batch_size: 8
      max_steps: 10
      learning_rate: 1.0e-3
      warmup_steps: 2
      eval_steps: 2
      save_steps: 2
  - evaluate:
      benchmark: mzsre
      data: {root}/edits_enes.json
      edit_languages: [en]
      test_languages: [es]
      records: "12:20"
"""
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden")
ALONE = RECIPE[:RECIPE.index("stages:")] + "stages:\n"


class PreferenceRun(TinyRunTest):
    def orpo(self, out):
        return self.lines(out, "05-orpo/metrics.jsonl")

    def test_one_two_and_three_ranks_give_the_same_samples_pairs_and_curve(self):
        for ranks in (1, 2, 3):
            result = self.run_program([self.recipe(f"ranks{ranks}", RECIPE), "orpo.profile_steps=2"], ranks)
            self.assertEqual(result.returncode, 0, result.stderr)
            trace = json.loads(self.text_of(f"ranks{ranks}", "05-orpo/trace.json"))["traceEvents"]
            steps = [(event["pid"], event["name"]) for event in trace if event.get("cat") == "step"]
            self.assertEqual(sorted(steps), [(rank, step) for rank in range(ranks) for step in ("step 2", "step 3")])
        samples = self.lines("ranks1", "03-sample/samples.jsonl")
        self.assertEqual(len(samples), 36)
        self.assertEqual({len(row["answers"]) for row in samples}, {4})
        self.assertEqual([row["id"] for row in samples],
                         [row["id"] for row in json.loads(self.text_of("ranks1", "01-build_data/train.json"))])
        self.assertEqual({row["split"] for row in self.lines("ranks1", "04-rank/pairs.jsonl")}, {"train", "dev"})
        for ranks in (2, 3):
            for file in ("03-sample/samples.jsonl", "04-rank/pairs.jsonl"):
                self.assertEqual(self.text_of(f"ranks{ranks}", file), self.text_of("ranks1", file), file)
            for got, expected in zip(self.orpo(f"ranks{ranks}"), self.orpo("ranks1"), strict=True):
                for key in ("loss", "nll_loss", "log_odds_ratio", "rewards/margins", "eval_loss"):
                    self.assertEqual(key in got, key in expected)
                    self.assertAlmostEqual(got.get(key, 0), expected.get(key, 0), delta=1e-5, msg=key)
        curve = [line["eval_loss"] for line in self.orpo("ranks1") if "eval_loss" in line]
        self.assertEqual(len(curve), 5)
        self.assertLess(curve[-1], curve[0])

    def test_trees_and_micro_batches_do_what_they_say(self):
        keys = ["orpo.loss_reduction=token_mean"]
        for name, more in (("tree", []), ("apart", ["orpo.token_tree=false", "orpo.packing=false"])):
            result = self.run_program([self.recipe(name, RECIPE), *keys, *more])
            self.assertEqual(result.returncode, 0, result.stderr)
        for got, expected in zip(self.orpo("apart"), self.orpo("tree"), strict=True):
            self.assertAlmostEqual(got["loss"], expected["loss"], delta=1e-5)
            self.assertGreater(got["computed_tokens"], expected["computed_tokens"])

    def test_a_killed_run_ends_with_the_same_samples_and_curve(self):
        # A model whose tokenizer names the end of an answer: over whole epochs, some answers are nothing else.
        model = f"{self.root}/model_with_end"
        shutil.copytree(f"{self.root}/model", model)
        with open(f"{model}/tokenizer_config.json", "w") as file:
            json.dump(dict(eos_token="<|im_end|>"), file)
        # Enough chunks and steps that the run does not end unwatched.
        keys = [f"model.model_name_or_path={model}", "sample.prompts_per_chunk=1", "sample.max_new_tokens=40",
                "orpo.max_steps=60"]
        self.assertEqual(self.run_program([self.recipe("whole", RECIPE), *keys], 2).returncode, 0)
        rng = random.Random(31)
        path = self.recipe("killed", RECIPE)
        folder = f"{self.root}/killed"
        for done, most in [(lambda: len(chunks_done(f"{folder}/03-sample/samples.jsonl")), 3),
                           (lambda: count_lines(f"{folder}/05-orpo/metrics.jsonl"), 2)]:
            for _ in range(3):
                wanted = done() + rng.randint(1, most)
                process = self.start([path, *keys], 2)
                self.assertTrue(kill_when(process, lambda: done() >= wanted), "the run ended by itself")
        # Ranks may be other ones than before.
        result = self.run_program([path, *keys], 3)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.text_of("killed", "03-sample/samples.jsonl"),
                         self.text_of("whole", "03-sample/samples.jsonl"))
        self.assertFalse(os.path.exists(f"{self.root}/killed/03-sample/samples.jsonl.parts"))
        chunks = [line["chunk"] for line in self.lines("killed", "03-sample/metrics.jsonl")]
        self.assertEqual(chunks, list(range(36)))
        for got, expected in zip(self.orpo("killed"), self.orpo("whole"), strict=True):
            self.assertAlmostEqual(got["loss"], expected["loss"], delta=1e-5)

    def test_a_second_run_does_nothing_and_a_changed_key_reruns_what_follows_on_request(self):
        path = self.recipe("again", RECIPE)
        self.assertEqual(self.run_program([path]).returncode, 0)
        second = self.run_program([path])
        self.assertEqual(second.stderr.count("done before, unchanged"), 6, second.stderr)
        third = self.run_program([path, "--fresh", "rank.gold_test=strip_left"])
        self.assertEqual(third.returncode, 0, third.stderr)
        self.assertEqual(third.stderr.count("done before, unchanged"), 3, third.stderr)

    def test_the_best_model_is_kept_and_training_may_end_early(self):
        # A rate far too high: the dev loss only gets worse.
        result = self.run_program([self.recipe("early", RECIPE), "orpo.learning_rate=1", "orpo.warmup_steps=1",
                                   "orpo.early_stopping_patience=2", "orpo.max_steps=40"])
        self.assertEqual(result.returncode, 0, result.stderr)
        curve = [line["eval_loss"] for line in self.orpo("early") if "eval_loss" in line]
        self.assertLess(len(curve), 20)
        best = curve.index(min(curve))
        self.assertEqual(len(curve) - 1 - best, 2)
        self.assertIn(f"ends with step-{2 * (best + 1):08d}", result.stderr)
        # The model that goes on is that one: a second run, which only reads it, evaluates the same.
        before = self.text_of("early", "06-evaluate/predictions.jsonl")
        again = self.run_program([self.recipe("early", RECIPE), "--fresh", "orpo.learning_rate=1", "orpo.warmup_steps=1",
                                  "orpo.early_stopping_patience=2", "orpo.max_steps=40",
                                  "evaluate.max_tokens_per_batch=999"])
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(again.stderr.count("done before, unchanged"), 5, again.stderr)
        self.assertEqual(self.text_of("early", "06-evaluate/predictions.jsonl"), before)

    def write(self, name, rows):
        path = f"{self.root}/{name}"
        with open(path, "w") as file:
            file.write("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
        return path

    def sample(self, *texts, gold="right"):
        return dict(id="a", prompt="<|im_start|>user\nq<|im_end|>\n", gold=gold,
                    answers=[dict(text=text, token_ids=[1], finish_reason="stop") for text in texts])

    def run_alone(self, name, stage):
        return self.run_program([self.recipe(name, ALONE + f"  - {stage}\n")])

    def test_samples_cut_in_the_middle_of_a_line_are_named(self):
        path = self.write("cut.jsonl", [self.sample("x", "y"), json.dumps(self.sample("z"))[:40]])
        result = self.run_alone("cut", f"rank: {{{{samples: {path}}}}}")
        self.assertEqual(result.returncode, 65)
        self.assertIn("cut.jsonl: line 2: expected a whole line, found one that was cut short", result.stderr)

    def test_samples_without_a_usable_pair_are_counted_and_named(self):
        path = self.write("gold.jsonl", [self.sample(" right ", "right"), self.sample()])
        result = self.run_alone("gold", f"rank: {{{{samples: {path}}}}}")
        self.assertEqual(result.returncode, 65)
        self.assertIn("expected at least one preference pair, found none (left out: 2 answers equal to the gold one",
                      result.stderr)
        self.assertIn("1 prompt without answers", result.stderr)

    def test_pairs_with_equal_texts_are_left_out_and_counted(self):
        pair = dict(prompt="<|im_start|>user\nq<|im_end|>\n", chosen="one", rejected="two")
        path = self.write("equal.jsonl", [pair, dict(pair, rejected="one")])
        keys = "max_steps: 1, eval_steps: 0, save_steps: 0"
        result = self.run_alone("equal", f"orpo: {{{{pairs: {path}, {keys}}}}}")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("1 training pair of 1 prompt, 0 dev pairs; left out: 1 with equal texts", result.stderr)
        only = self.write("only_equal.jsonl", [dict(pair, rejected="one")])
        result = self.run_alone("only_equal", f"orpo: {{{{pairs: {only}, {keys}}}}}")
        self.assertEqual(result.returncode, 65)
        self.assertIn("expected at least one pair to train on, found none", result.stderr)

    def test_a_prompt_longer_than_the_context_gets_no_answers_and_is_counted(self):
        rows = [dict(id=str(i), conversations=[{"from": "human", "value": text}, {"from": "gpt", "value": "yes"}])
                for i, text in enumerate(["short", "long " * 600, "short too"])]
        with open(f"{self.root}/long.json", "w") as file:
            json.dump(rows, file)
        result = self.run_alone("long", f"sample: {{{{train_data: {self.root}/long.json, max_new_tokens: 3}}}}")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("1 prompt left out for lack of room in the model's context", result.stderr)
        self.assertEqual([len(row["answers"]) for row in self.lines("long", "01-sample/samples.jsonl")], [5, 0, 5])

    def test_a_field_of_another_kind_is_named_with_its_line(self):
        path = self.write("kind.jsonl", [self.sample("x"), dict(self.sample("x"), gold=None)])
        result = self.run_alone("kind", f"rank: {{{{samples: {path}}}}}")
        self.assertEqual(result.returncode, 65)
        self.assertIn("kind.jsonl: line 2: gold: expected a text, found null", result.stderr)

    def scores(self, name):
        return [row["score_rejected"] for row in self.lines(name, "01-rank/pairs.jsonl")]

    def test_a_reward_model_ranks_in_the_direction_of_the_data_or_a_fixed_one(self):
        rows = [dict(self.sample("one", "two words", "three", gold="uno"), id=f"identity_{i}_mzsre_enes_src")
                for i in range(70)]
        path = self.write("nllb.jsonl", rows)
        model = f"samples: {path}, reward: nllb, model_name_or_path: {GOLDEN}/nllb"
        for ranks in (1, 2):
            result = self.run_program([self.recipe(f"nllb{ranks}", ALONE + f"  - rank: {{{{{model}}}}}\n")], ranks)
            self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.text_of("nllb1", "01-rank/pairs.jsonl"), self.text_of("nllb2", "01-rank/pairs.jsonl"))
        fixed = self.run_alone("fixed", f"rank: {{{{{model}, source_language: zho_Hans, target_language: eng_Latn}}}}")
        self.assertEqual(fixed.returncode, 0, fixed.stderr)
        self.assertNotEqual(self.scores("fixed"), self.scores("nllb1"))
        encoder = self.run_alone("encoder", f"rank: {{{{samples: {path}, reward: encoder, "
                                            f"model_name_or_path: {GOLDEN}/encoders/bert}}}}")
        self.assertEqual(encoder.returncode, 0, encoder.stderr)
        self.assertTrue(all(-1 <= score <= 1 for score in self.scores("encoder")))

    def test_a_reward_model_that_does_not_fit_is_named(self):
        path = self.write("reward.jsonl", [self.sample("one", "two", gold="uno")])
        model = f"samples: {path}, reward: nllb, model_name_or_path: {GOLDEN}/nllb"
        nowhere = self.run_alone("nowhere", f"rank: {{{{{model}}}}}")
        self.assertEqual(nowhere.returncode, 78)
        self.assertIn('sample "a": expected an id that tells its languages', nowhere.stderr)
        unknown = self.run_alone("unknown", f"rank: {{{{{model}, source_language: eng_Latin, target_language: eng_Latn}}}}")
        self.assertEqual(unknown.returncode, 78)
        self.assertIn("eng_Latin", unknown.stderr)
        other = self.run_alone("other", f"rank: {{{{samples: {path}, reward: nllb, model_name_or_path: {self.root}/model}}}}")
        self.assertEqual(other.returncode, 65, other.stderr)
        self.assertIn("m2m_100", other.stderr)
        pickled = f"{self.root}/pickled"
        shutil.copytree(f"{GOLDEN}/nllb", pickled)
        os.rename(f"{pickled}/model.safetensors", f"{pickled}/pytorch_model.bin")
        result = self.run_alone("bin", f"rank: {{{{samples: {path}, reward: nllb, model_name_or_path: {pickled}}}}}")
        self.assertEqual(result.returncode, 66)
        self.assertIn("save_pretrained", result.stderr)

    def test_a_missing_file_is_missing_input(self):
        result = self.run_alone("missing", f"orpo: {{{{pairs: {self.root}/none.jsonl}}}}")
        self.assertEqual(result.returncode, 66)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
