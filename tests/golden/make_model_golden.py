#!/usr/bin/env python3
"""Writes tests/golden/models: tiny random decoders with the numbers transformers and PyTorch give.

    python3 tests/golden/make_model_golden.py            # remakes every file
    python3 tests/golden/make_model_golden.py --check    # fails if a remade number would differ by over 1e-5

Needs exactly the versions in PINNED (CPU wheels are enough); nothing is downloaded. Each folder holds
    config.json         Hugging Face config, some in the keys of transformers 4, some of 5
    model.safetensors   fp32 weights under Hugging Face names (no lm_head.weight when tied)
    golden.json         two sequences (ids, labels with -100 outside the answer) and their loss: the sum
                        of the next-token cross-entropies of both over the number of labelled positions
    golden.safetensors  logits.0, logits.1: fp32 [T, V]; grad.<parameter>: d loss / d parameter
    greedy.json         two prompts and what `generate` answers, the most likely token each time
and for some of them
    training.json       ten steps of a plain PyTorch loop: batches, losses, gradient norms, learning rates
    training_decay.json the same with a weight decay and a rate that make a wrong decay visible
"""

import argparse
import json
import math
import pathlib
import sys
import tempfile

import safetensors
import safetensors.torch
import torch
import transformers

PINNED = {torch: "2.11.0", transformers: "5.24.0", safetensors: "0.8.0"}
FOLDER = pathlib.Path(__file__).resolve().parent / "models"
IGNORED = -100
TOLERANCE = 1e-5
STEPS = 10
BATCH = 4

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "attention_bias": False,
    "mlp_bias": False,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
QWEN2 = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_act": "silu",
    "vocab_size": 131,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "max_window_layers": 2,
    "sliding_window": None,
    "use_sliding_window": False,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": [2, 1],
}
QWEN3 = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_act": "silu",
    "vocab_size": 113,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-6,
    "attention_bias": False,
    "tie_word_embeddings": True,
    "use_sliding_window": False,
    "sliding_window": None,
    "max_window_layers": 2,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
