#!/usr/bin/env python3
"""Writes chrf.json: sentences of our own and sacreBLEU 2.5.1's chrF2 of each pair.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install sacrebleu==2.5.1
    /tmp/golden/bin/python tests/golden/make_chrf.py
"""
import json
import pathlib
import random

import sacrebleu
from sacrebleu.metrics import CHRF

assert sacrebleu.__version__ == "2.5.1", sacrebleu.__version__
PAIRS = [
    ("The bridge was built in 1911.", "The bridge was built in 1911."),
    ("The bridge was built in 1911.", "The old bridge, built in 1912"),
    ("El puente se construyó en 1911.", "El puente fue construido en 1911"),
    ("Ondra Velický", "Ondra Veliká"), ("大桥建于1911年。", "这座桥建于1911年"), ("สะพานเก่า", "สะพานใหม่"),
    ("", "nothing given"), ("nothing asked", ""), ("", ""), ("a", "a"), ("a", "b"), ("ab", "ba"), (" a\tb\u00a0c\n", "abc"),
    ("aaaaaaa", "aaa"), ("Мост построен в 1911 году", "мост построен в 1911-м"), ("x" * 40, "x" * 39 + "y"), ("a\x1cb", "ab"),
    ("e\u0301te\u0301", "\u00e9t\u00e9"), ("👍🏽 ok", "👍 ok"),
]
rng = random.Random(7)
WORDS = "the a river Lomba flows from north near villages where people röst čaj and sing 1911 42 .".split()
for _ in range(40):
    words = [rng.choice(WORDS) for _ in range(rng.randint(1, 12))]
    other = [w if rng.random() < 0.7 else rng.choice(WORDS) for w in words]
    PAIRS.append((" ".join(words), " ".join(other)))
metric = CHRF()
rows = [{"hypothesis": h, "reference": r, "chrf": metric.sentence_score(h, [r]).score} for h, r in PAIRS]
path = pathlib.Path(__file__).with_name("chrf.json")
path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
