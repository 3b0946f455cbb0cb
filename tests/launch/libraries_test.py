#!/usr/bin/env python3
"""No library that the program is linked to writes over another's variables.

usage: libraries_test.py XKDE_DIST_BINARY
Two libraries may define a variable of one name. The loader gives both that of the library which comes first. If the other
takes it for a larger one, it writes over what lies behind. Needs ldd and nm (binutils).
"""

import os
import subprocess
import sys
import unittest


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def loaded_by(program):
    """The program and its libraries, in the order in which the loader looks for names."""
    lines = output_of("ldd", program).splitlines()
    return [program, *(line.split("=>")[1].split()[0] for line in lines if "=>" in line)]


def variables_of(file):
    """Name and size of each variable that others may use. Of one with several versions the largest."""
    found = {}
    for line in output_of("nm", "-D", "-S", "--defined-only", file).splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[2] in "BDRGS":  # not the weak ones, which are alike in all libraries
            name = fields[3].partition("@")[0]
            found[name] = max(found.get(name, 0), int(fields[1], 16))
    return found


def too_small(files):
    """"NAME: SIZE of FILE, SIZE of FILE" of each variable that an earlier file has smaller than a later one."""
    first, found = {}, []
    for file, variables in files:
        for name, size in variables.items():
            size_of_first, owner = first.setdefault(name, (size, file))
            if size_of_first < size:
                found.append(f"{name}: {size_of_first} of {owner}, {size} of {file}")
    return found


class Libraries(unittest.TestCase):
    def test_the_check_sees_a_variable_that_is_too_small(self):
        small, large = ("a.so", {"flag": 4, "other": 8}), ("b.so", {"flag": 32})
        self.assertEqual(too_small([small, large]), ["flag: 4 of a.so, 32 of b.so"])
        self.assertEqual(too_small([large, small]), [])

    def test_none_writes_over_anothers_variables(self):
        files = [(file, variables_of(file)) for file in loaded_by(BINARY)]
        self.assertGreater(len(files), 10)
        self.assertIn("FLAGS_minloglevel", dict.fromkeys(name for _, variables in files for name in variables))
        self.assertEqual(too_small(files), [])


if __name__ == "__main__":
    BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main()
