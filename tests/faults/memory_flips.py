"""A bit that flips in the memory of a rank while it trains."""

import json
import os
import signal
import struct

from bench import DATA, HEAD
from registry import Skip, Wrong, scenario
from watching import count_lines, send, wait_until

STEPS = 20  # in which all masters are compared once
# A rate that changes no weight, so that the masters are found by the model's own values.
TRAINING = (HEAD.replace("threads: 1", f"threads: 1, shard: none, compare_copies: {STEPS}") + DATA +
            "  - sft: {{global_batch_size: 2, max_steps: 100000, learning_rate: 1.0e-30, save_steps: 0}}\n")
SPAN = 32  # bytes that are looked for


def some_weights(folder, rng):
    """SPAN bytes of a tensor that is no norm, whose values are all one."""
    with open(f"{folder}/model.safetensors", "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        name = rng.choice([name for name in sorted(header) if "norm" not in name])
        begin, end = header[name]["data_offsets"]
        file.seek(8 + length + begin + 4 * rng.randrange((end - begin - SPAN) // 4))
        return name, file.read(SPAN)


def own_memory(pid):
    """(begin, end) of the memory that a process can write and shares with nobody."""
    with open(f"/proc/{pid}/maps") as file:
        for line in file:
            span, rights, *_ = line.split()
            if rights == "rw-p":
                yield tuple(int(edge, 16) for edge in span.split("-"))


def flip_where_found(pid, wanted, bit):
    """Flips a bit of the first byte wherever a process holds these bytes; how often."""
    found = 0
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        for begin, end in own_memory(pid):
            memory.seek(begin)
            data = memory.read(end - begin)
            at = data.find(wanted)
            while at >= 0:
                memory.seek(begin + at)
                memory.write(bytes([wanted[0] ^ bit]))
                found += 1
                at = data.find(wanted, at + 1)
    return found


def rank_of(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:
        for variable in file.read().split(b"\0"):
            if variable.startswith(b"OMPI_COMM_WORLD_RANK="):
                return int(variable.split(b"=")[1])
    return None


@scenario("R18", quick=1, long=24)
def memory_flip(attempt):
    """One bit of the masters of one of two copies flips: within the steps of `parallel.compare_copies` the run ends
    with 83 and names the copies (80 where the value is not finite then), and saves nothing."""
    process = attempt.start(attempt.recipe(TRAINING), 2)
    metrics = f"{attempt.out}/02-sft/metrics.jsonl"
    wait_until(lambda: process.poll() is not None or count_lines(metrics) > 5, "some steps")
    if process.poll() is not None:
        raise Wrong(f"ended by itself: {attempt.finish(process)}")
    victim = attempt.rng.randrange(2)
    (pid,) = [pid for pid in attempt.own_processes() if rank_of(pid) == victim]
    name, wanted = some_weights(f"{attempt.bench.root}/model", attempt.rng)
    bit = 1 << attempt.rng.randrange(8)
    send([pid], signal.SIGSTOP)
    try:
        found = flip_where_found(pid, wanted, bit)
    except PermissionError as error:
        raise Skip(f"this user may not write to a process's memory: {error}") from None
    before = count_lines(metrics)
    send([pid], signal.SIGCONT)
    attempt.note(f"bit {bit} of {found} places that hold a part of {name} on rank {victim}, after step {before}")
    if not found:
        raise Wrong(f"{attempt.told()}: the test found no place")
    outcome = attempt.finish(process, patience=120)
    attempt.judge(outcome, {80, 83})
    if count_lines(metrics) > before + 2 * STEPS + 2:
        raise Wrong(f"{attempt.told()}: found only after step {count_lines(metrics)}")
    if os.path.exists(f"{attempt.out}/02-sft/checkpoints"):
        raise Wrong(f"{attempt.told()}: saved a checkpoint")
