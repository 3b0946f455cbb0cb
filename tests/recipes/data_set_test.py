"""Tests of recipes/data: the invented facts in six languages (standard library only)."""

import importlib.util
import json
import pathlib
import re
import unicodedata
import unittest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "recipes" / "data"
OTHERS = ("es", "fr", "de", "pt", "zh")
SIZES = {"train": 160, "test": 40}
SIDE_KEYS = ["subject", "src", "rephrase", "alt", "loc", "loc_ans", "portability"]
PORTABILITY_KEYS = ["New Question", "New Answer"]
PREFIX = "nq question: "
# Frequent English words that none of the other languages has.
ENGLISH = re.compile(
    r"\b(the|of|and|with|which|what|who|where|whose|does|did|is|are|has|have|from|for|that|nq|"
    r"question|city|country|town|kingdom|company|bridge|academy|river|language)\b",
    re.IGNORECASE,
)
HAN = re.compile(r"[\u4e00-\u9fff]")
# What a letter outside ASCII may be; others would be a slip of the keyboard.
LETTERS = {
    "en": "",
    "es": "áéíóúüñÁÉÍÓÚÜÑ",
    "fr": "àâæçéèêëîïôœùûüÿÀÂÇÉÈÊËÎÏÔŒÙÛ",
    "de": "äöüÄÖÜß",
    "pt": "áâãàçéêíóôõúÁÂÃÀÇÉÊÍÓÔÕÚ",
}
# Names keep their own spelling in every language.
FOREIGN_NAMES = ("Nestlé", "Antoni Gaudí", "San Sebastián", "Rhône")
QUOTES = {"en": '""', "es": "«»", "fr": "«»", "de": "„“", "pt": "“”", "zh": "《》"}
QUOTE_MARKS = "\"«»„“”‘’《》"


