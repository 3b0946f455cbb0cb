"""Results in the shape of the paper's tables: a row a method, columns of test languages and metrics."""

import collections
import dataclasses

from .bootstrap import holm
from .compare import LEVEL, compare
from .errors import DifferentQuestionsError
from .rows import less_is_better, value_text
from .runs import evaluations_of
from .tables import Cell, Table

METRICS = ("reliability", "generality", "locality", "portability")
SHORT = dict(reliability="Rel.", generality="Gen.", locality="Loc.", portability="Port.")  # in a header
MEAN = "mean"
BOLD_NOTES = {
    "interval": "Bold: the best of a column, where its 95 % interval is apart from those of all other rows.",
    "paired": f"Bold: the best of a column, where it differs from every other row over the same questions (p < {LEVEL}, "
              "paired test that turns signs, Holm's correction over the column)."}


@dataclasses.dataclass(frozen=True)
class Choice:
    """What the rows of one table have in common; None: any, if there is one only."""

    benchmark: str | None
    mode: str | None
    size: int | None
    edit_language: str | None

    def fits(self, row):
        return all(wanted is None or wanted == getattr(row, name) for name, wanted in vars(self).items())

    def check(self, rows):
        """Raises ValueError where rows of several benchmarks, modes and so on would be in one table."""
        for name in vars(self):
            values = list(dict.fromkeys(getattr(row, name) for row in rows))
            if len(values) > 1:
                raise ValueError(f"{name}: expected one for a table, found {values}; choose with {name}=")


def stage_rows(stage, choice, metrics):
    """The rows of an evaluation for a table. Of rows by seed the means stand alone."""
    rows = [row for row in stage.results if row.asks_edits and row.metric in metrics and choice.fits(row)]
    return [row for row in rows if row.order != "drawn" or row.seed is None]


def labels_of(stages, labels):
    """What rows are called: what tells the evaluations apart."""
    labels = labels or {}
    runs, kinds = ({getattr(stage, name) for stage in stages} for name in ("run_name", "label"))
    made = []
    for stage in stages:
        parts = [stage.run_name] if len(runs) > 1 else []
        if len(kinds) > 1 or not parts:
            parts.append(stage.label)
        made.append(", ".join(parts))
    made = [f"{text} ({stage.name})" if made.count(text) > 1 else text for text, stage in zip(made, stages)]
    return [labels.get(text, text) for text in made]


def column_keys(found, metrics, test_languages, with_mean):
    """(language, metric) of each column."""
    languages = list(dict.fromkeys(row.test_language for rows in found for row in rows))
    if test_languages is not None:
        lacking = [one for one in test_languages if one not in languages]
        if lacking:
            raise ValueError(f"test_languages: expected some of {languages}, found {lacking}")
        languages = list(test_languages)
    there = {row.metric for rows in found for row in rows}
    metrics = [metric for metric in metrics if metric in there]
    if with_mean and len(languages) > 1:
        languages.append(MEAN)
    return [(language, metric) for language in languages for metric in metrics]


def value_at(cells, column, languages):
    """The value of a column; that of "mean" only where every language has one."""
    language, metric = column
    if language != MEAN:
        row = cells.get(column)
        return row.value if row else None
    values = [cells[one, metric].value if (one, metric) in cells else None for one in languages]
    return None if None in values else sum(values) / len(values)


def best_of(values, metric):
    """The place of the best of at least two values that are there; None where two are best."""
    there = [(value, place) for place, value in enumerate(values) if value is not None]
    if len(there) < 2:
        return None
    best = (min if less_is_better(metric) else max)(there)
    return None if sum(value == best[0] for value, _ in there) > 1 else best[1]


def uneven_columns(by_column):
    """Columns whose rows are over different numbers of records, and the means of such."""
    counts = collections.defaultdict(set)
    for cells in by_column:
        for column, row in cells.items():
            counts[column] |= {row.n} if row.value is not None else set()
    uneven = {column for column, found in counts.items() if len(found) > 1}
    return uneven | {(MEAN, metric) for _, metric in uneven}


def is_apart(rows, best, metric):
    """Whether the interval of the best row is apart from all others."""
    there = [row for row in rows if row is not None and row.value is not None]
    if rows[best] is None or any(row.low is None or row.high is None for row in there):
        return False
    others = [row for row in there if row is not rows[best]]
    if less_is_better(metric):
        return all(rows[best].high < row.low for row in others)
    return all(rows[best].low > row.high for row in others)


class PairedTests:
    """p-values of pairs of evaluations, each compared once."""

    def __init__(self, stages, options):
        self.stages, self.options, self.found = stages, options, {}

    def p_values(self, one, other):
        """By (test language or "mean", metric)."""
        if (one, other) not in self.found:
            compared = compare(self.stages[one], self.stages[other], prompts="any", **self.options).differences
            if any(difference.seed is not None for difference in compared):
                raise DifferentQuestionsError('bold="paired": evaluations with seeds have several draws to compare; '
                                              'take bold="interval", or compare()')
            self.found[one, other] = {(difference.test_language or MEAN, difference.metric): difference.p
                                      for difference in compared}
        return self.found[one, other]

    def is_better(self, best, places, column):
        p = [self.p_values(best, place).get(column) for place in places if place != best]
        return None not in p and all(one < LEVEL for one in holm(p))


