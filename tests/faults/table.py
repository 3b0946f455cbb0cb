#!/usr/bin/env python3
"""Writes counts of faults_test.py --record into the table of docs/reliability.md.

usage: table.py RECORDS [PAGE]
The last column of a row names scenarios in backticks; their counts are added up. Rows that name none stay.
"""

import collections
import json
import pathlib
import re
import sys

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/reliability.md"


def sums_of(records):
    """By scenario: (tried, wrong) over all records."""
    sums = collections.defaultdict(lambda: (0, 0))
    for line in records.read_text().splitlines():
        record = json.loads(line)
        tried, wrong = sums[record["scenario"]]
        sums[record["scenario"]] = tried + record["tried"], wrong + record["wrong"]
    return dict(sums)


def filled(line, sums):
    cells = line.split(" | ")
    names = [name for name in re.findall(r"`(\w+)`", cells[-1]) if name in sums]
    if not line.startswith("| R") or len(cells) != 6 or not names:
        return line
    tried, wrong = (sum(sums[name][i] for name in names) for i in (0, 1))
    return " | ".join([*cells[:2], f"{tried:,}", f"{tried - wrong:,}", str(wrong), cells[5]])


def main():
    page = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else PAGE
    sums = sums_of(pathlib.Path(sys.argv[1]))
    page.write_text("\n".join(filled(line, sums) for line in page.read_text().split("\n")))


if __name__ == "__main__":
    main()
