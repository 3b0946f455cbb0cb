"""Hands runs to Weights & Biases."""

import os
import pathlib
import shutil

from .errors import TrackerError, needed
from .tracked import HandedOver, Rows, clipped, facts, id_of, parameters, small_files

PROJECT = "xkde_dist"
LONGEST_TAG = 64
WITHOUT_FAULT = ("done", "running")


def nested(flat):
    """Objects within objects of keys with dots, which W&B keeps for that."""
    objects = {}
    for key, value in flat.items():
        *path, name = key.split(".")
        inner = objects
        for part in path:
            inner = inner.setdefault(part, {})
        inner[name] = value
    return objects


def settings(wandb, run):
    """Nothing of this machine or of the process that hands over goes into the run: it was not they who computed it."""
    commit = facts(run).get("git_commit")
    return wandb.Settings(console="off", disable_git=True, save_code=False, disable_code=True, x_disable_stats=True,
                          x_disable_meta=True, x_disable_machine_info=True, x_save_requirements=False, host="",
                          program="xkde_dist", git_commit=commit, silent=True)


def add_rows(there, rows):
    """Those from the step that W&B has reached; how many values were sent.

    A step of W&B is the number of a row in the run, as a run has one count of steps alone. The steps of each file are
    figures of their own, which are the x axes.
    """
    defined, count = set(), 0
    first = there.step if there.resumed else 0
    for number, row in enumerate(rows):
        if number < first:
            continue
        axis = f"{row.file}/step"
        for name in row.values:
            if name not in defined:
                there.define_metric(axis, hidden=True)
                there.define_metric(name, step_metric=axis)
                defined.add(name)
        there.log({**row.values, axis: row.step, "_timestamp": row.time}, step=number)
        count += len(row.values)
    return count


def add_files(there, run):
    """Copies, so that what is sent later is what was there now."""
    for name in small_files(run):
        copy = pathlib.Path(there.dir) / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run.folder / name, copy)
        there.save(str(copy), base_path=there.dir, policy="now", glob=False)


def to_wandb(run, project=PROJECT, mode="offline"):
    """Hands a run to Weights & Biases, as far as it is there: the keys of its recipe as its configuration, with facts of
    run.json below "xkde", the lines of each metrics.jsonl and the rows of each results.json as its history, reports and
    results as files.

    `mode`: "offline" writes a folder below ./wandb, or WANDB_DIR, and sends nothing. `wandb sync FOLDER` sends it.
    "online" sends it at once, to the account of `wandb login` or WANDB_API_KEY.

    Called again for the same run it goes on with the same run of W&B, whose id follows from the run. Online it adds the
    rows that are new. Offline it cannot know what was sent, so that each folder has the whole run; the newest is the one
    to send. Figures that are null are left out and counted (`HandedOver.left_out`); the program writes null for what is
    not finite, so there is no NaN.

    W&B reports its own use to its makers, also offline. That is off here, unless WANDB_ERROR_REPORTING says otherwise and
    `mode` is "online".

    Returns a HandedOver. Raises ImportError without wandb, TrackerError where W&B cannot be reached or refuses.
    """
    if mode not in ("offline", "online"):
        raise ValueError(f"mode: expected offline or online, found {mode}")
    if mode == "offline":
        os.environ["WANDB_ERROR_REPORTING"] = "false"
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    wandb = needed("wandb", "wandb")
    told, rows = facts(run), Rows(run)
    tags = [clipped(told[key], LONGEST_TAG) for key in ("exit_reason", "version", "git_commit") if key in told]
    try:
        with wandb.init(project=project, id=id_of(run), name=run.name, mode=mode, resume="allow", tags=tags,
                        config=nested(parameters(run)) | dict(xkde=told), allow_val_change=True, reinit="create_new",
                        settings=settings(wandb, run)) as there:
            count = add_rows(there, rows)
            add_files(there, run)
            place = there.url if mode == "online" else str(pathlib.Path(there.dir).parent)
            is_new = not there.resumed if mode == "online" else None
            there.finish(exit_code=0 if run.exit_reason in WITHOUT_FAULT else 1)
    except (wandb.Error, OSError) as error:
        raise TrackerError(f"W&B, {mode}: {' '.join(str(error).split())}") from error
    return HandedOver("W&B", id_of(run), place, is_new, count, rows.left_out)
