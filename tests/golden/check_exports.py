#!/usr/bin/env python3
"""Opens what `export` writes of every model in tests/golden/models with transformers, and compares logits.

    python tests/golden/check_exports.py --binary build/release/launch/xkde_dist

Each model gets a small tokenizer, is exported in fp32 by a recipe of one stage, and read by AutoModelForCausalLM and AutoTokenizer.
The exported model's logits of the golden sequences must equal those of the model itself, which `decoder_test` holds ours against,
within the rounding of fp32. A line for each model says by how much they differ. Exit code 1: one differs, or cannot be opened.
Versions: as make_model_golden.py; nothing is downloaded.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import safetensors.torch
import torch
import transformers

from make_model_golden import FOLDER, PINNED, TOLERANCE

FIRST_LETTER = 10
TEXT = "abcacb"


def write_tokenizer(folder, special):
    """Letters, and the model's special tokens at their ids."""
    letters = {chr(ord("a") + i): FIRST_LETTER + i for i in range(26)}
    marks = [dict(id=i, content=f"<{i}>", single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
             for i in sorted(special)]
    level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    model = dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None, end_of_word_suffix=None,
                 fuse_unk=False, byte_fallback=False, ignore_merges=False,
                 vocab=letters | {mark["content"]: mark["id"] for mark in marks}, merges=[])
    tokenizer = dict(version="1.0", truncation=None, padding=None, added_tokens=marks, normalizer=None,
                     pre_tokenizer=level, post_processor=None, decoder=level, model=model)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def export(binary, name, work):
    """Returns the folder that the program writes of a golden model."""
    source = work / "model"
    shutil.copytree(FOLDER / name, source)
    config = json.loads((source / "config.json").read_text())
    ids = [config.get(key) for key in ("bos_token_id", "eos_token_id", "pad_token_id")]
    special = {i for entry in ids if entry is not None for i in (entry if isinstance(entry, list) else [entry])}
    write_tokenizer(source, special)
    recipe = work / "recipe.yaml"
    recipe.write_text(f"output_dir: {work}/run\n"
                      f"model: {{model_name_or_path: {source}, dtype: float32, chat_template: plain}}\n"
                      f"stages:\n  - export: {{path: {work}/hf, dtype: float32}}\n")
    done = subprocess.run([binary, recipe], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return work / "hf"


def difference(name, folder):
    """The largest difference of logits between an exported model and the golden one."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    golden = safetensors.torch.load_file(FOLDER / name / "golden.safetensors")
    sequences = json.loads((FOLDER / name / "golden.json").read_text())["sequences"]
    worst = 0.0
    with torch.no_grad():
        for i, sequence in enumerate(sequences):
            logits = model(torch.tensor([sequence["ids"]])).logits[0]
            worst = max(worst, (logits - golden[f"logits.{i}"]).abs().max().item())
    return worst


def letters_of(folder):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return tokenizer.encode(TEXT, add_special_tokens=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="xkde_dist")
    arguments = parser.parse_args()
    for module, version in PINNED.items():
        found = module.__version__.split("+")[0]
        if found != version:
            sys.exit(f"expected {module.__name__} {version}, found {found}")
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    expected = [FIRST_LETTER + ord(letter) - ord("a") for letter in TEXT]
    failed = 0
    for name in sorted(path.name for path in FOLDER.iterdir()):
        with tempfile.TemporaryDirectory() as work:
            try:
                folder = export(arguments.binary, name, pathlib.Path(work))
                worst = difference(name, folder)
                ids = letters_of(folder)
            except Exception as error:  # whatever transformers makes of a folder
                print(f"{name:26} cannot be opened: {type(error).__name__}: {str(error)[:300]}")
                failed += 1
                continue
        bad = not worst <= TOLERANCE or ids != expected
        failed += bad
        print(f"{name:26} logits differ by {worst:.1e} at most, {'ids are equal' if ids == expected else f'ids are {ids}'}"
              f"{': FAILED' if bad else ''}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
