#!/usr/bin/env python3
"""XE-IT training on several ranks, side by side: transformers under PyTorch's fully_shard (gloo on a CPU, NCCL on GPUs)
against `xkde_dist`: same model, same batches, same precision, one thread a rank, in turn.

usage: compare_fsdp.py --model DIR --data PATH --binary xkde_dist [--ranks 2] [--records 6] [--rounds 3] [--cases ...]
Prints one JSON line a case and dtype. The cases, ours against fully_shard with gradient checkpointing as in the paper:
  best         token trees, packing, the head on labelled positions; the program chooses what it recomputes
  recomputing  the same, but blocks are recomputed as they are on the other side
  plain        shard: full, recomputed blocks, and neither trees nor packing nor the labelled head
A sample is one question with its answer. The first step of either side is not timed, nor are start-up and loading.
`peak` is the resident set of the largest rank at its highest, in bytes; `loss_difference` the largest over the steps.
"""
import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time

import common
import training
from compare_train import HuggingFaceSide
from training import BETAS, MAX_NORM, WEIGHT_DECAY

CASES = {
    "best": ({}, {"packing": True, "token_tree": True, "labelled_head": True}),
    "recomputing": ({"recompute": "block"}, {"packing": True, "token_tree": True, "labelled_head": True}),
    "plain": ({"shard": "full", "recompute": "block"},
              {"packing": False, "token_tree": False, "labelled_head": False}),
}


def worker(options, dtype):
    """One rank of the fully_shard side; rank 0 prints what was measured."""
    import torch
    import torch.distributed as dist
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
    torch.set_num_threads(1)
    cuda = torch.cuda.is_available()
    dist.init_process_group("nccl" if cuda else "gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    device = torch.device("cuda", rank % torch.cuda.device_count()) if cuda else torch.device("cpu")

    reference = HuggingFaceSide(options, 1)
    samples = training.samples_of(options, reference.tokenizer)
    model = reference.model.to(device).train()
    reference.start = None
    if options.checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.config.use_cache = False
    policy = MixedPrecisionPolicy(param_dtype=getattr(torch, dtype), reduce_dtype=torch.float32)
    for layer in model.model.layers:
        fully_shard(layer, mp_policy=policy)
    fully_shard(model, mp_policy=policy)
    steps = -(-len(samples) // options.batch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, betas=BETAS, weight_decay=WEIGHT_DECAY)
    schedule = reference.transformers.get_cosine_schedule_with_warmup(optimizer, training.warmup_steps(steps), steps)
    order = common.data_order(42, 0, len(samples))
    losses, seconds, counted = [], 0.0, 0
    for step in range(steps):
        dist.barrier()
        start = time.perf_counter()
        batch = [samples[i] for i in order[step * options.batch:(step + 1) * options.batch]]
        targets = sum(len(target) for _, target in batch)
        ids, labels, mask = (t.to(device) for t in reference.padded(batch[rank::size] or batch[:1]))
        if not batch[rank::size]:
            labels.fill_(-100)
        logits = model(ids, attention_mask=mask).logits
        summed = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten(),
                                                   ignore_index=-100, reduction="sum")
        (summed * size / targets).backward()  # fully_shard averages over the ranks
        torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        total = summed.detach() / targets
        dist.all_reduce(total)
        losses.append(total.item())
        if step > 0:
            seconds, counted = seconds + time.perf_counter() - start, counted + len(batch)
    resident = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = torch.tensor([torch.cuda.max_memory_allocated() if cuda else resident], device=device)
    dist.all_reduce(peak, dist.ReduceOp.MAX)
    if rank == 0:
        print("RESULT " + json.dumps({"samples": counted, "seconds": seconds, "losses": losses, "peak": peak.item()}))
    dist.destroy_process_group()


def fully_shard_side(options, dtype):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={options.ranks}", __file__,
               "--worker", *sys.argv[1:], "--dtype", dtype]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-3000:]}")


def product_side(options, dtype, num_samples, product, parallel, sft):
    recipe = training.recipe_for(options, dtype, num_samples, sft)
    recipe["parallel"] = {"threads": 1} | parallel
    return training.run(product, recipe)


def speed(rounds):
    return round(statistics.median(r["samples"] / r["seconds"] for r in rounds), 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    training.add_arguments(parser, records=6)
    parser.set_defaults(ranks=2, threads=2)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--checkpointing", action=argparse.BooleanOptionalAction, default=True,
                        help="gradient checkpointing on the fully_shard side")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return worker(options, options.dtype[0])
    product = common.product_of(options)
    if product is None:
        parser.error("--binary is needed")
    reference = HuggingFaceSide(options, options.threads)
    num_samples = len(training.samples_of(options, reference.tokenizer))
    del reference
    for dtype in options.dtype:
        sides = {"hf": lambda: fully_shard_side(options, dtype)}
        for case in options.cases:
            parallel, sft = CASES[case]
            sides[case] = lambda parallel=parallel, sft=sft: product_side(options, dtype, num_samples, product, parallel, sft)
        results = common.alternate(options.rounds, sides)
        theirs = results["hf"]
        for case in options.cases:
            ours = results[case]
            print(json.dumps({
                "case": case, "dtype": dtype, "ranks": options.ranks, "rounds": options.rounds, "samples": num_samples,
                "checkpointing": options.checkpointing, "fully_shard_samples_per_second": speed(theirs),
                "xkde_samples_per_second": speed(ours), "ratio": round(speed(ours) / speed(theirs), 3),
                "fully_shard_peak": theirs[0]["peak"], "xkde_peak": ours[0]["peak"],
                "peak_ratio": round(ours[0]["peak"] / theirs[0]["peak"], 3),
                "loss_difference": max(abs(a - b) for a, b in zip(ours[0]["losses"], theirs[0]["losses"]))}), flush=True)


if __name__ == "__main__":
    main()
