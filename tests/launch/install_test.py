#!/usr/bin/env python3
"""Installations: by cmake --install, out of the .tar.gz and out of the .deb, each of which evaluates a model.

usage: install_test.py XKDE_DIST BUILD_FOLDER SOURCE_FOLDER CMAKE CPACK LIBTORCH_FOLDER
Needs python3, and for the .deb dpkg-dev; its faults are found by lintian.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import unittest

from tiny_run import TinyRunTest

# What evaluates first in the quick start, on a smaller model.
RECIPE = """\
output_dir: {out}
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
parallel: {{threads: 1}}
stages:
  - evaluate: {{benchmark: mzsre, data: SOURCE/recipes/data/test, edit_languages: [en], test_languages: [es, fr, de, pt],
                records: "0:1"}}
"""
# Of the C library; of MPI, which is the site's, and of what MPI alone is linked to.
OF_THE_SYSTEM = re.compile(r"(linux-vdso|ld-linux.*|lib(c|m|dl|pthread|rt|util|resolv|mpi|open-rte|open-pal|hwloc|udev|cap"
                           r"|event_core-2\.1|event_pthreads-2\.1))\.so.*")


def run(*command, code=0, **options):
    result = subprocess.run(command, capture_output=True, text=True, **options)
    assert result.returncode == code, f"{command}: {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout if code == 0 else result.stderr


class Install(TinyRunTest):
    @classmethod
    def setUpClass(cls):
        if shutil.which("dpkg-shlibdeps") is None:
            raise unittest.SkipTest("no dpkg-shlibdeps to make a .deb with: apt-get install dpkg-dev")
        super().setUpClass()
        cls.packages = f"{cls.root}/packages"
        run(CPACK, "--config", f"{BUILD}/CPackConfig.cmake", "-B", cls.packages)
        [cls.tar] = glob.glob(f"{cls.packages}/xkde_dist-*-linux-x86_64.tar.gz")
        [cls.deb] = glob.glob(f"{cls.packages}/xkde-dist_*_amd64.deb")

    def unpacked(self, name):
        with tarfile.open(self.tar) as tar:
            tar.extractall(f"{self.root}/{name}")
        [top] = os.listdir(f"{self.root}/{name}")
        return f"{self.root}/{name}/{top}"

    def check(self, prefix, name):
        """That the program in `prefix` works, and knows nothing of where it was built."""
        program = f"{prefix}/bin/xkde_dist"
        self.assertEqual(run(program, "--version"), run(self.binary, "--version"))
        self.assertIn("build_type: ", run(program, "env"))
        recipe = self.recipe(name, RECIPE.replace("SOURCE", SOURCE))
        self.assertIn("valid", run(program, "validate", recipe))
        root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
        run("mpirun", *root, "--oversubscribe", "--bind-to", "none", "-n", "2", program, recipe, env=self.environment())
        with open(f"{self.root}/{name}/01-evaluate/results.json") as file:
            languages = {row["test_language"] for row in json.load(file) if row["metric"] == "reliability"}
        self.assertEqual(languages, {"es", "fr", "de", "pt"})
        paths = re.findall(r"\((RPATH|RUNPATH)\).*\[(.*)\]", run("readelf", "-d", f"{prefix}/libexec/xkde_dist/xkde_dist"))
        self.assertEqual([kind for kind, _ in paths], ["RPATH"])
        for path in paths[0][1].split(":"):
            self.assertTrue(path.startswith("$ORIGIN/"), path)

    def libraries(self, prefix):
        """Name and place of what the program in `prefix` is linked to."""
        lines = run("ldd", f"{prefix}/libexec/xkde_dist/xkde_dist").splitlines()
        found = dict(re.match(r"\t(\S+)(?: => (.+?))?(?: \(0x[0-9a-f]+\))?$", line).groups() for line in lines)
        self.assertNotIn("not found", found.values(), lines)
        return found

    def test_an_installation_runs_at_once(self):
        prefix = f"{self.root}/prefix"
        run(CMAKE, "--install", BUILD, "--prefix", prefix)
        self.check(prefix, "installed")
        self.assertEqual(os.readlink(f"{prefix}/libexec/xkde_dist/libtorch"), TORCH)
        self.assertFalse(os.path.exists(f"{prefix}/libexec/xkde_dist/lib"))
        for name in ("doc/xkde-dist/copyright", "doc/xkde-dist/recipes.md", "xkde_dist/launch/slurm/train.sbatch"):
            self.assertTrue(os.path.isfile(f"{prefix}/share/{name}"), name)

    def test_the_tar_has_its_libraries_and_may_be_moved(self):
        prefix = self.unpacked("unpacked")
        setup = f"{prefix}/bin/xkde_dist-setup"
        message = run(f"{prefix}/bin/xkde_dist", "--version", code=69)
        self.assertRegex(message, r"^xkde_dist: expected LibTorch \d+\.\d+\.\d+ in .*/libtorch, found none; run: " + setup)
        self.assertIn("expected lib/libtorch_cpu.so, found none", run(setup, "--torch", self.root, code=66))
        run(setup, "--torch", TORCH)
        prefix = shutil.move(prefix, f"{self.root}/moved to")
        self.check(prefix, "from_tar")
        own = os.path.realpath(f"{prefix}/libexec/xkde_dist/lib")
        torch = os.path.dirname(os.path.realpath(f"{TORCH}/../x"))
        bundled = 0
        for name, place in self.libraries(prefix).items():
            if place is None or OF_THE_SYSTEM.fullmatch(name):
                continue
            folder = os.path.dirname(os.path.realpath(place))
            self.assertTrue(folder == own or folder.startswith(torch + "/"), f"{name} is {place}")
            bundled += folder == own
        self.assertGreater(bundled, 8)
        self.assertEqual([name for name in os.listdir(own) if OF_THE_SYSTEM.fullmatch(name)], [])
        self.assertGreater(len(os.listdir(f"{prefix}/share/doc/xkde-dist/libraries")), 8)

    def test_a_link_to_bin_starts_it_too(self):
        prefix = self.unpacked("linked")
        run(f"{prefix}/bin/xkde_dist-setup", "--torch", TORCH)
        os.symlink(f"{prefix}/bin/xkde_dist", f"{self.root}/link")
        self.assertEqual(run(f"{self.root}/link", "--version"), run(self.binary, "--version"))

    def test_exit_codes_are_the_programs(self):
        prefix = self.unpacked("codes")
        run(f"{prefix}/bin/xkde_dist-setup", "--torch", TORCH)
        self.assertIn("no.yaml", run(f"{prefix}/bin/xkde_dist", "validate", "no.yaml", code=66))

    def test_another_libtorch_is_refused(self):
        prefix = self.unpacked("other")
        os.makedirs(f"{self.root}/torch/lib")
        open(f"{self.root}/torch/lib/libtorch_cpu.so", "w").close()
        with open(f"{self.root}/torch/version.py", "w") as file:
            file.write("from typing import Optional\n\n__version__ = '1.9.1+cpu'\n")
        message = run(f"{prefix}/bin/xkde_dist-setup", "--torch", f"{self.root}/torch", code=69)
        self.assertRegex(message, r"expected LibTorch \d+\.\d+\.\d+ in .*, found '1\.9\.1\+cpu'")
        link = f"{prefix}/libexec/xkde_dist/libtorch"
        self.assertFalse(os.path.lexists(link))
        run(f"{prefix}/bin/xkde_dist-setup", "--torch", TORCH)
        run(f"{prefix}/bin/xkde_dist-setup", "--torch", f"{self.root}/torch", code=69)
        self.assertEqual(os.readlink(link), TORCH)

    def test_setup_says_what_it_cannot_do(self):
        prefix = self.unpacked("mistakes")
        setup = f"{prefix}/bin/xkde_dist-setup"
        self.assertIn("unknown option --no", run(setup, "--no", code=64))
        self.assertIn("--deps needs a folder", run(setup, "--deps", code=64))
        self.assertIn("Usage: xkde_dist-setup", run(setup, "--help"))
        # A folder that is complete is linked as it is.
        deps = os.path.dirname(os.path.dirname(TORCH))
        if not os.path.exists(f"{deps}/STAMP"):
            self.skipTest("LibTorch is not one that launch/setup.sh installed")
        run(setup, "--deps", deps)
        self.assertEqual(os.readlink(f"{prefix}/libexec/xkde_dist/libtorch"), TORCH)

    def test_the_deb_names_what_it_needs_and_works(self):
        prefix = f"{self.root}/deb"
        os.makedirs(prefix)
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", self.deb], stdout=subprocess.PIPE) as files:
            run("tar", "x", "-C", prefix, stdin=files.stdout)
        run(f"{prefix}/usr/bin/xkde_dist-setup", "--torch", TORCH)
        self.check(f"{prefix}/usr", "from_deb")
        needed = run("dpkg-deb", "--field", self.deb, "Depends")
        for package in ("openmpi-bin", "libopenmpi3", "libc6", "libhdf5-103", "libsentencepiece0"):
            self.assertRegex(needed, rf"(^|, ){package}\b")
        self.assertFalse(os.path.exists(f"{prefix}/usr/libexec/xkde_dist/lib"))

    def test_lintian_finds_no_error(self):
        if shutil.which("lintian") is None:
            self.skipTest("lintian is not installed")
        found = subprocess.run(["lintian", "--fail-on", "error", self.deb], capture_output=True, text=True)
        self.assertEqual(found.returncode, 0, found.stdout + found.stderr)

    def test_scripts_are_clean(self):
        shellcheck = shutil.which("shellcheck")
        if shellcheck is None:
            self.skipTest("shellcheck is not installed")
        prefix = self.unpacked("scripts")
        names = [f"{prefix}/bin/xkde_dist", f"{prefix}/bin/xkde_dist-setup", f"{SOURCE}/launch/install/deps.sh",
                 f"{SOURCE}/launch/install/postrm", f"{SOURCE}/launch/setup.sh"]
        result = subprocess.run([shellcheck, "-x", *names], cwd=SOURCE, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_the_containerfile_is_clean(self):
        hadolint = shutil.which("hadolint")
        if hadolint is None:
            self.skipTest("hadolint is not installed")
        result = subprocess.run([hadolint, f"{SOURCE}/launch/container/Containerfile"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_apptainers_definition_is_clean(self):
        """spython reads it as two stages, and shellcheck its sections that are scripts."""
        spython, shellcheck = shutil.which("spython"), shutil.which("shellcheck")
        if spython is None or shellcheck is None:
            self.skipTest("spython or shellcheck is not installed")
        definition = f"{SOURCE}/launch/container/apptainer.def"
        read = subprocess.run([spython, "recipe", "--parser", "singularity", definition], capture_output=True, text=True)
        self.assertEqual(read.returncode, 0, read.stderr)
        lines = read.stdout.splitlines()
        self.assertEqual([line.split()[-1] for line in lines if line.startswith("FROM ")], ["build", "final"])
        self.assertIn("COPY --from=build /packages /opt/packages", lines)
        with open(definition, encoding="utf-8") as file:
            sections = re.split(r"^%", file.read(), flags=re.MULTILINE)
        scripts = [text for text in sections if text.startswith(("post", "environment", "runscript", "test"))]
        self.assertEqual(len(scripts), 5)
        for script in scripts:
            body = "#!/bin/sh\nset -ex\n" + script.partition("\n")[2].partition("\nBootstrap:")[0] + "\n"
            result = subprocess.run([shellcheck, "-"], input=body, capture_output=True, text=True)
            self.assertEqual(result.returncode, 0, result.stdout)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    BUILD, SOURCE, CMAKE, CPACK, TORCH = (sys.argv.pop(1) for _ in range(5))
    unittest.main()
