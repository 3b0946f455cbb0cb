"""Little memory: limits of the process, a small /dev/shm, few open files."""

import subprocess

from bench import ALL_STAGES, TRAINING
from registry import Skip, Wrong, scenario

LOADER = 127  # it cannot map the libraries


@scenario("R17", quick=6, long=50)
def little_memory(attempt):
    """A limit of address space or data (prlimit --as, --data) between too little to start and enough: 71 and one
    line, or the same end."""
    kind = ("as", "data")[attempt.number % 2]
    least, most = (420, 1100) if kind == "as" else (20, 220)
    megabytes = attempt.rng.randint(least, most) if attempt.bench.is_quick else (
        least + (most - least) * attempt.number // 50)
    attempt.note(f"--{kind} {megabytes} MB")
    arguments = attempt.recipe(TRAINING)
    limit = ["prlimit", f"--{kind}={megabytes << 20}"]
    outcome = attempt.run(arguments, prefix=limit)
    starts = attempt.run(["--version"], prefix=limit).code != LOADER
    attempt.judge(outcome, {0, 71} if starts else {LOADER})
    if outcome.code == 0:
        attempt.expect_end(TRAINING)
    attempt.go_on(TRAINING, arguments)


@scenario("R17", quick=3, long=18)
def small_shared_memory(attempt):
    """Two and three ranks with a /dev/shm of some KB to 64 MB, as in a container: the same end, or 71 or 74 with the
    bytes needed; no SIGBUS."""
    kilobytes = attempt.rng.choice([0, 4, 16, 64, 256, 1024, 4096, 65536])
    ranks = 2 + attempt.number % 2
    attempt.note(f"/dev/shm of {kilobytes} KB, {ranks} ranks")
    attempt.bench.undisturbed(TRAINING, ranks)
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        raise Skip("this user may not mount a small /dev/shm")
    mount = f'mount -t tmpfs -o size={max(4, kilobytes)}k tmpfs /dev/shm && exec "$@"'
    arguments = attempt.recipe(TRAINING)
    outcome = attempt.run(arguments, ranks, prefix=["unshare", "-m", "sh", "-c", mount, "sh"])
    attempt.judge(outcome, {0, 71, 74})
    attempt.expect_gone()
    if outcome.code == 0:
        attempt.expect_end(TRAINING, ranks)


@scenario("R17", quick=2, long=10)
def few_files(attempt):
    """A limit of open files: the same end, or a line that says what could not be opened, and never a silent loss."""
    files = attempt.rng.randint(8, 40)
    attempt.note(f"{files} open files")
    arguments = attempt.recipe(ALL_STAGES)
    outcome = attempt.run(arguments, prefix=["prlimit", f"--nofile={files}"])
    if outcome.code < 0 or outcome.code > 128:
        raise Wrong(f"{attempt.told()}: {outcome}")
    if outcome.code == 0:
        attempt.expect_end(ALL_STAGES)
    elif any("InternalError" in line for line in outcome.errors):
        raise Wrong(f"{attempt.told()}: calls it a bug: {outcome}")
    attempt.go_on(ALL_STAGES, arguments)
