#!/usr/bin/env python3
"""Looks at report.html in a headless Chromium on a phone's and a desk's width: of one run, of several, and of one that goes on.

usage: report_page_test.py XKDE_DIST_BINARY
Skips what needs the browser where there is none. XKDE_CHROMIUM names one; XKDE_SCREENSHOTS a folder for pictures.
"""

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import xml.dom.minidom

from chromium import Chromium, browser, why_none

PROGRAM = ""
WIDTHS = (390, 1200)
METRICS = ("reliability", "generality", "locality", "portability")
LONG = "a_run_whose_name_is_far_longer_than_any_place_that_a_chart_has_beside_its_lines"
LANGUAGES = ("de", "es", "fr", "zh")

# What lies outside of its figure, or over another text of it.
CLIPPED = """[...document.querySelectorAll('svg')].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter(text => {
    const box = text.getBoundingClientRect();
    return box.width > 0 && (box.left < frame.left - 0.5 || box.right > frame.right + 0.5 || box.top < frame.top - 0.5
      || box.bottom > frame.bottom + 0.5);
  }).map(text => text.textContent);
})"""
# Texts of tables that no scrolling brings to sight.
HIDDEN = """[...document.querySelectorAll('table')].filter(table => {
  const scroll = table.closest('.scroll');
  return !scroll || table.getBoundingClientRect().width > scroll.scrollWidth + 1;
}).map(table => table.caption && table.caption.textContent)"""


def result(metric, size, language, value, n):
    return {"benchmark": "zsre", "phase": "after", "mode": "sequential", "size": size, "method": "xkde", "edit_language": "en",
            "test_language": language, "metric": metric, "value": value, "low": value - 3, "high": value + 3, "n": n}


def prediction(record, language, metric, score):
    return {"record": record, "phase": "after", "mode": "sequential", "size": 10, "edit_language": "en", "test_language": language,
            "metric": metric, "probe": 0, "prompt": f"{record}?", "target_ids": [1], "predicted_ids": [1], "score": score,
            "retrieved": None}


def write_run(folder, name, shift, records, state="done"):
    os.makedirs(f"{folder}/01-sft")
    os.makedirs(f"{folder}/02-evaluate")
    rows = [result(metric, size, language, 60 + shift + 5 * place - math.log10(size), records)
            for place, metric in enumerate(METRICS) for size in (10, 100, 1000) for language in LANGUAGES]
    rows += [result("exact.reliability", 10, language, 40 + shift, records) for language in LANGUAGES]
    recipe = {"run_name": name, "seed": 42, "stages": [{"sft": {"learning_rate": 1e-5 * (1 + shift)}}, {"evaluate": {"benchmark": "zsre"}}]}
    files = {"run.json": json.dumps({"run_name": name, "exit_reason": state, "start": "2026-11-30T01:00:00Z", "end": None,
                                     "recipe": recipe, "stages": ["01-sft", "02-evaluate"]}),
             "01-sft/metrics.jsonl": "".join(json.dumps({"step": step, "loss": 3 / step + 0.1 * shift, "grad_norm": 1.0,
                                                         "learning_rate": 1e-6 * step, "tokens_per_second": 123456.0}) + "\n"
                                             for step in range(1, 60)),
             "02-evaluate/results.json": json.dumps(rows),
             "02-evaluate/predictions.jsonl": "".join(
                 json.dumps(prediction(record, language, metric, float((record * 7 + shift) % 3 == 0))) + "\n"
                 for record in range(records) for language in LANGUAGES for metric in METRICS)}
    for name, text in files.items():
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)


class ReportPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="xkde_report_page_")
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        write_run(f"{cls.root}/a", LONG, 0, 30)
        write_run(f"{cls.root}/b", "b & <c>", 1, 33)
        write_run(f"{cls.root}/c", "三つ目の実験" * 8, 2, 30)
        subprocess.run([PROGRAM, "report", f"{cls.root}/a"], check=True, stdout=subprocess.DEVNULL)
        cls.told = subprocess.run([PROGRAM, "report", f"{cls.root}/a", f"{cls.root}/b", f"{cls.root}/c", "--out",
                                   f"{cls.root}/all.html"], check=True, capture_output=True, text=True).stdout
        cls.chromium = None
        if browser():
            cls.chromium = Chromium(browser(), os.path.join(cls.root, "browser"))
            cls.addClassCleanup(cls.chromium.close)

    def opened(self, page, width):
        if not self.chromium:
            self.skipTest(why_none())
        self.chromium.open(page, width)
        self.chromium.value("document.querySelectorAll('details').forEach(one => one.open = true)")
        return self.chromium

    def pages(self):
        for page in (f"{self.root}/all.html", f"{self.root}/a/report.html"):
            for width in WIDTHS:
                with self.subTest(page=os.path.basename(page), width=width):
                    yield self.opened(page, width), f"{os.path.basename(page)}_{width}.png"

    def test_nothing_is_complained_of_cut_or_wider_than_the_screen(self):
        for page, name in self.pages():
            width = page.value("window.innerWidth")
            self.assertEqual(page.complaints(), [])
            self.assertLessEqual(page.value("document.documentElement.scrollWidth"), width)
            self.assertEqual(page.value(CLIPPED), [])
            self.assertEqual(page.value(HIDDEN), [])
            self.assertGreater(page.value("document.querySelectorAll('svg').length"), 4)
            page.picture(name)

    def test_the_first_column_stays_in_sight(self):
        page = self.opened(f"{self.root}/all.html", 390)
        moved = """(() => {
          const scroll = [...document.querySelectorAll('.scroll')].find(one => one.scrollWidth > one.clientWidth + 100);
          scroll.scrollLeft = 100;
          const cell = scroll.querySelector('tbody th');
          return [cell.getBoundingClientRect().left - scroll.getBoundingClientRect().left, cell.getBoundingClientRect().width];
        })()"""
        left, width = page.value(moved)
        self.assertAlmostEqual(left, 0, delta=1)
        self.assertLess(width, 390 / 2)
        self.assertGreater(width, 60)  # words stay whole

    def test_figures_are_saved_whole_with_their_styles(self):
        page = self.opened(f"{self.root}/all.html", 1200)
        figures = page.value("document.querySelectorAll('figure').length")
        self.assertEqual(page.value("document.querySelectorAll('figure .tools button').length"), figures)
        text = page.value("report.svgText(document.querySelector('figure svg'))")
        svg = xml.dom.minidom.parseString(text).documentElement
        self.assertEqual((svg.tagName, svg.getAttribute("xmlns")), ("svg", "http://www.w3.org/2000/svg"))
        self.assertGreater(float(svg.getAttribute("width")), 100)
        lines = [path for path in svg.getElementsByTagName("path") if path.getAttribute("class").startswith("line")]
        for line in lines:
            self.assertIn("stroke:rgb(", line.getAttribute("style"))
        self.assertNotIn("var(--", text.split("<style")[0])
        page.value("document.querySelector('figure .tools button').click()")
        self.assertEqual(page.complaints(), [])

    def test_lines_differ_by_more_than_colour(self):
        page = self.opened(f"{self.root}/all.html", 1200)
        loss = "[...document.querySelectorAll('svg')].find(svg => svg.getAttribute('aria-label') === 'loss')"
        dashes = page.value(f"[...{loss}.querySelectorAll('.line')].map(line => getComputedStyle(line).strokeDasharray)")
        self.assertGreaterEqual(len(dashes), 3)
        self.assertEqual(len(set(dashes)), 3)
        self.assertEqual(page.value(f"[...{loss}.querySelectorAll('text')].filter(text => text.textContent === 'loss, nats a token').length"), 1)
        colours = page.value(f"[...{loss}.querySelectorAll('.line')].map(line => getComputedStyle(line).stroke)")
        self.assertEqual(len(set(colours)), 3)

    def test_tables_are_written_as_markdown_and_latex(self):
        page = self.opened(f"{self.root}/all.html", 1200)
        table = "[...document.querySelectorAll('table')].find(one => one.caption.textContent.startsWith('Keys of the recipes'))"
        markdown = page.value(f"report.markdown({table})")
        self.assertIn(f"| key | {LONG.replace('_', chr(92) + '_')} | b & \\<c\\> |", markdown)
        self.assertIn("| :--- | ---: | ---: | ---: |", markdown)
        self.assertIn("| sft.learning\\_rate | 1e-05 | 2e-05 | ", markdown)
        latex = page.value(f"report.latex({table})")
        for part in ("\\begin{tabular}{lrrr}\n\\toprule\n", "b \\& \\textless{}c\\textgreater{}", "sft.learning\\_rate & 1e-05 & 2e-05 & ",
                     " \\\\\n\\bottomrule\n\\end{tabular}\n\\end{table}\n"):
            self.assertIn(part, latex)
        count = page.value("document.querySelectorAll('table').length")
        self.assertEqual(page.value("document.querySelectorAll('.tools button[title^=copy]').length"), 2 * count)
        page.value("document.querySelector('.tools button[title^=copy]').click()")
        for _ in range(100):
            if page.value("['copied', 'saved'].includes(document.querySelector('.tools button[title^=copy]').textContent)"):
                break
            time.sleep(0.02)
        else:
            self.fail("neither copied nor saved")
        self.assertEqual(page.complaints(), [])

    def test_runs_are_compared_question_by_question(self):
        page = self.opened(f"{self.root}/all.html", 1200)
        warnings = page.value("[...document.querySelectorAll('.warn')].map(one => one.textContent)")
        self.assertEqual(len(warnings), 1)
        self.assertIn("48 questions are asked by the other alone; 480 are compared", warnings[0])
        self.assertIn("warning: " + warnings[0], self.told)
        rows = page.value("[...document.querySelectorAll('table')].find(one => one.caption.textContent.startsWith('Each run')).rows.length")
        self.assertEqual(rows, 1 + 2 * len(METRICS) * len(LANGUAGES))
        self.assertIn("sft.learning_rate", self.told)
        head = page.value("[...document.querySelectorAll('table')].find(one => one.caption.textContent.startsWith('Each run')).rows[0].innerText")
        for name in ("n, first", "n, run", "n, both", "difference", "95 % interval", "p (Holm)"):
            self.assertIn(name, head)

    def test_what_extra_metrics_found_is_in_the_main_table(self):
        page = self.opened(f"{self.root}/a/report.html", 1200)
        heads = page.value("[...document.querySelectorAll('th')].filter(one => one.textContent === 'exact.reliability').length")
        self.assertGreaterEqual(heads, 1)

    def test_a_page_that_is_finished_stays_and_one_of_a_run_that_goes_on_is_read_again(self):
        page = self.opened(f"{self.root}/a/report.html", 1200)
        self.assertEqual(page.value("document.body.dataset.live"), None)
        with open(f"{self.root}/a/report.html", encoding="utf-8") as file:
            text = file.read()
        live = f"{self.root}/live.html"
        note = '<p><span id="live">new</span></p>'
        with open(live, "w", encoding="utf-8") as file:
            file.write(text.replace("<body>", f'<body data-live="{int(time.time() * 1000)}">' + note))
        page = self.opened(live, 1200)
        page.value("window.isOld = true")
        page.value("document.querySelectorAll('details').forEach((one, place) => one.open = place === 0)")
        self.assertRegex(page.value("document.getElementById('live').textContent"), r"^\d+ s old$")
        deadline = time.monotonic() + 60
        while page.value("window.isOld === true"):
            self.assertLess(time.monotonic(), deadline, "the page was not read again")
            time.sleep(0.2)
        for _ in range(100):
            if page.value("document.readyState") == "complete":
                break
            time.sleep(0.05)
        self.assertEqual(page.value("[...document.querySelectorAll('details')].map(one => one.open).indexOf(true)"), 0)
        self.assertEqual(page.complaints(), [])


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
