"""Looks at a program while it runs, and kills it at a moment that is wanted.

Nothing here depends on how fast the program or its watcher is: the time-outs are for what hangs. Needs Linux.
"""

import json
import os
import re
import signal
import time

PATIENCE = 600  # seconds for what takes a few on an idle machine
NAP = 0.001

# How the program names what it has not finished: NAME.tmp, and NAME.tmp<process id> where it writes one small file.
TEMPORARY = re.compile(r"\.tmp\d*$")


def names_in(folder):
    """Sorted names of what is finished in a folder; none where there is no folder, not yet or no longer."""
    return [name for name in all_names_in(folder) if not TEMPORARY.search(name)]


def all_names_in(folder):
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def read_if_there(path):
    """The bytes of a file, or None: whether it exists cannot be asked before, it may be renamed meanwhile."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def read_finished(folder):
    """The finished files of a folder of files by name, as of one moment: the program may rename and remove some
    while they are read."""
    while True:
        names = names_in(folder)
        files = {name: read_if_there(f"{folder}/{name}") for name in names}
        if None not in files.values() and names_in(folder) == names:
            return files


def whole_lines(data):
    """The lines that have their newline; one without it may still be being written."""
    return data.split(b"\n")[:-1]


def count_lines(path):
    return len(whole_lines(read_if_there(path) or b""))


def chunks_done(log):
    """Numbers of the chunks that ranks have written to a log of chunks such as samples.jsonl, in order or ahead."""
    in_order = os.path.join(os.path.dirname(log), "metrics.jsonl")
    files = [read_if_there(in_order) or b"", *read_finished(log + ".parts").values()]
    done = set()
    for line in (line for data in files for line in whole_lines(data)):
        try:
            done.add(json.loads(line)["chunk"])
        except ValueError:
            continue  # torn by a kill
    return done


def threads_of(pid):
    """The states of a process's threads, as ps shows them; none when it is gone."""
    states = ""
    for thread in all_names_in(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/stat") as file:
                states += file.read().rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            continue  # it has just ended
    return states


def family_of(pid):
    """A process and all that it started, by their ids."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    parents[int(entry)] = int(file.read().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue  # it has just ended
    family = [pid]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return family


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {PATIENCE} seconds")
        time.sleep(NAP)


def reaches(process, reached):
    """Waits until `reached()` holds; False when the started command ended before it was seen to."""
    wait_until(lambda: process.poll() is not None or reached(), "what the test waits for")
    return process.returncode is None


def stop_family(process, known=()):
    """SIGSTOP to a started command and every process below it. Returns their ids when none of them runs any more.
    `known` are stopped first, for they are the ones to hurry about."""
    if process.poll() is not None:
        return []  # its id may be another process's by now
    send(known, signal.SIGSTOP)
    stopped = set()
    while fresh := set(family_of(process.pid)) - stopped:
        send(fresh, signal.SIGSTOP)
        # Not before they rest is it known that they have started no more.
        wait_until(lambda: all(set(threads_of(pid)) <= set("TtZX") for pid in fresh), "processes stop")
        stopped |= fresh
    return sorted(stopped)


def kill_family(process):
    """SIGKILL to a started command and every process below it, which are all gone on return."""
    family = stop_family(process)
    send(family, signal.SIGKILL)
    process.wait()
    # A process is not over with its first thread: another one may have a call to the system to finish.
    wait_until(lambda: all(set(threads_of(pid)) <= set("ZX") for pid in family), "killed processes end")


def kill_when(process, reached):
    """Kills a started command and its ranks while `reached()` holds, however short that is: they are stopped, and go
    on when it holds no longer. False when the command ended before."""
    family = []
    try:
        while reaches(process, reached):
            family = stop_family(process, family)
            if family and reached():
                return True
            send(family, signal.SIGCONT)
        return False
    finally:
        kill_family(process)
