"""What attempts share: the program, the shim, a tiny model, and runs that nothing disturbed as their oracle."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from registry import Skip, Wrong, random_of

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "launch"))
from tiny_run import write_edits, write_model  # noqa: E402
from watching import TEMPORARY, kill_family  # noqa: E402

PATIENCE = 300  # seconds for what takes one or two on an idle machine
# What Open MPI says when it could not start: at times its daemons do not get up while several starts go on at once.
NO_MPI = "before MPI_INIT completed"
MOST_BYTES = 700 << 20  # of memory; a run of the tiny model takes 180 MB
ENCODER = pathlib.Path(__file__).resolve().parents[1] / "golden/encoders/bert"
# A page that is written while the run goes on makes calls of its own, at no certain place among the others.
HEAD = """\
output_dir: {out}
logging_steps: 1000
live_report: false
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
parallel: {{threads: 1}}
stages:
"""
DATA = """\
  - build_data:
      sources:
        - {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "0:4"}}
"""
SFT = "  - sft: {{global_batch_size: 5, max_steps: 6, learning_rate: 1.0e-2, save_steps: 2, keep_best: true}}\n"
PREFERENCES = """\
  - sample: {{num_return_sequences: 4, max_new_tokens: 8, prompts_per_chunk: 3, max_sequences: 8}}
  - rank: {{}}
  - orpo: {{global_batch_size: 8, max_steps: 4, learning_rate: 1.0e-3, warmup_steps: 2, eval_steps: 2, save_steps: 2}}
"""
EVALUATE = """\
  - evaluate:
      benchmark: mzsre
      data: {root}/edits_enes.json
      edit_languages: [en]
      test_languages: [es]
      records: "12:16"
      max_tokens_per_batch: 128
