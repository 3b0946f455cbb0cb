"""Reads checkpoints of three ranks with h5py, which is not ours, and checks every value.

usage: read_checkpoint_with_h5py.py PATH_OF_checkpoint_test
"""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import h5py
import numpy

SHAPES = {
    "model.embed_tokens.weight": (37, 5),
    "model.layers.0.norm.weight": (5,),
    "model.layers.0.mlp.up_proj.weight": (11, 7),
    "model.layers.0.cube": (3, 4, 5),
    "model.norm.weight": (1,),
}
STEP = 6


def expected(kind: str, name: str, shape: tuple) -> numpy.ndarray:
    """value_of() of checkpoint_support.cpp for a whole tensor."""
    index = numpy.arange(numpy.prod(shape))
    values = ((len(kind) * 16 + len(name)) * 1000 + index) * 16 + STEP
    return values.astype(numpy.float32).reshape(shape)


def check_index(folder: pathlib.Path) -> None:
    with h5py.File(folder / "index.h5", "r") as index:
        assert index.attrs["step"] == STEP and index.attrs["num_shards"] == 3
        for kind in ("master", "exp_avg", "exp_avg_sq"):
            assert sorted(index[kind]) == sorted(SHAPES), sorted(index[kind])
            for name, shape in SHAPES.items():
                tensor = index[f"{kind}/{name}"]
                assert tensor.is_virtual and tensor.shape == shape, (name, tensor.shape)
                assert numpy.array_equal(tensor[...], expected(kind, name, shape)), (kind, name)


def check_rank_files(folder: pathlib.Path) -> None:
    for shard in range(3):
        with h5py.File(folder / f"rank_{shard:05d}.h5", "r") as file:
            assert file.attrs["shard"] == shard
            kinds = ["exp_avg", "exp_avg_sq", "master"]
            assert set(kinds) < set(file) and len(file) == 6, sorted(file)
            for source in set(file) - set(kinds):
                kind, name = source.split(".")
                assert name.startswith(f"step-{STEP:08d}-"), source
                assert file[source].id.get_offset() == file[kind].id.get_offset(), source


def check_gaps(folder: pathlib.Path, other: pathlib.Path, elsewhere: pathlib.Path) -> None:
    """What the index cannot find is NaN, never a value of another checkpoint."""
    elsewhere.mkdir()
    shutil.copy(folder / "index.h5", elsewhere)
    os.chdir(other)  # HDF5 looks for sources there, too
    with h5py.File(elsewhere / "index.h5", "r") as index:
        for name in SHAPES:
            tensor = index[f"master/{name}"]
            assert numpy.isnan(tensor.fillvalue) and numpy.isnan(tensor[...]).all(), name
    shutil.copy(folder / "rank_00000.h5", elsewhere)
    shutil.copy(other / "rank_00001.h5", elsewhere)
    with h5py.File(elsewhere / "index.h5", "r") as index:
        for name, shape in SHAPES.items():
            found = index[f"master/{name}"][...]
            wanted = expected("master", name, shape)
            assert numpy.array_equal(found[~numpy.isnan(found)], wanted[~numpy.isnan(found)]), name
        assert numpy.isnan(index["master/model.embed_tokens.weight"][...]).any()


def check_manifest(folder: pathlib.Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["format_version"] == 1 and manifest["num_shards"] == 3
    for file in manifest["files"]:
        data = (folder / file["name"]).read_bytes()
        assert len(data) == file["bytes"], file
        assert hashlib.sha256(data).hexdigest() == file["sha256"], file
    subprocess.run(["sha256sum", "--check", "--quiet", "manifest.sha256"], cwd=folder, check=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as root:
        subprocess.run(
            [sys.argv[1], "--gtest_filter=CheckpointForPython.*"],
            env={**os.environ, "XKDE_WRITE_CHECKPOINT": root},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        folder = pathlib.Path(root) / f"step-{STEP:08d}"
        check_index(folder)
        check_rank_files(folder)
        check_manifest(folder)
        check_gaps(folder, pathlib.Path(root) / f"step-{STEP - 1:08d}", pathlib.Path(root) / "elsewhere")
        os.chdir("/")
    print("index, rank files and manifest read as written")


if __name__ == "__main__":
    main()
