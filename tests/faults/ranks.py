"""The same run again, and on other numbers of ranks."""

import shutil

from bench import DATA, EXPORT, HEAD, SFT, sha256
from registry import Wrong, scenario

WITH_EXPORT = HEAD + DATA + SFT + EXPORT
SHARDS = ("full", "grads", "optimizer", "none")


@scenario("R19", quick=2, long=12)
def repeats(attempt):
    """The same recipe in another folder gives the same bytes."""
    attempt.run(attempt.recipe(WITH_EXPORT), codes={0})
    attempt.expect_end(WITH_EXPORT)


@scenario("R19", quick=2, long=40)
def reshard(attempt):
    """Weights trained on two ranks and exported on 1, 3, 4, 5 and 8, with each kind of sharding, are the same bytes."""
    ranks = (3, 1, 4, 5, 8)[(attempt.number - 1) % 5]
    shard = SHARDS[(attempt.number - 1) // 5 % 4]
    trained = attempt.bench.finished(HEAD + DATA + SFT, 2)
    expected = sha256(f"{attempt.bench.finished(WITH_EXPORT, 2)}/hf/model.safetensors")
    shutil.copytree(trained, attempt.out)
    attempt.note(f"2 ranks, then {ranks}, {shard}")
    attempt.run([*attempt.recipe(WITH_EXPORT), f"parallel.shard={shard}"], ranks, codes={0})
    if sha256(f"{attempt.out}/hf/model.safetensors") != expected:
        raise Wrong(f"{attempt.told()}: other weights")
