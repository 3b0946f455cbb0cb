"""Each call to the system fails once: in a run, in one that goes on, in a session that edits a memory."""

from bench import ALL_STAGES, Attempt
from registry import Wrong, scenario

# What may meet a call of a kind. Those of TRANSIENT are no failure: the call is made again.
ACTIONS = {
    "open": ("EIO", "EACCES", "EMFILE", "ESTALE", "EINTR"),
    "read": ("EIO", "ESTALE", "EINTR", "SHORT"),
    "write": ("EIO", "ENOSPC", "EDQUOT", "EINTR", "SHORT"),
    "sync": ("EIO", "ENOSPC", "EINTR"),
    "rename": ("EIO", "ENOSPC", "EACCES"),
    "mkdir": ("EIO", "ENOSPC", "EROFS"),
    "truncate": ("EIO", "ENOSPC", "EINTR"),
    "allocate": ("EIO", "ENOSPC", "EINTR"),
    "close": ("EIO", "ENOSPC"),
    "remove": ("EIO", "EACCES"),
    "map": ("EIO", "EACCES"),
    "status": ("EIO", "EACCES", "ESTALE"),
    "direct": ("EINVAL",),
}
TRANSIENT = ("EINTR", "SHORT", "EINVAL")
HDF5_ENDS_AT = ("truncate", "EINTR")  # HDF5 makes reads and writes again, but not this. No signal of ours leads to it.
INTERRUPTIONS = (  # where a run is killed that then goes on
    "mkdir:1:SIGKILL:/02-sft/checkpoints/step-00000006.tmp",
    "write:3:SIGKILL:/03-sample/samples.jsonl",
    "mkdir:1:SIGKILL:/05-orpo/checkpoints/step-00000004.tmp",
    "write:3:SIGKILL:/06-evaluate/answers.jsonl",
)


def right_codes(kind, path, action):
    """The exit codes that are right when a call of `kind` on `path` fails. 0 is right where nothing was lost by it:
    what the run leaves is compared anyway."""
    if action in TRANSIENT and not ((kind, action) == HDF5_ENDS_AT and path.endswith(".h5")):
        return {0}
    if "/out/" not in path and not path.endswith("/out"):
        return {0, 66, 74, 78}
    return {0, 74, 82} if "/checkpoints" in path else {0, 74}


def fail_one(attempt, calls, text, index=None, action=None):
    """Lets one of `calls` fail in a run of `text`, which must say so or not be hurt; then the run goes on."""
    if index is None:
        index = attempt.rng.randrange(len(calls)) if attempt.bench.is_quick else (attempt.number - 1) % len(calls)
    kind, path = calls[index]
    number = sum(1 for other, _ in calls[:index + 1] if other == kind)
    action = action or attempt.rng.choice(ACTIONS[kind])
    fault = f"{kind}:{number}:{action}:"
    attempt.note(f"{fault} ({path})")
    arguments = attempt.recipe(text)
    outcome = attempt.run(arguments, fault=fault)
    hit = attempt.where_it_hit()
    if hit and hit[0].split(" ", 1)[1].split("/out")[-1] != path.split("/out")[-1]:
        attempt.note(f"hit {hit[0]}")
    if not hit and outcome.code != 0:
        raise Wrong(f"{attempt.told()}: no call failed, yet {outcome}")
    attempt.judge(outcome, right_codes(kind, hit[0] if hit else path, action))
    if outcome.code == 0:
        attempt.expect_end(text)
    attempt.go_on(text, arguments)


def calls_of_a_run(bench):
    return [call for call in bench.calls(ALL_STAGES) if call[0] in ACTIONS]


@scenario("R5", quick=28, long=lambda bench: len(calls_of_a_run(bench)))
def io_run(attempt):
    """One call of a run of all stages fails once: the right exit code and one line, or no harm done; the next start
    ends bit-equal."""
    fail_one(attempt, calls_of_a_run(attempt.bench), ALL_STAGES)


def calls_that_go_on(bench, interruption):
    """The calls of a run that goes on after an interruption."""

    def make():
        attempt = Attempt(bench, "going-on", len(bench.kept))
        attempt.copy_of(bench.interrupted(ALL_STAGES, interruption))
        attempt.run(attempt.recipe(ALL_STAGES), log=True, codes={0})
        return [(kind, path.replace(attempt.folder, "")) for kind, _, path in attempt.logged() if kind in ACTIONS]

    return bench.once(("going on", interruption), make)


@scenario("R5", quick=24, long=lambda bench: sum(len(calls_that_go_on(bench, each)) for each in INTERRUPTIONS) // 2)
def io_resumed(attempt):
    """One call of a run that goes on after a kill fails once: as above, and an unreadable checkpoint is passed over."""
    interruption = INTERRUPTIONS[attempt.number % len(INTERRUPTIONS)]
    attempt.note(f"killed at {interruption}")
    attempt.copy_of(attempt.bench.interrupted(ALL_STAGES, interruption))
    calls = calls_that_go_on(attempt.bench, interruption)
    fail_one(attempt, calls, ALL_STAGES)


# Of a run that goes on: kind, end of the path, which of such calls, and what it meets. Each was told as something else
# once.
OWN_FILES = (
    ("open", "/out/run.json", -1, "EACCES"),  # the last time is under the lock
    ("status", "/out/run.json", -1, "EACCES"),
    ("read", "/out/run.json", -1, "EIO"),
    ("open", "/out", 0, "EINTR"),
    ("remove", "-0", 0, "EIO"),  # the lock's temporary file
)


@scenario("R5", quick=len(OWN_FILES), long=len(OWN_FILES))
def own_files(attempt):
    """The run's own run.json that cannot be read is an I/O error, a folder's listing that a signal interrupts is made
    again, and the lock leaves no temporary file."""
    kind, end, which, action = OWN_FILES[(attempt.number - 1) % len(OWN_FILES)]
    interruption = INTERRUPTIONS[2]
    attempt.copy_of(attempt.bench.interrupted(ALL_STAGES, interruption))
    calls = calls_that_go_on(attempt.bench, interruption)
    found = [i for i, (other, path) in enumerate(calls) if other == kind and path.endswith(end)]
    if not found:
        raise Wrong(f"no {kind} of a path that ends in {end}")
    fail_one(attempt, calls, ALL_STAGES, found[which], action)
