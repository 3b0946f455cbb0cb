#!/usr/bin/env python3
"""Builds the site of docs/ with MkDocs and looks at every page: nothing from elsewhere, no dead link, a search from the disk.

Usage: docs_site_test.py LIBRARIES, the folder where docs/site/build.sh --setup put MkDocs. Skips itself (77) without it.
"""

import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
ELSEWHERE = re.compile(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//")
LIBRARIES = ""  # set by main


def environment():
    return {**os.environ, "PYTHONPATH": LIBRARIES, "PYTHONDONTWRITEBYTECODE": "1"}


def build(config, folder):
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", config, "-d", folder],
        env=environment(), capture_output=True, text=True, check=False,
    )


class Page(html.parser.HTMLParser):
    """What a page loads, where it leads, and its anchors."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.links, self.anchors = [], [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag in LOADING and values.get(LOADING[tag]):
            self.loads.append(values[LOADING[tag]])
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        self.anchors.update(values[key] for key in ("id", "name") if values.get(key))


def dead_links(site):
    """Links within a site that lead nowhere, as "page: link"."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    dead = []
    for path, page in pages.items():
        for link in page.links + page.loads:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            # From the disk a leading slash is the root of the disk.
            target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            anchor = urllib.parse.unquote(parts.fragment)
            is_dead = parts.path.startswith("/") or not target.is_file()
            if not is_dead and anchor and target in pages:
                is_dead = anchor not in pages[target].anchors
            if is_dead:
                dead.append(f"{path.relative_to(site)}: {link}")
    return dead


def loads_from_elsewhere(site):
    """What pages, styles and scripts load from another host, as "file: what"."""
    found = []
    for path in sorted(site.rglob("*")):
        if path.suffix == ".html":
            found += [f"{path.relative_to(site)}: {what}" for what in Page(path).loads if re.match(r"(\w+:)?//", what)]
        elif path.suffix == ".css":
            text = path.read_text(encoding="utf-8")
            found += [f"{path.relative_to(site)}: {match.group(0)}" for match in ELSEWHERE.finditer(text)]
    return found


