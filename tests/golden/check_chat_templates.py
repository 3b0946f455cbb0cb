#!/usr/bin/env python3
"""Compares the chat templates of models that lie in a folder with what transformers writes with them.

    python check_chat_templates.py FOLDER --bench build/release/benchmarks/chat_template_bench

FOLDER is searched for chat_template.jinja and tokenizer_config.json. Each template gets the conversations of
make_chat_templates.py, with and without the prompt of an answer. A line for each template says how many texts are equal, how many both refuse, and what differs. Exit code 1: a
text differs. A template that is refused as a whole is named; that is no difference.
Versions: as make_chat_templates.py.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

from make_chat_templates import CHATS, NOW, TOKENS, TOOLS, outcome


def templates_in(folder):
    """(name, source, special tokens) of each template; a folder's own file counts before its config."""
    for config in sorted({path.parent for name in ("chat_template.jinja", "tokenizer_config.json")
                          for path in folder.rglob(name)}):
        file, settings = config / "chat_template.jinja", config / "tokenizer_config.json"
        told = json.loads(settings.read_text()) if settings.exists() else {}
        found = file.read_text() if file.exists() else told.get("chat_template")
        if isinstance(found, list):
            found = next((entry["template"] for entry in found if entry["name"] == "default"), None)
        tokens = {name: value["content"] if isinstance(value, dict) else value
                  for name, value in told.items() if name.endswith("_token") and isinstance(value, (str, dict))}
        if found:
            yield str(config.relative_to(folder)), found, tokens or TOKENS


def ours(bench, source, cases):
    with tempfile.TemporaryDirectory() as folder:
        template, chats = pathlib.Path(folder, "template"), pathlib.Path(folder, "chats")
        template.write_text(source)
        chats.write_text(json.dumps(cases))
        done = subprocess.run([bench, "--template", template, "--chats", chats, "--date", str(NOW)],
                              capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None, done.stderr.strip()
    return [json.loads(line) for line in done.stdout.splitlines()], ""


def compare(bench, name, source, tokens):
    keys = [(chat, prompted) for chat in CHATS for prompted in (False, True)]
    cases = [{"messages": CHATS[chat], "tools": TOOLS if chat == "tools" else None, "documents": None,
              "add_generation_prompt": prompted} | tokens for chat, prompted in keys]
    found, refused = ours(bench, source, cases)
    if found is None:
        print(f"{name}: refused: {refused}")
        return 0
    equal = both = 0
    different = []
    for (chat, prompted), mine in zip(keys, found):
        theirs = outcome(source, CHATS[chat], chat == "tools", prompted, tokens=tokens)
        if "text" not in theirs and "text" not in mine:
            both += 1
        elif theirs.get("text") == mine.get("text") and theirs.get("spans", []) == mine.get("spans"):
            equal += 1
        else:
            different.append(f"  {chat}, prompt {prompted}: expected {theirs}, found {mine}")
    print(f"{name}: {equal} equal, {both} refused by both, {len(different)} different")
    print(*different[:3], sep="\n", end="\n" if different else "")
    return len(different)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--bench", required=True, help="the program chat_template_bench")
    options = parser.parse_args()
    different = sum(compare(options.bench, *template) for template in templates_in(options.folder))
    raise SystemExit(1 if different else 0)


if __name__ == "__main__":
    main()
