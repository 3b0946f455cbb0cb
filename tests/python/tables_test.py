#!/usr/bin/env python3
"""Tables of xkde_results: the paper's shape, what is bold, Markdown and LaTeX that show what is meant."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from run_folders import METRICS, RunFoldersTest, prediction, result, scores, write_evaluation, write_run

from xkde_results import Cell, DifferentQuestionsError, Table, UnpairedQuestionsWarning, load_run, load_runs, paper_table

NAMES = dict(zip(METRICS, ("Rel.", "Gen.", "Loc.", "Port.")))  # in a header
LEVELS = dict(xkde=0.8, ike=0.55, none=0.25)
HOSTILE = r"100 % & $x_1$ #2 {a} \n ~ ^ | *b* <c> → ±"


def predictions(level, salt=0.0, tests=("en", "zh"), records=40):
    return [prediction(record, score, metric, test=test) for test in tests for metric in METRICS
            for record, score in enumerate(scores(records, level if metric != "locality" else 0.5, salt))]


def unescaped(text):
    """What LaTeX prints of an escaped text."""
    for mark, printed in ((r"\textbackslash{}", "\0"), (r"\textasciitilde{}", "~"), (r"\textasciicircum{}", "^"),
                          (r"\textless{}", "<"), (r"\textgreater{}", ">"), (r"\textbar{}", "|"), (r"$\rightarrow$", "→"),
                          (r"$\pm$", "±")):
        text = text.replace(mark, printed)
    return re.sub(r"\\([&%$#_{}])", r"\1", text).replace("\0", "\\")


class Tables(RunFoldersTest):
    def runs(self, **more):
        return load_runs(*(self.evaluated(name, predictions(level, place / 3), method=name, **more)
                           for place, (name, level) in enumerate(LEVELS.items())))

    def bold(self, table):
        names = table.flat_header()
        return {(row[0].text, name) for row in table.rows for name, cell in zip(names, row) if cell.bold}

    def test_rows_are_methods_and_columns_languages_and_metrics(self):
        runs = self.runs()

        table = paper_table(runs)

        self.assertEqual(table.header, ["method", *[*NAMES.values()] * 3])
        self.assertEqual(table.groups, [("", 1), ("en", 4), ("zh", 4), ("mean", 4)])
        self.assertEqual(table.flat_header()[:3], ["method", "en Rel.", "en Gen."])
        self.assertEqual([row[0].text for row in table.rows],
                         ["xkde, before training", "ike, before training, ike", "none, before training, none"])
        values = {(row.test_language, row.metric): row.value for row in runs[1].evaluations[0].results}
        for cell, language in ((table.rows[1][1], "en"), (table.rows[1][5], "zh")):
            self.assertEqual(cell.text, f"{values[language, 'reliability']:.2f}")
        mean = (values["en", "reliability"] + values["zh", "reliability"]) / 2
        self.assertEqual(table.rows[1][9].text, f"{mean:.2f}")
        self.assertEqual(table.caption, "mzsre, single, edits in en")

    def test_rows_are_renamed_and_languages_and_metrics_chosen(self):
        table = paper_table(self.runs(), labels={"xkde, before training": "X-KDE"}, metrics=("locality", "reliability"),
                            test_languages=["zh"])

        self.assertEqual(table.flat_header(), ["method", "zh Loc.", "zh Rel."])
        self.assertEqual(table.rows[0][0].text, "X-KDE")
        with self.assertRaisesRegex(ValueError, r"test_languages: expected some of \['en', 'zh'\], found \['de'\]"):
            paper_table(self.runs(), test_languages=["zh", "de"])

    def test_the_best_is_bold_only_where_intervals_are_apart(self):
        narrow, wide = paper_table(self.runs(half_width=5.0)), paper_table(self.runs(half_width=20.0))
        without = paper_table(self.runs())

        wanted = {("xkde, before training", f"{language} {NAMES[metric]}") for language in ("en", "zh")
                  for metric in METRICS if metric != "locality"}
        self.assertEqual(self.bold(narrow), wanted)
        self.assertEqual(self.bold(wide), set())
        self.assertEqual(self.bold(without), set())
        self.assertIn("interval is apart from those of all other rows", narrow.notes[1])

    def test_rows_over_other_numbers_of_records_are_told_and_nothing_is_bold(self):
        runs = [load_run(self.evaluated(name, predictions(level, records=records), half_width=2.0))
                for name, level, records in (("one", 0.8, 40), ("other", 0.3, 20))]

        for bold in ("interval", "paired"):
            table = paper_table(runs, bold=bold)

            self.assertEqual(self.bold(table), set())
            self.assertEqual(table.notes[0], "Values in percent; 20 to 40 records a value.")
            self.assertIn("they do not ask the same questions", table.notes[1])

    def test_the_best_is_bold_where_the_paired_test_says_so(self):
        table = paper_table(self.runs(), bold="paired", resamples=500)

        wanted = {("xkde, before training", f"{language} {NAMES[metric]}") for language in ("en", "zh", "mean")
                  for metric in METRICS if metric != "locality"}
        self.assertEqual(self.bold(table), wanted)
        runs = [load_run(self.evaluated(name, predictions(0.5, salt))) for name, salt in (("a", 0.0), ("b", 2.0))]
        self.assertEqual(self.bold(paper_table(runs, bold="paired", resamples=500)), set())

    def test_a_paired_table_of_other_questions_warns_or_is_refused(self):
        moved = [line | dict(record=41) if line["record"] == 0 else line for line in predictions(0.3)]
        runs = [load_run(self.evaluated(name, both)) for name, both in (("one", predictions(0.8)), ("other", moved))]
        with self.assertWarns(UnpairedQuestionsWarning):
            paper_table(runs, bold="paired", resamples=500)
        lines = [line | dict(question="Who?", target="Rom") for line in predictions(0.3)]
        other = [line | dict(question="Where?", target="Rom") for line in predictions(0.6)]
        runs = [load_run(self.evaluated(name, both)) for name, both in (("one", lines), ("other", other))]
        with self.assertRaises(DifferentQuestionsError):
            paper_table(runs, bold="paired")

    def test_what_would_mix_is_to_be_chosen(self):
        lines = predictions(0.5)
        rows = [result(size=size, mode="batch") for size in (1, 10)] + [result(benchmark="zsre")]
        run = load_run(self.evaluated("one", lines, rows=rows))

        with self.assertRaisesRegex(ValueError, r"benchmark: expected one for a table, found \['mzsre', 'zsre'\]"):
            paper_table(run)
        with self.assertRaisesRegex(ValueError, r"size: expected one for a table, found \[1, 10\]; choose with size="):
            paper_table(run, benchmark="mzsre")
        self.assertEqual(paper_table(run, size=10).caption, "mzsre, batch of 10, edits in en")
        with self.assertRaisesRegex(ValueError, "found none that fit"):
            paper_table(run, size=7)
        with self.assertRaisesRegex(ValueError, "expected \"interval\", \"paired\" or None, found 'best'"):
            paper_table(run, size=10, bold="best")

    def test_of_seeds_the_means_stand_with_their_spread(self):
        rows = [result(value=42.0, n=8, order="drawn", seeds=2, spread=2.828)]
        rows += [result(value=value, order="drawn", seed=seed) for seed, value in ((1, 40.0), (2, 44.0))]

        table = paper_table(load_run(self.evaluated("one", predictions(0.5), rows=rows)))

        self.assertEqual([cell.text for cell in table.rows[0]], ["before training", "42.00 ± 2.83"])
        self.assertIn("± is the standard deviation over seeds.", table.notes)

    def test_intervals_missing_values_and_published_ones(self):
        published = [dict(value=99.93, paper="X-KDE", model="Llama-2", mark="paper*"),
                     dict(value=90.5, paper="EasyEdit", model="Llama-2", mark="paper")]
        rows = [result(value=40.0, low=35.0, high=47.0, published=published), result("locality", None, 0)]

        table = paper_table(load_run(self.evaluated("one", predictions(0.5), rows=rows)), intervals=True)

        self.assertEqual([[cell.text for cell in row] for row in table.rows],
                         [["before training", "40.00 ± 6.00", "–"],
                          ["published: X-KDE (Llama-2), xkde", "99.93*", "–"],
                          ["published: EasyEdit (Llama-2), xkde", "90.50", "–"]])
        self.assertEqual(table.rules, (1,))
        self.assertIn("* as notes about the paper quote it, not checked.", table.notes)
        self.assertEqual(len(paper_table(load_run(self.root / "one"), published=False).rows), 1)

    def test_of_some_metrics_less_is_better(self):
        metric = "free.chat.did_not_stop.reliability"
        runs = [load_run(self.evaluated(name, predictions(0.5), rows=[result(metric, value, low=value - 1, high=value + 1)]))
                for name, value in (("a", 5.0), ("b", 50.0))]

        self.assertEqual(self.bold(paper_table(runs, metrics=[metric])), {("a", "es " + metric)})

    def test_stages_of_a_run_are_rows(self):
        write_evaluation(self.root / "run/01-evaluate", predictions(0.3))
        write_evaluation(self.root / "run/02-evaluate", predictions(0.6))
        write_run(self.root / "run", {"01-evaluate": {}, "02-evaluate": {}})
        run = load_run(self.root / "run")

        self.assertEqual([row[0].text for row in paper_table(run).rows],
                         ["before training (01-evaluate)", "before training (02-evaluate)"])
        self.assertEqual(len(paper_table(run["02-evaluate"]).rows), 1)

    def test_markdown_shows_every_text_as_it_is(self):
        table = Table(["a|b", "n"], [[Cell(HOSTILE), Cell("1.00", True)]], [("g", 2)], "*c*", ["_n_"])

        lines = table.markdown().splitlines()

        self.assertEqual(lines[0], r"\*c\*")
        self.assertEqual(lines[2:4], [r"| g a\|b | g n |", "| :--- | ---: |"])
        self.assertEqual(re.sub(r"\\([\\`*_|<>\[\]])", r"\1", lines[4]), f"| {HOSTILE} | **1.00** |")
        self.assertEqual(len(re.findall(r"(?<!\\)\|", lines[4])), 3)
        self.assertEqual(lines[-1], r"\_n\_")

    def test_latex_is_a_booktabs_table_with_every_text_as_it_is(self):
        table = Table(["m", "x", "y"], [[Cell(HOSTILE), Cell("1.00", True), Cell("–")], [Cell("b"), Cell("2"), Cell("3")]],
                      [("", 1), ("en_1", 2)], "50 %", ["note & more"], rules=(1,))

        text = table.latex("tab:one")

        for line in (r"\caption{50 \%}", r"\label{tab:one}", r"\begin{tabular}{lrr}", r"\toprule",
                     r" & \multicolumn{2}{c}{en\_1} \\", r"\cmidrule(lr){2-3}", r"m & x & y \\", r"\bottomrule",
                     r"note \& more\par", r"b & 2 & 3 \\"):
            self.assertIn(line, text.splitlines())
        self.assertEqual(text.count(r"\midrule"), 2)
        self.assertRegex(table.latex(environment="table*"), r"(?s)^\\begin\{table\*\}.*\\end\{table\*\}\n$")
        first = next(line for line in text.splitlines() if r"\textbf{1.00}" in line)
        self.assertEqual(unescaped(first.removesuffix(r" & \textbf{1.00} & -- \\")), HOSTILE)
        self.assertEqual(text.replace(r"\{", "").replace(r"\}", "").count("{"),
                         text.replace(r"\{", "").replace(r"\}", "").count("}"))

    def test_latex_compiles(self):
        program = next(filter(None, map(shutil.which, ("xelatex", "lualatex", "pdflatex"))), None)
        if program is None:
            self.skipTest("no LaTeX here: none of xelatex, lualatex, pdflatex")
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.root))
        document = (r"\documentclass{article}\usepackage{booktabs}\begin{document}" + "\n"
                    + paper_table(self.runs(half_width=5.0), intervals=True).latex("tab:a")
                    + Table(["a", "b"], [[Cell(HOSTILE), Cell("1", True)]], caption=HOSTILE, notes=[HOSTILE]).latex()
                    + r"\end{document}")
        (folder / "t.tex").write_text(document, encoding="utf-8")

        result = subprocess.run([program, "-interaction=nonstopmode", "-halt-on-error", "t.tex"], cwd=folder,
                                capture_output=True, text=True, errors="replace")

        self.assertEqual(result.returncode, 0, result.stdout[-3000:])

    def test_text_lines_up_also_with_wide_letters(self):
        text = Table(["方法", "n"], [[Cell("é"), Cell("10", True)], [Cell("abcd"), Cell("5")]]).text()

        self.assertEqual(text, "方法    n\né     10*\nabcd    5\n")


if __name__ == "__main__":
    unittest.main()
