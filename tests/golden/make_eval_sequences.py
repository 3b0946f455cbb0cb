#!/usr/bin/env python3
"""Writes eval_sequences.json: what Hugging Face's tokenizer makes of the questions of protocol 6.1 and of training samples.

usage: make_eval_sequences.py MODEL_DIR > eval_sequences.json
MODEL_DIR: SmolLM2-135M-Instruct as a Hugging Face folder. All texts are invented.
"""
import json
import sys

from transformers import AutoTokenizer

NAMES = dict(en="English", cs="Czech", es="Spanish", ru="Russian", th="Thai", zh="Chinese")
FACT = ("Which organisation runs Marlow Tide Observatory?", "Nordhaven Institute")
QUESTIONS = [
    ("en", "Who is the operator of Marlow Tide Observatory?", "Nordhaven Institute"),
    ("en", "nq question: how many strings does a standard bass guitar have", " four"),
    ("en", "Which year?\nTwo lines.", "2006\n"),
    ("cs", "Kdo provozuje observatoř Marlow Tide?", "Institut Nordhaven"),
    ("es", "¿Quién dirige el Observatorio Marlow Tide?", "  Instituto Nordhaven "),
    ("ru", "Кто управляет обсерваторией Марлоу-Тайд?", "Институт Нордхафен"),
    ("th", "ใครดูแลหอดูดาวมาร์โลว์ไทด์", "สถาบันนอร์ดฮาเวน"),
    ("zh", "马洛潮汐观测台由谁运营？", "北港研究所"),
]


def wrapped(language, question):
    return (f"Please acknowledge the updated information provided below and respond to the subsequent query in "
            f"{NAMES[language]}.\n\n[Updated Information]:\n{FACT[0]} {FACT[1]}\n\n[Query]:\n{question}")


def main():
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])

    def ids_of(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    cases = []
    for language, question, target in QUESTIONS:
        for user in (wrapped(language, question), question):
            text = tokenizer.apply_chat_template([{"role": "user", "content": user}], add_generation_prompt=True,
                                                 tokenize=False)
            sequence, target_ids = ids_of(text + target + "<|im_end|>"), ids_of(target)
            first = len(sequence) - len(target_ids) - 2
            cases.append(dict(user=user, target=target, ids=sequence[:-2], first_prediction=first,
                              target_ids=target_ids, sample_ids=ids_of(text) + target_ids + [tokenizer.eos_token_id]))
    print("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]")


if __name__ == "__main__":
    main()