MISTRAL = {
    "architectures": ["MistralForCausalLM"],
    "model_type": "mistral",
    "hidden_act": "silu",
    "vocab_size": 89,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GEMMA2 = {
    "architectures": ["Gemma2ForCausalLM"],
    "model_type": "gemma2",
    "hidden_act": "gelu_pytorch_tanh",
    "hidden_activation": "gelu_pytorch_tanh",
    "vocab_size": 79,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-6,
    "query_pre_attn_scalar": 9,
    "sliding_window": 6,
    "attention_bias": False,
    "attn_logit_softcapping": 2.0,
    "final_logit_softcapping": 3.0,
    "rope_theta": 10000.0,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 1,
}
GEMMA3 = {
    **{k: v for k, v in GEMMA2.items() if k not in ("hidden_act", "rope_theta")},
    "architectures": ["Gemma3ForCausalLM"],
    "model_type": "gemma3_text",
    "num_key_value_heads": 1,
    "attn_logit_softcapping": None,
    "final_logit_softcapping": None,
}
PHI3 = {
    "architectures": ["Phi3ForCausalLM"],
    "model_type": "phi3",
    "hidden_act": "silu",
    "vocab_size": 83,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
    "rope_theta": 10000.0,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
YARN = {
    "rope_type": "yarn",
    "factor": 4.0,
    "original_max_position_embeddings": 32,
}
MODELS = {
    # Grouped-query attention; rope_theta at the top level, as transformers 4 wrote it.
    "llama_untied": {**LLAMA, "rope_theta": 10000.0, "rope_scaling": None},
    # heads x head_dim (48) differs from hidden_size (32); one key-value head; three layers.
    "llama_tied_head_dim": {
        **LLAMA,
        "tie_word_embeddings": True,
        "num_hidden_layers": 3,
        "num_key_value_heads": 1,
        "head_dim": 12,
        "vocab_size": 101,
        "rope_parameters": {"rope_type": "default", "rope_theta": 5000.0},
    },
    # The original length is so short that all three bands of the scaling occur.
    "llama_llama3_rope": {
        **LLAMA,
        "head_dim": 16,
        "tie_word_embeddings": True,
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 500.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    },
    # Llama with every bias there is; scaling in the keys of transformers 4, with the older key "type".
    "llama_linear_rope_biases": {
        **LLAMA,
        "attention_bias": True,
        "mlp_bias": True,
        "rope_theta": 10000.0,
        "rope_scaling": {"type": "linear", "factor": 4.0},
    },
    "qwen2_untied": {**QWEN2, "rope_theta": 1000000.0},
    "qwen2_tied": {
        **QWEN2,
        "tie_word_embeddings": True,
        "num_hidden_layers": 3,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
    },
    # The second and third of three layers see the 6 nearest tokens; YaRN in the keys of transformers 4.
    "qwen2_window_yarn": {
        **QWEN2,
        "num_hidden_layers": 3,
        "use_sliding_window": True,
        "sliding_window": 6,
        "max_window_layers": 1,
        "rope_theta": 1000.0,
        "rope_scaling": {**YARN, "type": "yarn"},
    },
    # Heads of another width than hidden_size over their number.
    "qwen3_tied": {**QWEN3, "rope_theta": 1000000.0},
    # Biases, and windows by list; YaRN whose ramp begins and ends within a pair.
    "qwen3_window_biases": {
        **QWEN3,
        "attention_bias": True,
        "tie_word_embeddings": False,
        "num_hidden_layers": 3,
        "use_sliding_window": True,
        "sliding_window": 5,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        "rope_parameters": {
            **YARN,
            "rope_theta": 1000.0,
            "beta_fast": 4.0,
            "beta_slow": 0.5,
            "truncate": False,
            "attention_factor": 1.3,
        },
    },
    "mistral_window": {**MISTRAL, "sliding_window": 7, "rope_theta": 10000.0},
    "mistral_no_window": {
        **MISTRAL,
        "sliding_window": None,
        "head_dim": 12,
        "num_key_value_heads": 1,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
    },
    # Within the context nothing is scaled.
    "llama_dynamic_rope": {
        **LLAMA,
        "rope_theta": 10000.0,
        "rope_scaling": {"rope_type": "dynamic", "factor": 4.0},
    },
}
# Caps low enough to bend scores and logits; the first and third layer have a window.
MODELS["gemma2"] = GEMMA2
# The same without caps, untied, and with windows by list.
MODELS["gemma2_untied_no_caps"] = {
    **GEMMA2,
    "tie_word_embeddings": False,
    "attn_logit_softcapping": None,
    "final_logit_softcapping": None,
    "layer_types": ["full_attention", "sliding_attention", "full_attention"],
}
# Two rope tables in the keys of transformers 4; every second layer sees all.
MODELS["gemma3"] = {
    **GEMMA3,
    "rope_theta": 100000.0,
    "rope_local_base_freq": 1000.0,
    "rope_scaling": {"rope_type": "linear", "factor": 8.0},
    "sliding_window_pattern": 2,
}
MODELS["gemma3_layer_types"] = {
    **GEMMA3,
    "layer_types": ["full_attention", "sliding_attention", "sliding_attention"],
    "rope_parameters": {
        "full_attention": {"rope_type": "default", "rope_theta": 100000.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1000.0},
    },
}
MODELS["phi3_window"] = {**PHI3, "sliding_window": 7}
# Three quarters of a head turn; longer than the original length no sequence may be.
MODELS["phi3_partial_longrope"] = {
    **PHI3,
    "tie_word_embeddings": True,
    "partial_rotary_factor": 0.75,
    "max_position_embeddings": 256,
    "original_max_position_embeddings": 64,
    "rope_scaling": {
        "type": "longrope",
        "short_factor": [1.0, 1.5, 2.0],
        "long_factor": [1.0, 4.0, 8.0],
    },
}
TRAINED = ("llama_untied", "qwen2_tied", "qwen3_tied", "gemma3")
RUNS = {
    "training.json": {"learning_rate": 1e-3, "weight_decay": 1e-4},
    "training_decay.json": {"learning_rate": 1e-2, "weight_decay": 0.5},
}


def is_gemma(model):
    """Its norms multiply by 1 + w, and its embeddings are scaled."""
    return model.config.model_type.startswith("gemma")


def make_model(folder, seed):
    """A model whose weights are large enough that attention is far from uniform."""
    config = transformers.AutoConfig.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_config(
        config, dtype=torch.float32, attn_implementation="eager"
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("norm.weight"):
                parameter.copy_((0.0 if is_gemma(model) else 1.0) + 0.1 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.1 * noise)
            elif name.endswith("embed_tokens.weight"):
                parameter.copy_((0.1 if is_gemma(model) else 0.5) * noise)
            else:
                parameter.copy_(1.2 / math.sqrt(parameter.shape[-1]) * noise)
    return model.eval()


def weights_of(model):
    """Every parameter once, under its Hugging Face name."""
    return {name: p.detach().clone().contiguous() for name, p in model.named_parameters()}


def make_sequence(generator, vocab_size, prompt_length, length):
    ids = torch.randint(3, vocab_size, (length,), generator=generator).tolist()
    labels = [IGNORED] * prompt_length + ids[prompt_length:]
    return {"ids": ids, "prompt_length": prompt_length, "labels": labels}


def logits_of(model, sequence):
    """fp32 [T, V]; each sequence runs alone, so no padding takes part."""
    return model(input_ids=torch.tensor([sequence["ids"]])).logits[0]


def token_mean_loss(model, sequences):
    """Sum of the cross-entropies of all labelled positions over their number."""
    total, count = 0.0, 0
    for sequence in sequences:
        labels = torch.tensor(sequence["labels"])[1:]
        total = total + torch.nn.functional.cross_entropy(
            logits_of(model, sequence)[:-1], labels, ignore_index=IGNORED, reduction="sum"
        )
        count += int((labels != IGNORED).sum())
    return total / count


def decay_groups(model, weight_decay):
    """No decay for biases and norm weights; only Qwen2's norm weights are decayed."""
    plain = lambda name: name.endswith("bias") or (
        model.config.model_type != "qwen2" and name.endswith("norm.weight")
    )
    named = list(model.named_parameters())
    return [
        {"params": [p for n, p in named if not plain(n)], "weight_decay": weight_decay},
        {"params": [p for n, p in named if plain(n)], "weight_decay": 0.0},
    ]


def cosine_factor(k, warmup_steps, steps):
    if k < warmup_steps:
        return k / warmup_steps
    return max(0.0, 0.5 * (1.0 + math.cos(math.pi * (k - warmup_steps) / (steps - warmup_steps))))


def train(model, learning_rate, weight_decay, seed):
    generator = torch.Generator().manual_seed(seed)
    warmup_steps = math.ceil(0.05 * STEPS)
    result = {
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "adam_beta1": 0.9,
        "adam_beta2": 0.95,
        "adam_epsilon": 1e-8,
        "max_grad_norm": 1.0,
        "lr_scheduler_type": "cosine",
        "warmup_steps": warmup_steps,
        "max_steps": STEPS,
        "loss_reduction": "token_mean",
        "steps": [],
    }
    optimizer = torch.optim.AdamW(
        decay_groups(model, weight_decay), lr=learning_rate, betas=(0.9, 0.95), eps=1e-8
    )
    for k in range(STEPS):
        batch = []
        for _ in range(BATCH):
            prompt_length = int(torch.randint(2, 8, (1,), generator=generator))
            answer_length = int(torch.randint(1, 7, (1,), generator=generator))
            batch.append(
                make_sequence(
                    generator, model.config.vocab_size, prompt_length, prompt_length + answer_length
                )
            )
        rate = learning_rate * cosine_factor(k, warmup_steps, STEPS)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss = token_mean_loss(model, batch)
        loss.backward()
        grad_norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        result["steps"].append(
            {
                "batch": [{key: s[key] for key in ("ids", "prompt_length")} for s in batch],
                "learning_rate": rate,
                "loss": loss.item(),
                "grad_norm": grad_norm.item(),
            }
        )
    return result


def greedy_answer(model, prompt, length):
    """By `generate` with its cache, and token by token without one: both agree. None: two tokens were
    about equally likely once."""
    ids = list(prompt)
    for _ in range(length):
        logits = logits_of(model, {"ids": ids})[-1]
        best = torch.topk(logits, 2).values
        if (best[0] - best[1]).item() < 1e-3:
            return None
        ids.append(int(logits.argmax()))
    made = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        max_new_tokens=length,
        do_sample=False,
        pad_token_id=0,
    )[0].tolist()
    if made != ids:
        sys.exit(f"generate says {made}, a forward pass a token {ids}")
    return ids[len(prompt) :]


def write_greedy(path, model, seed):
    generator = torch.Generator().manual_seed(seed)
    model.generation_config.eos_token_id = None
    cases = []
    for length in (3, 21):
        answer = None
        while answer is None:
            prompt = torch.randint(3, model.config.vocab_size, (length,), generator=generator)
            with torch.no_grad():
                answer = greedy_answer(model, prompt.tolist(), 20)
        cases.append({"prompt": prompt.tolist(), "answer": answer})
    write_json(path, cases)


def write_json(path, value):
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n", encoding="utf-8")


def write_model(root, name, seed):
    folder = root / name
    folder.mkdir(parents=True)
    config = {**MODELS[name], "dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    model = make_model(folder, seed)
    weights = weights_of(model)
    safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    generator = torch.Generator().manual_seed(seed + 1)
    sequences = [
        make_sequence(generator, model.config.vocab_size, 7, 23),
        make_sequence(generator, model.config.vocab_size, 3, 9),
    ]
    loss = token_mean_loss(model, sequences)
    loss.backward()
    tensors = {f"grad.{n}": p.grad.clone() for n, p in model.named_parameters()}
    with torch.no_grad():
        for i, sequence in enumerate(sequences):
            tensors[f"logits.{i}"] = logits_of(model, sequence).contiguous()
    safetensors.torch.save_file(tensors, folder / "golden.safetensors")
    write_json(folder / "golden.json", {"loss": loss.item(), "sequences": sequences})
    write_greedy(folder / "greedy.json", model, seed + 3)

    if name in TRAINED:
        for file, options in RUNS.items():
            write_json(folder / file, train(make_model(folder, seed), seed=seed + 2, **options))


def close(a, b):
    """Of values of a JSON file."""
    if isinstance(a, float) or isinstance(b, float):
        return abs(a - b) <= TOLERANCE * max(1.0, abs(a))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(close(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(close, a, b))
    return a == b


def is_close(made, kept):
    """Processors differ in the last bits of sums."""
    if made.suffix == ".json":
        return close(json.loads(made.read_text()), json.loads(kept.read_text()))
    a, b = safetensors.torch.load_file(made), safetensors.torch.load_file(kept)
    return a.keys() == b.keys() and all(
        torch.allclose(a[name], b[name], rtol=TOLERANCE, atol=TOLERANCE) for name in a
    )


def check(made):
    expected = sorted(p.relative_to(made) for p in made.rglob("*") if p.is_file())
    found = sorted(p.relative_to(FOLDER) for p in FOLDER.rglob("*") if p.is_file())
    found = [path for path in found if not path.name.startswith("orpo.")]  # of make_orpo.py
    if expected != found:
        sys.exit(f"{FOLDER}: expected the files {expected}, found {found}")
    for path in expected:
        if not is_close(made / path, FOLDER / path):
            sys.exit(f"{FOLDER / path}: differs from a remade file")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    for module, version in PINNED.items():
        if module.__version__.split("+")[0] != version:
            sys.exit(f"{module.__name__}: expected {version}, found {module.__version__}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    with tempfile.TemporaryDirectory() as temporary:
        made = pathlib.Path(temporary) / "models"
        for seed, name in enumerate(MODELS):
            write_model(made, name, 1000 * (seed + 1))
        if arguments.check:
            check(made)
            return
        for path in sorted(made.rglob("*")):
            target = FOLDER / path.relative_to(made)
            if path.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.write_bytes(path.read_bytes())


if __name__ == "__main__":
    main()
