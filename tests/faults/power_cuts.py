"""Power cuts: of a run that the shim watched, what was durable at a moment is laid out again, and the run goes on."""

import os
import pathlib
import shutil

from bench import ALL_STAGES, Attempt
from registry import Skip, Wrong, scenario


class Record:
    """The events of one run: what each sync made durable, and what each folder held when a name changed in it."""

    def __init__(self, folder, root):
        self.folder, self.root = folder, root
        with open(f"{folder}/events", errors="surrogateescape") as file:
            self.events = sorted((line.rstrip("\n").split("\t") for line in file), key=lambda event: int(event[1]))

    def folder_names(self, letters, moment):
        """By folder: the names that the last event of these letters found there, up to a moment."""
        names = {}
        for letter, number, folder, *rest in self.events:
            if letter in letters and int(number) <= moment:
                names[folder] = dict(zip(rest[1::2], rest[2::2]))
        return names

    def root_name(self):
        return next((event[2] for event in self.events if event[0] != "S" and event[3] == self.root), None)

    def copies(self, moment):
        """By file: the number of its last durable copy."""
        return {file: number for letter, number, file, *_ in self.events if letter == "S" and int(number) <= moment}

    def lay_out(self, to, moment, rng=None):
        """Makes the folder `to` as a power cut at a moment leaves it: names and bytes that no sync had made durable
        are gone; or, with `rng`, some of the names are there."""
        synced, live = self.folder_names("D", moment), self.folder_names("DL", moment)
        copies = self.copies(moment)

        def lay(folder, path):
            path.mkdir(parents=True)
            names = synced.get(folder, {})
            if rng and rng.random() < 0.5:
                names = live.get(folder, names)
            for name, inner in names.items():
                if inner.startswith("d"):
                    lay(inner, path / name)
                elif inner in copies:
                    shutil.copy(f"{self.folder}/{copies[inner]}", path / name)
                else:
                    (path / name).touch()  # its bytes were not durable

        lay(self.root_name(), pathlib.Path(to))
        # One time for all: what is laid out here is not newer than what names it, as an export's mark does.
        for path in pathlib.Path(to).rglob("*"):
            os.utime(path, (1e9, 1e9), follow_symlinks=False)


def record_of_a_run(bench):
    def make():
        attempt = Attempt(bench, "recorded", 0)
        keep = f"{bench.mpi}/kept"
        os.makedirs(keep)
        attempt.run(attempt.recipe(ALL_STAGES), codes={0}, keep=keep, under=attempt.out)
        return Record(keep, attempt.out)

    record = bench.once("power cuts", make)
    if any(event[2] == "" for event in record.events if event[0] != "S"):
        raise Skip("this file system tells no time of birth of a file")
    return record


def moments(bench):
    return len(record_of_a_run(bench).events) * 3


@scenario("R3", quick=14, long=moments)
def power_cut(attempt):
    """The power is cut at any moment of a run of all stages, and what was not synced is gone, or some of it: no
    damaged checkpoint under a final name, no hole in a curve, no exported half, and the end is bit-equal."""
    record = record_of_a_run(attempt.bench)
    events = record.events
    if attempt.bench.is_quick:
        moment, some = attempt.rng.randrange(len(events)), attempt.number % 3
    else:
        moment, some = divmod(attempt.number - 1, 3)
    attempt.note(f"cut after event {moment} of {len(events)}: {' '.join(events[moment][:4])}, "
                 f"{'some names not synced are there' if some else 'nothing that was not synced is there'}")
    record.lay_out(attempt.out, moment, attempt.rng if some else None)
    attempt.expect_whole_checkpoints()
    if os.path.exists(f"{attempt.out}/07-export/DONE") and not os.path.exists(f"{attempt.out}/hf/model.safetensors"):
        raise Wrong(f"{attempt.told()}: the export is said to be done, and is not there")
    attempt.go_on(ALL_STAGES, attempt.recipe(ALL_STAGES))
