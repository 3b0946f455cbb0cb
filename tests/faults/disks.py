"""Disks: full, out of inodes, read-only, without O_DIRECT; small file systems of other kinds. Needs root."""

import os
import pathlib
import shutil
import subprocess

from bench import ALL_STAGES
from calls import INTERRUPTIONS
from registry import Skip, Wrong, scenario

POINTS = 64  # sizes of a disk, from nothing to enough


def bytes_needed(bench):
    """What a run of all stages takes on a disk of 4 KiB pages, with one more checkpoint than stays."""
    out = pathlib.Path(bench.finished(ALL_STAGES))
    sizes = [-(-path.stat().st_size // 4096) * 4096 for path in out.rglob("*") if path.is_file()]
    return sum(sizes) + max(sizes) * 2


def room(attempt, options):
    folder = f"{attempt.folder}/disk"
    attempt.mount("tmpfs", folder, options)
    attempt.out = f"{folder}/out"
    return folder


def grow(folder, options):
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True, capture_output=True)


def run_out_of_room(attempt, folder, enough):
    """A run in a folder that may be too small, and the next start once it has `enough`."""
    arguments = attempt.recipe(ALL_STAGES)
    outcome = attempt.run(arguments, codes={0, 74})
    if outcome.code == 0:
        attempt.expect_end(ALL_STAGES)
    grow(folder, enough)
    attempt.go_on(ALL_STAGES, arguments)


@scenario("R4", quick=8, long=POINTS)
def disk_full(attempt):
    """A disk that is full at one of 64 points of a run: 74 and one line; with more room the next start ends bit-equal."""
    point = attempt.number if not attempt.bench.is_quick else attempt.rng.randint(1, POINTS)
    size = 16384 + bytes_needed(attempt.bench) * point // POINTS // 4096 * 4096
    attempt.note(f"tmpfs of {size} bytes")
    folder = room(attempt, f"size={size}")
    run_out_of_room(attempt, folder, "size=64m")


@scenario("R4", quick=4, long=48)
def inodes_full(attempt):
    """A disk that has no more inodes at some point of a run: the same."""
    inodes = 3 + (attempt.number if not attempt.bench.is_quick else attempt.rng.randint(1, 64))
    attempt.note(f"tmpfs of {inodes} inodes")
    folder = room(attempt, f"size=64m,nr_inodes={inodes}")
    run_out_of_room(attempt, folder, "nr_inodes=100000")


def commands_that_print(bench, recipe):
    """Commands whose output is what they are asked for."""
    out = bench.finished(ALL_STAGES)
    checkpoints = f"{out}/02-sft/checkpoints"
    return (["validate", recipe], ["report", out], ["ckpt", "ls", checkpoints], ["ckpt", "verify", checkpoints], ["env"],
            ["estimate", recipe, "-n", "1"], [recipe], ["--help"], ["--version"])


@scenario("R4", quick=9, long=9)
def output_lost(attempt):
    """Standard output is full (/dev/full): 74, also where the rest was done."""
    commands = commands_that_print(attempt.bench, *attempt.recipe(ALL_STAGES))
    arguments = commands[(attempt.number - 1) % len(commands)]
    attempt.note(f"{' '.join(arguments)} > /dev/full")
    with open("/dev/full", "w") as full:
        outcome = attempt.run(arguments, stdout=full)
    attempt.judge(outcome, {74})


@scenario("R4", quick=2, long=4)
def read_only(attempt):
    """An output folder on a read-only file system, empty or of an interrupted run: 74; writable again, it goes on."""
    folder = room(attempt, "size=64m")
    if attempt.number % 2 == 0:
        attempt.copy_of(attempt.bench.interrupted(ALL_STAGES, INTERRUPTIONS[0]))
    attempt.note("read-only, " + ("of an interrupted run" if attempt.number % 2 == 0 else "empty"))
    arguments = attempt.recipe(ALL_STAGES)
    grow(folder, "ro")
    attempt.run(arguments, codes={74})
    attempt.run(["validate", *arguments], codes={0, 74})
    grow(folder, "rw")
    attempt.go_on(ALL_STAGES, arguments)


def on_tmpfs(attempt):
    room(attempt, "size=64m")


def on_overlay(attempt):
    below = f"{attempt.folder}/below"
    attempt.mount("tmpfs", below, "size=64m")
    for name in ("lower/out", "upper", "work"):
        os.makedirs(f"{below}/{name}")
    attempt.mount("overlay", f"{attempt.folder}/disk",
                  f"lowerdir={below}/lower,upperdir={below}/upper,workdir={below}/work")
    attempt.out = f"{attempt.folder}/disk/out"


def on_ext4(attempt):
    if shutil.which("mkfs.ext4") is None:
        raise Skip("no mkfs.ext4 here")
    image = f"{attempt.folder}/image"
    with open(image, "wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True, capture_output=True)
    attempt.mount("ext4", f"{attempt.folder}/disk", "loop", device=image)
    attempt.out = f"{attempt.folder}/disk/out"


def without_direct(attempt):
    return dict(fault="direct:all:EINVAL:/out/")


def on_ramfs(attempt):
    attempt.mount("ramfs", f"{attempt.folder}/disk")  # knows no O_DIRECT, and tells no free space
    attempt.out = f"{attempt.folder}/disk/out"


def without_reserve(attempt):
    return dict(fault="allocate:all:EOPNOTSUPP:/out/")


FILE_SYSTEMS = (on_overlay, without_direct, on_tmpfs, on_ext4, on_ramfs, without_reserve)


@scenario("R4", quick=6, long=12)
def file_systems(attempt):
    """tmpfs, overlay, ext4, ramfs, no O_DIRECT and no fallocate: a run that is killed once ends bit-equal on each."""
    kind = FILE_SYSTEMS[(attempt.number - 1) % len(FILE_SYSTEMS)]
    attempt.note(kind.__name__)
    shim = kind(attempt) or {}
    arguments = attempt.recipe(ALL_STAGES)
    attempt.run(arguments, fault=f"mkdir:1:SIGKILL:{attempt.out}/02-sft/checkpoints/step-00000006.tmp")
    attempt.run(arguments, codes={0}, **shim)
    attempt.expect_end(ALL_STAGES)


@scenario("R4", quick=2, long=12)
def two_starts(attempt):
    """Two starts in one folder at once: one runs, the other is refused (78), and the end is bit-equal."""
    arguments = attempt.recipe(ALL_STAGES)
    attempt.bench.undisturbed(ALL_STAGES)
    both = [attempt.start(arguments) for _ in range(2)]
    ends = [attempt.finish(process) for process in both]
    for outcome in ends:
        attempt.judge(outcome, {0, 78})
    if all(outcome.code == 78 for outcome in ends):
        raise Wrong("both starts were refused")
    attempt.expect_end(ALL_STAGES)
