#!/usr/bin/env python3
"""Writes core/text/regex/unicode_tables.cpp, what the `tokenizers` library knows of Unicode beyond PCRE2 10.42 and ICU 72, and
tests/golden/unicode_classes.json, the characters that it puts into each class, to compare with over all code points.

    python3.11 -m venv /tmp/golden && /tmp/golden/bin/pip install tokenizers==0.23.3
    /tmp/golden/bin/pip install --target /tmp/unicode16 unicodedata2==16.0.0    (and 17.0.0 into /tmp/unicode17)
    /tmp/golden/bin/python tests/golden/make_unicode_tables.py --editions /tmp/unicode

The data are those of the Unicode Character Database (Unicode License v3), as Python 3.11 (edition 14) and the packages unicodedata2
(Apache License 2.0) have them.
"""
import argparse
import json
import pathlib
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

assert tokenizers.__version__ == "0.23.3", tokenizers.__version__
assert unicodedata.unidata_version == "14.0.0", unicodedata.unidata_version
ROOT = pathlib.Path(__file__).parents[2]
CHARACTERS = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
CATEGORIES = ["L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "S", "Z"]


def edition(folder, version):
    """unicodedata2 of one edition of Unicode."""
    sys.path.insert(0, f"{folder}{version.split('.')[0]}")
    sys.modules.pop("unicodedata2", None)
    import unicodedata2
    sys.path.pop(0)
    assert unicodedata2.unidata_version == version, unicodedata2.unidata_version
    return unicodedata2


def ranges(characters):
    found = []
    for code in sorted(map(ord, characters)):
        if found and found[-1][1] + 1 == code:
            found[-1][1] = code
        else:
            found.append([code, code])
    return found


def stand_ins(old, new):
    """[first, last, stand-in]: characters whose category the old edition does not know, and one that it does know of the same category,
    the same bytes in UTF-8 and, of letters and where there is one, the same script."""
    def kind(data, character):
        category = data.category(character)
        word = data.name(character, "").split(" ")[0] if category[0] == "L" else ""
        return category, len(character.encode()), word

    known = {}
    for character in CHARACTERS:
        if old.category(character) == new.category(character):
            category, size, word = kind(new, character)
            known.setdefault((category, size), character)
            known.setdefault((category, size, word), character)
    rows = []
    for character in CHARACTERS:
        if old.category(character) == new.category(character):
            continue
        category, size, word = kind(new, character)
        other = ord(known.get((category, size, word), known[category, size]))
        code = ord(character)
        if rows and rows[-1][1] + 1 == code and rows[-1][2] == other:
            rows[-1][1] = code
        else:
            rows.append([code, code, other])
    return rows


def write_tables(additions, numerals):
    def lines(rows):
        cells = ["{" + ", ".join(f"0x{value:X}" for value in row) + "}," for row in rows]
        return "\n".join("    " + " ".join(cells[i:i + 4]) for i in range(0, len(cells), 4))

    (ROOT / "core/text/regex/unicode_tables.cpp").write_text(f'''\
// Written by tests/golden/make_unicode_tables.py. Data of the Unicode Character Database, Unicode License v3
// (https://www.unicode.org/license.txt): the editions 14, 16 and 17, by the package unicodedata2.
#include "core/text/regex/unicode_tables.h"

namespace xkde::unicode {{

namespace {{

// clang-format off
constexpr Addition kAdditions[] = {{
{lines(additions)}
}};

constexpr Range kNumerals[] = {{
{lines(numerals)}
}};
// clang-format on

}}  // namespace

std::span<const Addition> additions() {{ return kAdditions; }}

std::span<const Range> numerals() {{ return kNumerals; }}

}}  // namespace xkde::unicode
''')


def write_classes():
    text = "".join(CHARACTERS)
    classes = {}
    for category in CATEGORIES:
        rest = set(normalizers.Replace(Regex(r"\p{%s}" % category), "").normalize_str(text))
        classes[category] = ranges(set(CHARACTERS) - rest)
    for name, step in (("Digits", pre_tokenizers.Digits(individual_digits=True)),
                       ("Punctuation", pre_tokenizers.Punctuation("removed")),
                       ("WhitespaceSplit", pre_tokenizers.WhitespaceSplit())):
        inside = []
        for character in CHARACTERS:
            parts = step.pre_tokenize_str("a" + character + "a")
            if len(parts) > 1:
                inside.append(character)
        classes[name] = ranges(inside)
    (ROOT / "tests/golden/unicode_classes.json").write_text(json.dumps(classes, separators=(",", ":")) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--editions", required=True, help="where the packages lie, without the number of the edition")
    given = parser.parse_args()
    additions = stand_ins(unicodedata, edition(given.editions, "16.0.0"))
    newest = edition(given.editions, "17.0.0")
    write_tables(additions, ranges(c for c in CHARACTERS if newest.category(c)[0] == "N"))
    write_classes()


if __name__ == "__main__":
    main()
