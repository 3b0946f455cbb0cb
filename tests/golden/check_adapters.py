#!/usr/bin/env python3
"""Passes adapters between this program and PEFT, over models of tests/golden/models with separate and with joined projections.

    python tests/golden/check_adapters.py --binary build/release/launch/xkde_dist

Theirs: the program opens an adapter of tests/golden/lora, which PEFT saved, merges it and writes it again. transformers' logits of
the merged model, and PEFT's of the adapter as it was written, equal the golden ones. Ours: it trains an adapter of all linear layers,
answers greedily and writes it, merged and alone. PEFT loads the folder beside the model; its logits equal those of the merged model,
and are not those of the model alone; each token of the answers is the likeliest. Numbers are fp32. A line for each; exit code 1:
one fails. Versions: as make_lora_golden.py; nothing is downloaded.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import peft
import safetensors.torch
import torch
import transformers

from check_exports import write_tokenizer
from make_lora_golden import FOLDER, MODELS, PINNED

NAMES = ("llama_untied", "gemma3", "phi3_window")
TOLERANCE = 3e-5  # of logits of size 3: fp32 sums in another order, and weights that are rounded when an adapter is merged
NEW_TOKENS = 12
TURNS = [("abc", "cab"), ("xyz", "zyx"), ("hello", "olleh"), ("onetwo", "owteno")]
TEMPLATE = "{% for message in messages %}{{ message['content'] + eos_token }}{% endfor %}"


def check(name, holds, told):
    print(f"{name:26} {'ok' if holds else 'FAILED'}: {told}", flush=True)
    check.failed += not holds


check.failed = 0


def prepare(name, work):
    """A golden model with a tokenizer, and conversations to train on."""
    source = work / "model"
    shutil.copytree(MODELS / name, source)
    config = json.loads((source / "config.json").read_text())
    write_tokenizer(source, {config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id") if key in config})
    marks = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": f"<{config['eos_token_id']}>", "chat_template": TEMPLATE}
    (source / "tokenizer_config.json").write_text(json.dumps(marks))
    turns = [{"conversations": [{"from": "human", "value": asked}, {"from": "gpt", "value": said}]} for asked, said in TURNS]
    (work / "turns.json").write_text(json.dumps(turns))
    return source


def run(binary, work, name, stages, adapter=""):
    recipe = work / f"{name}.yaml"
    model = f"model_name_or_path: {work}/model, dtype: float32{adapter}"
    recipe.write_text(f"output_dir: {work}/{name}\nmodel: {{{model}}}\nparallel: {{threads: 1}}\nstages:\n{stages}"
                      f"  - export: {{path: {work}/{name}_hf, dtype: float32, adapter: {work}/{name}_peft}}\n")
    done = subprocess.run([binary, recipe], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())


def load(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def with_adapter(folder, adapter):
    return peft.PeftModel.from_pretrained(load(folder), adapter).eval()


def logits_of(model, sequences):
    with torch.no_grad():
        return [model(input_ids=torch.tensor([ids])).logits[0] for ids in sequences]


def difference(got, expected):
    return max((a - b).abs().max().item() for a, b in zip(got, expected, strict=True))


def check_theirs(binary, name, work, source, sequences):
    run(binary, work, "theirs", "", f", adapter: {FOLDER / name}")
    golden = safetensors.torch.load_file(FOLDER / name / "golden.safetensors")
    expected = [golden[f"logits.{i}"] for i in range(len(sequences))]
    for how, model in (("merged", load(work / "theirs_hf")), ("again", with_adapter(source, work / "theirs_peft"))):
        worst = difference(logits_of(model, sequences), expected)
        check(f"{name}: theirs {how}", worst <= TOLERANCE, f"logits differ by {worst:.1e} at most")


def check_ours(binary, name, work, source, sequences):
    run(binary, work, "ours",
        f"  - sft: {{train_data: {work}/turns.json, global_batch_size: 4, max_steps: 20, learning_rate: 1.0e-2, "
        "lora: {r: 4, alpha: 8, target_modules: [all-linear]}}\n"
        f"  - sample: {{train_data: {work}/turns.json, num_return_sequences: 1, temperature: 0, max_new_tokens: {NEW_TOKENS}}}\n")
    model = with_adapter(source, work / "ours_peft")
    got = logits_of(model, sequences)
    worst = difference(got, logits_of(load(work / "ours_hf"), sequences))
    moved = difference(got, logits_of(load(source), sequences))
    check(f"{name}: ours", worst <= TOLERANCE and moved > 100 * TOLERANCE,
          f"logits differ by {worst:.1e} at most, and by {moved:.1e} from those of the model alone")
    tokenizer = transformers.AutoTokenizer.from_pretrained(work / "ours_hf")
    lines = [json.loads(line) for line in (work / "ours/02-sample/samples.jsonl").read_text().splitlines()]
    answers = [line["answers"][0]["token_ids"] for line in lines]
    gaps = []
    for (asked, _), answer in zip(TURNS, answers, strict=True):
        prompt = tokenizer.apply_chat_template([{"role": "user", "content": asked}], add_generation_prompt=True, return_dict=False)
        rows = logits_of(model, [prompt + answer])[0][len(prompt) - 1:-1]
        gaps += (rows.max(-1).values - rows[torch.arange(len(answer)), torch.tensor(answer)]).tolist()
    check(f"{name}: our answers", len(gaps) >= len(TURNS) and max(gaps) <= TOLERANCE,
          f"{sum(gap == 0 for gap in gaps)} of {len(gaps)} tokens are the likeliest, the others are beaten by {max(gaps):.1e} at most")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="xkde_dist")
    parser.add_argument("--models", nargs="+", choices=NAMES, default=NAMES)
    arguments = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    for module, version in PINNED.items():
        if module.__version__.split("+")[0] != version:
            sys.exit(f"{module.__name__}: expected {version}, found {module.__version__}")
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for name in arguments.models:
        with tempfile.TemporaryDirectory() as folder:
            work = pathlib.Path(folder)
            source = prepare(name, work)
            sequences = [sequence["ids"] for sequence in json.loads((FOLDER / name / "golden.json").read_text())["sequences"]]
            check_theirs(arguments.binary, name, work, source, sequences)
            check_ours(arguments.binary, name, work, source, sequences)
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
