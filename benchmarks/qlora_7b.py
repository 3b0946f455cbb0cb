#!/usr/bin/env python3
"""LoRA steps over a model of the shape of Llama-2-7B whose weights are held in Q4_K blocks, on one machine.

usage: qlora_7b.py --binary xkde_dist [--folder DIR] [--steps 2] [--layers 32] [--threads N] [--keep]
Writes a GGUF file of 3.8 GB of random blocks to a new folder below DIR (default: the temporary folder), trains an adapter
(r 16, all linear layers, bf16, base: as_stored) on a few short conversations, prints one JSON line, and removes the
folder. The weights are noise: losses mean nothing, bytes and seconds do. Needs python3 only.

`peak_rss_bytes` is the largest resident set of the process, the pages of the model's file that it reads not counted.
`step_seconds` are those of metrics.jsonl; the first step also touches memory for the first time.
"""
import argparse
import json
import os
import pathlib
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile

WIDTH, INNER, HEADS, HEAD, VOCABULARY, CONTEXT = 4096, 11008, 32, 128, 32000, 2048
F32, Q4_K = 0, 12  # ggml's numbers of the types
BLOCK_VALUES, BLOCK_BYTES = 256, 144
UINT32, FLOAT32, BOOL, STRING, ARRAY = 4, 6, 7, 8, 9  # GGUF's numbers of the types
ALIGNMENT = 32


def tensors_of(layers):
    """Names, rows, columns (0: a vector) in the order of the file."""
    result = [("token_embd.weight", VOCABULARY, WIDTH)]
    for layer in range(layers):
        result += [(f"blk.{layer}.{name}.weight", rows, columns) for name, rows, columns in (
            ("attn_norm", WIDTH, 0), ("attn_q", WIDTH, WIDTH), ("attn_k", WIDTH, WIDTH), ("attn_v", WIDTH, WIDTH),
            ("attn_output", WIDTH, WIDTH), ("ffn_norm", WIDTH, 0), ("ffn_gate", INNER, WIDTH),
            ("ffn_up", INNER, WIDTH), ("ffn_down", WIDTH, INNER))]
    return result + [("output_norm.weight", WIDTH, 0), ("output.weight", VOCABULARY, WIDTH)]


def bytes_of(rows, columns):
    return rows * columns // BLOCK_VALUES * BLOCK_BYTES if columns else rows * 4


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def field(key, kind, value):
    if kind == STRING:
        data = text(value)
    elif kind == ARRAY:
        item_kind, items = value
        pack = text if item_kind == STRING else (lambda item: struct.pack("<I", item))
        data = struct.pack("<IQ", item_kind, len(items)) + b"".join(map(pack, items))
    else:
        data = struct.pack({UINT32: "<I", FLOAT32: "<f", BOOL: "<?"}[kind], value)
    return text(key) + struct.pack("<I", kind) + data


def byte_tokens():
    """The printable characters that stand for the 256 bytes in a byte-level BPE."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in kept else next(others)) for byte in range(256)]


def metadata(layers):
    tokens = byte_tokens() + ["<|im_start|>", "<|im_end|>"]
    return [field("general.architecture", STRING, "llama"),
            field("llama.context_length", UINT32, CONTEXT), field("llama.embedding_length", UINT32, WIDTH),
            field("llama.block_count", UINT32, layers), field("llama.feed_forward_length", UINT32, INNER),
            field("llama.attention.head_count", UINT32, HEADS), field("llama.attention.head_count_kv", UINT32, HEADS),
            field("llama.rope.freq_base", FLOAT32, 10000.0),
            field("llama.attention.layer_norm_rms_epsilon", FLOAT32, 1e-5),
            field("tokenizer.ggml.model", STRING, "gpt2"), field("tokenizer.ggml.pre", STRING, "gpt-2"),
            field("tokenizer.ggml.tokens", ARRAY, (STRING, tokens)),
            field("tokenizer.ggml.token_type", ARRAY, (UINT32, [1] * 256 + [3, 3])),
            field("tokenizer.ggml.merges", ARRAY, (STRING, [])),
            field("tokenizer.ggml.bos_token_id", UINT32, 256), field("tokenizer.ggml.eos_token_id", UINT32, 257)]


def random_blocks(count):
    """Q4_K: fp16 scale and minimum, 12 bytes of scales, 128 bytes of numbers; values of both signs around 0."""
    source = random.Random(5)
    halves = struct.pack("<ee", 2.0 ** -14, 2.0 ** -11)
    return b"".join(halves + source.randbytes(BLOCK_BYTES - len(halves)) for _ in range(count))


def write_model(path, layers):
    tensors = tensors_of(layers)
    fields = metadata(layers)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(fields)) + b"".join(fields)
    offset = 0
    for name, rows, columns in tensors:
        shape = [columns, rows] if columns else [rows]
        head += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        head += struct.pack("<IQ", Q4_K if columns else F32, offset)
        offset += -(-bytes_of(rows, columns) // ALIGNMENT) * ALIGNMENT
    pool = random_blocks(1 << 16)  # 9 MiB, of which each tensor has other parts in other places
    source = random.Random(7)
    with open(path, "wb") as file:
        file.write(head + b"\0" * (-len(head) % ALIGNMENT))
        for _, rows, columns in tensors:
            left = bytes_of(rows, columns)
            if not columns:
                file.write(struct.pack("<f", 1.0) * rows)
                left = 0
            while left > 0:
                begin = source.randrange(len(pool) // BLOCK_BYTES // 2) * BLOCK_BYTES
                piece = memoryview(pool)[begin:begin + left]
                file.write(piece)
                left -= len(piece)
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
    return sum(rows * max(columns, 1) for _, rows, columns in tensors)


def recipe(folder, options):
    turns = [{"conversations": [{"from": "human", "value": f"What is {i} and {i}?"},
                                {"from": "gpt", "value": f"It is {2 * i}."}]} for i in range(8)]
    (folder / "train.json").write_text(json.dumps(turns))
    lora = {"r": 16, "alpha": 32, "base": "as_stored"}
    sft = {"train_data": str(folder / "train.json"), "max_steps": options.steps, "global_batch_size": 4,
           "learning_rate": 1e-4, "lora": lora}
    whole = {"output_dir": str(folder / "run"), "stages": [{"sft": sft}],
             "model": {"model_name_or_path": str(folder / "model.gguf"), "dtype": "bfloat16",
                       "chat_template": "chatml_no_system"},
             "parallel": {"threads": options.threads, "shard": "none", "recompute": "block"}}
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(whole))  # JSON is YAML
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="xkde_qlora_7b_", dir=options.folder))
    try:
        parameters = write_model(folder / "model.gguf", options.layers)
        done = subprocess.run([options.binary, str(recipe(folder, options))], cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)
        with open(folder / "run" / "01-sft" / "metrics.jsonl") as file:
            steps = [json.loads(line) for line in file]
        print(json.dumps({
            "case": "qlora", "parameters": parameters, "layers": options.layers, "threads": options.threads,
            "file_bytes": (folder / "model.gguf").stat().st_size,
            "peak_rss_bytes": 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
            "peak_bytes": steps[-1]["peak_bytes"], "baseline_bytes": steps[-1]["baseline_bytes"],
            "computed_tokens": [step["computed_tokens"] for step in steps],
            "step_seconds": [round(step["step_seconds"], 2) for step in steps],
            "losses": [round(step["loss"], 4) for step in steps]}))
    finally:
        if not options.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
