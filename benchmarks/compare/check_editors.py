#!/usr/bin/env python3
"""Replays the edits of `xkde_dist` with the plain editors of plain_editors.py, and compares what they made of the weights.

usage: check_editors.py RUN --model DIR [--stage 01] [--dtype float32] [--device cpu] [--time ROUNDS [--padded]]
                        [--easyedit DIR | --ultraedit DIR]
       check_editors.py --self-test
RUN is the folder of a finished run in float32, DIR the Hugging Face folder of the weights that its first `edit` stage
found. Every group of every `edit` stage (or up to the named one, which alone is compared) is written anew from
edits.jsonl and statistics.json. Subjects must stand in their prompts letter for letter. Prompts are `plain`.
Prints a JSON line of each changed matrix with |ΔW − ΔW of the plain editor| / |ΔW of the plain editor|, and one of each
stage with the largest difference of a step's loss, relative to the loss or to 0.1 where it is less. Ends with 1 where a
matrix differs by more than 1e-3 and the rounding of its weights to fp32, a loss by more than 1e-4, or the two changed
other matrices or took other numbers of steps. Matrices that FT and LocFT-BF tune are judged without the thousandth of
weights that differ most (`of_most_weights`).
--time: edits a second of the plain editors, each round from the same weights; nothing is compared. With --padded the contexts
of a request are one padded batch, as in EasyEdit, and not one after another.
--easyedit: EasyEdit's own code, of a checkout in DIR, in the place of the plain editors (FT-L, FT-M, ROME, MEMIT, EMMET,
AlphaEdit). --ultraedit: likewise the code of UltraEdit's authors, of a checkout of XiaojieGu/UltraEdit.
--self-test: the plain editors on a tiny random model, against what must hold of them.
"""
import argparse
import json
import pathlib
import statistics
import sys
import time

import h5py
import torch
import transformers

import easyedit_editors
import plain_editors
import ultraedit_editors
from common import RandomStream, json_lines, load_model

MOST_OF_A_MATRIX, MOST_OF_A_LOSS, LEAST_LOSS = 1e-3, 1e-4, 0.1
# Adam moves a weight by whole steps, also where its gradient is nothing but rounding, and there its way is chance.
TUNED_WEIGHTS, CHANCES = {"ft_l", "ft_m", "locft_bf"}, 1e-3


class Stage:
    """What an `edit` stage left in its folder."""

    def __init__(self, folder):
        self.name = folder.name
        self.statistics = json.loads((folder / "statistics.json").read_text(encoding="utf-8"))
        self.method = self.statistics["method"]
        if self.method not in plain_editors.METHODS:
            raise SystemExit(f"{folder}: no plain editor for {self.method}")
        self.options = self.statistics["editor"]
        if self.options.get("chat_template", "plain") != "plain":
            raise SystemExit(f"{folder}: expected plain prompts, found chat_template {self.options['chat_template']}")
        modules = self.options.pop("modules")
        self.options["matrices"] = [(layer, module) for module, layers in modules.items() for layer in layers]
        edits = json_lines(folder / "edits.jsonl")
        self.losses = [loss for edit in edits for loss in edit.get("batch_losses", [])]
        self.orders = [order for edit in edits for order in edit.get("batch_orders", [])]
        written = [[edit for edit in edits[slice(*first["batch"])] if edit["written"]] for first in edits if "batch" in first]
        self.edits = [edit for group in written for edit in group]
        self.groups = [[plain_editors.Request(edit["prompt"], edit["subject"], edit["target"]) for edit in group]
                       for group in written if group]
        with h5py.File(folder / "weights.h5") as file:
            self.weights = {name: torch.from_numpy(data[()]) for name, data in file["weights"].items()}
        self.adapters = {}
        if self.method == "lora":
            run = json.loads((folder.parent / "run.json").read_text(encoding="utf-8"))
            self.adapters = {name: first_adapter(name, self.options["lora_r"], tensor.shape[1], run["recipe"]["seed"])
                             for name, tensor in self.weights.items()}

    def session(self, model, tokenizer, padded=False):
        found = self.statistics
        return plain_editors.Session(
            model, tokenizer, self.options, templates=found.get("context_templates") or ["{}"],
            covariance=covariance_of(found.get("covariance"), model), adapters=self.adapters,
            orders=list(self.orders), end_id=found.get("end_id"), pilots=self.pilots(), padded=padded)

    def pilots(self):
        """The first requests of the run that could be written."""
        return [request for group in self.groups for request in group][:self.options.get("anchor_edits", 0)]


