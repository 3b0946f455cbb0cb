"""The scripts of launch/slurm on a SLURM that the test starts: preemption, time limit, requeue, arrays, launchers.

usage: slurm_test.py XKDE_DIST SOURCE_DIR; needs python3 and mpirun, and for jobs root, slurm-wlm and munge.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from slurm_cluster import SlurmCluster, reason_to_skip
from tiny_run import RECIPE, TinyRunTest
from watching import read_if_there, send, threads_of, wait_until

BINARY, SOURCE = map(os.path.abspath, sys.argv[1:3])
SCRIPTS = f"{SOURCE}/launch/slurm"
STEPS = 300
HELD_AT = 5  # steps: far from the end, and the ranks hear signals
# Cores of a job: more than half of the node, so that two of them never run beside each other.
WHOLE_NODE = ("--ntasks-per-node=2", "--cpus-per-task=6")
TWO_RANKS = ("--ntasks-per-node=2", "--cpus-per-task=1")
ONE_RANK = ("--ntasks-per-node=1", "--cpus-per-task=1")
SHOWS_ITS_PLACE = """\
#!/usr/bin/env bash
echo "rank $SLURM_PROCID: GPUs $CUDA_VISIBLE_DEVICES, threads $OMP_NUM_THREADS, words$(printf ' <%s>' "$@")"
"""


class Mistakes(unittest.TestCase):
    """What a user gets wrong costs one line. Needs no SLURM: a job is a script and variables."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="xkde_slurm_test_")
        self.addCleanup(shutil.rmtree, self.folder)
        self.recipe = f"{self.folder}/a recipe.yaml"
        open(self.recipe, "w").close()

    def run_as_job(self, script, *words, **variables):
        job = dict(SLURM_JOB_ID="7", SLURM_JOB_NAME="xkde", SLURM_NTASKS="2", SLURM_SUBMIT_DIR=SOURCE, XKDE_PROGRAM=BINARY)
        environment = {name: value for name, value in (os.environ | job | variables).items() if value is not None}
        return subprocess.run(["bash", f"{SCRIPTS}/{script}", *words], env=environment, cwd=self.folder, capture_output=True,
                              text=True)

    def expect(self, code, line, script, *words, **variables):
        result = self.run_as_job(script, *words, **variables)
        self.assertIn(line, result.stderr)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)

    def test_each_has_one_line_and_a_code(self):
        for script in ("train.sbatch", "train_nodes.sbatch", "evaluate.sbatch"):
            self.expect(66, "no.yaml: no such recipe in " + self.folder, script, "no.yaml", "sft.max_steps=2")
            self.expect(66, f"found {self.folder}; call sbatch there", script, SLURM_SUBMIT_DIR=self.folder)
            self.expect(69, f"{self.folder}/no: expected the program, found none; build it:", script, self.recipe,
                        XKDE_PROGRAM=f"{self.folder}/no")
            self.expect(64, "expected options of sbatch before the script's name, found --time=5 behind it", script,
                        self.recipe, "--time=5")
            self.expect(64, "expected one recipe, found a.yaml and b.yaml", script, "a.yaml", "b.yaml")
            self.expect(64, "expected to run as a job, found none", script, self.recipe, SLURM_JOB_ID=None)
        self.expect(64, "RESTARTS: expected a number, found 'many'", "train.sbatch", self.recipe, XKDE_RESTARTS="many")
        self.expect(64, "XKDE_LAUNCHER: expected srun or mpirun, found 'mpiexec'", "train.sbatch", self.recipe,
                    XKDE_LAUNCHER="mpiexec")

    def test_an_array_says_which_numbers_it_takes(self):
        array = dict(SLURM_ARRAY_JOB_ID="7", SLURM_ARRAY_TASK_ID="4")
        self.expect(64, "--array: expected 0-1 for 2 recipes, found 4", "sweep.sbatch", "a.yaml", "b.yaml", **array)
        self.expect(64, "--array: expected 1 to 2, the tasks of the job, found 4", "scaling.sbatch", self.recipe, **array)

    def test_scripts_are_well_formed(self):
        shellcheck = shutil.which("shellcheck")
        if shellcheck is None:
            self.skipTest("shellcheck is not installed")
        names = [f"{SCRIPTS}/{name}" for name in sorted(os.listdir(SCRIPTS))]
        result = subprocess.run([shellcheck, "-x", *names], cwd=SOURCE, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stdout)


