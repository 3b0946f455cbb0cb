#!/usr/bin/env python3
"""The program as a process among others: its threads, the signals it gets, and output or memory that it lacks.

usage: process_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import unittest

from tiny_run import RECIPE, TinyRunTest
from watching import PATIENCE, all_names_in, chunks_done, family_of, kill_family, reaches, wait_until

LONG = RECIPE.replace("max_steps: 10", "max_steps: 100000").replace("save_steps: 2", "save_steps: 0")


class Threads(TinyRunTest):
    def threads(self, name, *keys, before=(), environment=()):
        """Of the process that trains."""
        command = [*before, self.binary, self.recipe(name, LONG), *keys]
        own = {key: value for key, value in self.environment().items() if key != "OMP_NUM_THREADS"}
        process = subprocess.Popen(command, env=own | dict(environment), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(kill_family, process)
        self.assertTrue(reaches(process, lambda: self.steps(name) > 2), "the run ended by itself")
        (trains,) = [pid for pid in family_of(process.pid)
                     if os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(self.binary)]
        count = len(all_names_in(f"/proc/{trains}/task"))
        kill_family(process)
        return count

    def test_the_allowed_cpus_and_the_environment_are_obeyed(self):
        auto = "parallel.threads=0"
        one = self.threads("one", "parallel.threads=1")
        two = self.threads("two", "parallel.threads=2")
        self.assertGreater(two, one)
        cpus = sorted(os.sched_getaffinity(0))
        bound = ["taskset", "-c", str(cpus[0])]
        self.assertEqual(self.threads("bound", auto, before=bound), one)
        self.assertEqual(self.threads("told", auto, environment={"OMP_NUM_THREADS": "1"}), one)
        self.assertEqual(self.threads("told_two", auto, environment={"OMP_NUM_THREADS": "2"}), two)
        self.assertEqual(self.threads("key_first", "parallel.threads=1", environment={"OMP_NUM_THREADS": "2"}), one)
        root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
        self.assertEqual(self.threads("mpirun", auto, before=["mpirun", *root, "--bind-to", "core", "-n", "1"]), one)
        if len(cpus) == 2:
            self.assertEqual(self.threads("all", auto), two)

    def test_more_threads_than_cpus_are_named(self):
        result = subprocess.run(["taskset", "-c", str(min(os.sched_getaffinity(0))), self.binary,
                                 self.recipe("many"), "parallel.threads=2", "sft.max_steps=1"],
                                capture_output=True, text=True, timeout=PATIENCE, env=self.environment())
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("warning: parallel.threads: 2 threads on the 1 CPU that rank 0 may use\n", result.stderr)


class StandardOutput(TinyRunTest):
    def to_full_disk(self, arguments):
        with open("/dev/full", "w") as full:
            return subprocess.run([self.binary, *arguments], stdout=full, stderr=subprocess.PIPE, text=True,
                                  timeout=PATIENCE, env=self.environment())

    def test_results_that_are_lost_are_an_error(self):
        path = self.recipe("whole")
        commands = [[path], [path], ["validate", path], ["estimate", path], ["env"], ["--help"], ["--version"],
                    ["ckpt", "ls", f"{self.root}/whole/02-sft/checkpoints"],
                    ["ckpt", "verify", f"{self.root}/whole/02-sft/checkpoints"],
                    ["report", f"{self.root}/whole"]]
        for arguments in commands:
            with self.subTest(arguments=arguments):
                result = self.to_full_disk(arguments)
                self.assertEqual(result.returncode, 74, result.stderr)
                self.assertIn("IoError: standard output: expected to write all results, found No space left",
                              result.stderr)
        self.assertTrue(os.path.exists(f"{self.root}/whole/report.html"))

    def test_what_is_only_printed_is_printed_once_below_mpirun(self):
        for arguments in (["validate", self.recipe("once")], ["env"], ["--version"]):
            alone, together = self.run_program(arguments), self.run_program(arguments, 3)
            self.assertEqual((together.returncode, together.stdout), (0, alone.stdout), together.stderr)
        wrong = self.run_program(["validate", self.recipe("wrong"), "sft.max_steps=many"], 3)
        self.assertEqual(wrong.returncode, 78)
        self.assertEqual(wrong.stderr.count("ConfigError: "), 1, wrong.stderr)

    def test_ranks_that_fail_alike_for_other_reasons_all_say_so(self):
        for name in ("here", "there"):
            with open(f"{self.root}/{name}.yaml", "w") as file:
                file.write(f"{name}: 1\n")
        root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
        command = ["mpirun", *root, "--oversubscribe", "-n", "2", self.binary, f"{self.root}/here.yaml",
                   ":", "-n", "1", self.binary, f"{self.root}/there.yaml"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=self.environment())
        self.assertEqual(result.returncode, 78, result.stderr)
        for rank, name in ((0, "here"), (2, "there")):
            self.assertIn(f"[rank {rank}/3] ConfigError: {self.root}/{name}.yaml: ", result.stderr)
        self.assertEqual(result.stderr.count("ConfigError: "), 2, result.stderr)

    def test_a_library_without_memory_before_main_is_out_of_memory(self):
        early = os.path.join(os.path.dirname(self.binary), "../tests/launch/libxkde_no_memory.so")
        if not os.path.exists(early):
            self.skipTest(f"no {early}: a build with sanitizers has none")
        result = subprocess.run([self.binary, "--version"], capture_output=True, text=True, timeout=PATIENCE,
                                env=self.environment() | {"LD_PRELOAD": os.path.abspath(early)})
        self.assertEqual((result.returncode, result.stdout), (71, ""))
        self.assertEqual(result.stderr, "MemoryError: out of host memory before the program began\n")

    def test_a_closed_standard_output_is_an_error(self):
        result = subprocess.run(f'"{self.binary}" env >&-', shell=True, stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 74)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)


class Stops(TinyRunTest):
    def trains(self, name, ranks=1):
        """A training that would take hours, under way."""
        def heed_hang_up():  # which nohup has this test ignore
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        process = self.start([self.recipe(name, LONG)], ranks, stderr=subprocess.PIPE, preexec_fn=heed_hang_up)
        self.assertTrue(reaches(process, lambda: self.steps(name) > 2), "the run ended by itself")
        return process

    def expect_stop(self, process, name):
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 75, errors)
        self.assertEqual(errors.count("to go on, run the same command again\n"), 1, errors)
        self.assertNotIn("MPI_ABORT", errors)
        with open(f"{self.root}/{name}/run.json") as file:
            self.assertEqual(json.load(file)["exit_reason"], "stopped on request")
        return errors

    def test_a_closed_terminal_and_other_signals_save_and_stop(self):
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            name = f"by{int(number)}"
            process = self.trains(name)
            process.send_signal(number)
            self.assertIn("checkpoint saved", self.expect_stop(process, name))
            self.assertTrue(os.path.exists(f"{self.root}/{name}/02-sft/checkpoints/LATEST"))

    def test_ranks_stop_together_without_a_banner_of_theirs(self):
        process = self.trains("together", 2)
        process.send_signal(signal.SIGUSR1)
        self.expect_stop(process, "together")

    def test_what_mpirun_kills_soon_says_before_what_is_kept(self):
        """mpirun turns Ctrl-C into SIGTERM, and a second later into SIGKILL."""
        process = self.trains("interrupted", 2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        # mpirun's own exit code is mostly 1, and not always.
        self.assertEqual(errors.count("asked to stop: ends when it has saved; if it is killed first, what was saved before is "
                                      "kept, and the same command goes on from there\n"), 1, errors)

    def test_a_request_to_save_saves_and_training_goes_on(self):
        process = self.trains("saved", 2)
        process.send_signal(signal.SIGUSR2)
        latest = f"{self.root}/saved/02-sft/checkpoints/LATEST"
        self.assertTrue(reaches(process, lambda: os.path.exists(latest)), "the run ended")
        steps = self.steps("saved")
        self.assertTrue(reaches(process, lambda: self.steps("saved") > steps + 2), "the run ended")
        process.send_signal(signal.SIGUSR1)
        self.expect_stop(process, "saved")

    def test_a_stop_before_any_work_is_heard(self):
        process = self.start([self.recipe("early", LONG)], stderr=subprocess.PIPE)
        term = 1 << (signal.SIGTERM - 1)

        def is_caught():
            with open(f"/proc/{process.pid}/status") as file:
                return any(line.startswith("SigCgt:") and int(line.split()[1], 16) & term for line in file)
        wait_until(is_caught, "the program catches SIGTERM")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 75, errors)
        self.assertEqual(errors.count("stopped on request"), 1, errors)

    def test_a_log_that_nobody_reads_ends_no_training(self):
        process = self.trains("unread")
        process.stderr.close()
        steps = self.steps("unread")
        self.assertTrue(reaches(process, lambda: self.steps("unread") > steps + 250), "the run ended")
        process.stderr = None
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=PATIENCE), 75)

    def test_ranking_stops_between_chunks_and_goes_on_with_the_same_pairs(self):
        rng = random.Random(8)

        def text(words):
            return "".join(rng.choice("abcdefghij ") for _ in range(words))
        with open(f"{self.root}/samples.jsonl", "w") as file:
            for i in range(6000):
                answers = [dict(text=text(120), token_ids=[1], finish_reason="stop") for _ in range(4)]
                file.write(json.dumps(dict(id=f"{i}", prompt=f"p{i}", gold=text(120), answers=answers)) + "\n")
        recipe = RECIPE[:RECIPE.index("stages:")] + f"stages:\n  - rank: {{{{samples: {self.root}/samples.jsonl}}}}\n"
        self.assertEqual(self.run_program([self.recipe("whole_rank", recipe)]).returncode, 0)
        path = self.recipe("stopped_rank", recipe)
        scores = f"{self.root}/stopped_rank/01-rank/scores.jsonl"
        process = self.start([path], 2, stderr=subprocess.PIPE)
        self.assertTrue(reaches(process, lambda: len(chunks_done(scores)) > 3), "the run ended by itself")
        process.send_signal(signal.SIGUSR1)
        self.assertIn("finished scores kept in", self.expect_stop(process, "stopped_rank"))
        kept = len(chunks_done(scores))
        self.assertGreater(kept, 3)
        self.assertEqual(self.run_program([path], 2).returncode, 0)
        for name in ("pairs.jsonl", "statistics.json", "scores.jsonl"):
            self.assertEqual(self.text_of("stopped_rank", f"01-rank/{name}"),
                             self.text_of("whole_rank", f"01-rank/{name}"))

    def test_a_mistake_that_all_ranks_know_is_told_once(self):
        for keys, code in ((["sft.max_steps=many"], 78), (["build_data.sources.0.data=/absent"], 66)):
            result = self.run_program([self.recipe("mistaken"), *keys], 3)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertNotIn("MPI_ABORT", result.stderr)
            self.assertEqual(result.stderr.count("Error: "), 1, result.stderr)


class LongQuestions(TinyRunTest):
    def test_a_question_of_megabytes_is_left_out_and_counted(self):
        records = json.loads(json.dumps(self.records))
        records[3]["es"]["src"] = "word " * 400_000 + "?"
        with open(f"{self.root}/long_enes.json", "w") as file:
            json.dump(records, file)
        text = RECIPE.replace("data: {root}/edits_enes.json, edit", "data: {root}/long_enes.json, edit")
        result = self.run_program([self.recipe("long", text)])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("sft: left out 1 of 36 samples", result.stderr)


class Memory(TinyRunTest):
    def address_space(self):
        """Bytes that a training takes."""
        process = self.start([self.recipe("measured", LONG)])
        self.assertTrue(reaches(process, lambda: self.steps("measured") > 2), "the run ended by itself")
        with open(f"/proc/{process.pid}/status") as file:
            (kilobytes,) = [line.split()[1] for line in file if line.startswith("VmPeak:")]
        kill_family(process)
        return int(kilobytes) << 10

    def test_limits_of_memory_end_with_71_and_a_line(self):
        enough = self.address_space()
        codes = set()
        for percent in (78, 82, 86, 90, 94, 98, 150):
            limit = enough * percent // 100

            def set_limit(limit=limit):
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            result = subprocess.run([self.binary, self.recipe(f"limited{percent}")], preexec_fn=set_limit,
                                    capture_output=True, text=True, timeout=PATIENCE, env=self.environment())
            if any(word in result.stderr for word in ("MPI_Init", "PMIX ERROR", "ORTE_ERROR_LOG")):
                continue  # MPI itself gets no memory: it ends the process with words of its own
            self.assertIn(result.returncode, (0, 71), (percent, result.stderr))
            codes.add(result.returncode)
            if result.returncode == 71:
                self.assertEqual(result.stderr.count("MemoryError: "), 1, result.stderr)
        self.assertIn(71, codes)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