def first_adapter(name, rank, width, seed):
    """A of LoRA [rank, width] as a run begins with it: uniform in ±1 / sqrt(width), of the seed and the name in an adapter."""
    stream = RandomStream(seed, f"base_model.model.{name.removesuffix('.weight')}.lora_A.weight")
    values = [(2.0 * stream.uniform() - 1.0) / width ** 0.5 for _ in range(rank * width)]
    return torch.tensor(values, dtype=torch.float64).float().view(rank, width)


def covariance_of(path, model):
    if not path:
        return {}
    with h5py.File(path) as file:
        return {int(layer): torch.from_numpy(group["down_proj"][()]).double().to(model.device)
                for layer, group in file["layers"].items() if "down_proj" in group}


def weights_of(model):
    """{tensor name: tensor}; one that the model's head shares has one name."""
    return {name: parameter.data for name, parameter in model.named_parameters()}


def replay(session, stage, methods):
    noted = {"losses": [], "values": []}
    for group in stage.groups:
        for kind, found in (methods[stage.method](session, group) or {}).items():
            noted[kind] += found
    return noted


def relative(ours, plain):
    return abs(ours - plain) / max(abs(plain), LEAST_LOSS)


def compare_matrices(stage, before, after):
    """One row of each matrix that either side changed."""
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    rows = []
    for name in sorted(changed | stage.weights.keys()):
        row = {"stage": stage.name, "method": stage.method, "tensor": name}
        if name not in before or name not in stage.weights:
            rows.append(row | {"different": True, "missing": "model" if name not in before else "weights.h5"})
            continue
        start = before[name].double().cpu()
        plain = after[name].double().cpu() - start
        ours = stage.weights[name].double() - start
        size = plain.norm().item()
        apart = (ours - plain).abs().flatten()
        found = {"relative_difference": apart.norm().item() / size if size > 0 else float(ours.norm() > 0)}
        if stage.method in TUNED_WEIGHTS and size > 0:
            most = apart.kthvalue(apart.numel() - int(CHANCES * apart.numel())).values
            found["of_most_weights"] = apart[apart <= most].norm().item() / size
        # A weight is a number in fp32: of a change that is small beside it this much is lost.
        rounding = 2 ** -24 * start.norm().item() / size if size > 0 else 0.0
        distance = min(found.values())
        rows.append(row | {"change": size} | found | {"rounding": rounding,
                                                      "different": not distance <= MOST_OF_A_MATRIX + rounding})
    return rows


def compare_losses(stage, noted):
    """The losses of tuned matrices must agree; those of value vectors are told: they follow from the matrices."""
    report = {}
    if noted["losses"]:
        worst = max((relative(a, b) for a, b in zip(stage.losses, noted["losses"], strict=False)), default=0.0)
        report = {"steps": len(noted["losses"]), "steps_of_run": len(stage.losses), "worst_loss": worst,
                  "different": len(stage.losses) != len(noted["losses"]) or not worst <= MOST_OF_A_LOSS}
    if noted["values"]:
        pairs = list(zip(stage.edits, noted["values"], strict=True))
        report = {"other_steps": sum(edit["steps"] != value["steps"] for edit, value in pairs),
                  "worst_loss": max(relative(edit["loss"], value["loss"]) for edit, value in pairs)}
    return {"different": False} | report


