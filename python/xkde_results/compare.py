"""Holds two evaluations against each other, question by question."""

import collections
import dataclasses
import hashlib
import math
import os
import warnings

from .bootstrap import holm, paired_test
from .errors import DamagedFileError, DifferentQuestionsError, UnpairedQuestionsWarning
from .files import is_of, shown
from .runs import Run, Stage
from .tables import Cell, Table

LEVEL = 0.05  # of p after Holm's correction


@dataclasses.dataclass(frozen=True)
class Difference:
    """One metric of two evaluations, over the questions that both asked. Values are in percent.

    `edit_language` and `test_language` are "" in the mean over language pairs. `difference` is `other` - `one`, `low`
    and `high` its 95 % interval, `p` is for itself and `p_holm` among all differences of the comparison.
    """

    mode: str
    size: int
    seed: int | None
    edit_language: str
    test_language: str
    metric: str
    records: int
    questions: int
    one: float
    other: float
    difference: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None = None

    @property
    def is_significant(self):
        return self.p_holm is not None and self.p_holm < LEVEL

    @property
    def scope(self):
        """"single", "batch of 10", "sequential of 10, seed 2", as reports name it."""
        text = self.mode if self.mode == "single" else f"{self.mode} of {self.size}"
        return text if self.seed is None else f"{text}, seed {self.seed}"

    @property
    def pair(self):
        return f"{self.edit_language} → {self.test_language}" if self.test_language else "mean of pairs"


@dataclasses.dataclass(frozen=True)
class RecipeDifference:
    """A key that two recipes have otherwise; None where one of them does not have it."""

    key: str  # "sft.learning_rate"; "evaluate[2].mode" of the second evaluate stage
    one: object
    other: object


@dataclasses.dataclass(frozen=True)
class Comparison:
    one: str
    other: str
    benchmark: str
    score: str
    differences: list[Difference]
    questions: int  # that both asked
    only_one: int  # questions that `one` alone asked
    only_other: int
    recipe: list[RecipeDifference]  # empty of two evaluations of one run

    def table(self):
        header = ["metric", "edits", "languages", "n", "one", "other", "other − one", "95 % interval", "p", "p (Holm)"]
        rows = [[Cell(one.metric), Cell(one.scope), Cell(one.pair), Cell(str(one.records)), Cell(f"{one.one:.2f}"),
                 Cell(f"{one.other:.2f}"), Cell(f"{one.difference:+.2f}", one.is_significant), Cell(interval(one)),
                 Cell(p_text(one.p)), Cell(p_text(one.p_holm))] for one in self.differences]
        unpaired = ""
        if self.only_one or self.only_other:
            unpaired = f" {self.only_one} more were asked by one alone, {self.only_other} by the other alone."
        notes = [f"one: {self.one}; other: {self.other}.",
                 f"Over the {self.questions} questions that both asked of {self.benchmark}; n is records.{unpaired}",
                 "Intervals are those of a paired bootstrap over records, p of a test that turns signs. "
                 f"Bold: p < {LEVEL} after Holm's correction."]
        if self.recipe:
            keys = "; ".join(f"{one.key}: {shown(one.one)} | {shown(one.other)}" for one in self.recipe)
            notes.append(f"Keys of the recipes that differ: {keys}.")
        caption = f"{self.benchmark}: difference in percent" + ("" if self.score == "score" else f", {self.score}")
        return Table(header=header, rows=rows, caption=caption, notes=notes, text_columns=3)

    def __str__(self):
        return self.table().text()

    def _repr_markdown_(self):
        """What a notebook shows."""
        return self.table().markdown()


def interval(one):
    return "–" if one.low is None else f"{one.low:+.2f} … {one.high:+.2f}"


def p_text(p):
    return "–" if p is None else f"{p:.4f}" if p >= 0.00005 else "< 0.0001"


