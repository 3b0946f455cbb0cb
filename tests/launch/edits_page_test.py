#!/usr/bin/env python3
"""Browses a page of edits as a person does: in a headless Chromium, with the keyboard, on a phone's and a desk's width.

Skips what needs the browser where there is none. XKDE_CHROMIUM names one; XKDE_SCREENSHOTS a folder for pictures.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from chromium import Chromium, browser, why_none

PROGRAM = ""
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">\u2028"


def line(record, language, metric, answer, exact):
    chat = {"answer": answer, "stopped": True, "exact": exact, "f1": exact}
    brief = {"answer": "Berlin", "stopped": True, "exact": 1.0, "f1": 1.0}
    return {"record": record, "phase": "after", "mode": "single", "size": 1, "edit_language": "en",
            "test_language": language, "metric": metric, "probe": 0, "prompt": "p", "target_ids": [1],
            "predicted_ids": [1], "score": 1.0, "retrieved": None, "fact": f"Capital {record}? Berlin",
            "question": {"ar": "ما هي عاصمة ألمانيا؟", "th": "เมืองหลวงของประเทศเยอรมนีคือเมืองอะไร" * 8}.get(language, HOSTILE),
            "target": "Berlin" if record else "B" * 300, "free": {"instruction": brief, "chat": chat}}


class EditsPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        run = os.path.join(cls.root, "run")
        os.makedirs(run + "/01-evaluate")
        lines = [line(record, language, metric, "Bonn" if record % 2 else "Berlin", float(record % 2 == 0))
                 for record in range(30) for language in ("ar", "th", "de") for metric in ("reliability", "negation")]
        row = {"benchmark": "zsre", "phase": "after", "mode": "single", "size": 1, "method": "xkde",
               "edit_language": "en", "test_language": "th", "metric": "reliability", "value": 50.0, "low": 40.0,
               "high": 60.0, "n": 2}
        files = {"run.json": json.dumps({"run_name": "r", "exit_reason": "done", "stages": ["01-evaluate"]}),
                 "01-evaluate/results.json": json.dumps([row]),
                 "01-evaluate/predictions.jsonl": "".join(json.dumps(one) + "\n" for one in lines)}
        for name, text in files.items():
            with open(os.path.join(run, name), "w", encoding="utf-8") as file:
                file.write(text)
        subprocess.run([PROGRAM, "report", run], check=True, stdout=subprocess.DEVNULL)
        cls.page = run + "/report/01-evaluate.html"
        cls.chromium = None
        if browser():
            cls.chromium = Chromium(browser(), os.path.join(cls.root, "browser"))
            cls.addClassCleanup(cls.chromium.close)

    def opened(self, width):
        if not self.chromium:
            self.skipTest(why_none())
        self.chromium.open(self.page, width)
        return self.chromium

    def count(self):
        return self.chromium.value("document.getElementById('count').textContent")

    def test_the_block_of_json_is_whole(self):
        with open(self.page, encoding="utf-8", newline="") as file:
            text = file.read()
        block = text.split('<script type="application/json" id="data">')[1].split("</script>")[0]
        self.assertEqual(len(json.loads(block)["questions"]), 180)
        self.assertIn(HOSTILE.strip(), json.loads(block)["texts"])
        self.assertEqual(text.count("<script"), 2)

    def test_nothing_is_complained_of_loaded_or_run_from_texts(self):
        page = self.opened(1400)
        self.assertEqual(self.count(), "180 of 180 questions")
        self.assertEqual(page.complaints(), [])
        self.assertEqual(page.value("document.title"), "r: before training")
        self.assertEqual(page.value("document.querySelectorAll('img').length"), 0)
        self.assertTrue(page.value("document.body.innerText.includes('onerror')"))
        page.picture("made_1400.png")

    def test_wrong_only_hides_what_is_right(self):
        page = self.opened(1400)
        page.value("document.getElementById('wrong').click()")
        self.assertEqual(self.count(), "90 of 180 questions")
        self.assertEqual(page.value("document.querySelectorAll('.card h2 .good').length"), 0)
        self.assertEqual(page.value("document.querySelectorAll('.card h2 .bad').length"), 50)

    def test_tab_and_enter_suffice(self):
        page = self.opened(1400)
        for title, chip in (("test language", "th"), ("question", "negation"), ("context", "chat")):
            page.tab_to(title)
            page.press("Enter")
            page.tab_to(chip)
            page.press("Enter")
            self.assertEqual(page.value("document.activeElement.textContent"), f"{title}: {chip}")
        self.assertEqual(self.count(), "30 of 180 questions")
        page.value("document.activeElement.blur(); document.body.focus()")
        page.tab_to("wrong only")
        page.press("Enter")
        self.assertEqual(self.count(), "15 of 180 questions")
        self.assertEqual(page.value("document.querySelectorAll('.said').length"), 15)

    def test_a_context_has_its_own_wrong_answers(self):
        page = self.opened(1400)
        page.value("document.getElementById('wrong').click()")
        page.value("[...document.querySelectorAll('.chips button')].find(one => one.textContent === 'instruction').click()")
        self.assertEqual(self.count(), "0 of 180 questions")

    def test_more_cards_come_by_enter_and_get_the_focus(self):
        page = self.opened(1400)
        self.assertEqual(page.value("document.querySelectorAll('.card').length"), 50)
        page.value("document.getElementById('more').focus()")
        page.press("Enter")
        self.assertEqual(page.value("document.querySelectorAll('.card').length"), 100)
        self.assertTrue(page.value("document.activeElement === document.querySelectorAll('.card')[50]"))

    def test_words_are_searched_in_all_texts(self):
        page = self.opened(1400)
        page.value("document.getElementById('words').focus()")
        page.call("Input.insertText", text="CAPITAL bonn")
        self.assertEqual(self.count(), "90 of 180 questions")

    def test_nothing_scrolls_sideways(self):
        for width in (360, 1400):
            page = self.opened(width)
            self.assertEqual(page.value("window.innerWidth"), width)
            self.assertLessEqual(page.value("document.documentElement.scrollWidth"), width)
            page.value("document.querySelectorAll('details').forEach(one => one.open = true)")
            self.assertLessEqual(page.value("document.documentElement.scrollWidth"), width)
        page = self.opened(360)
        page.picture("made_360.png")

    def test_texts_have_their_language_and_direction(self):
        page = self.opened(360)
        arabic = "[...document.querySelectorAll('dd')].find(one => one.lang === 'ar' && one.textContent.startsWith('ما'))"
        self.assertEqual(page.value(f"getComputedStyle({arabic}).direction"), "rtl")
        self.assertEqual(page.value("document.querySelector('dd').lang"), "en")


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
