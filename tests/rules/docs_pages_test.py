#!/usr/bin/env python3
"""Holds pages of docs/ against what they speak of: messages, keys of recipes, recipes and exit codes."""

import functools
import pathlib
import re
import unittest

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
ROOMS = ("core", "distributed", "stages", "launch")
FARTHEST = 600  # characters of literals between two parts of a message
CELL = re.compile(r"(?<!\\)\|")
CODE = re.compile(r"`([^`]+)`")
LITERAL = re.compile(r'R"\w*\((.*?)\)\w*"|"((?:[^"\\\n]|\\.)*)"|//[^\n]*', re.DOTALL)


def text_of(path):
    return (CHECKOUT / path).read_text(encoding="utf-8")


def rows_of(text, first):
    """The cells of each row of the tables whose first column is called `first`."""
    is_in = False
    for line in text.split("\n"):
        if not line.startswith("|"):
            is_in = False
            continue
        cells = [cell.strip().replace("\\|", "|") for cell in CELL.split(line)[1:-1]]
        if is_in and not set(line) <= set("|- :"):
            yield cells
        is_in = is_in or cells[0] == first


def literals_of(source):
    """The string literals of C++ text, adjacent ones joined, all others parted by a NUL."""
    parts, end = [], 0
    for match in LITERAL.finditer(source):
        if match.group(0).startswith("//"):
            continue
        text = match.group(1) if match.group(2) is None else match.group(2)
        text = text.replace('\\"', '"').replace("\\n", "\n")
        parts.append(text if parts and source[end : match.start()].strip() == "" else "\0" + text)
        end = match.end()
    return "".join(parts)


@functools.cache
def sources():
    """What each source can print: literals of C++, the whole text of scripts."""
    texts = []
    for room in ROOMS:
        for path in sorted((CHECKOUT / room).rglob("*")):
            if path.suffix in (".cpp", ".h"):
                texts.append(literals_of(path.read_text(encoding="utf-8")))
            elif path.suffix in (".sh", ".sbatch"):
                texts.append(path.read_text(encoding="utf-8"))
    return texts


def stands_in(message, texts):
    """Whether the fixed words of a message stand one behind another in one of the texts."""
    words = [re.escape(part.strip()) for part in message.split("…") if part.strip()]
    pattern = re.compile((".{0,%d}?" % FARTHEST).join(words), re.DOTALL)
    return any(pattern.search(text) for text in texts)


def messages_of(page):
    return [message for row in rows_of(page, "message") for message in CODE.findall(row[0])]


def keys_of_recipes(text):
    """Each section of recipes.md with its keys: {"sft.lora": {"r", "alpha", ...}}."""
    keys, section = {}, ""
    for line in text.split("\n"):
        if line.startswith("## "):
            section = line[3:].strip(" `")
        match = re.match(r"\| `([a-z0-9_]+)` \|", line)
        if match and section != "Overrides":
            keys.setdefault("" if section == "Top level" else section, set()).add(match.group(1))
    return keys


def is_key(path, keys):
    """Whether `sft.lora.r`, `evaluate.editor.layers` or `seed` is a key of recipes.md."""
    section, _, name = path.rpartition(".")
    if path in keys or name in keys.get(section, ()):
        return True
    # A section that a stage shares with another is described once.
    shared = {"evaluate.editor": "edit.editor", "orpo.lora": "sft.lora"}
    return name in keys.get(shared.get(section, ""), ())


class Troubleshooting(unittest.TestCase):
    page = text_of("docs/troubleshooting.md")

    def test_every_message_stands_in_the_sources(self):
        for message in messages_of(self.page):
            with self.subTest(message):
                self.assertTrue(stands_in(message, sources()), "no source prints this any more")

    def test_messages_say_enough_to_be_found(self):
        for message in messages_of(self.page):
            with self.subTest(message):
                self.assertGreaterEqual(max(len(part.strip()) for part in message.split("…")), 5)

    def test_the_page_covers_the_frequent_kinds(self):
        self.assertGreaterEqual(len(set(messages_of(self.page))), 60)

    def test_every_exit_code_has_a_row(self):
        codes = re.findall(r"^  k\w+ = (\d+),", text_of("core/base/error.h"), re.MULTILINE)
        self.assertGreater(len(codes), 10)
        self.assertEqual([row[0] for row in rows_of(self.page, "code")], codes)

    def test_every_kind_of_error_has_a_row(self):
        kinds = re.findall(r"XKDE_DEFINE_ERROR_\((\w+),", text_of("core/base/error.h"))
        told = [kind for row in rows_of(self.page, "code") for kind in CODE.findall(row[1])]
        self.assertEqual(sorted(told), sorted(kinds[1:] if kinds[0] == "Name" else kinds))

    def test_a_message_that_changed_is_found(self):
        source = 'throw E(concat(path, ": expected a "\n "list, found ", n));  // "expected a text"\n'
        texts = [literals_of(source)]
        self.assertTrue(stands_in(": expected a list, found …", texts))
        self.assertTrue(stands_in("expected a … found", texts))
        for changed in (": expected a text", "found … expected", "list. found"):
            self.assertFalse(stands_in(changed, texts))


