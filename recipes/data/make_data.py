#!/usr/bin/env python3
"""Writes train/ and test/: invented facts in six languages, in the layout of Bi-ZsRE and MzsRE.

    python3 recipes/data/make_data.py              # writes every file beside this script
    python3 recipes/data/make_data.py --check      # fails if a file would differ
    python3 recipes/data/make_data.py --out FOLDER # writes below FOLDER instead

Needs the standard library only. The texts are in tables/; nothing here depends on chance, so the
same tables give the same bytes. What the files hold is told in README.md.
"""

import argparse
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
TABLES = HERE / "tables"
LANGUAGES = ("en", "es", "fr", "de", "pt", "zh")
QUESTIONS = ("src", "rephrase", "hop")
SPLITS = ("train", "test")
MAN, WOMAN = 0, 1
# English locality questions look like those of Natural Questions; the translations never do.
LOCALITY_PREFIX = "nq question: "
CHOICE = re.compile(r"\{([^{}/]*)/([^{}/]*)\}")
KEY_NOTE = re.compile(r" \([a-z]+\)$")


class TableError(ValueError):
    """A table that can't be used as written; the message begins with file:line."""


def check(claim, place, message):
    if not claim:
        raise TableError(f"{place}: {message}")


def lines_of(name):
    """(place, text) of the lines that are neither blank nor comments."""
    for number, line in enumerate((TABLES / name).read_text(encoding="utf-8").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield f"{name}:{number}", line.strip()


def columns(line):
    return [column.strip() for column in line.split("|")]


def read_words():
    """English key -> {language: text}; the note in brackets belongs to the key alone."""
    words = {}
    for place, line in lines_of("words.txt"):
        key, *rest = columns(line)
        check(len(rest) == len(LANGUAGES) - 1, place, f"expected {len(LANGUAGES)} columns")
        check(key not in words, place, f"{key} stands twice")
        english = KEY_NOTE.sub("", key)
        texts = [english] + [english if text == "=" else text for text in rest]
        words[key] = dict(zip(LANGUAGES, texts))
    return words


def read_names():
    """Kind -> its subjects, each {language: text}."""
    kinds, shape = {}, None
    for place, line in lines_of("names.txt"):
        if line.startswith("["):
            kind, shape = line.strip("[]"), ["{}"] * len(LANGUAGES)
            kinds[kind] = []
        elif "{}" in line:
            shape = columns(line)
            check(len(shape) == len(LANGUAGES), place, f"expected {len(LANGUAGES)} shapes")
        else:
            texts = columns(line)
            check(len(texts) in (2, len(LANGUAGES)), place, "expected 2 or 6 columns")
            if len(texts) == 2:
                texts = [texts[0]] * (len(LANGUAGES) - 1) + [texts[1]]
            shaped = [form.replace("{}", text) for form, text in zip(shape, texts)]
            kinds[kind].append(dict(zip(LANGUAGES, shaped)))
    return kinds


def make_subjects(kinds):
    """Kind -> iterator over (subject, gender); persons are women and men by turns."""
    given = {WOMAN: kinds.pop("woman"), MAN: kinds.pop("man")}
    persons = []
    for position, family in enumerate(kinds.pop("family")):
        gender = WOMAN if position % 2 == 0 else MAN
        first = given[gender][position // 2 % len(given[gender])]
        joined = {language: f"{first[language]} {family[language]}" for language in LANGUAGES}
        joined["zh"] = f"{first['zh']}·{family['zh']}"
        persons.append((joined, gender))
    subjects = {kind: iter([(name, MAN) for name in names]) for kind, names in kinds.items()}
    subjects["person"] = iter(persons)
    return subjects


def parse_value(place, line, words):
    """"answer + other => answer to hop" -> (answer key, other key or None, hop key)."""
    check(line.count(" => ") == 1, place, 'expected "answer => answer to hop"')
    left, hop = line.split(" => ")
    answer, _, other = left.partition(" + ")
    for key in filter(None, (answer, other, hop)):
        check(key in words, place, f"{key} is not in words.txt")
    return answer, other or None, hop


def read_relations(words):
    """A list of {name, kind, templates: {(language, question): text}, train: values, test: ...}."""
    relations = []
    for place, line in lines_of("relations.txt"):
        if line.startswith("["):
            name, kind = line[1:].split("] ")
            relation = {"name": name, "kind": kind, "templates": {}, "train": [], "test": []}
            relations.append(relation)
            split = "train"
        elif line == "test:":
            split = "test"
        elif line.split()[0] in LANGUAGES:
            language, question, text = line.split(maxsplit=2)
            check(question in QUESTIONS, place, f"{question} is none of {', '.join(QUESTIONS)}")
            check("{name}" in text, place, "the question doesn't name its subject")
            relation["templates"][language, question] = text
        else:
            relation[split].append(parse_value(place, line, words))
    for relation in relations:
        expected = len(LANGUAGES) * len(QUESTIONS)
        check(len(relation["templates"]) == expected, relation["name"], "a question is missing")
    return relations


def read_locality():
    """Split -> its questions, each {language: (question, answer)}."""
    splits, split = {name: [] for name in SPLITS}, "train"
    block = []
    for place, line in lines_of("loc.txt"):
        if line == "test:":
            split = "test"
            continue
        check(line.count(" = ") == 1, place, 'expected "question = answer"')
        block.append(tuple(line.split(" = ")))
        if len(block) == len(LANGUAGES):
            splits[split].append(dict(zip(LANGUAGES, block)))
            block = []
    check(not block, "loc.txt", "the last block is short of a language")
    return splits


def fill(text, gender, **parts):
    """The text with each {man/woman} decided and each {part} put in."""
    text = CHOICE.sub(lambda match: match.group(1 + gender), text)
    for key, value in parts.items():
        text = text.replace("{" + key + "}", value)
    check("{" not in text and "}" not in text, text, "a brace is left")
    return text


def make_side(relation, subject, gender, value, words, language):
    answer, other, hop = (words[key][language] if key else "" for key in value)
    src, rephrase, question = (
        fill(relation["templates"][language, kind], gender, name=subject[language],
             **{"with": other})
        for kind in QUESTIONS
    )
    return {
        "subject": subject[language],
        "src": src,
        "rephrase": rephrase,
        "alt": fill(answer, gender),
        "portability": {"New Question": question, "New Answer": fill(hop, gender)},
    }


def with_locality(sides, locality):
    """The sides in the benchmark's order of keys, with the locality probe."""
    record = {}
    for language, side in sides.items():
        question, answer = locality[language]
        prefix = LOCALITY_PREFIX if language == "en" else ""
        portability = side["portability"]
        record[language] = {key: side[key] for key in ("subject", "src", "rephrase", "alt")}
        record[language].update(loc=prefix + question, loc_ans=answer, portability=portability)
    return record


def is_unrelated(sides, locality):
    """No answer of the record answers the locality question, in any language."""
    return all(
        locality[language][1] not in (side["alt"], side["portability"]["New Answer"])
        for language, side in sides.items()
    )


def check_spouse_gender(relation, value, gender):
    """The other of a married pair: a hop answer marked (man) needs a woman as subject."""
    noted = re.search(r"\((man|woman)\)$", value[2])
    if noted:
        expected = WOMAN if noted.group(1) == "man" else MAN
        check(gender == expected, relation["name"], f"{value[0]}: subject of the wrong gender")


def make_records():
    """Split -> records {language: side}; relations by turns, so that any slice mixes them."""
    words = read_words()
    relations = read_relations(words)
    locality = read_locality()
    subjects = make_subjects(read_names())
    facts = {}
    for relation in relations:
        for split in SPLITS:
            for position, value in enumerate(relation[split]):
                subject, gender = next(subjects[relation["kind"]])
                check_spouse_gender(relation, value, gender)
                facts[split, position, relation["name"]] = {
                    language: make_side(relation, subject, gender, value, words, language)
                    for language in LANGUAGES
                }
    records = {}
    for split in SPLITS:
        rounds = range(max(len(relation[split]) for relation in relations))
        ordered = [
            facts[split, position, relation["name"]]
            for position in rounds
            for relation in relations
            if (split, position, relation["name"]) in facts
        ]
        records[split] = add_locality(ordered, locality[split])
    return records


def add_locality(ordered, locality):
    """Each record gets the next question in turn that has nothing to do with it."""
    records, queue = [], list(locality)
    for sides in ordered:
        chosen = next(item for item in queue if is_unrelated(sides, item))
        queue.remove(chosen)
        queue.append(chosen)
        records.append(with_locality(sides, chosen))
    return records


def make_files():
    """Path below the output folder -> bytes: one file per split and pair, one record a line."""
    files = {}
    for split, records in make_records().items():
        for language in LANGUAGES[1:]:
            lines = [
                json.dumps({"en": record["en"], language: record[language]}, ensure_ascii=False)
                for record in records
            ]
            text = "[\n" + ",\n".join(lines) + "\n]\n"
            files[f"{split}/invented_en{language}.json"] = text.encode("utf-8")
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    parser.add_argument("--out", type=pathlib.Path, default=HERE, help="folder to write below")
    arguments = parser.parse_args()
    stale = []
    for name, content in make_files().items():
        path = arguments.out / name
        if arguments.check:
            if not path.is_file() or path.read_bytes() != content:
                stale.append(name)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if stale:
        sys.exit("not what make_data.py writes: " + ", ".join(stale))


if __name__ == "__main__":
    main()
