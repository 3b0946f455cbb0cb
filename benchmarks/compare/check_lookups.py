#!/usr/bin/env python3
"""Asks the questions of an evaluation by GRACE or WISE again, with both methods in plain PyTorch, and compares what is said.

usage: check_lookups.py RUN --model DIR [--stage 01] [--records N] [--device cpu]
RUN is the folder of a finished run in float32 with `scoring: easyedit` and `free_answers` (rows then have their texts), one language and the mode single or batch; DIR the
Hugging Face folder of its weights. `wise` needs editor.unrelated in its recipe. The methods are written from
docs/decisions/0009-editors.md: one text at a time, no cache, and clear rather than fast. Prints a JSON line of each
question whose tokens differ, with the margin by which the plain model prefers its own to ours, and one of the stage; ends
with 1 where a margin is more than 1e-2 of a logit. --records: only the first N edits.
"""
import argparse
import json
import pathlib
import sys

import torch
import transformers

from common import RandomStream, json_lines, load_model

MOST_OF_A_LOGIT = 1e-2


class Plain:
    """A model of which one down_proj is changed while a text is asked."""

    def __init__(self, model, tokenizer, settings, seed):
        self.model, self.tokenizer, self.settings, self.seed = model.eval().requires_grad_(False), tokenizer, settings, seed
        (_, layers), = settings["modules"].items()
        self.down = model.model.layers[layers[0]].mlp.down_proj
        self.act = model.model.layers[layers[0]].mlp.act_fn

    def logits(self, ids, change=None):
        """[length, V]; change(k, y) gives down_proj's output [length, D] in the place of y."""
        hook = self.down.register_forward_hook(lambda _, x, y: change(x[0][0], y[0]).unsqueeze(0)) if change else None
        try:
            return self.model(torch.tensor([ids], device=self.model.device), use_cache=False).logits[0]
        finally:
            if hook:
                hook.remove()

    def keys(self, ids):
        """What down_proj is multiplied with, [length, F]."""
        seen = []
        with torch.no_grad():
            self.logits(ids, lambda k, y: seen.append(k) or y)
        return seen[0]

    def loss(self, ids, begin, change):
        """The mean of −log p over the ids from `begin` on."""
        log_probs = self.logits(ids[:-1], change).float().log_softmax(-1)
        targets = torch.tensor(ids[begin:], device=log_probs.device)
        return -log_probs[begin - 1:].gather(1, targets.unsqueeze(1)).mean()

    def split(self, text, target):
        """(ids of "text target", the place of the target's first)."""
        return self.tokenizer(f"{text} {target}")["input_ids"], len(self.tokenizer(text)["input_ids"])


class Grace(Plain):
    def __init__(self, *parts):
        super().__init__(*parts)
        self.entries = []  # [key, value, radius, target]

    def begin(self):
        self.entries = []

    def nearest(self, key):
        distances = [(key - entry[0]).norm().item() for entry in self.entries]
        return max(range(len(distances)), key=lambda i: (-distances[i], i)), min(distances)

    def place(self, key, target):
        radius = self.settings["radius"]
        stream = RandomStream(self.seed, "grace", len(self.entries))
        first = torch.tensor([stream.uniform() for _ in range(self.down.out_features)])
        if self.entries:
            at, distance = self.nearest(key)
            near = self.entries[at]
            if distance <= radius + near[2]:
                if near[3] == target:
                    near[2] = max(near[2], distance)
                    return near
                if distance / 2 <= 1e-5:
                    near[3] = target
                    return near
                near[2], radius = distance / 2 - 1e-5, distance / 2
        self.entries.append([key, first, radius, target])
        return self.entries[-1]

    def write(self, prompt, target):
        ids, begin = self.split(prompt, target)
        entry = self.place(self.keys(ids[:begin])[-1], ids[begin:])
        value = entry[1].clone().requires_grad_(True)
        adam = torch.optim.Adam([value], lr=self.settings["learning_rate"])
        for _ in range(self.settings["steps"]):
            loss = self.loss(ids, begin, self.replacing(begin - 1, value))
            if loss.item() < self.settings["stop_loss"]:
                break
            adam.zero_grad()
            loss.backward()
            adam.step()
        entry[1] = value.detach()

    @staticmethod
    def replacing(place, value):
        return lambda k, y: torch.cat([y[:place], value.unsqueeze(0), y[place + 1:]])

    def change_for(self, ids, begin):
        if not self.entries:
            return None
        at, distance = self.nearest(self.keys(ids[:begin])[-1])
        return self.replacing(begin - 1, self.entries[at][1]) if distance <= self.entries[at][2] else None