class Site(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = tempfile.TemporaryDirectory()
        cls.site = pathlib.Path(cls.work.name) / "site"
        cls.built = build(str(CHECKOUT / "mkdocs.yml"), str(cls.site))

    @classmethod
    def tearDownClass(cls):
        cls.work.cleanup()

    def test_it_builds_without_a_warning(self):
        self.assertEqual(self.built.returncode, 0, self.built.stdout + self.built.stderr)

    def test_every_page_of_docs_is_there(self):
        for page in (CHECKOUT / "docs").rglob("*.md"):
            name = page.relative_to(CHECKOUT / "docs").with_suffix(".html")
            with self.subTest(str(name)):
                self.assertTrue((self.site / name).is_file())
        for name in ("index.html", "index.zh.html", "changelog.html", "contributing.html", "results.html"):
            self.assertTrue((self.site / name).is_file(), name)

    def test_nothing_is_loaded_from_another_host(self):
        self.assertEqual(loads_from_elsewhere(self.site), [])

    def test_every_link_of_the_site_leads_somewhere(self):
        dead = [link for link in dead_links(self.site) if not link.startswith("404.html")]
        self.assertEqual(dead, [])

    def test_links_to_files_beside_the_pages_are_kept(self):
        home = Page(self.site / "index.html").links
        self.assertIn("recipes.html", home)
        self.assertIn("index.zh.html", home)
        self.assertIn("contributing.html", home)
        self.assertIn("index.html#measured", Page(self.site / "quickstart.html").links)

    def test_the_search_knows_every_page(self):
        index = json.loads((self.site / "search/search_index.json").read_text(encoding="utf-8"))
        known = {entry["location"].partition("#")[0] for entry in index["docs"]}
        pages = {str(path.relative_to(self.site)) for path in self.site.rglob("*.html")} - {"404.html"}
        self.assertEqual(known, pages)

    def test_the_search_asks_for_no_file(self):
        script = (self.site / "search/main.js").read_text(encoding="utf-8")
        self.assertNotRegex(script.partition("\n")[2], r"fetch|XMLHttpRequest|Worker|importScripts")
        index = json.loads((self.site / "search/search_index.json").read_text(encoding="utf-8"))["docs"]
        text = script.partition("\n")[0].removeprefix("const entries = ").removesuffix(";")
        self.assertEqual(json.loads(text), index)
        self.assertFalse((self.site / "search/worker.js").exists())

    @unittest.skipUnless(shutil.which("node"), "no node to run the search with")
    def test_the_search_finds_words_in_any_language(self):
        for words, page in (("learning_rate", "recipes.html"), ("快速上手", "quickstart.zh.html")):
            found = subprocess.run(
                ["node", "-e", SEARCH % json.dumps(words), str(self.site / "search/main.js")],
                capture_output=True, text=True, check=True,
            ).stdout
            self.assertIn(page, found)


# A page of two elements, as much as the script asks for; prints where the hits lead.
SEARCH = """
const element = () => ({children: [], append(...more) { this.children.push(...more); },
  replaceChildren(...all) { this.children = all; }, addEventListener() {}});
const parts = {"mkdocs-search-query": {...element(), value: %s}, "mkdocs-search-results": element()};
globalThis.document = {getElementById: (id) => parts[id], createElement: element};
globalThis.window = {location: {search: ""}};
globalThis.base_url = ".";
require("vm").runInThisContext(require("fs").readFileSync(process.argv[1], "utf8"));
for (const hit of parts["mkdocs-search-results"].children) console.log(hit.children[0].children[0].href);
"""


class SeededBreach(unittest.TestCase):
    """What the checks above must find."""

    def site_of(self, files):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name, text in files.items():
            (pathlib.Path(folder.name) / name).write_text(text, encoding="utf-8")
        return pathlib.Path(folder.name)

    def test_a_mistake_of_a_page_fails_the_build(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        copy = pathlib.Path(folder.name)
        for name in ("docs", "mkdocs.yml", "README.md", "README.zh.md", "CHANGELOG.md", "CONTRIBUTING.md"):
            source = CHECKOUT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
        (copy / "benchmarks/results").mkdir(parents=True)
        shutil.copy(CHECKOUT / "benchmarks/results/README.md", copy / "benchmarks/results")
        with open(copy / "docs/limits.md", "a", encoding="utf-8") as page:
            page.write("\nSee [a page](gone.md) and [a part](recipes.md#gone).\n")
        (copy / "docs/new.md").write_text("# New\n", encoding="utf-8")
        built = build(str(copy / "mkdocs.yml"), str(copy / "site"))
        self.assertNotEqual(built.returncode, 0)
        for mistake in ("gone.md", "#gone", "new.md"):
            self.assertIn(mistake, built.stderr)

    def test_a_dead_link_is_found(self):
        site = self.site_of({"a.html": '<a href="b.html#x">', "b.html": '<p id="y">', "c.html": '<a href="d.html">'})
        self.assertEqual(dead_links(site), ["a.html: b.html#x", "c.html: d.html"])

    def test_a_live_link_is_not(self):
        site = self.site_of({"a.html": '<a href="b.html#y"><a href="https://x.org/y">', "b.html": '<p id="y">'})
        self.assertEqual(dead_links(site), [])

    def test_a_load_from_elsewhere_is_found(self):
        site = self.site_of({"a.html": '<script src="https://x.org/a.js"></script><link href="//x.org/b.css">',
                             "c.css": "@font-face {src: url(https://x.org/f.woff)}", "d.html": '<a href="https://x.org">'})
        self.assertEqual(loads_from_elsewhere(site),
                         ["a.html: https://x.org/a.js", "a.html: //x.org/b.css", "c.css: url(https://"])


if __name__ == "__main__":
    LIBRARIES = sys.argv.pop(1)
    if subprocess.run([sys.executable, "-c", "import mkdocs"], env=environment(), capture_output=True, check=False).returncode:
        print(f"skipped: no MkDocs in {LIBRARIES}; docs/site/build.sh --setup installs it")
        sys.exit(77)
    unittest.main()