def published_rows(found, columns):
    """A row for each paper that reports something for a column."""
    papers = collections.defaultdict(dict)
    for row in (row for rows in found for row in rows):
        for one in row.published:
            mark = "*" if one.mark.endswith("*") else ""
            name = f"published: {one.paper} ({one.model}), {row.method}"
            papers[name][row.test_language, row.metric] = value_text(one.value, row.metric) + mark
    return [[Cell(name), *(Cell(cells.get(column, "–")) for column in columns)] for name, cells in papers.items()]


def cell_text(row, value, metric, intervals):
    text = value_text(value, metric)
    if value is None or not row:
        return text
    if row.spread is not None:
        return f"{text} ± {value_text(row.spread, metric)}"
    if intervals and row.low is not None and row.high is not None:
        return f"{text} ± {value_text((row.high - row.low) / 2, metric)}"
    return text


def paper_table(of, *, metrics=METRICS, benchmark=None, mode=None, size=None, edit_language=None, test_languages=None,
                labels=None, mean=True, intervals=False, bold="interval", published=True, resamples=10_000, seed=0):
    """A Table: a row for each evaluation of edits, columns for each test language and metric.

    `of`: runs, or stages, or both. `labels` renames rows: {"before training": "SmolLM2"}. `intervals` writes half of
    the 95 % interval behind values. `bold`: "interval" (results.json alone), "paired" (compares predictions, question
    by question), or None. Rows of papers stand below, where results have some. Raises ValueError where benchmark,
    mode, size or edit language are several and none is chosen.
    """
    if bold not in ("interval", "paired", None):
        raise ValueError(f'bold: expected "interval", "paired" or None, found {bold!r}')
    choice = Choice(benchmark, mode, size, edit_language)
    kept = [(stage, rows) for stage in evaluations_of(of) if (rows := stage_rows(stage, choice, metrics))]
    if not kept:
        raise ValueError(f"expected results of edits with {', '.join(metrics)}, found none that fit {choice}")
    stages, found = [stage for stage, _ in kept], [rows for _, rows in kept]
    everything = [row for rows in found for row in rows]
    choice.check(everything)
    choice = Choice(*(getattr(everything[0], name) for name in vars(choice)))
    columns = column_keys(found, metrics, test_languages, mean)
    languages = [one for one in dict.fromkeys(language for language, _ in columns) if one != MEAN]
    by_column = [{(row.test_language, row.metric): row for row in rows} for rows in found]
    values = [[value_at(cells, column, languages) for column in columns] for cells in by_column]
    options = vars(choice) | dict(metric={metric.split(".")[0] for metric in metrics}, test_language=languages,
                                  resamples=resamples, seed=seed)
    del options["benchmark"]
    is_bold = bold_cells(by_column, values, columns, PairedTests(stages, options), bold)
    rows = [[Cell(label), *(Cell(cell_text(cells.get(column), value, column[1], intervals), (place, column) in is_bold)
                            for column, value in zip(columns, line))]
            for place, (label, cells, line) in enumerate(zip(labels_of(stages, labels), by_column, values))]
    papers = published_rows(found, columns) if published else []
    return Table(header=["method", *(SHORT.get(metric, metric) for _, metric in columns)], rows=rows + papers,
                 groups=[("", 1), *((language, sum(one == language for one, _ in columns))
                                    for language in dict.fromkeys(language for language, _ in columns))],
                 caption=caption_of(choice), notes=notes_of(by_column, papers, intervals, bold if len(rows) > 1 else None),
                 rules=(len(rows),) if papers else ())


def bold_cells(by_column, values, columns, tests, bold):
    """(row, column) of the best, where it is more than chance."""
    found, uneven = set(), uneven_columns(by_column)
    for at, column in enumerate(columns):
        of_column = [line[at] for line in values]
        best = best_of(of_column, column[1])
        if best is None or bold is None or column in uneven:
            continue
        if bold == "interval":
            is_better = is_apart([cells.get(column) for cells in by_column], best, column[1])
        else:
            is_better = tests.is_better(best, [place for place, one in enumerate(of_column) if one is not None], column)
        if is_better:
            found.add((best, column))
    return found


def caption_of(choice):
    scope = choice.mode if choice.mode == "single" else f"{choice.mode} of {choice.size}"
    return f"{choice.benchmark}, {scope}, edits in {choice.edit_language}"


def notes_of(by_column, papers, intervals, bold):
    rows = [row for cells in by_column for row in cells.values()]
    least, most = min(row.n for row in rows), max(row.n for row in rows)
    notes = [f"Values in percent; {least} records a value." if least == most else
             f"Values in percent; {least} to {most} records a value."]
    if uneven_columns(by_column):
        notes.append("Rows of one column are over different numbers of records: they do not ask the same questions.")
    if any(row.spread is not None for row in rows):
        notes.append("± is the standard deviation over seeds.")
    elif intervals:
        notes.append("± is half the width of the 95 % bootstrap interval over records.")
    if bold:
        notes.append(BOLD_NOTES[bold])
    if any(cell.text.endswith("*") for row in papers for cell in row[1:]):
        notes.append("* as notes about the paper quote it, not checked.")
    return notes