def check_stage(stage, model, tokenizer, methods):
    before = {name: tensor.clone() for name, tensor in weights_of(model).items()}
    noted = replay(stage.session(model, tokenizer), stage, methods)
    rows = compare_matrices(stage, before, weights_of(model))
    summary = {"stage": stage.name, "method": stage.method, "edits": len(stage.edits), "groups": len(stage.groups),
               "matrices": len(rows), "different_matrices": sum(row["different"] for row in rows),
               "worst_matrix": max((row.get("relative_difference", float("inf")) for row in rows), default=None),
               } | compare_losses(stage, noted)
    restore(model, before)
    return rows, summary, bool(summary["different"] or summary["different_matrices"] or not rows)


@torch.no_grad()
def restore(model, weights):
    own = weights_of(model)
    for name, tensor in weights.items():
        if name not in own:
            raise SystemExit(f"{name}: the model has no such tensor")
        own[name].copy_(tensor)


def time_stage(stage, model, tokenizer, methods, options):
    before = {name: tensor.clone() for name, tensor in weights_of(model).items()}
    seconds = []
    for _ in range(options.time):
        session = stage.session(model, tokenizer, options.padded)
        start = time.perf_counter()
        replay(session, stage, methods)
        if model.device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(round(time.perf_counter() - start, 3))
        restore(model, before)
    return {"stage": stage.name, "method": stage.method, "edits": len(stage.edits), "groups": len(stage.groups),
            "by": "easyedit" if options.easyedit else "authors" if options.ultraedit else "plain, padded" if options.padded else "plain", "threads": torch.get_num_threads(), "seconds": seconds,
            "edits_per_second": round(len(stage.edits) / statistics.median(seconds), 4)}


def stages_of(run, wanted):
    """The finished `edit` stages of a run up to the wanted one."""
    folders = sorted(folder for folder in run.glob("[0-9]*-edit*") if (folder / "DONE").is_file())
    if wanted:
        at = [i for i, folder in enumerate(folders) if folder.name == wanted or folder.name.split("-")[0] == wanted]
        folders = folders[:at[0] + 1] if at else []
    if not folders:
        raise SystemExit(f"{run}: no finished edit stage {wanted or ''}")
    return folders


def check_run(options):
    model = load_model(options.model, getattr(torch, options.dtype)).to(options.device)
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    wrong, folders, methods = False, stages_of(options.run, options.stage), plain_editors.METHODS
    if options.easyedit:
        easyedit_editors.open_checkout(options.easyedit)
        methods = easyedit_editors.METHODS
    elif options.ultraedit:
        ultraedit_editors.open_checkout(options.ultraedit)
        methods = ultraedit_editors.METHODS
    clean = {name: tensor.clone() for name, tensor in weights_of(model).items()}
    for folder in folders:
        if not (folder / "weights.h5").exists():  # it took back all edits above
            restore(model, clean)
            continue
        stage = Stage(folder)
        compared = not options.stage or folder == folders[-1]
        if compared and stage.method not in methods:
            raise SystemExit(f"{folder}: expected one of {', '.join(methods)} for their own code, found {stage.method}")
        if compared and options.time:
            print(json.dumps(time_stage(stage, model, tokenizer, methods, options)), flush=True)
        elif compared:
            rows, summary, bad = check_stage(stage, model, tokenizer, methods)
            for line in [*rows, summary]:
                print(json.dumps(line), flush=True)
            wrong = wrong or bad
        restore(model, stage.weights)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path, nargs="?")
    parser.add_argument("--model")
    parser.add_argument("--stage", help="01, or the folder's name")
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--time", type=int, default=0, metavar="ROUNDS")
    parser.add_argument("--padded", action="store_true")
    parser.add_argument("--easyedit", metavar="DIR")
    parser.add_argument("--ultraedit", metavar="DIR")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.self_test:
        import plain_editors_test
        sys.exit(plain_editors_test.main())
    if options.run is None or options.model is None:
        parser.error("expected RUN and --model, or --self-test")
    sys.exit(check_run(options))


if __name__ == "__main__":
    main()
