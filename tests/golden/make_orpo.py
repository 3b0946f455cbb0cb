#!/usr/bin/env python3
"""Writes models/*/orpo.json and orpo.safetensors: ORPO on tiny random decoders, by plain PyTorch.

    python3 tests/golden/make_orpo.py            # remakes every file
    python3 tests/golden/make_orpo.py --check    # fails if a remade number would differ by over 1e-6

Needs exactly the versions in PINNED; nothing is downloaded. The loss is written from the formulas of TRL 0.11.3
(ORPOTrainer: get_batch_logps, odds_ratio_loss, concatenated_forward) on padded rows, chosen above rejected, one
micro-batch after the other, and knows neither trees nor shared prompts.
    orpo.json         pairs (prompt, chosen and rejected answer ids), micro_batch, beta; the loss, the means over
                      pairs of what TRL logs, and each pair's log-probabilities
    orpo.safetensors  grad.<parameter>: d loss / d parameter
"""

import argparse
import json
import pathlib
import random
import sys

import safetensors.torch
import torch
import transformers

PINNED = {torch: "2.11.0", transformers: "5.23.0"}
FOLDER = pathlib.Path(__file__).resolve().parent / "models"
MODELS = ("llama_untied", "qwen2_tied")
PAD = 0
IGNORED = -100
MICRO_BATCH = 2
BETA = 0.25


def make_pairs(vocabulary):
    """Eleven pairs: prompts with up to four answers, one alone, one whose prompt was cut for one pair only."""
    rng = random.Random(11)

    def ids(low, high):
        return [rng.randrange(3, vocabulary) for _ in range(rng.randint(low, high))]

    common = ids(9, 9)
    pairs = []
    for answers in (4, 3, 2):
        prompt = common + ids(3, 8)
        texts = [ids(1, 6) + [2] for _ in range(answers)]
        for i in range(answers):
            for j in range(i + 1, answers):
                pairs.append((prompt, texts[i], texts[j]))
    cut = pairs[0][0][3:]
    pairs.append((cut, pairs[0][1], ids(7, 9)))
    rng.shuffle(pairs)
    return pairs


def rows_of(pairs):
    """ids, mask, labels [2B, T]: chosen rows, then rejected ones, padded on the right."""
    sequences = [(p, c) for p, c, _ in pairs] + [(p, r) for p, _, r in pairs]
    longest = max(len(p) + len(a) for p, a in sequences)
    ids = torch.full((len(sequences), longest), PAD)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for i, (prompt, answer) in enumerate(sequences):
        end = len(prompt) + len(answer)
        ids[i, :end] = torch.tensor(prompt + answer)
        mask[i, :end] = 1
        labels[i, len(prompt):end] = torch.tensor(answer)
    return ids, mask, labels


def mean_log_probs(logits, labels):
    labels = labels[:, 1:].clone()
    logits = logits[:, :-1]
    in_answer = labels != IGNORED
    labels[~in_answer] = 0
    each = torch.gather(logits.log_softmax(-1), 2, labels.unsqueeze(2)).squeeze(2)
    return (each * in_answer).sum(-1) / in_answer.sum(-1)


def micro_batch_loss(model, pairs):
    ids, mask, labels = rows_of(pairs)
    logits = model(input_ids=ids, attention_mask=mask).logits.float()
    count = len(pairs)
    everything = ids.clone()
    everything[mask == 0] = IGNORED
    nll = torch.nn.functional.cross_entropy(
        logits[:count, :-1].reshape(-1, logits.shape[-1]), everything[:count, 1:].reshape(-1), ignore_index=IGNORED)
    means = mean_log_probs(logits, labels)
    chosen, rejected = means[:count], means[count:]
    log_odds = (chosen - rejected) - (torch.log1p(-torch.exp(chosen)) - torch.log1p(-torch.exp(rejected)))
    ratio = torch.log(torch.sigmoid(log_odds))
    return nll - BETA * ratio.mean(), nll, chosen, rejected, log_odds, ratio


def make(name):
    folder = FOLDER / name
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = transformers.AutoConfig.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32)
    model.eval()
    pairs = make_pairs(config.vocab_size)
    batches = [pairs[i:i + MICRO_BATCH] for i in range(0, len(pairs), MICRO_BATCH)]
    total, nlls, chosen, rejected, odds, ratios = 0.0, [], [], [], [], []
    for batch in batches:
        loss, nll, *rest = micro_batch_loss(model, batch)
        (loss / len(batches)).backward()
        total += loss.item() / len(batches)
        nlls.append(nll.item())
        for values, new in zip((chosen, rejected, odds, ratios), rest):
            values.extend(new.tolist())
    figures = {
        "loss": total,
        "nll_loss": sum(nlls) / len(nlls),
        "log_odds_chosen": sum(odds) / len(odds),
        "log_odds_ratio": sum(ratios) / len(ratios),
        "logps_chosen": sum(chosen) / len(chosen),
        "logps_rejected": sum(rejected) / len(rejected),
        "accuracy": sum(c > r for c, r in zip(chosen, rejected)) / len(chosen),
    }
    document = {
        "micro_batch": MICRO_BATCH,
        "beta": BETA,
        "figures": figures,
        "pairs": [{"prompt": p, "chosen": c, "rejected": r} for p, c, r in pairs],
    }
    grads = {f"grad.{key}": value.grad.contiguous() for key, value in model.named_parameters()}
    return document, grads


def differs(old, new):
    if isinstance(new, dict):
        return set(old) != set(new) or any(differs(old[key], new[key]) for key in new)
    if isinstance(new, list):
        return len(old) != len(new) or any(differs(a, b) for a, b in zip(old, new))
    return abs(old - new) > 1e-6


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    for module, version in PINNED.items():
        if module.__version__.split("+")[0] != version:
            sys.exit(f"{module.__name__}: expected {version}, found {module.__version__}")
    for name in MODELS:
        document, grads = make(name)
        target, tensors = FOLDER / name / "orpo.json", FOLDER / name / "orpo.safetensors"
        if check:
            old = safetensors.torch.load_file(tensors)
            same = all(torch.allclose(old[key], grads[key], atol=1e-6) for key in grads)
            if not same or differs(json.loads(target.read_text()), document):
                sys.exit(f"{name}: the remade numbers differ")
            continue
        target.write_text(json.dumps(document) + "\n")
        safetensors.torch.save_file(grads, tensors)
        print(name, document["figures"])


if __name__ == "__main__":
    main()
