"""Checkpoints with damaged, wrong and forged pieces."""

import hashlib
import json
import os
import pathlib
import shutil

from bench import ALL_STAGES, TRAINING, results_of
from edits import append, flip, remove, replace_by_folder, replace_by_loop, truncate
from registry import Wrong, scenario

AT_STEP_6 = "rename:1:SIGKILL:/02-sft/checkpoints/step-00000006.tmp"  # with the checkpoints of steps 2 and 4


def cut_to_nothing(path, _):
    os.truncate(path, 0)
    return "empty"


def older_twin(path, _):
    shutil.copy(path.replace("step-00000004", "step-00000002"), path)
    return "that of step 2"


def sibling(path, rng):
    other = rng.choice([name for name in sorted(os.listdir(os.path.dirname(path))) if name != os.path.basename(path)])
    shutil.copy(f"{os.path.dirname(path)}/{other}", path)
    return f"{other} in its place"


def pipe(path, _):
    os.remove(path)
    os.mkfifo(path)
    return "a pipe in its place"


def endless(path, _):
    os.remove(path)
    os.symlink("/dev/zero", path)
    return "a link to /dev/zero in its place"


FILES = ("rank_00000.h5", "index.h5", "state.json", "manifest.json", "manifest.sha256")
PIECES = [(file, damage) for damage in (flip, truncate, remove, older_twin, sibling, append, cut_to_nothing,
                                        replace_by_folder, replace_by_loop, pipe, endless) for file in FILES]


def checkpoint(attempt, step):
    return f"{attempt.out}/02-sft/checkpoints/step-{step:08}"


def newest(attempt):
    return checkpoint(attempt, 4)


def goes_on(attempt, arguments, codes=frozenset({0})):
    """The run goes on from what is left, within memory and time, and ends bit-equal."""
    outcome = attempt.run(arguments, patience=120)
    attempt.judge(outcome, codes)
    if outcome.code == 0:
        attempt.expect_end(TRAINING)
    return outcome


@scenario("R6", "R7", quick=14, long=275)
def pieces(attempt):
    """A file of the newest checkpoint is damaged, cut, exchanged, a folder, a loop, a pipe or endless: `ckpt verify`
    says so (82), and the run goes on from the older one to the same end."""
    attempt.copy_of(attempt.bench.interrupted(TRAINING, AT_STEP_6))
    file, damage = attempt.rng.choice(PIECES) if attempt.bench.is_quick else PIECES[attempt.number % len(PIECES)]
    path = f"{newest(attempt)}/{file}"
    attempt.note(f"{file}: {damage(path, attempt.rng)}")
    arguments = attempt.recipe(TRAINING)
    if attempt.number % 2:
        attempt.run(["ckpt", "verify", newest(attempt)], codes={82}, patience=60)
    outcome = goes_on(attempt, arguments)
    if "step-00000004" not in outcome.stderr or "step-00000002" not in outcome.stderr:
        raise Wrong(f"{attempt.told()}: no line names the damaged checkpoint and the one used: {outcome.stderr[-400:]}")


def renamed(attempt):
    os.rename(newest(attempt), checkpoint(attempt, 9))
    return "step 4 under the name of step 9"


def older_as_newer(attempt):
    shutil.copytree(checkpoint(attempt, 2), checkpoint(attempt, 5))
    return "step 2 under the name of step 5 too"


def latest_of_nothing(attempt):
    pathlib.Path(newest(attempt)).with_name("LATEST").write_text("step-00000099\n")
    return "LATEST names what is not there"


def latest_garbage(attempt):
    pathlib.Path(newest(attempt)).with_name("LATEST").write_bytes(attempt.rng.randbytes(500))
    return "LATEST is no text"


def best_gone(attempt):
    pathlib.Path(newest(attempt)).with_name("BEST").unlink()
    return "no BEST"


def folder_is_file(attempt):
    shutil.rmtree(newest(attempt))
    pathlib.Path(newest(attempt)).write_text("a file")
    return "a file in place of step 4"


def foreign_names(attempt):
    for name in ("step-", "step-abc", "step-99999999999999999999", "step-00000003.tmp", "notes"):
        os.mkdir(f"{os.path.dirname(newest(attempt))}/{name}")
    return "folders with other names beside it"


def mixed(attempt):
    for file in ("rank_00000.h5", "state.json"):
        shutil.copy(f"{checkpoint(attempt, 2)}/{file}", newest(attempt))
    return "rank file and state of step 2 in step 4"


FOLDERS = (renamed, older_as_newer, latest_of_nothing, latest_garbage, folder_is_file, foreign_names, mixed, best_gone)


