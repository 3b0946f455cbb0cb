#!/usr/bin/env python3
"""Runs source_rules over this checkout, and over small trees with a seeded breach of each rule."""

import pathlib
import tempfile
import unittest

import source_rules

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]


def header(path, body=""):
    guard = "XKDE_" + path.replace("/", "_").replace(".", "_").upper() + "_"
    return f"#ifndef {guard}\n#define {guard}\n{body}\n#endif\n"


class SeededBreach(unittest.TestCase):
    """A rule that finds nothing is worth nothing: each must find its own breach and no other."""

    def breaches_of(self, files, paired=True):
        clean = {
            "core/base/error.h": header("core/base/error.h", "#include <string>"),
            "core/nn/rope.h": header("core/nn/rope.h", '#include "core/base/error.h"'),
            "core/io/hdf5_file.cpp": "#include <hdf5.h>\n",
            "distributed/comm/mpi_communicator.cpp": '#include <mpi.h>\n#include "core/nn/rope.h"\n',
            "tests/core/io/hdf5_file_test.cpp": "#include <hdf5.h>\n",
            "tests/support/files.h": header("tests/support/files.h"),
            "tests/core/nn/rope_test.cpp": '#include "tests/support/files.h"\n',
            "launch/version.h.in": "// made by CMake\n",
            "launch/main.cpp": '#include "launch/version.h"\n',
            "benchmarks/collectives_bench.cpp": "#include <mpi.h>\n",
            "core/CMakeLists.txt": "# no GLOB here\n",
            ".deps/python/torch/a.h": "// TO" + "DO\n",
        }
        with tempfile.TemporaryDirectory() as root:
            # Each .cpp gets its .h, unless the test is about that.
            for path in [*clean, *(files if paired else ())]:
                if path.endswith(".cpp"):
                    clean.setdefault(path[:-3] + "h", header(path[:-3] + "h"))
            for path, text in {**clean, **files}.items():
                target = pathlib.Path(root) / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
            return source_rules.breaches(root)

    def assert_found(self, path, text, expected):
        self.assertEqual(self.breaches_of({path: text}), [expected])

    def test_a_clean_tree_has_no_breach(self):
        self.assertEqual(self.breaches_of({}), [])

    def test_a_folder_includes_nothing_to_its_right(self):
        self.assert_found(
            "core/base/log.cpp",
            '#include <string>\n#include "core/nn/rope.h"\n',
            'core/base/log.cpp:2: "core/nn/rope.h": core/base must not include core/nn',
        )

    def test_nothing_includes_tests(self):
        self.assert_found(
            "core/nn/rope.cpp",
            '#include "tests/support/files.h"\n',
            'core/nn/rope.cpp:1: "tests/support/files.h": nothing includes tests',
        )

    def test_include_paths_start_at_the_root(self):
        self.assert_found(
            "core/nn/rope.cpp",
            '#include "rope.h"\n',
            'core/nn/rope.cpp:1: "rope.h" is not a file below the root',
        )

    def test_hdf5_lives_in_io_even_where_distributed_wants_it(self):
        self.assert_found(
            "distributed/checkpoint/checkpoint.cpp",
            "#include <hdf5.h>\n",
            "distributed/checkpoint/checkpoint.cpp:1: <hdf5.h> belongs in core/io",
        )

    def test_mpi_and_nccl_live_in_distributed(self):
        for name in ("mpi.h", "nccl.h"):
            self.assert_found(
                "launch/program.cpp",
                f"#include <{name}>\n",
                f"launch/program.cpp:1: <{name}> belongs in distributed/comm",
            )

    def test_yaml_lives_where_recipes_are_read(self):
        self.assert_found(
            "core/io/x.cpp",
            "#include <yaml-cpp/yaml.h>\n",
            "core/io/x.cpp:1: <yaml-cpp/yaml.h> belongs in stages/recipe",
        )

    def test_headers_include_no_cuda(self):
        for name in ("cuda_runtime_api.h", "c10/cuda/CUDAStream.h", "ATen/cuda/CUDAEvent.h"):
            self.assert_found(
                "core/nn/x.h",
                header("core/nn/x.h", f"#include <{name}>"),
                f"core/nn/x.h:3: <{name}>: CUDA headers belong in .cpp files",
            )

    def test_headers_are_guarded_by_their_path(self):
        self.assert_found(
            "core/nn/x.h",
            "#pragma once\n",
            "core/nn/x.h:1: expected the header guard XKDE_CORE_NN_X_H_",
        )

    def test_sources_are_listed_by_hand(self):
        self.assert_found(
            "core/nn/CMakeLists.txt",
            "file(GLOB_RECURSE sources *.cpp)\n",
            "core/nn/CMakeLists.txt:1: sources are listed by name, not found by pattern",
        )

    def test_no_file_lists_unfinished_work(self):
        self.assert_found(
            "docs/a.md",
            "fine\nFIX" + "ME later\n",
            "docs/a.md:2: unfinished work is not left in a file",
        )

    def test_only_main_ends_the_program(self):
        self.assert_found(
            "core/nn/rope.cpp",
            '// exit(1) in words\nconst char* s = "exit(2)";\nvoid f() { std::exit(1); }\n',
            "core/nn/rope.cpp:3: errors are thrown; only main returns a code",
        )

    def test_files_are_read_by_one_reader(self):
        for call, name in (
            ("std::ifstream file(path);", "ifstream"),
            ("std::getline(stream, line);", "getline"),
            ("std::istreambuf_iterator<char> at(stream);", "istreambuf_iterator"),
            ('std::fopen("x", "r");', "fopen"),
        ):
            self.assert_found(
                "core/nn/rope.cpp",
                f"// std::ifstream in words\n#include <fstream>\n{call}\n",
                f"core/nn/rope.cpp:3: {name}: files are read by core/io/file_reader.h, which tells a "
                "read that fails from the end",
            )
        excepted = {"core/base/process_memory.cpp": "std::ifstream file(path);\n"}
        self.assertEqual(self.breaches_of(excepted), [])

    def test_an_error_is_no_absent_file(self):
        for call, name in (
            ("if (fs::exists(file, error)) return;", "exists"),
            ("const auto status = std::filesystem::symlink_status(file);", "symlink_status"),
            ("return fs::is_directory(file);", "is_directory"),
            ("for (fs::directory_iterator entry(folder, error); !error;) {}", "directory_iterator"),
            ("fs::remove_all(folder, ignored);", "remove_all"),
            ("if (::stat(path, &info) == 0) return;", "stat"),
        ):
            self.assert_found(
                "core/nn/rope.cpp",
                f"// fs::exists in words\n{call}\n",
                f"core/nn/rope.cpp:2: {name}: core/io/file_reader.h says what is there and core/io/file.h removes "
                "it; an error is never an absent file",
            )
        self.assertEqual(self.breaches_of({"core/io/file.cpp": "fs::remove_all(path, error);\n"}), [])

    # Spelled so that this file keeps the rule.
    def test_what_is_cited_of_the_protocol_is_there(self):
        page = "## 6. Scores\n### 6.1 Tokens\n- **" + "Q27** means\n## Appendix A. Vectors\n"
        cited = "// proto" + "col 6, 6.1, " + "Q27; Proto" + "col, appendix A; " + "Q27\n"
        for text, missing in (
            (cited, []),
            ("int a;  // proto" + "col 9.9\n", ["9.9"]),
            ("// (proto" + "col 6.1-6.4, 9 and " + "Q98)\n", ["6.4", "9", "Q98"]),
            ("// as " + "Q99 says\n", ["Q99"]),
            ('const char* s = "' + 'Q99";\n', []),
        ):
            found = self.breaches_of({"docs/protocol.md": page, "core/nn/x.cpp": text})

            end = "is not in docs/protocol.md"
            expected = [f"core/nn/x.cpp:1: protocol {place} {end}" for place in missing]
            self.assertEqual(found, expected, text)

    def test_without_the_protocol_nothing_of_it_is_cited(self):
        self.assert_found(
            "docs/a.md",
            "see [proto" + "col](https://example.org/protocol.md) 6.1\n",
            "docs/a.md:1: protocol 6.1 is not in docs/protocol.md",
        )

    def test_a_folder_has_at_most_thirty_files(self):
        files = {f"core/io/x{n}.h": header(f"core/io/x{n}.h") for n in range(28)}
        self.assertEqual(self.breaches_of(files), [])

        found = self.breaches_of({**files, "core/io/y.h": header("core/io/y.h")})

        self.assertEqual(found, ["core/io:1: 31 files, expected at most 30"])

    def test_the_name_of_a_file_has_one_home(self):
        home = header("core/io/x.h").replace("#endif", 'inline constexpr const char* kFile = "metrics.jsonl";\n#endif', 1)
        clean = 'auto a = kFile;  // "metrics.jsonl"\nauto b = "other.jsonl";\n'
        self.assertEqual(self.breaches_of({"core/io/x.h": home, "core/io/y.cpp": clean}), [])
        again = header("core/nn/z.h").replace("#endif", 'inline constexpr const char* kSame = "metrics.jsonl";\n#endif', 1)

        found = self.breaches_of({"core/io/x.h": home, "core/io/y.cpp": 'open("metrics.jsonl");\n', "core/nn/z.h": again})

        self.assertEqual(sorted(message.split(":", 2)[0] + ":" + message.split(":", 2)[2] for message in found),
                         [f'{path}: "metrics.jsonl" has its name in core/io/x.h' for path in ("core/io/y.cpp", "core/nn/z.h")])

    def test_a_source_has_its_header_beside_it(self):
        for path, header_path in (
            ("core/nn/x.cpp", "core/nn/x.h"),
            ("distributed/comm/x_absent.cpp", "distributed/comm/x.h"),
            ("core/model/families/deeper/x.cpp", "core/model/families/deeper/x.h"),
        ):
            found = self.breaches_of({path: ""}, paired=False)

            self.assertEqual(found, [f"{path}:1: expected {header_path} beside it"])

    def test_table_entries_twins_and_the_program_need_no_header(self):
        files = {
            "core/model/families/llama.cpp": "",
            "core/evaluate/methods/ike.cpp": "",
            "core/data/benchmarks/zsre.cpp": "",
            "core/nn/rope_absent.cpp": "",
            "launch/main.cpp": "",
            "launch/watch/main.cpp": "",
        }
        self.assertEqual(self.breaches_of(files, paired=False), [])

    def test_pages_name_what_is_there(self):
        for text, missing in (
            ("`core/nn/rope.h`, `core/nn/rope`, `core/nn/`, `./launch/main.cpp --help`", []),
            ("`core/nn/{rope,gone}.h`", ["core/nn/gone.h"]),
            ("run `launch/gone.sh --tests`, then `core/nn/rope.h:7`.", ["launch/gone.sh"]),
            ("`.ci/gone`, `recipes/gone/`", [".ci/gone", "recipes/gone/"]),
            ("`core/*/x.h`, `core/<name>.h`, `docs/NNNN-title.md`, `core/…`", []),
            ("core/gone.h outside of backticks, `runs/gone.json`", []),
            ("[a](a.md#part) [b](../core/nn/rope.h) [c](https://a.b/c) [d](#part)", []),
            ("[gone](gone.md)", ["docs/gone.md"]),
        ):
            found = self.breaches_of({"docs/a.md": text + "\n"})

            expected = [f"docs/a.md:1: no file or folder {path}" for path in missing]
            self.assertEqual(found, expected, text)

    def test_pages_of_the_past_may_name_what_is_gone(self):
        for path in ("CHANGELOG.md", "benchmarks/results/a.md"):
            self.assertEqual(self.breaches_of({path: "`core/gone.h`\n"}), [])

    def function_of(self, lines, head="void f()"):
        return head + " {\n" + "  g();  // {\n" * (lines - 1) + "}\n"

    def test_a_function_has_at_most_sixty_lines(self):
        clean = "namespace a {\n" + self.function_of(60) + self.function_of(60) + "}\n"
        self.assertEqual(self.breaches_of({"core/nn/rope.cpp": clean}), [])
        for head in (
            "void f()",
            "template <typename T>\nstd::function<int(int)> A<T>::f(int x = 1) const",
            "A::A(int a) : B(a), a_{a}, b_(a)",
            "bool operator==(const A& a, const A& b)",
            "class A {\n public:\n  int operator()(int a)",
        ):
            self.assert_found(
                "core/nn/rope.cpp",
                "int x = 1;\n" + self.function_of(61, head) + ("};\n" if "class" in head else ""),
                f"core/nn/rope.cpp:{4 if 'class' in head else 2}: "
                "a function of 61 lines without a reason beside it",
            )

    def test_a_lambda_is_part_of_its_function(self):
        lambdas = ("  h([](int a) {\n" + "    g();\n" * 29 + "  });\n") * 2
        self.assert_found(
            "core/nn/rope.cpp",
            f"void f() {{\n{lambdas}}}\n",
            "core/nn/rope.cpp:1: a function of 63 lines without a reason beside it",
        )

    def test_a_function_takes_at_most_six_parameters(self):
        six = "int a, int b, std::map<int, int> c, int d = f(1, 2), int (&e)[3], A g = {1, 2}"
        for parameters, expected in (
            (six, []),
            (six + ", int h", ["core/nn/rope.cpp:1: 7 parameters without a reason beside them"]),
        ):
            found = self.breaches_of({"core/nn/rope.cpp": f"void f({parameters}) {{}}\n"})

            self.assertEqual(found, expected)

    def test_a_reason_beside_a_function_excuses_its_size(self):
        mark = "// NOLINTNEXTLINE(readability-function-size)"
        head = "void f(int a, int b, int c, int d, int e, int f, int g)"
        for before, is_excused in (
            (f"{mark}: one row for each key\n", True),
            (f"template <typename T>\n{mark}: pointers\n", True),
            (f"{mark}\n", False),
            (f"{mark}: too far above\n\n", False),
        ):
            found = self.breaches_of({"core/nn/rope.cpp": before + head + " {}\n"})

            self.assertEqual(found == [], is_excused, before)


class Checkout(unittest.TestCase):
    def test_keeps_every_rule(self):
        found = source_rules.breaches(CHECKOUT)

        self.assertEqual(found, [], "\n" + "\n".join(found))


if __name__ == "__main__":
    unittest.main()
