#!/usr/bin/env python3
"""Writes tests/golden/lora: adapters of the models of tests/golden/models with the numbers that PEFT gives.

    python3 tests/golden/make_lora_golden.py            # remakes every file
    python3 tests/golden/make_lora_golden.py --check    # fails if a remade file would differ
    python3 tests/golden/make_lora_golden.py --compare ADAPTER MODEL LOGITS
                                                        # loads a folder as PEFT does, prints how far its logits are

Needs exactly the versions in PINNED (CPU wheels are enough); nothing is downloaded. Each folder, named after
its model, holds
    adapter_config.json, adapter_model.safetensors    as PEFT saves them; no matrix is zero
    golden.json         two sequences and their loss, as in tests/golden/models
    golden.safetensors  logits.0, logits.1: fp32 [T, V]; grad.<matrix>: d loss / d matrix, by the adapter's names
    training.json       six steps of PyTorch's AdamW on the adapter: batches, losses, gradient norms, rates
"""

import argparse
import filecmp
import json
import math
import pathlib
import sys
import tempfile

import peft
import safetensors
import safetensors.torch
import torch
import transformers

PINNED = {torch: "2.11.0", transformers: "5.24.0", peft: "0.21.2", safetensors: "0.8.0"}
FOLDER = pathlib.Path(__file__).resolve().parent / "lora"
MODELS = FOLDER.parent / "models"
IGNORED = -100
STEPS = 6
BATCH = 4
RATE = 1e-2
DECAY = 0.1

ADAPTERS = {
    "llama_untied": {"r": 4, "lora_alpha": 8, "target_modules": "all-linear"},
    # One of three joined projections is left out; the scale is alpha / sqrt(r).
    "qwen2_tied": {
        "r": 3,
        "lora_alpha": 5,
        "use_rslora": True,
        "target_modules": ["q_proj", "v_proj", "up_proj", "down_proj"],
    },
    # Biases below the adapters; heads times their width differ from the hidden size.
    "llama_linear_rope_biases": {"r": 2, "lora_alpha": 3, "target_modules": ["k_proj", "o_proj"]},
    "gemma3": {"r": 4, "lora_alpha": 6, "target_modules": "all-linear"},
    # Projections that are one matrix in the model.
    "phi3_window": {
        "r": 3,
        "lora_alpha": 4,
        "target_modules": ["qkv_proj", "gate_up_proj", "down_proj"],
    },
}


def saved_name(name):
    """The name in adapter_model.safetensors of a parameter of a PeftModel."""
    return name.replace(".default.", ".")


def trained(model):
    return {n: p for n, p in model.named_parameters() if p.requires_grad}


def make_model(name, seed):
    base = transformers.AutoModelForCausalLM.from_pretrained(
        MODELS / name, dtype=torch.float32, attn_implementation="eager"
    )
    model = peft.get_peft_model(base, peft.LoraConfig(task_type="CAUSAL_LM", **ADAPTERS[name]))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, parameter in sorted(trained(model).items()):
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(0.5 / math.sqrt(parameter.shape[-1]) * noise)
    return model


def make_sequence(generator, vocab_size, prompt_length, length):
    ids = torch.randint(3, vocab_size, (length,), generator=generator).tolist()
    labels = [IGNORED] * prompt_length + ids[prompt_length:]
    return {"ids": ids, "prompt_length": prompt_length, "labels": labels}


def logits_of(model, ids):
    """fp32 [T, V]; each sequence runs alone, so no padding takes part."""
    return model(input_ids=torch.tensor([ids])).logits[0]


def token_mean_loss(model, sequences):
    total, count = 0.0, 0
    for sequence in sequences:
        labels = torch.tensor(sequence["labels"])[1:]
        total = total + torch.nn.functional.cross_entropy(
            logits_of(model, sequence["ids"])[:-1], labels, ignore_index=IGNORED, reduction="sum"
        )
        count += int((labels != IGNORED).sum())
    return total / count