class Wise(Plain):
    def __init__(self, model, tokenizer, settings, seed, contexts, unrelated):
        super().__init__(model, tokenizer, settings, seed)
        self.contexts, self.unrelated = contexts, unrelated
        self.own = self.down.weight.detach().clone()
        self.begin()

    def begin(self):
        self.open, self.least, self.shards, self.edits = self.own.clone(), None, [], 0

    def mask(self):
        stream = RandomStream(self.seed, "wise", self.edits // self.settings["shard_edits"])
        drawn = [stream.uniform() < self.settings["mask_ratio"] for _ in range(self.own.numel())]
        return torch.tensor(drawn).view(self.own.shape).float()

    def distance(self, weight, keys):
        """Over a prompt's keys."""
        return (self.act(keys @ weight.T) - self.act(keys @ self.own.T)).norm(dim=1).mean()

    def write(self, prompt, target):
        if self.edits % self.settings["shard_edits"] == 0:
            self.trained = self.mask()
        texts = [self.split(context.replace("{}", prompt, 1), target) for context in self.contexts]
        keys = [self.keys(ids[:begin]) for ids, begin in texts]
        other = self.keys(self.tokenizer(self.unrelated[self.edits % len(self.unrelated)])["input_ids"])
        margin = {name: self.settings[f"margin_{name}"] for name in ("in", "out", "between")}
        before = float("inf")
        for _ in range(self.settings["steps"]):
            weight = self.open.clone().requires_grad_(True)
            loss = sum(self.loss(ids, begin, lambda k, y: k @ weight.T) for ids, begin in texts) / len(texts)
            inside = torch.stack([self.distance(weight, one) for one in keys])
            outside = self.distance(weight, other)
            for terms in (outside - inside + margin["between"], (outside - margin["out"]).view(1), margin["in"] - inside):
                if (terms > 0).any():
                    loss = loss + terms[terms > 0].mean()
            found, last = loss.item(), inside.mean().item()
            if found <= self.settings["stop_loss"] and abs(found - before) <= 1e-4:
                break
            before = found
            loss.backward()
            step = weight.grad * self.trained + self.settings["weight_decay"] * self.open
            self.open = self.open - self.settings["learning_rate"] * step
            if self.settings["norm_limit"] > 0:
                limit = self.settings["norm_limit"]
                self.open = torch.minimum(torch.maximum(self.open, self.own - limit), self.own + limit)
        self.least = last if self.least is None else min(self.least, last)
        self.edits += 1
        if self.edits % self.settings["shard_edits"] == 0:
            self.shards.append((self.open, self.least))
            self.open, self.least = self.own.clone(), None
        if self.edits % self.settings["merge_edits"] == 0:
            self.merge(self.settings["merge_edits"] // self.settings["shard_edits"])

    def merge(self, count):
        chosen, self.shards = self.shards[-count:], self.shards[:-count]
        kept = []
        for weight, _ in chosen:
            change = (weight - self.own).flatten()
            many = max(1, int(self.settings["merge_density"] * change.numel()))
            least = change.abs().sort(descending=True).values[many - 1]
            kept.append(torch.where(change.abs() >= least, change, torch.zeros(())).view(self.own.shape))
        total = sum(kept)
        sign = torch.where(total < 0, -1.0, 1.0)
        agree = [change.sign() == sign for change in kept]
        mean = sum(change * one for change, one in zip(kept, agree)) / sum(one.float() for one in agree).clamp(min=1)
        self.shards.append((self.own + mean, min(least for _, least in chosen)))

    def change_for(self, ids, begin):
        keys = self.keys(ids[:begin])
        best, chosen = 0.0, None
        for weight, least in self.shards + ([(self.open, self.least)] if self.least is not None else []):
            distance = self.distance(weight, keys).item()
            if distance > self.settings["route_ratio"] * least and distance > best:
                best, chosen = distance, weight
        return None if chosen is None else lambda k, y: k @ chosen.T


def plain_of(run, stage, options):
    keys = [next(iter(one.items())) for one in run["recipe"]["stages"]][int(stage.name.split("-")[0]) - 1][1]
    if keys["scoring"] != "easyedit" or keys["mode"] not in ("single", "batch"):
        raise SystemExit(f"{stage}: expected scoring easyedit and the mode single or batch")
    editor = json.loads((stage / "statistics.json").read_text(encoding="utf-8"))["editor"]
    model = load_model(options.model, torch.float32).to(options.device)
    parts = (model, transformers.AutoTokenizer.from_pretrained(options.model), editor["settings"], run["recipe"]["seed"])
    if keys["method"] == "grace":
        return Grace(*parts)
    if keys["method"] != "wise" or not keys["editor"].get("unrelated"):
        raise SystemExit(f"{stage}: expected method grace, or wise with editor.unrelated")
    return Wise(*parts, editor["context_templates"], keys["editor"]["unrelated"])


def groups_of(rows, records):
    """[(requests, their questions)]: what was in memory together."""
    edits = {}
    for row in rows:
        edits.setdefault(row["record"], []).append(row)
    numbers = list(edits)[:records]
    size = rows[0]["size"]
    for first in range(0, len(numbers), size):
        chunk = numbers[first:first + size]
        requests = [next((row["question"], row["target"]) for row in edits[number] if row["metric"] == "reliability")
                    for number in chunk]
        yield requests, [row for number in chunk for row in edits[number]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--stage")
    parser.add_argument("--records", type=int)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    run = json.loads((options.run / "run.json").read_text(encoding="utf-8"))
    stages = sorted(options.run.glob(f"{options.stage or '??'}-evaluate"))
    worst = 0.0
    for stage in stages:
        plain = plain_of(run, stage, options)
        equal = total = 0
        for requests, questions in groups_of(json_lines(stage / "predictions.jsonl"), options.records):
            plain.begin()
            for prompt, target in requests:
                plain.write(prompt, target)
            for row in questions:
                begin = len(plain.tokenizer(row["prompt"])["input_ids"])
                asked, _ = plain.split(row["prompt"], row["target"])
                with torch.no_grad():
                    logits = plain.logits(asked[:-1], plain.change_for(asked, begin))[begin - 1:]
                said = logits.argmax(-1).tolist()
                total += 1
                equal += said == row["predicted_ids"]
                if said != row["predicted_ids"]:
                    margin = max((line.max() - line[ours]).item() for line, ours in zip(logits, row["predicted_ids"]))
                    worst = max(worst, margin)
                    print(json.dumps({"stage": stage.name, "record": row["record"], "metric": row["metric"], "plain": said,
                                      "ours": row["predicted_ids"], "margin": round(margin, 5)}), flush=True)
        print(json.dumps({"stage": stage.name, "questions": total, "equal": equal}), flush=True)
    sys.exit(1 if worst > MOST_OF_A_LOGIT else 0)


if __name__ == "__main__":
    main()
