"""What the site needs beside MkDocs: pages that stand outside docs/, links that hold there, and a search from the disk."""

import json
import pathlib
import posixpath
import re

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Files outside docs/ that are pages of the site.
ELSEWHERE = {
    "README.md": "index.md",
    "README.zh.md": "index.zh.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/results/README.md": "results.md",
}
ITEM = re.compile(r"- |1\. |\|")
LINK = re.compile(r"(?<!!)\[([^\]\[]*)\]\(([^()\s]+)\)")


def page_of(path):
    """The page that shows a file of the checkout, or None."""
    if path.startswith("docs/") and path.endswith(".md"):
        return path[len("docs/"):]
    return ELSEWHERE.get(path)


def with_links_of_the_site(text, path):
    """`text` of the file `path`: links to files that the site has not become plain text."""

    def changed(match):
        words, target = match.groups()
        if target.startswith("#") or re.match(r"[a-z]+:", target):
            return match.group(0)
        name, hash_sign, anchor = target.partition("#")
        page = page_of(posixpath.normpath(posixpath.join(posixpath.dirname(path), name)))
        if page is None:
            return words
        here = posixpath.dirname(page_of(path))
        return f"[{words}]({posixpath.relpath(page, here or '.')}{hash_sign}{anchor})"

    return LINK.sub(changed, text)


def with_blanks_before_lists(text):
    """GitHub begins a list or table right behind a line of text, Python-Markdown behind a blank line only."""
    lines, is_code = [], False
    for line in text.split("\n"):
        before = lines[-1] if lines else ""
        begins = not is_code and ITEM.match(line) and before.strip() != ""
        if begins and not (ITEM.match(before) or before.startswith((" ", "#"))):
            lines.append("")
        is_code ^= line.startswith("```")
        lines.append(line)
    return "\n".join(lines)


def on_files(files, config):
    for path, page in ELSEWHERE.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    path = next((path for path, name in ELSEWHERE.items() if name == page.file.src_uri), "docs/" + page.file.src_uri)
    return with_blanks_before_lists(with_links_of_the_site(markdown, path))


@event_priority(-100)  # after the search plugin, whose script asks for files, which a browser refuses a page from the disk
def on_post_build(config):
    folder = pathlib.Path(config.site_dir) / "search"
    entries = json.loads((folder / "search_index.json").read_text(encoding="utf-8"))["docs"]
    script = (ROOT / "docs/site/search.js").read_text(encoding="utf-8")
    index = json.dumps(entries, ensure_ascii=False).replace("</", "<\\/")
    (folder / "main.js").write_text(f"const entries = {index};\n{script}", encoding="utf-8")
    for name in ("worker.js", "lunr.js"):
        (folder / name).unlink(missing_ok=True)
