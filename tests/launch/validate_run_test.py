#!/usr/bin/env python3
"""`validate` refuses what the run would refuse once it is under way, by the same exit code and reason.

usage: validate_run_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import json
import os
import shutil
import sys
import unittest

from tiny_run import TinyRunTest, byte_alphabet

HEAD = """\
output_dir: {out}
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
parallel: {{threads: 1}}
stages:
"""
ASK = """\
  - evaluate: {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "0:2",
                bootstrap_resamples: 0}}
"""
BUILD = """\
  - build_data:
      sources:
        - {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "RECORDS"}}
"""
SFT = "  - sft: {{max_steps: 1, global_batch_size: 1KEYS}}\n"

STRICT = """\
{% for m in messages %}{% if m.role == 'system' or 'NOT THIS' in m.content %}{{ raise_exception('not this') }}{% endif %}\
<{{ m.role }}>{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"""


def build(records):
    return BUILD.replace("RECORDS", records)


def sft(keys=""):
    return SFT.replace("KEYS", keys)


class ValidateRun(TinyRunTest):
    def write(self, name, rows, whole=False):
        with open(f"{self.root}/{name}", "w") as file:
            file.write(json.dumps(rows) if whole else "".join(json.dumps(row) + "\n" for row in rows))

    def write_turns(self, name, *turns):
        speakers = ("human", "gpt")
        said = [{"from": speakers[i % 2], "value": text} for i, text in enumerate(turns)]
        self.write(name, [{"conversations": said}], whole=True)

    def both_refuse(self, name, stages, code, reason, head=HEAD):
        """`reason` names one fault."""
        recipe = self.recipe(name, head + stages)
        for arguments in (["validate", recipe], [recipe]):
            result = self.run_program(arguments)
            self.assertEqual(result.returncode, code, f"{arguments}: {result.stdout}{result.stderr}")
            self.assertIn(reason, result.stderr, arguments)

    def both_accept(self, name, stages):
        recipe = self.recipe(name, HEAD + stages)
        for arguments in (["validate", recipe], [recipe]):
            result = self.run_program(arguments)
            self.assertEqual(result.returncode, 0, f"{arguments}: {result.stderr}")

    def test_samples_that_are_cut_to_no_target(self):
        self.both_refuse("cut", build("0:3") + sft(", max_length: 4"), 65, "expected training samples, found none")

    def test_an_empty_answer(self):
        self.write_turns("empty.json", "what?", "")
        self.both_refuse("empty", sft(", train_data: {root}/empty.json, train_on_end_of_turn: false"), 65,
                         'conversations.1.value: expected a non-empty string, found ""')

    def test_training_data_of_which_all_are_test_questions(self):
        self.both_refuse("asked", build("0:2") + sft() + ASK, 65, "expected at least one training sample, found none")

    def test_pairs_that_have_no_token(self):
        self.write("no_token.jsonl", [{"prompt": "what?", "chosen": "", "rejected": "that"}])
        self.both_refuse("no_token", "  - orpo: {{pairs: {root}/no_token.jsonl, max_steps: 1}}\n", 65,
                         "expected at least one pair to train on, found none")

    def test_a_slice_without_prompts(self):
        self.write_turns("turns.json", "what?", "that")
        self.both_refuse("slice", '  - sample: {{train_data: {root}/turns.json, records: "5:9"}}\n', 65,
                         "expected prompts, found none of 1 conversations")

    def test_prompts_that_a_format_cannot_hold(self):
        self.write_turns("long.json", "what?", "that", "which?", "this")
        self.both_refuse("format", "  - sample: {{train_data: {root}/long.json, prompt_format: xk}}\n", 65,
                         "expected one question (prompt_format: xk), found 3 turns")

    def test_samples_whose_answers_are_all_gold(self):
        self.write("gold.jsonl", [{"id": "a", "prompt": "p", "gold": "g", "answers": [
            {"text": "g", "token_ids": [1], "finish_reason": "stop"}]}])
        self.both_refuse("gold", "  - rank: {{samples: {root}/gold.jsonl}}\n", 65, "{root}/gold.jsonl: expected ".format(
            root=self.root))

    def test_an_adapter_to_export_that_no_stage_makes(self):
        self.both_refuse("none", build("0:3") + sft() + "  - export: {{adapter: {out}/peft}}\n", 78,
                         "expected a model with an adapter, found one without")

    def test_an_adapter_over_weights_that_a_stage_has_trained(self):
        lora = ", lora: {{r: 2, alpha: 4}}"
        self.both_refuse("trained", build("0:3") + sft() + sft(lora) + "  - export: {{adapter: {out}/peft}}\n", 78,
                         "found one of weights that a stage has trained")

    def test_a_gguf_file_that_the_model_does_not_fit_into(self):
        self.both_refuse("rows", "  - export: {{path: {out}/x, format: gguf, gguf_type: Q4_0}}\n", 78,
                         "expected rows of a multiple of 32 weights for Q4_0, found 24 in model.embed_tokens.weight")

    def test_a_gguf_file_that_is_not_ours(self):
        os.makedirs(f"{self.root}/theirs")
        with open(f"{self.root}/theirs/model.gguf", "w") as file:
            file.write("GGUF of someone")
        self.both_refuse("replaced", "  - export: {{path: {root}/theirs, format: gguf}}\n", 78,
                         "theirs: expected nothing there, an empty folder or an export as it was written, found ")
        with open(f"{self.root}/theirs/model.gguf") as file:
            self.assertEqual(file.read(), "GGUF of someone")

    def of_strict_model(self):
        """The head of a recipe whose model's template takes no system turn and not the words NOT THIS."""
        folder = f"{self.root}/strict"
        if not os.path.isdir(folder):
            shutil.copytree(f"{self.root}/model", folder)
            with open(f"{folder}/chat_template.jinja", "w") as file:
                file.write(STRICT)
        return HEAD.replace("{root}/model", "{root}/strict").replace("chatml_no_system", "auto")

    def turned_away(self, name, stages, place):
        self.both_refuse(name, stages, 65, f"{place}: chat_template: auto: line 1: expected a conversation that the "
                         "template takes, found one that it turns away: not this", self.of_strict_model())

    def test_a_conversation_that_the_template_turns_away(self):
        user, answer = {"role": "user", "content": "what?"}, {"role": "assistant", "content": "that"}
        system = {"role": "system", "content": "be brief"}
        rows = [{"messages": turns} for turns in ([user, answer], [system, user, answer])]
        self.write("system.json", rows, whole=True)
        file = f"{self.root}/system.json"
        self.turned_away("sft_row", sft(", train_data: {root}/system.json"), f"{file}: row 1")
        self.turned_away("sample_row", "  - sample: {{train_data: {root}/system.json}}\n", f"{file}: row 1")

    def test_a_pair_that_the_template_turns_away(self):
        user, answer = {"role": "user", "content": "what?"}, {"role": "assistant", "content": "that"}
        other, system = {"role": "assistant", "content": "this"}, {"role": "system", "content": "be brief"}
        self.write("system.jsonl", [{"prompt": prompt, "chosen": [answer], "rejected": [other]}
                                    for prompt in ([user], [user], [system, user])])
        self.turned_away("pair", "  - orpo: {{pairs: {root}/system.jsonl, max_steps: 1}}\n",
                         f"{self.root}/system.jsonl: line 3")

    def test_a_question_that_the_template_turns_away(self):
        records = [dict(record, es=dict(record["es"])) for record in self.records[:3]]
        records[2]["es"]["loc"] = "is it NOT THIS?"
        self.write("asked_enes.json", records, whole=True)
        self.turned_away("question", ASK.replace("edits_enes", "asked_enes").replace("0:2", "1:3"),
                         f"{self.root}/asked_enes.json: row 2: locality")

    def test_a_target_that_has_no_token(self):
        folder = f"{self.root}/without_some"
        shutil.copytree(f"{self.root}/model", folder)
        with open(f"{folder}/tokenizer.json") as file:
            tokenizer = json.load(file)
        vocab = tokenizer["model"]["vocab"]
        for byte in "\u2603".encode():
            vocab[f"<unused {byte}>"] = vocab.pop(byte_alphabet()[byte])
        with open(f"{folder}/tokenizer.json", "w") as file:
            json.dump(tokenizer, file)
        records = [dict(record, es=dict(record["es"])) for record in self.records[:2]]
        records[1]["es"]["alt"] = "\u2603"
        self.write("snow_enes.json", records, whole=True)
        self.both_refuse("snow", ASK.replace("edits_enes", "snow_enes"), 65,
                         f"{self.root}/snow_enes.json: row 1: reliability: target: expected at least one token, found none "
                         'in "\u2603"', HEAD.replace("{root}/model", "{root}/without_some"))

    def test_a_bos_that_the_tokenizer_does_not_have(self):
        missing = "chat_template: expected a tokenizer with a BOS token, found none"
        self.both_refuse("bos", ASK, 78, missing, HEAD.replace("chatml_no_system", "llama2"))
        self.both_refuse("own_bos", ASK.replace("0}}", "0, chat_template: gemma}}"), 78, missing)
        self.both_refuse("no_template", ASK.replace("0}}", "0, chat_template: auto}}"), 78,
                         "chat_template: auto: expected a model with a chat template, found none")

    def test_what_the_run_can_do(self):
        self.both_accept("asks", ASK.replace("0}}", "0, extra_metrics: [f1, fluency]}}"))
        self.both_accept("gguf", "  - export: {{path: {out}/x, format: gguf}}\n")
        self.assertTrue(self.checked(["validate", f"{self.root}/gguf.yaml"]).stdout.endswith(": valid, 1 stage\n"))
        self.both_accept("good", build("0:3") + sft(", lora: {{r: 2, alpha: 4}}") + "  - export: {{adapter: {out}/peft}}\n")


if __name__ == "__main__":
    ValidateRun.binary = sys.argv.pop(1)
    unittest.main()
