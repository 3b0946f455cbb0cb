#!/usr/bin/env python3
"""Claims of watching.py, on files and processes that change under it. Needs python3 only."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

from watching import (chunks_done, count_lines, family_of, kill_family, kill_when, names_in, read_finished, reaches,
                      stop_family, threads_of)

# Writes a line, then NAME.tmp, which it renames to NAME, over and over.
WRITER = """\
import os, sys, time
for number in range(int(sys.argv[1])):
    with open("lines", "a") as file:
        file.write("line\\n")
    with open("saved.tmp", "w") as file:
        file.write("x")
    time.sleep(0.002)
    os.rename("saved.tmp", "saved")
"""
# As mpirun does: the work is that of a process below.
PARENT = """\
import subprocess, sys
sys.exit(subprocess.run([sys.executable, "-c", sys.argv[1], sys.argv[2]]).returncode)
"""


class Watching(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="xkde_watching_test_")
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, name, text):
        path = f"{self.folder}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def start(self, lines):
        process = subprocess.Popen([sys.executable, "-c", PARENT, WRITER, str(lines)], cwd=self.folder)
        self.addCleanup(kill_family, process)
        return process

    def test_what_the_program_has_not_finished_is_left_out(self):
        for name in ("kept", "kept.tmp12", "step-00000002", "step-00000004.tmp", "a.tmpl", "tmp7"):
            self.write(name, name)

        self.assertEqual(names_in(self.folder), ["a.tmpl", "kept", "step-00000002", "tmp7"])
        self.assertEqual(read_finished(self.folder), {name: name.encode() for name in names_in(self.folder)})

    def test_a_folder_that_is_not_there_is_empty(self):
        self.assertEqual(names_in(f"{self.folder}/none"), [])
        self.assertEqual(read_finished(f"{self.folder}/none"), {})
        self.assertEqual(count_lines(f"{self.folder}/none"), 0)

    def test_a_folder_is_read_as_of_one_moment_while_files_are_renamed_and_removed(self):
        # The number goes on from file to file as the program does it: written aside, renamed, the older one removed.
        ended = threading.Event()
        self.write("0", "0")

        def rename_on_and_on():
            for number in range(1, 10**9):
                if ended.is_set():
                    return
                os.rename(self.write(f"{number}.tmp7", str(number)), f"{self.folder}/{number}")
                os.remove(f"{self.folder}/{number - 1}")

        writer = threading.Thread(target=rename_on_and_on)
        writer.start()
        try:
            for _ in range(300):
                files = read_finished(self.folder)
                self.assertIn(len(files), (1, 2), files)
                for name, data in files.items():
                    self.assertEqual(data, name.encode())
        finally:
            ended.set()
            writer.join()

    def test_lines_count_when_they_are_whole(self):
        self.assertEqual(count_lines(self.write("lines", "one\ntwo\nthr")), 2)

    def test_chunks_count_once_wherever_they_are(self):
        log = f"{self.folder}/samples.jsonl"
        self.write("metrics.jsonl", '{"chunk": 0}\n{"chunk": 1}\n')
        self.write("samples.jsonl.parts/kept", '{"chunk": 1}\n{"chunk": 4}\n')
        self.write("samples.jsonl.parts/kept.tmp31", '{"chunk": 9}\n')
        self.write("samples.jsonl.parts/rank-0", json.dumps(dict(chunk=3)) + '\n{"chu\n{"chunk": 7')

        self.assertEqual(chunks_done(log), {0, 1, 3, 4})

    def test_a_stopped_family_does_nothing_until_it_goes_on(self):
        process = self.start(10**6)
        lines = f"{self.folder}/lines"
        self.assertTrue(reaches(process, lambda: count_lines(lines) > 3))

        family = stop_family(process)

        self.assertEqual(len(family), 2)
        self.assertEqual(set("".join(threads_of(pid) for pid in family)), {"T"})

    def test_it_kills_in_a_moment_that_does_not_last(self):
        for _ in range(5):
            process = self.start(10**6)
            self.assertTrue(reaches(process, lambda: len(family_of(process.pid)) == 2))
            family = family_of(process.pid)

            self.assertTrue(kill_when(process, lambda: os.path.exists(f"{self.folder}/saved.tmp")))

            self.assertTrue(os.path.exists(f"{self.folder}/saved.tmp"))
            self.assertEqual([threads_of(pid).strip("ZX") for pid in family], ["", ""])
            os.remove(f"{self.folder}/saved.tmp")

    def test_a_command_that_ended_before_is_not_killed(self):
        process = self.start(3)

        self.assertFalse(kill_when(process, lambda: count_lines(f"{self.folder}/lines") > 3))

        self.assertEqual(process.returncode, 0)
        self.assertFalse(reaches(process, lambda: False))
        self.assertEqual(stop_family(process), [])


if __name__ == "__main__":
    unittest.main()
