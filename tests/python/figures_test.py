#!/usr/bin/env python3
"""Figures of xkde_results: what they draw, that lines differ without colour, and that files are the same each time.

Skips itself without matplotlib. XKDE_FIGURES names a folder that keeps the pictures.
"""

import math
import os
import pathlib
import unittest

from run_folders import RunFoldersTest, result, write_evaluation, write_run, write_training

from xkde_results import heat_map, load_run, load_runs, metric_by_size, save, training_curve

try:
    import matplotlib
except ImportError:
    matplotlib = None

SIZES = (1, 10, 100, 1000)


def streams(method, drop, pairs=(("en", "es"), ("en", "zh"))):
    """Rows of batches; more edits, lower values."""
    rows = []
    for place, size in enumerate(SIZES):
        for edit, test in pairs:
            value = 95 - drop * place - (10 if test == "zh" else 0)
            rows.append(result(value=value, n=50, mode="batch", size=size, edit=edit, test=test, method=method,
                               low=value - 4, high=value + 5))
    return rows


@unittest.skipIf(matplotlib is None, "matplotlib is not installed: pip install matplotlib")
class Figures(RunFoldersTest):
    def run_of(self, name, rows, steps=12):
        folder = self.root / name
        write_training(folder / "01-sft", steps)
        write_evaluation(folder / "02-evaluate", [], rows=rows)
        write_run(folder, {"01-sft": {}, "02-evaluate": {}}, name=name)
        return load_run(folder)

    def svg_of(self, name, make):
        """Writes a figure as every kind of file; made anew, it has the same bytes."""
        folder = pathlib.Path(os.environ.get("XKDE_FIGURES") or self.root)
        for kind in ("svg", "pdf", "png"):
            file = folder / f"{name}.{kind}"
            save(make(), file)
            first = file.read_bytes()
            save(make(), file)
            self.assertEqual(file.read_bytes(), first)
        return (folder / f"{name}.svg").read_text(encoding="utf-8")

    def test_a_training_curve_has_a_line_for_each_training(self):
        runs = [self.run_of("one", streams("xkde", 5)), self.run_of("other", streams("xkde", 5), steps=30)]

        figure = training_curve(runs, smooth=3)

        drawn, smooth = figure.axes[0].lines[:2]
        self.assertEqual(list(drawn.get_xdata()), list(range(1, 13)))
        self.assertEqual(list(drawn.get_ydata()), [4.0 * 0.9 ** step for step in range(1, 13)])
        self.assertAlmostEqual(smooth.get_ydata()[4], sum(4.0 * 0.9 ** step for step in (3, 4, 5)) / 3)
        self.assertEqual(figure.axes[0].get_xlabel(), "step")
        svg = self.svg_of("training", lambda: training_curve(runs, smooth=3))
        for text in ("one, 01-sft", "other, 01-sft", "loss (mean of 3 steps)"):
            self.assertIn(text, svg)

    def test_a_key_that_no_line_has_is_refused_with_those_there_are(self):
        with self.assertRaisesRegex(ValueError, "expected one of .* epoch, learning_rate, loss, step, tokens; found 'los'"):
            training_curve(self.run_of("one", streams("xkde", 5)), key="los")

    def test_a_metric_by_size_has_a_line_for_each_method_on_a_log_axis(self):
        runs = [self.run_of(method, streams(method, drop)) for method, drop in
                (("xkde", 3), ("lte", 6), ("ike", 12), ("memit", 20), ("rome", 25))]

        figure = metric_by_size(runs, labels={"xkde, XE-IT": "X-KDE"})

        axes = figure.axes[0]
        self.assertEqual(axes.get_xscale(), "log")
        self.assertEqual([text.get_text() for text in axes.get_xticklabels()], ["1", "10", "100", "1,000"])
        lines = [container.lines[0] for container in axes.containers]
        for line in lines:  # beside each other, as their intervals would overlap
            for drawn, size in zip(line.get_xdata(), SIZES, strict=True):
                self.assertLess(abs(math.log(drawn / size)), 0.1)
        self.assertEqual(list(lines[2].get_xdata()), list(SIZES))
        self.assertEqual(list(lines[0].get_ydata()), [90 - 3 * place for place in range(4)])  # the mean of two pairs
        bars = axes.containers[0].lines[2][0].get_segments()
        self.assertEqual([(low[1], high[1]) for low, high in bars][0], (86, 95))
        self.assertEqual(axes.get_ylabel(), "reliability, %")
        svg = self.svg_of("sizes", lambda: metric_by_size(runs, labels={"xkde, XE-IT": "X-KDE"}))
        for text in ("X-KDE", "lte, XE-IT, lte", "mzsre, batch, mean of 2 pairs"):
            self.assertIn(text, svg)

    def test_lines_differ_without_their_colour(self):
        runs = [self.run_of(f"m{place}", streams(f"m{place}", place)) for place in range(8)]

        axes = metric_by_size(runs).axes[0]

        looks = {(line.get_marker(), line.get_linestyle()) for line in (bar.lines[0] for bar in axes.containers)}
        self.assertEqual(len(looks), 8)

    def test_one_pair_alone_is_named(self):
        figure = metric_by_size(self.run_of("one", streams("xkde", 3)), test_language="zh")

        self.assertEqual(list(figure.axes[0].containers[0].lines[0].get_ydata()), [85, 82, 79, 76])
        self.assertEqual(figure.axes[0].get_title(), "mzsre, batch, en → zh")

    def test_what_would_mix_or_is_not_there_is_refused(self):
        rows = streams("xkde", 3)
        run = self.run_of("one", rows + [row | dict(mode="sequential") for row in rows])

        with self.assertRaisesRegex(ValueError, r"mode: expected one for a figure, found \['batch', 'sequential'\]"):
            metric_by_size(run)
        self.assertEqual(len(metric_by_size(run, mode="batch").axes), 1)
        with self.assertRaisesRegex(ValueError, "expected batches or streams with 'locality', found none"):
            metric_by_size(run, "locality")
        with self.assertRaisesRegex(ValueError, "size: expected one for a figure"):
            heat_map(run, mode="batch")

    def test_a_heat_map_has_edit_languages_down_and_test_languages_across(self):
        languages = ["en", "zh", "de", "th", "ru"]
        rows = [result(value=90 - 14 * abs(down - across) - down, edit=edit, test=test)
                for down, edit in enumerate(languages) for across, test in enumerate(languages)
                if (edit, test) != ("ru", "en")]
        run = self.run_of("one", rows)

        figure = heat_map(run)

        axes = figure.axes[0]
        self.assertEqual([text.get_text() for text in axes.get_yticklabels()], languages)
        grid = axes.images[0].get_array()
        self.assertEqual((grid[0][1], grid[2][0], axes.get_ylabel()), (76, 60, "edit language"))
        self.assertTrue(math.isnan(grid.data[4][0]))
        self.assertEqual({text.get_position(): text.get_text() for text in axes.texts},
                         {(languages.index(row["test_language"]), languages.index(row["edit_language"])):
                          f"{row['value']:.1f}" for row in rows})
        self.assertEqual(axes.images[0].get_clim(), (0, 100))
        self.svg_of("heat_map", lambda: heat_map(run))

    def test_a_heat_map_is_of_one_evaluation(self):
        runs = load_runs(*(self.run_of(name, streams("xkde", 1)).folder for name in ("one", "other")))

        with self.assertRaisesRegex(ValueError, "expected one evaluation with 'reliability', found 2: one, 02-evaluate"):
            heat_map(runs)
        self.assertEqual(heat_map(runs[0]["02-evaluate"], size=10).axes[0].get_title(),
                         "reliability: mzsre, batch of 10, XE-IT")

    def test_figures_leave_no_window_and_no_state(self):
        before = dict(matplotlib.rcParams)

        save(training_curve(self.run_of("one", streams("xkde", 5))), self.root / "a.svg")

        self.assertEqual(dict(matplotlib.rcParams), before)
        with self.assertRaisesRegex(ValueError, "expected a name that ends in .svg, .pdf or .png"):
            save(training_curve(load_run(self.root / "one")), self.root / "a.gif")


if __name__ == "__main__":
    unittest.main()
