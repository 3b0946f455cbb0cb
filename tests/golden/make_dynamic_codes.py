#!/usr/bin/env python3
"""Writes tests/golden/dynamic_codes.json: 8-bit moments of a plain PyTorch reference.

    python3 tests/golden/make_dynamic_codes.py            # remakes the file
    python3 tests/golden/make_dynamic_codes.py --check    # fails if the remade file would differ

Needs exactly the versions in PINNED; nothing is downloaded. For numbers of both signs and for squares the file holds the
256 fractions of the code, some blocks of 256 numbers, their codes and scales, and what these stand for. Where bitsandbytes
is installed, too, the fractions are compared with those of its create_dynamic_map().
"""

import argparse
import json
import pathlib
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

PINNED = {"torch": "2.11.0"}
FILE = pathlib.Path(__file__).resolve().parent / "dynamic_codes.json"
BLOCK = 256


def fractions(both_signs):
    """Seven decades below 1; of each the middles of equal parts, twice as many as in the one below."""
    values = [0.0, 1.0]
    for decade in range(7):
        edges = torch.linspace(0.1, 1.0, 2 ** (decade + (0 if both_signs else 1)) + 1, dtype=torch.float64)
        middles = (edges[:-1] + edges[1:]) / 2 / 10.0 ** (6 - decade)
        values += middles.tolist() + ((-middles).tolist() if both_signs else [])
    return torch.tensor(sorted(values), dtype=torch.float64).float()


def encoded(blocks, code, both_signs):
    """The nearest fraction, of two as near the lower one; of squares only 0 becomes 0."""
    scales = blocks.abs().amax(1)
    parts = torch.where(scales > 0, 1 / scales, 0.0).unsqueeze(1) * blocks
    codes = torch.bucketize(parts, (code[:-1] + code[1:]) / 2)
    if not both_signs:
        codes = torch.where(blocks > 0, codes.clamp(min=1), codes)
    return codes, scales


def case(both_signs):
    random = torch.Generator().manual_seed(20261129)
    blocks = torch.randn(8, BLOCK, generator=random)
    blocks[1] *= 10.0 ** torch.empty(BLOCK).uniform_(-9, 0, generator=random)  # all decades
    blocks[2] = 0
    blocks[3] *= 1e-20
    blocks[4, 0] = -50 if both_signs else 50  # beside which the others are small
    blocks[5] = torch.arange(BLOCK) - (128.0 if both_signs else 0.0)
    code = fractions(both_signs)
    blocks[6] = code * 3
    blocks[7] = torch.cat([(code[:-1] + code[1:]) / 2, torch.ones(1)])  # ties
    if not both_signs:
        blocks = blocks.abs()
    codes, scales = encoded(blocks, code, both_signs)
    return {"fractions": code.tolist(), "values": blocks.flatten().tolist(), "codes": codes.flatten().tolist(),
            "scales": scales.tolist(), "decoded": (code[codes] * scales.unsqueeze(1)).flatten().tolist()}


def compare_with_bitsandbytes():
    try:
        found = version("bitsandbytes")
    except PackageNotFoundError:
        return
    from bitsandbytes.functional import create_dynamic_map
    for both_signs in (True, False):
        torch.testing.assert_close(create_dynamic_map(signed=both_signs), fractions(both_signs), rtol=1e-6, atol=0)
    print(f"the fractions are those of bitsandbytes {found}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    for package, wanted in PINNED.items():
        if version(package).split("+")[0] != wanted:
            sys.exit(f"expected {package} {wanted}, found {version(package)}")
    compare_with_bitsandbytes()
    text = json.dumps({"both_signs": case(True), "squares": case(False)}) + "\n"
    if not check:
        FILE.write_text(text)
    elif FILE.read_text() != text:
        sys.exit(f"{FILE}: expected the text that this script writes, found another")


if __name__ == "__main__":
    main()
