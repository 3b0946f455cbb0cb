#!/usr/bin/env python3
"""Ranks on a host with little shared memory, as containers have it: a /dev/shm of its own for each test.

usage: small_shm_test.py MPI_COMMUNICATOR_TEST_BINARY
Needs root (for the mount), mpirun and python3.
"""

import os
import subprocess
import sys
import tempfile
import unittest

BINARY = ""
PATIENCE = 300
MOUNT = 'mount -t tmpfs -o size="$0" tmpfs /dev/shm && exec "$@"'


def may_mount():
    return subprocess.run(["unshare", "-m", "sh", "-c", MOUNT, "64k", "true"], capture_output=True).returncode == 0


@unittest.skipUnless(may_mount(), "may not mount a file system: needs root")
class SmallSharedMemory(unittest.TestCase):
    def run_with(self, size, ranks, tests, of_mpi="/dev/shm"):
        """The communicator's tests with a /dev/shm of `size`; MPI's own segments lie in the folder `of_mpi`."""
        start = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)]
        environment = dict(os.environ, OMP_NUM_THREADS="1", OMPI_MCA_btl_vader_backing_directory=of_mpi)
        return subprocess.run(["unshare", "-m", "sh", "-c", MOUNT, size, *(start if ranks > 1 else []), BINARY,
                               f"--gtest_filter={tests}"], capture_output=True, text=True, timeout=PATIENCE,
                              env=environment)

    def test_eight_ranks_fit_what_a_container_has(self):
        result = self.run_with("64m", 8, "Mpi/CommunicatorSuite/0.AllReduce*")

        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_chunks_shrink_to_what_is_there(self):
        with tempfile.TemporaryDirectory() as folder:
            result = self.run_with("256k", 3, "Mpi/CommunicatorSuite/0.*", folder)

        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_too_little_for_any_chunk_names_the_remedy(self):
        with tempfile.TemporaryDirectory() as folder:
            result = self.run_with("16k", 3, "none", folder)

        self.assertNotEqual(result.returncode, 0)
        self.assertRegex(result.stderr, r"3 ranks of one host: shared memory \(/dev/shm\): expected \d+ bytes, "
                                        r"found No space left on device, \d+ bytes are free; .*--shm-size")

    def test_one_rank_takes_none(self):
        result = self.run_with("4k", 1, "Mpi/CommunicatorSuite/0.*")

        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


if __name__ == "__main__":
    BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main()
