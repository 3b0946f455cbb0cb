#!/usr/bin/env python3
"""The program under a launcher that its MPI does not know, told by the variables that such launchers set.

usage: launcher_run_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import os
import re
import shutil
import subprocess
import sys
import unittest

from tiny_run import TinyRunTest
from watching import PATIENCE

LAUNCHERS = re.compile(r"(OMPI|PMI|PMIX|MPI|SLURM)_")


class Launcher(TinyRunTest):
    def run_under(self, variables):
        """Reads no recipe: the first thing after the launcher's check is that there is none (66)."""
        own = {name: value for name, value in self.environment().items() if not LAUNCHERS.match(name)}
        return subprocess.run([self.binary, f"{self.root}/none.yaml"], capture_output=True, text=True,
                              timeout=PATIENCE, env=own | variables)

    def test_singletons_are_refused_with_the_right_command(self):
        for variables, words in (
                (dict(PMI_SIZE="2", PMI_RANK="0"), r"PMI_SIZE=2"),
                (dict(MPI_LOCALNRANKS="2", MPI_LOCALRANKID="0"), r"MPI_LOCALNRANKS=2"),
                (dict(OMPI_COMM_WORLD_SIZE="2", OMPI_COMM_WORLD_RANK="0"), r"OMPI_COMM_WORLD_SIZE=2"),
                (dict(SLURM_STEP_NUM_TASKS="2", SLURM_PROCID="0"), r"SLURM_STEP_NUM_TASKS=2.*srun --mpi=pmix -n 2")):
            with self.subTest(words):
                result = self.run_under(variables)

                self.assertEqual(result.returncode, 69, result.stderr)
                self.assertRegex(result.stderr, rf"^DeviceError: MPI \(.*\): expected the 2 processes of .*{words}.*\n$")
                self.assertRegex(result.stderr, r"/bin/mpi\S+ -n 2 xkde_dist")

    def test_only_the_first_process_speaks(self):
        result = self.run_under(dict(PMI_SIZE="2", PMI_RANK="1"))

        self.assertEqual((result.returncode, result.stderr), (69, ""))

    def test_one_process_in_an_allocation_of_many_tasks_runs(self):
        for variables in (dict(SLURM_JOB_ID="7", SLURM_NTASKS="4", SLURM_PROCID="0"),
                          dict(SLURM_NTASKS="4", SLURM_STEP_NUM_TASKS="1", SLURM_PROCID="0"),
                          dict(PMI_SIZE="1", PMI_RANK="0", SLURM_STEP_NUM_TASKS="4")):
            with self.subTest(variables):
                self.assertEqual(self.run_under(variables).returncode, 66)

    def test_ranks_of_the_right_mpirun_inside_another_step_run(self):
        result = subprocess.run(self.command([f"{self.root}/none.yaml"], 2), capture_output=True, text=True,
                                timeout=PATIENCE, env=self.environment() | dict(SLURM_STEP_NUM_TASKS="4"))

        self.assertEqual(result.returncode, 66, result.stderr)

    def test_env_names_the_library_that_runs(self):
        result = self.run_program(["env"])

        self.assertRegex(result.stdout, r"(?m)^mpi_library: /.*libmpi.*\.so")

    @unittest.skipUnless(shutil.which("mpiexec.mpich"), "needs MPICH's mpiexec")
    def test_mpiexec_of_another_mpi_is_refused(self):
        result = subprocess.run(["mpiexec.mpich", "-n", "2", self.binary, f"{self.root}/none.yaml"],
                                capture_output=True, text=True, timeout=PATIENCE, env=self.environment())

        self.assertEqual(result.returncode, 69, result.stderr)
        self.assertEqual(len(re.findall("expected the 2 processes", result.stderr)), 1, result.stderr)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
