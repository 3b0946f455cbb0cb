"""Inputs that are no plain files, or that change or cannot be read while a run reads them."""

import os
import shutil
import signal
import subprocess

from bench import EVALUATE, HEAD, TRAINING
from kills import stopped_ones
from registry import scenario
from watching import send, wait_until

SOON = 60  # seconds in which a wrong input is refused, on a busy machine


def pipe(path):
    os.mkfifo(path)


def endless(path):
    os.symlink("/dev/zero", path)


def full(path):
    os.symlink("/dev/full", path)


def folder(path):
    os.mkdir(path)


def loop(path):
    os.symlink(os.path.basename(path), path)


def dangling(path):
    os.symlink("nothing", path)


def empty(path):
    open(path, "w").close()


def sparse(path):
    with open(path, "wb") as file:
        file.truncate(64 << 30)


PLACES = ("recipe.yaml", "edits_enes.json", "model/config.json", "model/tokenizer.json", "model/tokenizer_config.json",
          "model/model.safetensors", "model")
KINDS = (pipe, endless, full, folder, loop, dangling, empty, sparse)


@scenario("R10", "R17", quick=10, long=len(PLACES) * len(KINDS) * 2)
def special_files(attempt):
    """A pipe, /dev/zero, a folder, a loop of links, an empty or a 64 GB file as recipe, data or part of a model:
    `validate` and a run refuse it (65, 66, 78) at once and in little memory."""
    index = attempt.rng.randrange(len(PLACES) * len(KINDS)) if attempt.bench.is_quick else (attempt.number - 1) // 2
    place, kind = PLACES[index % len(PLACES)], KINDS[index // len(PLACES) % len(KINDS)]
    shutil.copytree(f"{attempt.bench.root}/model", f"{attempt.folder}/model")
    shutil.copy(f"{attempt.bench.root}/edits_enes.json", attempt.folder)
    arguments = attempt.recipe(TRAINING.replace("{root}", attempt.folder))
    victim = f"{attempt.folder}/{place}"
    if os.path.isdir(victim):
        shutil.rmtree(victim)
    elif os.path.exists(victim):
        os.remove(victim)
    kind(victim)
    command = ["validate", *arguments] if attempt.number % 2 else arguments
    attempt.note(f"{kind.__name__} as {place}: {'validate' if attempt.number % 2 else 'run'}")
    # A model without tokenizer_config.json is whole, as is one where it is empty or of no use.
    may_be_fine = place == "model/tokenizer_config.json" and kind is dangling
    attempt.run(command, codes={65, 66, 78} | ({0} if may_be_fine else set()), patience=SOON)


@scenario("R5", quick=1, long=6)
def shrinking_model(attempt):
    """The model's file gets shorter while a run has it open: 74 (65, 66) with its name, no SIGBUS; or the same end."""
    shutil.copytree(f"{attempt.bench.root}/model", f"{attempt.folder}/model")
    text, moment = ((HEAD + EVALUATE, "/out/01-evaluate"), (TRAINING + EVALUATE, "/out/02-sft/checkpoints/step"))[
        attempt.number % 2]
    victim = f"{attempt.folder}/model/model.safetensors"
    length = attempt.rng.choice([0, 100, os.path.getsize(victim) // 2])
    attempt.note(f"cut to {length} bytes when {moment} is made")
    arguments = attempt.recipe(text.replace("{root}/model", f"{attempt.folder}/model"))
    process = attempt.start(arguments, fault=f"mkdir:1:SIGSTOP:{moment}", stdin=subprocess.DEVNULL)
    wait_until(lambda: process.poll() is not None or stopped_ones(attempt), "the run stops")
    os.truncate(victim, length)
    send(stopped_ones(attempt), signal.SIGCONT)
    outcome = attempt.finish(process)
    attempt.judge(outcome, {0, 65, 66, 74})