"""
EXPORT = "  - export: {{path: {out}/hf, dtype: float32}}\n"
TRAINING = HEAD + DATA + SFT
ALL_STAGES = HEAD + DATA + SFT + PREFERENCES + EVALUATE + EXPORT
STAGE_FOLDERS = ("02-sft", "03-sample", "05-orpo", "06-evaluate")  # of ALL_STAGES: that save as they go
MEMORY = HEAD + EVALUATE.replace("records: \"12:16\"", "records: \"0:4\"").replace(
    "max_tokens_per_batch: 128",
    "mode: batch\n      sizes: [4]\n      retriever: {{model_name_or_path: {encoder}, k: 2}}")

ERROR_LINE = re.compile(r"^(?:\[rank \d+/\d+\] )?(?:(\w+Error|StopRequested): .+|stopped on request.*to go on, run)")
# Times, sizes, and who did it, differ between equal runs.
OF_THE_MOMENT = re.compile(r"second|bytes|^sol$|^rank$|time|wait")
NOT_COMPARED = {"run.json", "report.html", "results.csv", ".digests.json", ".lock", "FINGERPRINT", "DONE", "manifest.json",
                "manifest.sha256", "state.json", "recipe.yaml"}


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def steady(value):
    """An object of metrics.jsonl or cost.json without what differs between equal runs."""
    if not isinstance(value, dict):
        return value
    return {key: steady(one) for key, one in value.items() if not OF_THE_MOMENT.search(key)}


def content_of(path):
    if path.name == "metrics.jsonl":
        return [json.dumps(steady(json.loads(line))) for line in path.read_text().splitlines()]
    if path.name == "cost.json":
        return json.dumps(steady(json.loads(path.read_text())))
    if path.name in NOT_COMPARED:
        return "there"
    return sha256(path)


def results_of(out):
    """All files of a run by name: their digests, for metrics the lines without times. Of small files that were being
    written when a run was killed a temporary one stays (NAME.tmp and the process's id); nothing reads it."""
    out = pathlib.Path(out)
    return {str(path.relative_to(out)): content_of(path) for path in sorted(out.rglob("*"))
            if path.is_file() and "report" not in path.relative_to(out).parts
            and path.name not in (".digests.json", ".lock.holder")
            and not (TEMPORARY.search(path.name) and path.name[-1].isdigit())}


CHECKPOINT = re.compile(r"(.+/checkpoints)/(step-\d+)/")


def without_older(results, out):
    """results_of() a folder without the checkpoints that neither LATEST nor BEST names. Which of those stay depends on
    the saves that were asked for in between."""

    def is_named(checkpoint):
        pointers = (pathlib.Path(out) / checkpoint[1] / name for name in ("LATEST", "BEST"))
        return any(pointer.exists() and pointer.read_text().strip() == checkpoint[2] for pointer in pointers)

    checkpoints = {name: CHECKPOINT.match(name) for name in results}
    return {name: value for name, value in results.items() if not checkpoints[name] or is_named(checkpoints[name])}


def difference(found, expected):
    """One line about how two results_of() differ, or None."""
    missing, extra = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    if missing or extra:
        return f"missing {missing[:3]}, not expected {extra[:3]}"
    other = [name for name in expected if found[name] != expected[name]]
    return f"other content in {other[:4]}" if other else None


def damaged_checkpoints(out):
    """Why checkpoints under a final name do not verify, by our own reading of their manifests."""
    reasons = []
    for folder in sorted(pathlib.Path(out).glob("*/checkpoints/step-*")):
        if folder.name.endswith(".tmp"):
            continue
        try:
            told = (folder / "manifest.sha256").read_text().split()[0]
            if told != sha256(folder / "manifest.json"):
                reasons.append(f"{folder}: manifest.json differs from manifest.sha256")
                continue
            for file in json.loads((folder / "manifest.json").read_text())["files"]:
                if file["sha256"] != sha256(folder / file["name"]):
                    reasons.append(f"{folder}/{file['name']}: another SHA-256")
        except (OSError, ValueError, KeyError, IndexError) as error:
            reasons.append(f"{folder}: {error!r}")
    return reasons


def metrics_in_order(out):
    """Wrong where steps of a training's curve are missing or repeated."""
    for path in pathlib.Path(out).glob("*/metrics.jsonl"):
        steps = [json.loads(line).get("step") for line in path.read_text().splitlines()]
        if None not in steps and steps != list(range(1, len(steps) + 1)):
            raise Wrong(f"{path.parent.name}/metrics.jsonl has the steps {steps}")


def heed_hang_up():
    """A run heeds SIGHUP unless whoever starts it ignores it, as nohup does."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Outcome:
    """How a started program ended."""

    def __init__(self, code, stdout, stderr, most_bytes):
        self.code, self.stdout, self.stderr, self.most_bytes = code, stdout, stderr, most_bytes

    @property
    def errors(self):
        return [line for line in self.stderr.splitlines() if ERROR_LINE.match(line)]

    def __str__(self):
        lines = self.errors or self.stderr.splitlines()[-2:]
        return f"exit code {self.code}, {' | '.join(lines)[:400]}"


class Bench:
    """A temporary folder with the model, the edits, and the oracles by recipe and number of ranks."""

    def __init__(self, program, shim, seed):
        self.program, self.shim, self.seed = os.path.abspath(program), os.path.abspath(shim), seed
        self.root = tempfile.mkdtemp(prefix="xkde_faults_")
        self.mpi = tempfile.mkdtemp(prefix="xkde_faults_mpi_")  # where no fault is looked for
        self.lock = threading.RLock()
        self.kept = {}
        write_model(f"{self.root}/model")
        self.records = write_edits(f"{self.root}/edits_enes.json", 20)

    def close(self):
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.rmtree(self.mpi, ignore_errors=True)

    def once(self, key, make):
        """What `make` returned for the first who asked."""
        with self.lock:
            if key not in self.kept:
                self.kept[key] = make()
            return self.kept[key]

    def finished(self, text, ranks=1):
        """The output folder of the uninterrupted run of a recipe."""

        def make():
            attempt = Attempt(self, "undisturbed", len(self.kept))
            attempt.run(attempt.recipe(text), ranks=ranks, codes={0})
            return attempt.out

        return self.once(("finished", text, ranks), make)

    def undisturbed(self, text, ranks=1):
        """results_of() the uninterrupted run of a recipe."""
        out = self.finished(text, ranks)
        return self.once(("undisturbed", text, ranks), lambda: results_of(out))

    def calls(self, text):
        """The (kind, path) of each call that a run of a recipe on one rank makes below our folder, in order."""

        def make():
            attempt = Attempt(self, "calls", len(self.kept))
            attempt.run(attempt.recipe(text), log=True, codes={0})
            return [(kind, path.replace(attempt.folder, "")) for kind, _, path in attempt.logged()]

        return self.once(("calls", text), make)

    def interrupted(self, text, fault):
        """The folder of a run that a fault ended, to be copied; paths in the fault are below the folder."""

        def make():
            attempt = Attempt(self, "interrupted", len(self.kept))
            outcome = attempt.run(attempt.recipe(text), fault=fault)
            if outcome.code != -signal.SIGKILL:
                raise Wrong(f"{fault}: expected the run to be killed, found {outcome}")
            return attempt.out

        return self.once(("interrupted", text, fault), make)


class Attempt:
    """One attempt of a scenario, in a folder of its own."""

    def __init__(self, bench, name, number):
        self.bench, self.name, self.number = bench, name, number
        self.rng = random_of(bench.seed, name, number)
        self.folder = f"{bench.root}/{name}-{number}"
        self.out = f"{self.folder}/out"
        self.tried = 1  # more, where an attempt does several things
        self.notes = []  # of what was done, for who repeats it
        self.undo = []
        os.makedirs(self.folder)

    def close(self, keep=False):
        for act in reversed(self.undo):
            act()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def note(self, text):
        self.notes.append(str(text).replace(self.bench.root, ""))

    def recipe(self, text, out=None):
        path = f"{self.folder}/recipe.yaml"
        with open(path, "w") as file:
            file.write(text.format(out=out or self.out, root=self.bench.root, encoder=ENCODER))
        return [path]

    def command(self, arguments, ranks):
        if ranks == 1:
            return [self.bench.program, *arguments]
        root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
        return ["mpirun", *root, "--oversubscribe", "--bind-to", "none", "-n", str(ranks), self.bench.program, *arguments]

    def environment(self, fault=None, rank=None, log=False, keep=None, under=None):
        variables = dict(os.environ, OMP_NUM_THREADS="1", OMPI_MCA_orte_tmpdir_base=self.bench.mpi,
                         OMPI_MCA_btl_vader_backing_directory=self.bench.mpi)
        if fault or log or keep:
            variables |= dict(LD_PRELOAD=self.bench.shim, XKDE_FAULT_LOG=self.log,
                              XKDE_FAULT_UNDER=f"{self.bench.root}/" if under is None else under)
        if fault:
            variables["XKDE_FAULT"] = fault
        if rank is not None:
            variables["XKDE_FAULT_RANK"] = str(rank)
        if keep:
            variables["XKDE_FAULT_KEEP"] = keep
        return variables

    @property
    def log(self):
        return f"{self.bench.mpi}/{self.name}-{self.number}.log"

    def logged(self):
        """(kind, mark, path) of each call of the runs so far that had a shim."""
        with open(self.log, errors="replace") as file:
            return [tuple(line.rstrip("\n").split("\t", 2)) for line in file]

    def where_it_hit(self):
        return [f"{kind} {path}".replace(self.bench.root, "") for kind, mark, path in self.logged() if mark == "!"]

    def start(self, arguments, ranks=1, *, stdin=None, stdout=subprocess.PIPE, stderr=subprocess.PIPE, prefix=(),
              **shim):
        """The program in the background, in a session of its own. It does not outlive its attempt."""
        process = subprocess.Popen([*prefix, *self.command(arguments, ranks)], env=self.environment(**shim), stdin=stdin,
                                   stdout=stdout, stderr=stderr, cwd=self.folder, text=True, errors="replace",
                                   start_new_session=True, preexec_fn=heed_hang_up)
        self.undo.append(lambda: kill_family(process))
        return process

    def finish(self, process, lines="", patience=PATIENCE):
        """The Outcome of a started program. One that hangs is killed, and Wrong."""
        most = [0]
        watcher = threading.Thread(target=watch_memory, args=(process.pid, most), daemon=True)
        watcher.start()
        try:
            stdout, stderr = process.communicate(lines if process.stdin else None, timeout=patience)
        except subprocess.TimeoutExpired:
            kill_family(process)
            raise Wrong(f"{self.told()}: still runs after {patience} seconds") from None
        watcher.join()
        return Outcome(process.returncode, stdout or "", stderr or "", most[0])

    def run(self, arguments, ranks=1, *, codes=None, lines=None, patience=PATIENCE, **options):
        """Runs the program to its end; Wrong unless its exit code is one of `codes`, if they are given."""
        options.setdefault("stdin", subprocess.PIPE if lines is not None else subprocess.DEVNULL)
        outcome = self.finish(self.start(arguments, ranks, **options), lines or "", patience)
        if codes is not None:
            self.judge(outcome, codes)
        return outcome

    def told(self):
        return "; ".join(self.notes)

    def judge(self, outcome, codes):
        """What holds for every end: an exit code that is right here, and one line that says why."""
        if outcome.code not in codes:
            raise Wrong(f"{self.told()}: expected exit code {sorted(codes)}, found {outcome}")
        if outcome.code not in (0, 70) and outcome.code > 0 and outcome.code != 127 and not outcome.errors:
            raise Wrong(f"{self.told()}: no line says why: {outcome} {outcome.stderr[-300:]}")
        if any("InternalError" in line for line in outcome.errors):
            raise Wrong(f"{self.told()}: calls it a bug: {outcome}")
        if outcome.most_bytes > MOST_BYTES:
            raise Wrong(f"{self.told()}: took {outcome.most_bytes >> 20} MB of memory")

    def expect_end(self, text, ranks=1, out=None, whole=True, asked=False):
        """What is on disk is the uninterrupted run, bit for bit; of a run that was `asked` to stop, but for older
        checkpoints."""
        expected = self.bench.undisturbed(text, ranks)
        found = results_of(out or self.out)
        if asked:
            expected = without_older(expected, self.bench.finished(text, ranks))
            found = without_older(found, out or self.out)
        if not whole:
            expected = {name: value for name, value in expected.items() if name in found}
        what = difference(found, expected)
        if what:
            raise Wrong(f"{self.told()}: ended with other files than the undisturbed run: {what}")

    def expect_whole_checkpoints(self, out=None):
        reasons = damaged_checkpoints(out or self.out)
        if reasons:
            raise Wrong(f"{self.told()}: {reasons}")

    def go_on(self, text, arguments, ranks=1, out=None, asked=False):
        """The next start, which nothing disturbs, ends as expect_end() says."""
        self.expect_whole_checkpoints(out)
        outcome = self.run(arguments, ranks)
        if NO_MPI in outcome.stderr:  # nothing of ours has run, so this start was disturbed, by what runs beside it
            outcome = self.run(arguments, ranks)
        if outcome.code != 0:
            raise Wrong(f"{self.told()}: the next start, undisturbed: {outcome}")
        self.expect_end(text, ranks, out, asked=asked)

    def copy_of(self, folder, to=None):
        shutil.copytree(folder, to or self.out, symlinks=True)

    def mount(self, kind, folder, options="", device=None):
        """Mounts a file system for the time of the attempt, or skips."""
        os.makedirs(folder, exist_ok=True)
        option = ["-o", options] if options else []
        result = subprocess.run(["mount", "-t", kind, *option, device or kind, folder], capture_output=True, text=True)
        if result.returncode != 0:
            raise Skip(f"this user or system may not mount {kind}: {result.stderr.strip()}")
        self.undo.append(lambda: subprocess.run(["umount", "-l", folder], capture_output=True))

    def own_processes(self):
        """Ids of the processes whose command line names this attempt's folder."""
        found = []
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and int(entry) != os.getpid():
                    with open(f"/proc/{entry}/cmdline", "rb") as file:
                        if f"{self.folder}/".encode() in file.read():
                            found.append(int(entry))
            except OSError:
                continue  # it has just ended
        return found

    def expect_gone(self, seconds=15):
        deadline = time.monotonic() + seconds
        while left := self.own_processes():
            if time.monotonic() > deadline:
                raise Wrong(f"{self.told()}: processes {left} still run after {seconds} seconds")
            time.sleep(0.05)


def watch_memory(pid, most):
    """Keeps the highest resident size of a process in most[0] until it ends."""
    try:
        while True:
            with open(f"/proc/{pid}/status") as file:
                peak = [line for line in file if line.startswith("VmHWM")]
            if not peak:
                return  # over, but not yet waited for
            most[0] = max(most[0], int(peak[0].split()[1]) << 10)
            time.sleep(0.05)
    except (OSError, IndexError):
        return