def load_module():
    specification = importlib.util.spec_from_file_location("make_data", FOLDER / "make_data.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def load(split, language):
    path = FOLDER / split / f"invented_en{language}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def merged(split):
    """The split's records with all six languages each."""
    files = [load(split, language) for language in OTHERS]
    return [{key: side for row in rows for key, side in row.items()} for rows in zip(*files)]


def texts(side):
    """(field, text) of a side."""
    for key, value in side.items():
        if key == "portability":
            yield from value.items()
        else:
            yield key, value


def questions(side):
    """The fields that are questions, without the benchmark's prefix."""
    own = (side["src"], side["rephrase"], side["portability"]["New Question"])
    return own + (() if side["loc"].startswith(PREFIX) else (side["loc"],))


class DataSetTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.splits = {split: merged(split) for split in SIZES}
        cls.records = cls.splits["train"] + cls.splits["test"]

    def every_side(self, languages=("en",) + OTHERS):
        """(language, side) of every record."""
        for record in self.records:
            for language in languages:
                yield language, record[language]


class Files(DataSetTest):
    def test_regenerating_gives_the_same_bytes(self):
        files = load_module().make_files()

        self.assertEqual(len(files), len(SIZES) * len(OTHERS))
        for name, content in files.items():
            self.assertEqual((FOLDER / name).read_bytes(), content, name)

    def test_folders_hold_one_file_per_pair_and_nothing_else(self):
        expected = sorted(f"invented_en{language}.json" for language in OTHERS)

        for split in SIZES:
            self.assertEqual(sorted(p.name for p in (FOLDER / split).iterdir()), expected)

    def test_all_of_it_is_smaller_than_a_megabyte(self):
        files = [path for path in FOLDER.rglob("*") if path.is_file()]

        self.assertLess(sum(path.stat().st_size for path in files), 1_000_000)


class Layout(DataSetTest):
    def test_splits_have_their_sizes(self):
        for split, size in SIZES.items():
            for language in OTHERS:
                self.assertEqual(len(load(split, language)), size, (split, language))

    def test_each_row_has_exactly_its_two_languages(self):
        for split in SIZES:
            for language in OTHERS:
                for row in load(split, language):
                    self.assertEqual(list(row), ["en", language])

    def test_english_sides_are_equal_in_every_file(self):
        for split in SIZES:
            expected = [row["en"] for row in load(split, "es")]
            for language in OTHERS:
                self.assertEqual([row["en"] for row in load(split, language)], expected)

    def test_sides_have_the_benchmarks_keys_and_non_empty_strings(self):
        for _, side in self.every_side():
            self.assertEqual(list(side), SIDE_KEYS)
            self.assertEqual(list(side["portability"]), PORTABILITY_KEYS)
            for field, text in texts(side):
                self.assertIsInstance(text, str, field)
                self.assertTrue(text.strip(), field)

    def test_the_subject_stands_in_the_three_questions_about_it(self):
        for _, side in self.every_side():
            for question in (side["src"], side["rephrase"], side["portability"]["New Question"]):
                self.assertIn(side["subject"], question)

    def test_only_english_locality_begins_like_natural_questions(self):
        for language, side in self.every_side():
            self.assertEqual(side["loc"].startswith(PREFIX), language == "en")


class Content(DataSetTest):
    def test_train_and_test_share_nothing_that_is_edited_or_asked(self):
        for language in ("en",) + OTHERS:
            for field in ("subject", "src", "rephrase", "loc"):
                train, test = (
                    {record[language][field] for record in self.splits[split]} for split in SIZES
                )
                self.assertFalse(train & test, (language, field))
        hops = [
            {record["en"]["portability"]["New Question"] for record in self.splits[split]}
            for split in SIZES
        ]
        self.assertFalse(hops[0] & hops[1])

    def test_no_subject_and_no_question_is_used_twice(self):
        for language in ("en",) + OTHERS:
            for field in ("subject", "src", "rephrase"):
                values = [record[language][field] for record in self.records]
                self.assertEqual(len(set(values)), len(values), (language, field))

    def test_the_two_questions_of_a_fact_differ(self):
        for _, side in self.every_side():
            self.assertNotEqual(side["src"], side["rephrase"])

    def test_no_answer_stands_in_its_own_question(self):
        for language, side in self.every_side():
            edge = "" if language == "zh" else r"\b"
            hop = side["portability"]
            pairs = (
                (side["alt"], side["src"]),
                (side["alt"], side["rephrase"]),
                (side["alt"], hop["New Question"]),
                (hop["New Answer"], hop["New Question"]),
                (side["loc_ans"], side["loc"]),
            )
            for answer, question in pairs:
                self.assertNotRegex(question.lower(), edge + re.escape(answer.lower()) + edge)

    def test_locality_has_nothing_to_do_with_the_fact(self):
        for _, side in self.every_side():
            self.assertNotIn(side["loc_ans"], (side["alt"], side["portability"]["New Answer"]))
            self.assertNotIn(side["subject"], side["loc"])

    def test_there_are_sixty_locality_questions_or_more(self):
        found = {record["en"]["loc"] for record in self.records}

        self.assertGreaterEqual(len(found), 60)

    def test_there_are_relations_enough_and_the_first_test_rows_mix_them(self):
        module = load_module()
        relations = module.read_relations(module.read_words())
        self.assertGreaterEqual(len(relations), 12)

        first = self.splits["test"][: len(relations)]

        shapes = {r["en"]["src"].replace(r["en"]["subject"], "") for r in first}
        self.assertEqual(len(shapes), len(relations))

    def test_many_answers_differ_from_the_english_ones(self):
        for language, least in {"es": 0.5, "fr": 0.5, "de": 0.5, "pt": 0.5, "zh": 1.0}.items():
            different = [r["en"]["alt"] != r[language]["alt"] for r in self.records]
            self.assertGreaterEqual(sum(different), least * len(different), language)

    def test_a_fact_of_train_is_not_told_again_in_test(self):
        shaped = {
            split: {
                (r["en"]["src"].replace(r["en"]["subject"], ""), r["en"]["alt"])
                for r in self.splits[split]
            }
            for split in SIZES
        }

        self.assertFalse(shaped["train"] & shaped["test"])


class Writing(DataSetTest):
    def test_text_is_nfc_on_one_line_without_stray_blanks_or_braces(self):
        for _, side in self.every_side():
            for field, text in texts(side):
                self.assertEqual(text, unicodedata.normalize("NFC", text), field)
                self.assertEqual(text, text.strip(), field)
                self.assertNotRegex(text, r"\s\s|[\t\r\n\u00a0\u202f\u200b\ufeff]", field)
                self.assertNotRegex(text, r"[{}|\[\]<>/=]", field)

    def test_no_english_words_are_left_in_translations(self):
        for _, side in self.every_side(OTHERS):
            for field, text in texts(side):
                self.assertIsNone(ENGLISH.search(text), f"{field}: {text}")

    def test_questions_end_as_each_language_does(self):
        ends = {
            "en": r"^[A-Z].*[^ ]\?$",
            "es": r"^¿[A-ZÁÉÍÓÚ].*[^ ]\?$",
            "fr": r"^[A-ZÀÉ].*[^ ] \?$",
            "de": r"^[A-ZÄÖÜ].*[^ ]\?$",
            "pt": r"^[A-ZÀÉ].*[^ ]\?$",
            "zh": r"^[^ ]*？$",
        }
        for language, side in self.every_side():
            for question in questions(side):
                self.assertRegex(question, ends[language])
                self.assertEqual(len(re.findall(r"[?？]", question)), 1, question)
                self.assertEqual(question.count("¿"), int(language == "es"), question)

    def test_english_locality_is_lower_case_without_a_mark(self):
        for _, side in self.every_side(("en",)):
            self.assertRegex(side["loc"], r"^nq question: [a-z0-9 ]+$")

    def test_quotation_marks_are_each_languages_own_and_in_pairs(self):
        for language, side in self.every_side():
            for field, text in texts(side):
                # One Chinese question quotes a word rather than a title.
                allowed = QUOTES[language] + ("“”" if language == "zh" else "")
                self.assertLessEqual(set(QUOTE_MARKS) & set(text), set(allowed), text)
                opening, closing = QUOTES[language]
                self.assertEqual(text.count(opening), text.count(closing), f"{field}: {text}")
                if language == "fr":
                    self.assertNotRegex(text, r"«[^ ]|[^ ]»", field)

    def test_articles_are_elided_and_contracted(self):
        # Not before the h of "héron", which is aspirated.
        french = re.compile(r"\b(de|le|la|que|se|ne|ce) (?!héron)[aeiouyhéèêàâîôœ]", re.I)
        rules = {
            "fr": french,
            "es": re.compile(r"\b(de|a) el\b"),
            "pt": re.compile(r"\b(de|em|por) (o|a|os|as)\b"),
        }
        for language, side in self.every_side(tuple(rules)):
            for question in questions(side):
                self.assertIsNone(rules[language].search(question), question)

    def test_latin_text_uses_only_letters_of_its_language(self):
        for language, side in self.every_side(("en",) + OTHERS[:-1]):
            for field, text in texts(side):
                for name in FOREIGN_NAMES:
                    text = text.replace(name, "")
                letters = {c for c in text if c.isalpha() and not c.isascii()}
                self.assertLessEqual(letters, set(LETTERS[language]), f"{field}: {text}")

    def test_chinese_text_is_chinese_without_blanks_or_ascii_marks(self):
        for _, side in self.every_side(("zh",)):
            for field, text in texts(side):
                self.assertNotRegex(text, r"[ ?!,.:;\"'()]", field)
                if field not in ("New Answer", "loc_ans"):
                    self.assertRegex(text, HAN, field)
                    self.assertNotRegex(text, r"[A-Za-z]", field)


class Tables(unittest.TestCase):
    def setUp(self):
        self.module = load_module()

    def test_a_choice_follows_the_gender_of_the_subject(self):
        fill = self.module.fill

        self.assertEqual(fill("{né/née} {name}", self.module.WOMAN, name="Vera"), "née Vera")
        self.assertEqual(fill("{né/née} {name}", self.module.MAN, name="Bruno"), "né Bruno")

    def test_a_part_nobody_fills_is_an_error(self):
        with self.assertRaisesRegex(self.module.TableError, "a brace is left"):
            self.module.fill("Who is {nobody}?", self.module.MAN, name="Bruno")

    def test_an_answer_without_translation_is_an_error_with_its_line(self):
        with self.assertRaisesRegex(self.module.TableError, "r.txt:3: Atlantis is not in words"):
            self.module.parse_value("r.txt:3", "Paris => Atlantis", {"Paris": {}})

    def test_a_spouse_of_the_wrong_gender_is_an_error(self):
        value = ("Frida Kahlo", None, "painter (woman)")

        with self.assertRaisesRegex(self.module.TableError, "Frida Kahlo: subject of the wrong"):
            self.module.check_spouse_gender({"name": "spouse"}, value, self.module.WOMAN)


if __name__ == "__main__":
    unittest.main()
