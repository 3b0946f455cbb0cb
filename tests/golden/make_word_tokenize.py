#!/usr/bin/env python3
"""Writes word_tokenize.json: texts of our own and NLTK 3.9.1's sentences and words of each, with the abbreviations of
core/metrics/sentence_split.cpp for Punkt's parameters.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install nltk==3.9.1
    /tmp/golden/bin/python tests/golden/make_word_tokenize.py
"""
import json
import pathlib
import random
import re

import nltk
from nltk.tokenize import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

assert nltk.__version__ == "3.9.1", nltk.__version__
ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "core/metrics/sentence_split.cpp").read_text(encoding="utf-8")
LIST = SOURCE[SOURCE.index("kAbbreviations[]"):SOURCE.index("};")]
TEXTS = [
    "", " ", ".", "It's", "isn't", "cannot", '"Q"', "(approx.)", "3,000", "The mother tongue of Ada Pell is Dutch.",
    "This is a passage about ada pell. Ada Pell (born 1 May 1901; died c. 1950) was a Dutch botanist. She studied at Leiden.",
    "Dr. Voss met Mr. J. Q. Lund at 5 p.m. in St. Orm, e.g. near No. 7. They left.", "He asked: \"Why?\" \"Because,\" she said.",
    "End. (Really.) Next.", "Wait... what? No!! Yes?! Fine.", "A . . . B. C", "Prices: $3.88, 4% & #5 @ home; done.",
    "It was 1990. The year ended. In 1991. a", "See fig. 3. It shows x.", "I'm sure we'll've gone, they'd said; you're 'ere.",
    "'Tis the season. 'Twas late, gimme more'n that, I wanna go, gonna, gotta, lemme, d'ye", "a--b -- c---d", "x, y,z ,q,",
    "http://example.org/a.b?c=d. End", "U.S. Steel vs. U.K. coal. Mid-Jan. sales", "Líné dny. Ještě ne… «Ano.» “Tak.” ‘Ne’", "你好。世界！",
    "สวัสดี ชาวโลก", "Line one.\nLine two.\n\nPara three:\nfour", "tab\there.  two  blanks.", "[a] {b} <c> `d` ``e'' ''f''",
    "Ph.D. and M.A. degrees. Then i.e. this", "He said \"no.\" Then left.", "1. First 2. Second 3) third", "A. B. Carter wrote it.",
    "end of quote.' Next.", "dogs' bones and cats' ", "n't N'T can't CAN'T Cannot CANNOT", "5.5.5. x", "-3.5. y", "co-op. inc. Ltd. X",
    "e\u0301cole. Ca\u0327 va.", "*bold* _under_ ~tilde^ |pipe\\", "?", "!?", "a.b.c.", "a .b", "\x1ca\x1d.b", "trailing newline,\n", "...", "....x",
]
rng = random.Random(3)
PIECES = ["the", "Dr.", "river", "Lomba.", "J.", "1990.", "No.", "e.g.", "(", ")", "\"", "'", "``", "''", ",", ";", ":", "...", "--", "!", "?", "it's",
          "won't", "cannot", "U.S.", "etc.", "x.y", "3,5", "$4", "»", "«", "”", "’", "A", "b.", ".", "\n", "[", "}", "*", "1.", "-2.", "más", "Élan", "élan."]
for _ in range(400):
    TEXTS.append("".join(rng.choice(PIECES) + rng.choice(["", " ", " ", " ", "  "]) for _ in range(rng.randint(1, 14))))

parameters = PunktParameters()
parameters.abbrev_types = set(re.findall(r'"([a-z.]+)"', LIST))
punkt, treebank = PunktSentenceTokenizer(parameters), NLTKWordTokenizer()
rows = []
for text in TEXTS:
    sentences = punkt.tokenize(text)
    rows.append({"text": text, "sentences": sentences, "words": [w for s in sentences for w in treebank.tokenize(s)]})
path = pathlib.Path(__file__).with_name("word_tokenize.json")
path.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n", encoding="utf-8")
