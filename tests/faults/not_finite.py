"""Numbers that are not finite: in the weights, in the data, made by training."""

import glob
import json
import shutil
import struct

from bench import ALL_STAGES, DATA, EVALUATE, EXPORT, HEAD, PREFERENCES, SFT, TRAINING
from registry import Wrong, scenario

SPOILED = (float("nan"), float("inf"), float("-inf"))
STAGES = {
    "sft": HEAD + DATA + SFT,
    "sample": HEAD + DATA + PREFERENCES.split("  - rank")[0],
    "evaluate": HEAD + EVALUATE,
}


def spoil_weights(folder, rng):
    """Puts one value that is not finite into a model's file; says where."""
    path = f"{folder}/model.safetensors"
    with open(path, "r+b") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        name = rng.choice(sorted(name for name in header if name != "__metadata__"))
        begin, end = header[name]["data_offsets"]
        element = rng.randrange((end - begin) // 4)
        value = rng.choice(SPOILED)
        file.seek(8 + length + begin + 4 * element)
        file.write(struct.pack("<f", value))
    return f"{value} in {name}[{element}]"


def not_finite_in(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        file.seek(8 + length)
        data = file.read()
    return sum(1 for (value,) in struct.iter_unpack("<f", data) if value != value or value in SPOILED)


@scenario("R16", quick=6, long=45)
def spoiled_weights(attempt):
    """One NaN or Inf among the model's weights: sft, sample and evaluate end with 80 (65 if it is seen on reading),
    and leave no checkpoint and no results. One in an embedding that no token asks for may go unseen."""
    model = f"{attempt.folder}/model"
    shutil.copytree(f"{attempt.bench.root}/model", model)
    where = spoil_weights(model, attempt.rng)
    while "embed_tokens" in where:
        shutil.copy(f"{attempt.bench.root}/model/model.safetensors", model)
        where = spoil_weights(model, attempt.rng)
    stage = sorted(STAGES)[attempt.number % 3]
    attempt.note(f"{where}, {stage}")
    arguments = attempt.recipe(STAGES[stage].replace("{root}/model", model))
    attempt.run(arguments, codes={65, 80})
    left = glob.glob(f"{attempt.out}/*/checkpoints/step-*[0-9]") + glob.glob(f"{attempt.out}/*/results.json")
    if left:
        raise Wrong(f"{attempt.told()}: left {left}")


DIVERGING = (("sft.learning_rate=1e38", "sft.max_steps=1", "sft.warmup_steps=0.0", "sft.lr_scheduler_type=constant"),
             ("sft.learning_rate=1e38", "sft.warmup_steps=0.0", "sft.async_save=false", "sft.save_steps=1"),
             ("sft.learning_rate=1e30",), ("orpo.learning_rate=1e38", "orpo.warmup_steps=0"))


@scenario("R16", quick=3, long=8)
def diverging(attempt):
    """Training that diverges, in its last step too: 80, and nothing that is not finite was saved or exported."""
    keys = DIVERGING[(attempt.number - 1) % len(DIVERGING)]
    attempt.note(" ".join(keys))
    arguments = attempt.recipe(HEAD + DATA + SFT + EXPORT if "sft" in keys[0] else ALL_STAGES)
    attempt.run([*arguments, *keys], codes={80})
    for path in glob.glob(f"{attempt.out}/hf/model.safetensors"):
        raise Wrong(f"{attempt.told()}: an export with {not_finite_in(path)} values that are not finite")
    # The same start again must not be stuck on what was saved: it diverges again, for the same reason.
    again = attempt.run([*arguments, *keys], codes={80})
    if "goes on from" in again.stderr and "step-00000001" in again.stderr:
        raise Wrong(f"{attempt.told()}: goes on from a checkpoint that cannot be finite: {again}")


@scenario("R16", quick=1, long=4)
def spoiled_data(attempt):
    """NaN, Infinity or a number in place of a text in a data file: 65 with the place."""
    with open(f"{attempt.bench.root}/edits_enes.json") as file:
        text = file.read()
    row = json.dumps(attempt.bench.records[2]["es"]["alt"])
    value = ("NaN", "Infinity", "1e999", "-1")[attempt.number % 4]
    with open(f"{attempt.folder}/edits_enes.json", "w") as file:
        file.write(text.replace(row, value, 1))
    attempt.note(f"{value} in place of a text")
    attempt.run(attempt.recipe(TRAINING.replace("{root}/edits", f"{attempt.folder}/edits")), codes={65})
