#!/usr/bin/env python3
"""Makes tests/golden/sentencepiece: folders with tokenizer.model alone, and what transformers reads there.

    python3 tests/golden/make_sentencepiece.py            # remakes every golden.json
    python3 tests/golden/make_sentencepiece.py --train    # the small models too
    python3 tests/golden/make_sentencepiece.py --check    # fails if a remade golden.json would differ

Needs exactly the versions in PINNED; nothing is downloaded. Texts are those of tokenizer/texts.json, and
golden.json has the layout of tokenizer/*.golden.json.
"""

import argparse
import json
import pathlib
import shutil
import sys
import tempfile
from importlib.metadata import version

import make_tokenizer_golden
import sentencepiece
import transformers

PINNED = {"transformers": "5.24.0", "tokenizers": "0.23.3", "sentencepiece": "0.2.3", "protobuf": "7.36.2"}
FOLDER = pathlib.Path(__file__).resolve().parent / "sentencepiece"
COMMON = {
    "model_type": "bpe",
    "byte_fallback": True,
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "split_digits": True,
    "allow_whitespace_only_pieces": True,
    "character_coverage": 0.98,
    "num_threads": 1,
}
LLAMA = {"vocab_size": 560, "add_dummy_prefix": True}
GEMMA = {
    "vocab_size": 570,
    "add_dummy_prefix": False,
    "pad_id": 0,
    "eos_id": 1,
    "bos_id": 2,
    "unk_id": 3,
    "pad_piece": "<pad>",
    "eos_piece": "<eos>",
    "bos_piece": "<bos>",
    "user_defined_symbols": ["<mask>", "<start_of_turn>", "<end_of_turn>", "\n\n"],
}
NAMES = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
FOLDERS = {
    "llama": (LLAMA, {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False,
                      "legacy": False, **NAMES}, {}),
    # Blanks in front after every special token, a token of its own, both ends.
    "llama_legacy": (LLAMA, {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": True,
                             "legacy": True, "pad_token": "[PAD]", **NAMES},
                     {"added_tokens.json": {"[PAD]": 560, "<|turn|>": 561}}),
    "llama_decoder": (LLAMA, {"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": False, **NAMES,
                              "added_tokens_decoder": {
                                  "560": {"content": "<|turn|>", "lstrip": False, "normalized": False,
                                          "rstrip": True, "single_word": False, "special": True}}}, {}),
    "gemma": (GEMMA, {"tokenizer_class": "GemmaTokenizer", "add_bos_token": True, "bos_token": "<bos>",
                      "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>"}, {}),
}


def train(folder, options):
    with tempfile.TemporaryDirectory() as scratch:
        corpus = pathlib.Path(scratch) / "corpus.txt"
        corpus.write_text("\n".join(line.replace("\n", " ") for line in make_tokenizer_golden.CORPUS),
                          encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=str(pathlib.Path(scratch) / "m"), **COMMON, **options)
        shutil.copy(pathlib.Path(scratch) / "m.model", folder / "tokenizer.model")


def config_of(options):
    kind = "gemma" if options is GEMMA else "llama"
    return {"model_type": kind}


def golden(folder, texts):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return make_tokenizer_golden.golden(tokenizer.backend_tokenizer, texts, seed=11)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    for package, wanted in PINNED.items():
        if version(package) != wanted:
            sys.exit(f"expected {package} {wanted}, found {version(package)}")
    texts = json.loads((FOLDER.parent / "tokenizer" / "texts.json").read_text(encoding="utf-8"))
    texts = [entry if isinstance(entry, str) else entry["repeat"] * entry["times"] for entry in texts]
    for name, (options, config, others) in FOLDERS.items():
        folder = FOLDER / name
        folder.mkdir(parents=True, exist_ok=True)
        if arguments.train:
            train(folder, options)
        for file, content in {"tokenizer_config.json": config, "config.json": config_of(options), **others}.items():
            (folder / file).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        made = json.dumps(golden(folder, texts), separators=(",", ":")) + "\n"
        path = folder / "golden.json"
        if arguments.check and path.read_text(encoding="utf-8") != made:
            sys.exit(f"{path}: expected what this script makes, found other numbers")
        path.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
