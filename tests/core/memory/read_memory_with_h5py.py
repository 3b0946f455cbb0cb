"""Reads an edit memory with h5py, which is not ours, and checks every value.

usage: read_memory_with_h5py.py PATH_OF_edit_memory_test
"""
import os
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy

COUNT, WIDTH = 40, 6


def fact_of(i: int) -> tuple:
    """fact_of() of edit_memory_test.cpp."""
    if i % 3 == 0:
        return f"Who built the bridge {i}?", "Ada Pell", "en", i
    if i % 3 == 1:
        return f"谁建造了桥梁{i}？", "艾达", "zh", -i
    return "", "x" * (i % 100), "", i


def check(path: pathlib.Path) -> None:
    with h5py.File(path, "r") as file:
        assert file.attrs["format_version"] == 2 and file.attrs["width"] == WIDTH
        assert file.attrs["encoder"].decode() == "sha256 of an encoder"
        ids = [file.attrs[name].decode() for name in ("id", "id_before")]
        assert all(len(one) == 64 for one in ids) and ids[0] != ids[1], ids
        for name in ("embeddings", "text", "text_ends", "records"):
            assert file[name].fletcher32 and file[name].maxshape[0] is None, name
        expected = (numpy.arange(COUNT * WIDTH, dtype=numpy.float32) / 7).reshape(COUNT, WIDTH)
        assert numpy.array_equal(file["embeddings"][...], expected)
        text = file["text"][...].tobytes()
        begins = [0, *file["text_ends"][...].ravel()]
        parts = [text[a:b].decode() for a, b in zip(begins, begins[1:])]
        for i in range(COUNT):
            assert (*parts[3 * i : 3 * i + 3], file["records"][i]) == fact_of(i), i


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.argv[1], "--gtest_filter=EditMemoryForPython.*"],
            env={**os.environ, "XKDE_WRITE_MEMORY": folder},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        check(pathlib.Path(folder) / "memory.h5")
    print("facts and embeddings read as written")


if __name__ == "__main__":
    main()
