"""A session that edits a memory (`ask --memory`): kills, failing calls, damaged files."""

import os
import pathlib
import re
import shutil
import signal

from bench import MEMORY, Attempt
from calls import ACTIONS, TRANSIENT
from registry import Wrong, scenario

EDITS = [(f"who keeps lamp {i}", f"keeper {i * 7}") for i in range(10)]
OF_RECIPE = 4  # edits, which a new memory holds from the start
QUESTION = "who keeps lamp 3"


def told(edits):
    return "".join(f"+ {question} => {answer}\n" for question, answer in edits)


class Memory:
    """The edit memory of an attempt and sessions with it."""

    def __init__(self, attempt):
        self.attempt, self.path = attempt, f"{attempt.folder}/memory.h5"
        self.arguments = ["ask", *attempt.recipe(MEMORY), "--memory", self.path]

    def session(self, lines, **options):
        return self.attempt.run(self.arguments, lines=lines, **options)

    def facts(self, codes=None):
        """What `:facts` says in a session that nothing disturbs; None where the memory is refused with one of
        `codes`."""
        outcome = self.session(":facts\n", codes={0, *(codes or ())})
        return outcome.stdout.splitlines()[1:] if outcome.code == 0 else None


def acknowledged(outcome):
    return len(re.findall(r"^remembered, \d+ facts$", outcome.stdout, re.MULTILINE))


def whole_session(bench):
    """(facts, answer, calls below the memory's path) of a session that nothing disturbed."""

    def make():
        attempt = Attempt(bench, "whole-session", len(bench.kept))
        memory = Memory(attempt)
        memory.session(told(EDITS), codes={0}, log=True)
        calls = [(kind, path.replace(attempt.folder, "")) for kind, _, path in attempt.logged() if "/memory.h5" in path]
        return memory.facts(), memory.session(QUESTION + "\n", codes={0}).stdout, calls

    return bench.once("whole session", make)


def expect_prefix(attempt, memory, acks):
    """The memory holds the recipe's edits and those that were acknowledged, in order; at most one more. Then the
    rest is added, and it answers as the undisturbed one."""
    facts, answer, _ = whole_session(attempt.bench)
    found = memory.facts()
    kept = len(found) - OF_RECIPE
    if found != facts[:len(found)] or not acks <= kept <= acks + 1:
        raise Wrong(f"{attempt.told()}: {acks} edits were acknowledged; the memory holds {found}")
    memory.session(told(EDITS[kept:]), codes={0})
    if memory.facts() != facts or memory.session(QUESTION + "\n", codes={0}).stdout != answer:
        raise Wrong(f"{attempt.told()}: after the rest was added the memory differs from the undisturbed one")


@scenario("R1", "R2", quick=6, long=50)
def kill_edits(attempt):
    """SIGKILL at a random call on a memory that edits are added to: none that was acknowledged is lost, none is
    there twice or in part, and a new memory has the recipe's edits or is not there."""
    memory = Memory(attempt)
    calls = whole_session(attempt.bench)[2]
    call = attempt.rng.randint(1, len(calls) if attempt.number % 2 else 40)
    attempt.note(f"any:{call}:SIGKILL:/memory.h5")
    outcome = memory.session(told(EDITS), fault=f"any:{call}:SIGKILL:/memory.h5")
    if outcome.code not in (0, -signal.SIGKILL):
        raise Wrong(f"{attempt.told()}: {outcome}")
    expect_prefix(attempt, memory, acknowledged(outcome))