def train(model, seed):
    generator = torch.Generator().manual_seed(seed)
    parameters = list(trained(model).values())
    optimizer = torch.optim.AdamW(
        parameters, lr=RATE, betas=(0.9, 0.95), eps=1e-8, weight_decay=DECAY
    )
    steps = []
    for _ in range(STEPS):
        batch = []
        for _ in range(BATCH):
            prompt = int(torch.randint(2, 8, (1,), generator=generator))
            answer = int(torch.randint(1, 7, (1,), generator=generator))
            batch.append(make_sequence(generator, model.config.vocab_size, prompt, prompt + answer))
        optimizer.zero_grad()
        loss = token_mean_loss(model, batch)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        steps.append(
            {
                "batch": [{key: s[key] for key in ("ids", "prompt_length")} for s in batch],
                "loss": loss.item(),
                "grad_norm": norm.item(),
            }
        )
    return {
        "learning_rate": RATE,
        "weight_decay": DECAY,
        "adam_beta1": 0.9,
        "adam_beta2": 0.95,
        "adam_epsilon": 1e-8,
        "max_grad_norm": 1.0,
        "steps": steps,
    }


def write_json(path, value):
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n", encoding="utf-8")


def write_adapter(root, name, seed):
    folder = root / name
    model = make_model(name, seed)
    model.peft_config["default"].base_model_name_or_path = name
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    # A set in memory: its order is another in each process.
    config = json.loads((folder / "adapter_config.json").read_text())
    config["target_modules"] = sorted(config["target_modules"])
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")

    generator = torch.Generator().manual_seed(seed + 1)
    sequences = [
        make_sequence(generator, model.config.vocab_size, 7, 23),
        make_sequence(generator, model.config.vocab_size, 3, 9),
    ]
    loss = token_mean_loss(model, sequences)
    loss.backward()
    tensors = {f"grad.{saved_name(n)}": p.grad.clone() for n, p in trained(model).items()}
    with torch.no_grad():
        for i, sequence in enumerate(sequences):
            tensors[f"logits.{i}"] = logits_of(model, sequence["ids"]).contiguous()
    safetensors.torch.save_file(tensors, folder / "golden.safetensors")
    write_json(folder / "golden.json", {"loss": loss.item(), "sequences": sequences})
    write_json(folder / "training.json", train(make_model(name, seed), seed + 2))


def check(made):
    """Byte for byte: the same versions on the same kind of processor give the same files."""
    expected = sorted(p.relative_to(made) for p in made.rglob("*") if p.is_file())
    found = sorted(p.relative_to(FOLDER) for p in FOLDER.rglob("*") if p.is_file())
    if expected != found:
        sys.exit(f"{FOLDER}: expected the files {expected}, found {found}")
    for path in expected:
        if not filecmp.cmp(made / path, FOLDER / path, shallow=False):
            sys.exit(f"{FOLDER / path}: differs from a remade file")


def compare(adapter, model, logits):
    """`logits`: a .safetensors file whose logits.N belong to golden.json's sequences beside it."""
    base = transformers.AutoModelForCausalLM.from_pretrained(
        model, dtype=torch.float32, attn_implementation="eager"
    )
    loaded = peft.PeftModel.from_pretrained(base, adapter).eval()
    golden = json.loads((pathlib.Path(logits).parent / "golden.json").read_text())
    expected = safetensors.torch.load_file(logits)
    with torch.no_grad():
        for i, sequence in enumerate(golden["sequences"]):
            got = logits_of(loaded, sequence["ids"])
            print(f"logits.{i}: largest difference {(got - expected[f'logits.{i}']).abs().max():.3g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--compare", nargs=3, metavar=("ADAPTER", "MODEL", "LOGITS"))
    arguments = parser.parse_args()
    for module, version in PINNED.items():
        if module.__version__.split("+")[0] != version:
            sys.exit(f"{module.__name__}: expected {version}, found {module.__version__}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    if arguments.compare:
        compare(*arguments.compare)
        return
    with tempfile.TemporaryDirectory() as temporary:
        made = pathlib.Path(temporary) / "lora"
        made.mkdir()
        for seed, name in enumerate(ADAPTERS):
            write_adapter(made, name, 1000 * (seed + 1))
        if arguments.check:
            check(made)
            return
        for path in sorted(made.rglob("*")):
            target = FOLDER / path.relative_to(made)
            if path.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())


if __name__ == "__main__":
    main()