@dataclasses.dataclass(frozen=True)
class Question:
    """What one evaluation found of a question, and what tells that two ask the same."""

    value: float | None
    prompt: bytes  # a digest
    text: bytes | None  # of the question and its target, where the line has them
    line: int


def evaluation_of(of):
    if isinstance(of, Stage):
        return of
    if not isinstance(of, Run):
        raise TypeError(f"expected a Run or a Stage, found {type(of).__name__}")
    asking = [stage for stage in of.evaluations if stage.asks_edits]
    if len(asking) != 1:
        names = ", ".join(f'run["{stage.name}"] ({stage.label})' for stage in asking) or "none"
        raise ValueError(f"{of.name}: expected one evaluation of edits, found {len(asking)}; give one of: {names}")
    return asking[0]


def benchmark_of(stage):
    return stage.results[0].benchmark if stage.results else stage.keys.get("benchmark", "")


def digest(*texts):
    return hashlib.blake2b("\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=12).digest()


def number_at(line, path, file, place):
    """The number at "free.chat.exact" of a line; None where it has none."""
    value = line
    for key in path.split("."):
        if not isinstance(value, dict) or value.get(key) is None:
            return None
        value = value[key]
    if not is_of(value, float):
        raise DamagedFileError(file, f"{place}: {path}", "a number", shown(value))
    return float(value)


def questions_of(stage, score):
    """Questions of predictions.jsonl by what a question is."""
    file, found = stage.folder / "predictions.jsonl", {}
    if not file.is_file():
        raise DifferentQuestionsError(f"{stage.title}: expected {file.name}, which a comparison reads, found none")
    for number, line in stage.numbered_predictions():
        key = (line["mode"], line["size"], line.get("seed"), line["edit_language"], line["test_language"],
               line["metric"], line["record"], line["probe"])
        if key in found:
            raise DamagedFileError(file, f"line {number}", "a question of its own",
                                   f"that of line {found[key].line} again")
        has_text = isinstance(line.get("question"), str) and isinstance(line.get("target"), str)
        found[key] = Question(number_at(line, score, file, f"line {number}"), digest(line["prompt"]),
                              digest(line["question"], line["target"]) if has_text else None, number)
    return found


def data_digests(stage):
    """SHA-256 of the benchmark's files, by name."""
    data = stage.keys.get("data")
    if not isinstance(data, str):
        return {}
    data = os.path.normpath(data)
    return {os.path.basename(path): value for path, value in stage.data_digests.items()
            if os.path.normpath(path) == data or os.path.normpath(path).startswith(data + os.sep)}


def check_same_data(one, other):
    """Of evaluations whose prompts differ and do not tell the question: whether they read the same files."""
    mine, theirs = data_digests(one), data_digests(other)
    common = mine.keys() & theirs.keys()
    if not common:
        raise DifferentQuestionsError(
            f"{one.title} and {other.title}: nothing tells whether they ask the same: their prompts differ, their "
            "predictions have no `question` (an older program wrote them), and run.json names no common data file")
    for name in sorted(common):
        if mine[name] != theirs[name]:
            raise DifferentQuestionsError(f"{one.title} and {other.title}: {name} has other contents: "
                                          f"SHA-256 {mine[name]} and {theirs[name]}")


def check_same_questions(one, other, pairs, prompts):
    is_told = True
    for key, (mine, theirs) in pairs.items():
        has_texts = mine.text is not None and theirs.text is not None
        same_prompt = mine.prompt == theirs.prompt
        if has_texts and mine.text != theirs.text:
            wrong = "another question or target"
        elif not same_prompt and prompts == "same":
            wrong = 'another prompt (prompts="any" compares methods that write prompts each in its way)'
        else:
            is_told &= has_texts or same_prompt
            continue
        raise DifferentQuestionsError(
            f"{one.title}, line {mine.line}, and {other.title}, line {theirs.line}: record {key[6]}, "
            f"{key[3]} → {key[4]}, {key[5]}: {wrong}")
    if not is_told:
        check_same_data(one, other)


def mean(values):
    return math.fsum(values) / len(values)


def record_values(scores, averaging):
    """(one, other) of each record, from its (one, other) by kind and probe. Their mean is the value of the metric.

    As results.json counts: easyedit is the mean over the probes of a kind, then over a record's kinds; lte is the mean
    over records of each kind, then over kinds (docs/protocol.md, Q27).
    """
    kinds = collections.defaultdict(lambda: collections.defaultdict(list))
    for (metric, record, _), value in scores.items():
        kinds[metric][record].append(value)
    of_record = collections.defaultdict(list)
    for records in kinds.values():
        for record, values in records.items():
            of_record[record].append(([mean(side) for side in zip(*values)], len(records)))
    found = {}
    for record, parts in sorted(of_record.items()):
        weights = [1 / len(parts) if averaging == "easyedit" else len(of_record) / (len(kinds) * count)
                   for _, count in parts]
        found[record] = tuple(math.fsum(weight * values[side] for weight, (values, _) in zip(weights, parts))
                              for side in (0, 1))
    return found


def mean_over_pairs(by_pair):
    """As record_values of each pair, so that the mean is the mean of the pairs' means."""
    records = sorted({record for values in by_pair for record in values})
    return {record: tuple(math.fsum(len(records) / (len(by_pair) * len(values)) * values[record][side]
                                    for values in by_pair if record in values) for side in (0, 1))
            for record in records}


def tested(scope, pair, metric, values, questions, options):
    mode, size, seed = scope
    one, other = (100 * mean([value[side] for value in values.values()]) for side in (0, 1))
    test = paired_test([100 * (theirs - mine) for mine, theirs in values.values()], **options)
    return Difference(mode, size, seed, *pair, metric, len(values), questions, one, other, test.mean, test.low,
                      test.high, test.p)


def metrics_in(names):
    """Metrics in the order of their first line, each before its kinds: "portability", "portability.Reasoning"."""
    found = {}
    for name in names:
        found.setdefault(name.split(".")[0], []).append(name)
    return {metric: kinds for whole, parts in found.items()
            for metric, kinds in [(whole, parts), *((part, [part]) for part in parts if part != whole)]}


def differences_of(pairs, averaging, options):
    """Differences by scope, metric and pair; behind those of several pairs their mean."""
    scopes = collections.defaultdict(lambda: collections.defaultdict(dict))
    for (*scope, edit, test, metric, record, probe), (mine, theirs) in pairs.items():
        scopes[tuple(scope)][edit, test][metric, record, probe] = (mine.value, theirs.value)
    found = []
    for scope, by_pair in scopes.items():
        names = dict.fromkeys(metric for scores in by_pair.values() for metric, _, _ in scores)
        for metric, kinds in metrics_in(names).items():
            of_pairs, questions = {}, 0
            for pair, scores in by_pair.items():
                of_metric = {key: value for key, value in scores.items() if key[0] in kinds}
                if of_metric:
                    of_pairs[pair] = record_values(of_metric, averaging)
                    questions += len(of_metric)
                    found.append(tested(scope, pair, metric, of_pairs[pair], len(of_metric), options))
            if len(of_pairs) > 1:
                values = mean_over_pairs(list(of_pairs.values()))
                found.append(tested(scope, ("", ""), metric, values, questions, options))
    corrected = holm([one.p for one in found])
    return [dataclasses.replace(one, p_holm=p) for one, p in zip(found, corrected)]


def averaging_of(one, other):
    both = [stage.keys.get("averaging", "easyedit") for stage in (one, other)]
    if both[0] != both[1]:
        raise DifferentQuestionsError(f"{one.title} and {other.title}: averaging is {both[0]} and {both[1]}")
    return both[0]


def chosen(stage, score, choice):
    """Questions that have a score and are to be compared."""
    def fits(key):
        asked = dict(zip(("mode", "size", "seed", "edit_language", "test_language"), key)) | dict(
            metric=key[5].split(".")[0])
        return all(wanted is None or asked[name] in wanted for name, wanted in choice.items())

    return {key: question for key, question in questions_of(stage, score).items()
            if question.value is not None and fits(key)}


def as_choice(**wanted):
    """One value or several of each; None is any."""
    return {name: None if value is None else {value} if isinstance(value, (str, int)) else set(value)
            for name, value in wanted.items()}


def compare(one, other, *, score="score", prompts="same", metric=None, mode=None, size=None, edit_language=None,
            test_language=None, resamples=10_000, seed=0):
    """Differences between two evaluations over the questions that both asked.

    `one`, `other`: runs with one evaluation of edits each, or stages: compare(run["01-evaluate"], run["04-evaluate"]).
    `score`: what of a line of predictions.jsonl counts: "score" (token accuracy, locality), "f1", "free.chat.exact" …
    `prompts`: "any" also compares prompts that differ, as those of two methods do; questions have to be the same.
    `metric` (without kinds: "reliability"), `mode`, `size`, `edit_language`, `test_language`: one or several; all by
    default. Holm's correction is over what is compared.
    `resamples` and `seed` are those of paired_test().
    Raises DifferentQuestionsError where the same question is not the same text, or nothing is common. Warns
    (UnpairedQuestionsWarning) of questions that one side alone asked.
    """
    if prompts not in ("same", "any"):
        raise ValueError(f'prompts: expected "same" or "any", found {prompts!r}')
    recipe = [] if not isinstance(one, Run) or not isinstance(other, Run) else recipe_differences(one, other)
    one, other = evaluation_of(one), evaluation_of(other)
    if benchmark_of(one) != benchmark_of(other):
        raise DifferentQuestionsError(f"{one.title} asks {benchmark_of(one)}, {other.title} {benchmark_of(other)}")
    choice = as_choice(metric=metric, mode=mode, size=size, edit_language=edit_language, test_language=test_language)
    mine, theirs = (chosen(stage, score, choice) for stage in (one, other))
    pairs = {key: (mine[key], theirs[key]) for key in mine if key in theirs}
    if not pairs:
        raise DifferentQuestionsError(f"{one.title} and {other.title}: no question in common; of what is to be "
                                      f"compared they ask {len(mine)} and {len(theirs)} that have {score!r}")
    check_same_questions(one, other, pairs, prompts)
    only_one, only_other = len(mine) - len(pairs), len(theirs) - len(pairs)
    if only_one or only_other:
        warnings.warn(f"{one.title} alone asks {only_one} questions, {other.title} {only_other}; "
                      f"{len(pairs)} are compared", UnpairedQuestionsWarning, stacklevel=2)
    differences = differences_of(pairs, averaging_of(one, other), dict(resamples=resamples, seed=seed))
    return Comparison(one.title, other.title, benchmark_of(one), score, differences, len(pairs), only_one, only_other,
                      recipe)


def flattened(value, key=""):
    """{"sft.learning_rate": 1e-05} of nested objects; lists are values."""
    if not isinstance(value, dict) or not value:
        return {key: value}
    flat = {}
    for name, inner in value.items():
        flat |= flattened(inner, f"{key}.{name}" if key else name)
    return flat


def recipe_keys(run):
    recipe = {key: value for key, value in run.recipe.items() if key not in ("stages", "run_name", "output_dir")}
    flat, counts = flattened(recipe) if recipe else {}, collections.Counter()
    for stage in (run.recipe.get("stages") or []):
        for kind, keys in stage.items():
            counts[kind] += 1
            flat |= flattened(keys, kind if counts[kind] == 1 else f"{kind}[{counts[kind]}]")
    return flat


def recipe_differences(one, other):
    """Keys of two runs' recipes that differ, but for run_name and output_dir."""
    mine, theirs = recipe_keys(one), recipe_keys(other)
    return [RecipeDifference(key, mine.get(key), theirs.get(key)) for key in dict.fromkeys([*mine, *theirs])
            if mine.get(key) != theirs.get(key)]