@scenario("R5", quick=8, long=lambda bench: len(whole_session(bench)[2]))
def io_edits(attempt):
    """One call on a memory that edits are added to fails once: 74 and what was acknowledged stays, or no harm."""
    memory = Memory(attempt)
    calls = [call for call in whole_session(attempt.bench)[2] if call[0] in ACTIONS]
    index = attempt.rng.randrange(len(calls)) if attempt.bench.is_quick else (attempt.number - 1) % len(calls)
    kind, path = calls[index]
    number = sum(1 for other, _ in calls[:index + 1] if other == kind)
    action = attempt.rng.choice(ACTIONS[kind])
    attempt.note(f"{kind}:{number}:{action} ({path})")
    outcome = memory.session(told(EDITS), fault=f"{kind}:{number}:{action}:/memory.h5")
    attempt.judge(outcome, {0} if action in TRANSIENT else {0, 74})
    expect_prefix(attempt, memory, acknowledged(outcome))


def journalled(bench):
    """The folder of a memory of the recipe's edits whose journal holds five more, and of one with three others."""

    def make():
        attempt = Attempt(bench, "journalled", len(bench.kept))
        for name, edits in (("other.h5", [(f"what is {i}", f"thing {i}") for i in range(3)]), ("memory.h5", EDITS[:5])):
            memory = Memory(attempt)
            memory.path, memory.arguments[-1] = (f"{attempt.folder}/{name}",) * 2
            memory.session("", codes={0})
            process = attempt.start(memory.arguments, stdin=-1)
            process.stdin.write(told(edits))
            process.stdin.flush()
            acks = 0
            while acks < len(edits) and (line := process.stdout.readline()):
                acks += line.startswith("remembered")
            attempt.close(keep=True)  # killed before it folds the journal into the file
            process.stdout.close()
            attempt.undo.clear()
        return attempt.folder

    return bench.once("journalled", make)


def flip(path, rng):
    size = os.path.getsize(path)
    at, bit = rng.randrange(size), 1 << rng.randrange(8)
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ bit]))
    return f"bit {bit} of byte {at}"


def truncate(path, rng):
    size = rng.randrange(os.path.getsize(path))
    os.truncate(path, size)
    return f"cut to {size} bytes"


def append(path, rng):
    with open(path, "ab") as file:
        file.write(rng.randbytes(rng.randint(1, 300)))
    return "bytes appended"


def exchange(path, _):
    shutil.copy(path.replace("memory.h5", "other.h5"), path)
    return "that of another memory"


def replace_by_folder(path, _):
    os.remove(path)
    os.mkdir(path)
    return "a folder in its place"


def replace_by_loop(path, _):
    os.remove(path)
    os.symlink(os.path.basename(path), path)
    return "a link to itself in its place"


def remove(path, _):
    os.remove(path)
    return "removed"


MEMORY_DAMAGES = (flip, truncate, flip, append, exchange, replace_by_folder, replace_by_loop, remove)


@scenario("R6", "R7", quick=8, long=160)
def memory_pieces(attempt):
    """A damaged, cut, exchanged or missing file of an edit memory: refused, or only what a torn append may take is
    gone; never other facts."""
    folder = journalled(attempt.bench)
    for path in pathlib.Path(folder).glob("*.h5*"):
        shutil.copy(path, attempt.folder)
    memory = Memory(attempt)
    victim = memory.path + ("" if attempt.number % 2 else ".journal")
    damage = MEMORY_DAMAGES[attempt.number // 2 % len(MEMORY_DAMAGES)]
    if damage is exchange and victim != memory.path:
        damage = append  # a journal has no mark of its memory (docs/memory_format.md)
    attempt.note(f"{os.path.basename(victim)}: {damage(victim, attempt.rng)}")
    outcome = memory.session(":facts\n", patience=60)
    attempt.judge(outcome, {0, 65, 66, 74})
    if outcome.code != 0:
        return
    if damage is remove and victim == memory.path:
        return  # a new memory
    found, facts = outcome.stdout.splitlines()[1:], whole_session(attempt.bench)[0]
    # The last entry of the journal may look as if a kill had torn it.
    lost = 5 if damage in (truncate, remove) else 1 if damage is flip else 0
    if found != facts[:len(found)] or len(found) < OF_RECIPE + 5 - lost:
        raise Wrong(f"{attempt.told()}: a session begins with {found}")