class Slurm(TinyRunTest):
    """Jobs run in a folder with a blank in its name. The one that waits for its time limit, which takes SLURM half a
    minute to see, runs beside the others."""

    @classmethod
    def setUpClass(cls):
        reason = reason_to_skip()
        if reason:
            raise unittest.SkipTest(reason)
        super().setUpClass()
        cls.addClassCleanup(shutil.rmtree, cls.root)
        folder = tempfile.mkdtemp(prefix="xkde_slurm_")
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.slurm = SlurmCluster(folder)
        cls.addClassCleanup(cls.slurm.stop)
        try:
            cls.slurm.start()
        except OSError as error:
            raise unittest.SkipTest(str(error)) from error
        cls.place = f"{cls.root}/a folder"
        os.makedirs(cls.place)
        cls.limited = cls.submit("train.sbatch", cls.training("limited"), partition="high", options=(*TWO_RANKS, "--time=1"))
        cls.hold(cls.limited, "limited")

    @classmethod
    def tearDownClass(cls):
        """The folder goes last, after the daemons in it."""

    @classmethod
    def training(cls, out, steps=STEPS):
        path = f"{cls.place}/{out} recipe.yaml"
        text = RECIPE.replace("max_steps: 10", f"max_steps: {steps}").replace("save_steps: 2", "save_steps: 100")
        with open(path, "w") as file:
            file.write(text.format(out=f"{cls.place}/{out}", root=cls.root))
        return path

    @classmethod
    def submit(cls, script, *words, partition="low", options=TWO_RANKS, **variables):
        environment = cls.environment(cls) | cls.slurm.environment()
        environment |= {"XKDE_CHECKOUT": SOURCE, "XKDE_PROGRAM": cls.binary} | variables
        command = ["sbatch", "--parsable", "--gpus-per-node=0", f"--partition={partition}", *options]
        script = script if os.path.isabs(script) else f"{SCRIPTS}/{script}"
        result = subprocess.run([*command, script, *words], env=environment, cwd=cls.place, capture_output=True, text=True)
        if result.returncode != 0:
            raise AssertionError(result.stderr)
        return result.stdout.strip()

    @classmethod
    def log(cls, name):
        return (read_if_there(f"{cls.place}/{name}.log") or b"").decode()

    @classmethod
    def wait_for_line(cls, job, line, name="xkde-train", times=1):
        wait_until(lambda: cls.log(f"{name}-{job}").count(line) >= times or cls.is_over(job), f"job {job} says {line!r}")
        if cls.log(f"{name}-{job}").count(line) < times:
            raise AssertionError(f"expected {line!r}, found\n{cls.log(f'{name}-{job}')}")

    @classmethod
    def is_over(cls, job):
        return cls.slurm.state(job)[0] in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "PREEMPTED", "NODE_FAIL")

    @classmethod
    def metrics(cls, out):
        data = read_if_there(f"{cls.place}/{out}/02-sft/metrics.jsonl") or b""
        return [json.loads(line) for line in data.split(b"\n")[:-1]]

    @classmethod
    def ranks_of(cls, job):
        return [pid for pid in cls.slurm.processes(f"SLURM_JOB_ID={job}") if cls.runs_the_program(pid)]

    @classmethod
    def runs_the_program(cls, pid):
        try:
            return os.path.samefile(f"/proc/{pid}/exe", cls.binary)
        except OSError:
            return False  # it has just ended

    @classmethod
    def hold(cls, job, out, after=0):
        """Stops the job's two ranks in the middle of the training, however fast that is, and returns their ids. What is
        sent to them waits until release()."""
        wait_until(lambda: len(cls.metrics(out)) >= after + HELD_AT or cls.is_over(job), f"job {job} trains")
        ranks = cls.ranks_of(job)
        send(ranks, signal.SIGSTOP)
        wait_until(lambda: all(set(threads_of(pid)) <= set("TtZX") for pid in ranks), "ranks stop")
        if len(ranks) != 2 or len(cls.metrics(out)) >= STEPS:
            raise AssertionError(f"job {job}: expected 2 ranks that train, found {len(ranks)}\n{cls.log(f'xkde-train-{job}')}")
        return ranks

    def release(self, job):
        send(self.ranks_of(job), signal.SIGCONT)

    def ends(self, job, state="COMPLETED", code="0:0", name="xkde-train"):
        wait_until(lambda: self.is_over(job), f"job {job} ends")
        self.assertEqual(self.slurm.state(job), (state, code), self.log(f"{name}-{job}"))

    def undisturbed(self):
        """The results of the same recipe, in one go, without SLURM."""
        if not hasattr(type(self), "reference"):
            result = self.run_program([self.training("undisturbed")], 2)
            self.assertEqual(result.returncode, 0, result.stderr)
            type(self).reference = self.results("undisturbed")
        return self.reference

    def results(self, out):
        files = {name: read_if_there(f"{self.place}/{out}/{name}")
                 for name in ("03-evaluate/results.json", "03-evaluate/predictions.jsonl", "hf/model.safetensors")}
        self.assertNotIn(None, files.values(), out)
        steps = [(line["step"], line["loss"], line["grad_norm"]) for line in self.metrics(out)]
        self.assertEqual([step for step, *_ in steps], list(range(1, STEPS + 1)))
        return steps, files

    def expect_undisturbed(self, job, out, restarts=1):
        self.ends(job)
        log = self.log(f"xkde-train-{job}")
        self.assertIn(f"[slurm] job {job}: requeued, restart {restarts} of at most 20\n", log)
        self.assertIn("sft: goes on from", log)
        self.assertIn("[slurm] SIGUSR1: the run stops after this step, with a checkpoint\n", log)
        self.assertEqual(self.results(out), self.undisturbed())

    def test_a_preempted_run_ends_as_an_undisturbed_one(self):
        job = self.submit("train.sbatch", self.training("preempted"), options=WHOLE_NODE)
        self.hold(job, "preempted")
        other = self.submit("train.sbatch", self.training("urgent", steps=2), partition="high", options=WHOLE_NODE)
        self.wait_for_line(job, "[slurm] SIGUSR1")
        self.release(job)
        self.ends(other)
        self.expect_undisturbed(job, "preempted")

    def test_z_a_run_out_of_time_goes_on_in_the_next_start(self):
        self.wait_for_line(self.limited, "[slurm] SIGUSR1")
        self.release(self.limited)
        self.expect_undisturbed(self.limited, "limited")

    def test_after_the_last_restart_the_job_ends_with_75(self):
        job = self.submit("train.sbatch", self.training("capped"), XKDE_RESTARTS="1", XKDE_LAUNCHER="mpirun")
        for start in (1, 2):
            self.hold(job, "capped", after=HELD_AT * (start - 1))
            self.slurm.said("scancel", "--batch", "--signal=USR1", job)
            self.wait_for_line(job, "[slurm] SIGUSR1", times=start)
            self.release(job)
            self.wait_for_line(job, "requeued", times=start)
        self.ends(job, "FAILED", "75:0")
        self.assertIn(f"[slurm] job {job}: RESTARTS=1 is used up, so it is not requeued; the same sbatch goes on from there\n",
                      self.log(f"xkde-train-{job}"))

    def test_a_cancelled_job_saves_and_is_not_requeued(self):
        job = self.submit("train.sbatch", self.training("cancelled"))
        self.hold(job, "cancelled")
        self.slurm.said("scancel", job)
        self.wait_for_line(job, "[slurm] SIGTERM")
        self.release(job)
        wait_until(lambda: not self.ranks_of(job) and self.is_over(job), f"job {job} ends")
        self.assertEqual(self.slurm.state(job)[0], "CANCELLED")
        self.assertIn(f"[slurm] job {job}: cancelled, so it is not requeued", self.log(f"xkde-train-{job}"))
        self.assertTrue(os.path.exists(f"{self.place}/cancelled/02-sft/checkpoints/LATEST"))

    def test_an_array_of_four_recipes_ends_well(self):
        recipes = [self.training(f"sweep{number}", steps=2 + number) for number in range(4)]
        array = self.submit("sweep.sbatch", *recipes, "seed=7", options=("--array=0-3", *ONE_RANK))
        for number in range(4):
            self.ends(f"{array}_{number}", name="xkde-sweep")
            self.assertEqual(len(self.metrics(f"sweep{number}")), 2 + number)
            self.assertIn(f"job {array}_{number}, restart 0: 1 ranks by srun", self.log(f"xkde-sweep-{array}_{number}"))

    def test_srun_starts_one_run_of_as_many_ranks_as_the_array_says(self):
        array = self.submit("scaling.sbatch", self.training("scaled", steps=2), options=("--array=1,2", "--ntasks-per-node=2",
                                                                                        "--cpus-per-task=1"))
        for ranks in (1, 2):
            self.ends(f"{array}_{ranks}", name="xkde-scaling")
            with open(f"{self.place}/runs/scaling/scaled recipe-{ranks}/run.json") as file:
                self.assertEqual(json.load(file)["ranks"], ranks)

    def test_a_job_of_the_estimated_size_runs(self):
        recipe = self.training("sized", steps=2)
        estimate = self.run_program(["estimate", recipe, "-n", "2", "--slurm"])
        lines = re.findall("^#SBATCH (.*)$", estimate.stdout, re.MULTILINE)
        self.assertIn("--ntasks-per-node=2", lines, estimate.stderr)
        self.assertIn("# time: training takes 1 min; not predicted: 03-evaluate\n", estimate.stdout)
        job = self.submit("train.sbatch", recipe, options=lines)
        self.ends(job)
        self.assertEqual(len(self.metrics("sized")), 2)

    def test_a_rank_sees_all_gpus_of_its_job_and_has_its_threads(self):
        program = f"{self.root}/shows_its_place"
        with open(program, "w", opener=lambda path, flags: os.open(path, flags, 0o755)) as file:
            file.write(SHOWS_ITS_PLACE)
        recipe = self.training("placed")
        for request in (["--gpus-per-node=2"], ["--gpus-per-node=2", "--gpus-per-task=1"]):
            # An environment that is not handed on must not reach the ranks either way: they have what the script sets.
            job = self.submit("train.sbatch", recipe, "a.b=c d", XKDE_PROGRAM=program,
                              options=("--ntasks-per-node=2", "--cpus-per-task=3", *request,
                                       "--export=XKDE_CHECKOUT,XKDE_PROGRAM"))
            self.ends(job)
            for rank in (0, 1):
                self.assertIn(f"rank {rank}: GPUs 0,1, threads 3, words <{recipe}> <a.b=c d>\n", self.log(f"xkde-train-{job}"))


if __name__ == "__main__":
    TinyRunTest.binary = BINARY
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