class Migrating(unittest.TestCase):
    page = text_of("docs/migrating.md")
    keys = keys_of_recipes(text_of("docs/recipes.md"))

    def keys_of_the_page(self):
        for row in rows_of(self.page, "there"):
            for code in CODE.findall(row[1]):
                yield code.split(":")[0].split("=")[0].strip()

    def test_every_key_is_one_of_recipes_md(self):
        named = list(self.keys_of_the_page())
        self.assertGreater(len(named), 60)
        for key in named:
            with self.subTest(key):
                self.assertTrue(is_key(key, self.keys), "docs/recipes.md has no such key")

    def test_a_key_that_is_gone_is_found(self):
        self.assertTrue(is_key("sft.learning_rate", self.keys))
        self.assertTrue(is_key("evaluate.editor.steps", self.keys))
        for gone in ("sft.lr", "sft.editor.steps", "learning_rate", "evaluate.steps"):
            self.assertFalse(is_key(gone, self.keys))


class Expectations(unittest.TestCase):
    page = text_of("docs/expectations.md")

    def test_the_counts_are_those_of_the_rows(self):
        here = [re.match(r"\w+", row[2]).group() for row in rows_of(self.page, "")]
        told = re.search(r"\*\*(\d+) of (\d+) are yes\*\*, (\d+) partly", self.page)
        self.assertEqual([int(number) for number in told.groups()], [here.count("yes"), len(here), here.count("partly")])

    def test_the_rows_are_numbered(self):
        numbers = [row[0] for row in rows_of(self.page, "")]
        self.assertEqual(numbers, [str(i + 1) for i in range(len(numbers))])

    def test_tests_that_it_names_are_registered(self):
        lists = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "tests").rglob("CMakeLists.txt"))
        named = set(re.findall(r"`(\w+_test)`", self.page))
        self.assertGreater(len(named), 8)
        for name in named:
            with self.subTest(name):
                self.assertRegex(lists, rf"\b{name}\b")


class Pages(unittest.TestCase):
    """What pages name is there."""

    def test_recipes_of_the_pages_exist(self):
        for page in ("docs/reproducing.md", "docs/quickstart.md", "docs/quickstart.zh.md", "README.md", "README.zh.md"):
            named = set(re.findall(r"recipes/[\w/]+\.yaml", text_of(page)))
            self.assertTrue(named, page)
            for recipe in named:
                with self.subTest(page=page, recipe=recipe):
                    self.assertTrue((CHECKOUT / recipe).is_file())

    def test_every_page_is_in_the_contents_of_the_site(self):
        contents = re.findall(r"[\w./-]+\.md$", text_of("mkdocs.yml"), re.MULTILINE)
        docs = CHECKOUT / "docs"
        pages = {str(path.relative_to(docs)) for path in docs.rglob("*.md")}
        self.assertEqual(pages - set(contents), set())
        self.assertEqual(len(contents), len(set(contents)))

    def test_links_lead_to_files(self):
        pages = [*CHECKOUT.glob("docs/**/*.md"), *CHECKOUT.glob("*.md"), CHECKOUT / "benchmarks/results/README.md"]
        for page in pages:
            for target in re.findall(r"(?<!!)\[[^\]\[]*\]\(([^()\s]+)\)", page.read_text(encoding="utf-8")):
                if not re.match(r"[a-z]+:|#", target):
                    with self.subTest(page=page.relative_to(CHECKOUT), target=target):
                        self.assertTrue((page.parent / target.partition("#")[0]).exists())


if __name__ == "__main__":
    unittest.main()
