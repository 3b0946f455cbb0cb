#!/usr/bin/env python3
"""Writes tests/golden/quantized/: blocks.gguf, quantized blocks and the values gguf-py decodes, and encoders.gguf,
values and the blocks gguf-py makes of them.

    python3 tests/golden/make_quantized.py            # remakes the file
    python3 tests/golden/make_quantized.py --check    # fails if the remade file would differ

Needs exactly the versions in PINNED; nothing is downloaded. For each format F the file holds a tensor
"F" of random blocks, whose scales are random halves of all sizes and signs, and a tensor "F.f32" of
what `gguf.quants.dequantize` gives for it.
"""

import argparse
import filecmp
import pathlib
import sys
import tempfile
from importlib.metadata import version

import gguf
import numpy

PINNED = {"gguf": "0.19.0", "numpy": "2.4.6"}
FOLDER = pathlib.Path(__file__).resolve().parent / "quantized"
ROWS, COLUMNS = 4, 256
# Where the fp16 numbers of a block begin, in bytes.
HALVES = {
    "Q4_0": (0,),
    "Q4_1": (0, 2),
    "Q5_0": (0,),
    "Q5_1": (0, 2),
    "Q8_0": (0,),
    "Q2_K": (80, 82),
    "Q3_K": (108,),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (208,),
    "IQ4_NL": (0,),
    "IQ4_XS": (0,),
}


def random_blocks(random, kind):
    """uint8 [ROWS, bytes of a row]: every bit pattern but halves that are no numbers."""
    values, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (ROWS * COLUMNS // values, size), dtype=numpy.uint8)
    for place in HALVES[kind.name]:
        halves = random.integers(0, 0x7C00, len(blocks), dtype=numpy.uint16)
        # All kinds of half: usual, subnormal, nought; of both signs.
        halves[1::4] = random.integers(0, 0x400, len(halves[1::4]), dtype=numpy.uint16)
        halves[3::8] = 0
        halves |= random.integers(0, 2, len(halves), dtype=numpy.uint16) << numpy.uint16(15)
        blocks[:, place : place + 2] = halves.view(numpy.uint8).reshape(-1, 2)
    return blocks.reshape(ROWS, -1)


def write(path):
    random = numpy.random.default_rng(20261128)
    writer = gguf.GGUFWriter(path, "none")
    for name in HALVES:
        kind = gguf.GGMLQuantizationType[name]
        blocks = random_blocks(random, kind)
        values = gguf.quants.dequantize(blocks, kind)
        assert values.shape == (ROWS, COLUMNS) and numpy.isfinite(values).all()
        writer.add_tensor(name, blocks, raw_dtype=kind)
        writer.add_tensor(f"{name}.f32", values)
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_encoders(path):
    """Random values of all sizes, blocks of noughts, of ties and of one number, and what the other formats make of them."""
    random = numpy.random.default_rng(20261129)
    blocks = random.standard_normal((ROWS * COLUMNS // 32, 32))
    blocks *= 2.0 ** random.integers(-18, 14, (len(blocks), 1))
    blocks[3] = 0
    blocks[4] = numpy.arange(32) - 16
    blocks[5] = -blocks[4] * 1e-7
    blocks[6] = 0.75
    values = blocks.astype(numpy.float32).reshape(ROWS, COLUMNS)
    writer = gguf.GGUFWriter(path, "none")
    writer.add_tensor("values", values)
    for name in ("BF16", "Q4_0", "Q5_0", "Q5_1", "Q8_0"):
        kind = gguf.GGMLQuantizationType[name]
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    finish(writer)


FILES = {"encoders.gguf": write_encoders, "blocks.gguf": write}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    for package, wanted in PINNED.items():
        if version(package) != wanted:
            sys.exit(f"expected {package} {wanted}, found {version(package)}")
    if not check:
        FOLDER.mkdir(exist_ok=True)
        for name, write_file in FILES.items():
            write_file(FOLDER / name)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, write_file in FILES.items():
            remade = pathlib.Path(folder) / name
            write_file(remade)
            if not filecmp.cmp(remade, FOLDER / name, shallow=False):
                sys.exit(f"{FOLDER / name}: expected the bytes that this script writes, found others")


if __name__ == "__main__":
    main()
