#!/usr/bin/env python3
"""Claims of shim.cpp, held against a Python that runs under it. Needs python3 only.

usage: shim_test.py SHIM
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from power_cuts import Record

# Writes a file aside, durably, and renames it.
SAVE = """\
import os, sys
def save(name, data):
    fd = os.open(name + ".tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    while data:
        data = data[os.write(fd, data):]
    os.fsync(fd)
    os.close(fd)
    os.rename(name + ".tmp", name)
def sync(folder):
    fd = os.open(folder, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
os.chdir(sys.argv[1])
folder = os.getcwd()
"""


class Shim(unittest.TestCase):
    library = None  # to be set before the tests run

    def setUp(self):
        self.root = os.path.realpath(tempfile.mkdtemp(prefix="xkde_shim_test_"))
        self.addCleanup(shutil.rmtree, self.root)
        self.folder = f"{self.root}/work"
        os.mkdir(self.folder)

    def run_python(self, script, fault=None, **more):
        variables = os.environ | dict(LD_PRELOAD=self.library, XKDE_FAULT_UNDER=f"{self.folder}/",
                                      XKDE_FAULT_LOG=f"{self.root}/log") | more
        if fault:
            variables["XKDE_FAULT"] = fault
        return subprocess.run([sys.executable, "-c", SAVE + script, self.folder], env=variables, capture_output=True,
                              text=True)

    def logged(self):
        with open(f"{self.root}/log") as file:
            return [line.split("\t") for line in file.read().splitlines()]

    def expect_error(self, script, fault, words):
        result = self.run_python(script, fault)
        self.assertIn(words, result.stderr)
        hits = [line for line in self.logged() if line[1] == "!"]
        self.assertEqual(len(hits), 1, self.logged())
        os.remove(f"{self.root}/log")

    def test_the_call_that_is_named_fails_and_no_other(self):
        script = "for i in range(3): save(f'{folder}/file{i}', b'12345678')"
        for kind in ("open", "write", "sync", "rename", "close"):
            self.expect_error(script, f"{kind}:2:EIO:/file", "Input/output error")
            self.assertTrue(os.path.exists(f"{self.folder}/file0"), kind)
            self.assertFalse(os.path.exists(f"{self.folder}/file1"), kind)
        self.expect_error("os.mkdir(f'{folder}/a')", "mkdir:1:ENOSPC:/a", "No space left on device")
        self.expect_error("open(f'{folder}/x', 'w'); os.stat(f'{folder}/x')", "status:2:EACCES:/x", "Permission denied")
        self.expect_error("save(f'{folder}/x', b'1'); os.unlink(f'{folder}/x')", "remove:1:EIO:/x", "Input/output error")
        self.expect_error("os.truncate(os.open(f'{folder}/x', os.O_RDWR), 3)", "truncate:1:EIO:/x", "Input/output error")
        self.expect_error("os.listdir(folder + '/')", "open:1:EIO:/", "Input/output error")

    def test_a_short_write_and_a_short_read_do_half(self):
        result = self.run_python("fd = os.open(f'{folder}/x', os.O_RDWR | os.O_CREAT)\nprint(os.write(fd, b'12345678'))",
                                 "write:1:SHORT:/x")
        self.assertEqual(result.stdout, "4\n", result.stderr)
        result = self.run_python("print(os.read(os.open(f'{folder}/x', os.O_RDONLY), 4))", "read:1:SHORT:/x")
        self.assertEqual(result.stdout, "b'12'\n", result.stderr)

    def test_a_signal_comes_before_the_call(self):
        result = self.run_python("save(f'{folder}/x', b'1')", "rename:1:SIGKILL:/x")
        self.assertEqual(result.returncode, -signal.SIGKILL)
        self.assertEqual(os.listdir(self.folder), ["x.tmp"])

    def test_calls_elsewhere_and_of_other_ranks_pass(self):
        script = f"save('{self.root}/elsewhere', b'1'); save(f'{{folder}}/x', b'1')"
        self.assertEqual(self.run_python(script, "write:2:EIO:").returncode, 0)
        self.assertEqual(self.run_python(script, "write:1:EIO:", XKDE_FAULT_RANK="1").returncode, 0)
        ranks = dict(XKDE_FAULT_RANK="1", OMPI_COMM_WORLD_RANK="1")
        self.assertEqual(self.run_python(script, "write:1:EIO:", **ranks).returncode, 1)
        self.assertFalse([line for line in self.logged() if "elsewhere" in line[2]])

    def test_a_fault_that_cannot_be_read_is_refused(self):
        for fault in ("write", "wrote:1:EIO:", "write:x:EIO:", "write:1:EWHAT:"):
            result = self.run_python("save(f'{folder}/x', b'1')", fault)
            self.assertEqual(result.returncode, 127)
            self.assertIn("cannot use XKDE_FAULT", result.stderr)

    def test_all_calls_of_a_kind_may_fail(self):
        script = "for i in range(3):\n  try: os.mkdir(f'{folder}/d{i}')\n  except OSError as e: print(e.errno)"
        self.assertEqual(self.run_python(script, "mkdir:all:EIO:/d").stdout, "5\n5\n5\n")

    def laid_out(self, record, moment):
        to = f"{self.root}/after{moment}"
        record.lay_out(to, moment)
        files = {}
        for folder, _, names in os.walk(to):
            for name in names:
                with open(f"{folder}/{name}", "rb") as file:
                    files[os.path.relpath(f"{folder}/{name}", to)] = file.read()
        return files

    def test_a_power_cut_leaves_what_was_synced(self):
        keep = f"{self.root}/keep"
        os.mkdir(keep)
        script = """\
os.mkdir(f'{folder}/inner')
save(f'{folder}/inner/a', b'first')
sync(f'{folder}/inner')
sync(folder)
save(f'{folder}/inner/a', b'second')
with open(f'{folder}/b', 'wb') as file: file.write(b'not synced')
sync(folder)
sync(f'{folder}/inner')
"""
        result = self.run_python(script, XKDE_FAULT_KEEP=keep, XKDE_FAULT_UNDER=self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)

        record = Record(keep, self.folder)
        states = [self.laid_out(record, moment) for moment in range(len(record.events))]

        distinct = [state for i, state in enumerate(states) if i == 0 or state != states[i - 1]]
        self.assertEqual(distinct, [{}, {"inner/a": b"first"}, {"inner/a": b"first", "b": b""},
                                    {"inner/a": b"second", "b": b""}])


if __name__ == "__main__":
    Shim.library = os.path.abspath(sys.argv.pop(1))
    unittest.main()
