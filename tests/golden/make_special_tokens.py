#!/usr/bin/env python3
"""Makes tests/golden/special_tokens.json: which special tokens transformers takes from which file.

    python3 tests/golden/make_special_tokens.py [--check]

Needs exactly the version in PINNED; nothing is downloaded. The tokenizer is that of
tests/core/model/pretrained/pretrained_test.cpp: the tokens a, b, c and d.
"""

import json
import pathlib
import sys
import tempfile
from importlib.metadata import version

import transformers

PINNED = {"transformers": "5.24.0"}
FILE = pathlib.Path(__file__).resolve().parent / "special_tokens.json"
TOKENIZER = {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
             "post_processor": None, "decoder": None,
             "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "d": 3}, "merges": []}}
CLASS = {"tokenizer_class": "PreTrainedTokenizerFast"}
TOKEN = {"content": "c", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
CASES = [
    (CLASS, {}),
    (CLASS, {"bos_token": "a", "eos_token": TOKEN, "pad_token": "d"}),
    # The map wins over the config, also by what it leaves empty.
    ({**CLASS, "bos_token": "b", "eos_token": "b"}, {"bos_token": "a"}),
    ({**CLASS, "bos_token": "b", "pad_token": "b"}, {"bos_token": None, "pad_token": TOKEN}),
    # But not where the config describes all tokens that were added.
    ({**CLASS, "bos_token": "b", "added_tokens_decoder": {}}, {"bos_token": "a", "eos_token": "a"}),
    ({**CLASS, "added_tokens_decoder": {"3": {**TOKEN, "content": "d", "special": True}}, "eos_token": "d"},
     {"eos_token": "a"}),
]


def expected(config, special):
    with tempfile.TemporaryDirectory() as folder:
        files = {"tokenizer.json": TOKENIZER, "tokenizer_config.json": config, "special_tokens_map.json": special}
        for name, content in files.items():
            (pathlib.Path(folder) / name).write_text(json.dumps(content), encoding="utf-8")
        tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
        return {key: getattr(tokenizer, key) for key in ("bos_token_id", "eos_token_id", "pad_token_id")}


def main():
    for package, wanted in PINNED.items():
        if version(package) != wanted:
            sys.exit(f"expected {package} {wanted}, found {version(package)}")
    cases = [{"tokenizer_config": config, "special_tokens_map": special, "expected": expected(config, special)}
             for config, special in CASES]
    made = json.dumps({"cases": cases}, indent=1) + "\n"
    if "--check" in sys.argv[1:] and FILE.read_text(encoding="utf-8") != made:
        sys.exit(f"{FILE}: expected what this script makes, found something else")
    FILE.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