@scenario("R7", quick=8, long=16)
def folders(attempt):
    """Checkpoint folders are renamed, doubled, mixed, foreign, or misnamed by LATEST: the run ends bit-equal."""
    attempt.copy_of(attempt.bench.interrupted(TRAINING, AT_STEP_6))
    damage = FOLDERS[(attempt.number - 1) % len(FOLDERS)]
    attempt.note(damage(attempt))
    arguments = attempt.recipe(TRAINING)
    outcome = attempt.run(arguments, codes={0}, patience=120)
    expected, found = attempt.bench.undisturbed(TRAINING), results_of(attempt.out)
    # Which older checkpoints stay depends on the names found.
    other = [name for name in expected if found.get(name) != expected[name]
             and ("/checkpoints/" not in name or "step-00000006/" in name)]
    if other:
        raise Wrong(f"{attempt.told()}: other or no content in {other}: {outcome.stderr[-300:]}")


@scenario("R7", quick=1, long=2)
def none_left(attempt):
    """All checkpoints are damaged: 82, and nothing is touched."""
    attempt.copy_of(attempt.bench.interrupted(TRAINING, AT_STEP_6))
    for step in (2, 4):
        flip(f"{checkpoint(attempt, step)}/rank_00000.h5", attempt.rng)
    before = sorted(str(path) for path in pathlib.Path(attempt.out).rglob("checkpoints/step-*/*"))
    attempt.run(attempt.recipe(TRAINING), codes={82})
    if before != sorted(str(path) for path in pathlib.Path(attempt.out).rglob("checkpoints/step-*/*")):
        raise Wrong("files of damaged checkpoints were removed")


def forge(folder, change):
    """Changes the manifest and makes its sum right again."""
    path = pathlib.Path(folder) / "manifest.json"
    manifest = json.loads(path.read_text())
    text = json.dumps(change(manifest) or manifest)
    path.write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    path.with_name("manifest.sha256").write_text(f"{digest}  manifest.json\n")


def places_of(value, path=()):
    """The paths of all values in a JSON value, itself first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places_of(inner, (*path, key))


HUGE = (2 * 10**9, 2**62, 2**63, 2**64, 10**30, -1, 0, 0.5)
STRANGE = (None, True, "", "../../x", "x" * 5000, "\u0000", [], {}, [[]] * 3, "NaN")


def forged_value(manifest, rng):
    """One random value becomes another; says which."""
    path = rng.choice([path for path in places_of(manifest) if path])
    holder = manifest
    for key in path[:-1]:
        holder = holder[key]
    old = holder[path[-1]]
    if isinstance(old, int) and rng.random() < 0.7:
        new = rng.choice([*HUGE, old + 1, old - 1, old * 2, old + 4096])
    else:
        new = rng.choice(STRANGE + HUGE)
    if isinstance(holder, list) and rng.random() < 0.2:
        holder.append(old)
        return f"{path}: twice"
    if rng.random() < 0.1:
        del holder[path[-1]]
        return f"{path}: gone"
    holder[path[-1]] = new
    return f"{path}: {str(old)[:40]} becomes {str(new)[:40]}"


@scenario("R7", "R8", quick=12, long=400)
def forged(attempt):
    """A manifest with a value forged and right sums: passed over with a reason (82 if it is asked for), soon and in
    little memory; or what was forged means nothing, and the end is bit-equal."""
    attempt.copy_of(attempt.bench.interrupted(TRAINING, AT_STEP_6))
    told = []
    forge(newest(attempt), lambda manifest: told.append(forged_value(manifest, attempt.rng)))
    attempt.note(told[0])
    attempt.run(["ckpt", "verify", newest(attempt)], codes={0, 82}, patience=60)
    attempt.note("going on")
    goes_on(attempt, attempt.recipe(TRAINING), {0, 82})


@scenario("R6", quick=6, long=60)
def flipped_results(attempt):
    """A bit flipped in a file that a finished stage left and later stages read: refused (65), or read as it now is."""
    attempt.copy_of(attempt.bench.interrupted(ALL_STAGES, "mkdir:1:SIGKILL:/05-orpo/checkpoints/step-00000002.tmp"))
    file = ("01-build_data/train.json", "03-sample/samples.jsonl", "04-rank/pairs.jsonl")[attempt.number % 3]
    attempt.note(f"{file}: {flip(f'{attempt.out}/{file}', attempt.rng)}")
    arguments = attempt.recipe(ALL_STAGES)
    attempt.run(arguments, codes={0, 65})
