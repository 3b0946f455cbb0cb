"""A row of results.json: one value of one metric."""

import dataclasses

from .errors import DamagedFileError
from .files import is_of, shown, value_of

LESS_IS_BETTER = ("nll", "perplexity", "bits_per_byte")
PLAIN_DECIMALS = {"nll": 4, "perplexity": 2, "bits_per_byte": 4}  # of what is no percentage


@dataclasses.dataclass(frozen=True)
class PublishedValue:
    """What a paper reports for the same benchmark, model, method, languages and metric."""

    value: float
    paper: str
    model: str
    mark: str  # "paper*": as notes about the paper quote it


@dataclasses.dataclass(frozen=True)
class ResultRow:
    """The fields of results.json, by their names there (docs/protocol.md 1.7).

    `value` is in percent but for nll, perplexity and bits_per_byte; None where n is 0. `low` and `high` are its 95 %
    interval. Fields that a row does not have are None, `published` is empty. `size` is 0 where no edit is asked.
    """

    benchmark: str
    phase: str
    mode: str
    size: int
    edit_language: str
    test_language: str
    metric: str
    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    method: str = "xkde"
    eval_when: str | None = None
    batch: int | None = None
    records: int | None = None
    order: str | None = None
    seed: int | None = None
    run_seed: int | None = None
    seeds: int | None = None
    spread: float | None = None
    published: tuple[PublishedValue, ...] = ()
    extra: dict = dataclasses.field(default_factory=dict)  # what a later version of the program may add

    @property
    def asks_edits(self):
        return self.size > 0

    @property
    def pair(self):
        """"en → es", or the test language alone where there is no edit."""
        return f"{self.edit_language} → {self.test_language}" if self.edit_language else self.test_language

    def as_dict(self):
        """Plain values: `published` as a list of dicts, `extra` among the fields."""
        row = {name: getattr(self, name) for name in FIELDS}
        row["published"] = [dataclasses.asdict(one) for one in self.published]
        return row | self.extra


FIELDS = tuple(field.name for field in dataclasses.fields(ResultRow) if field.name != "extra")
REQUIRED = dict(benchmark=str, phase=str, mode=str, size=int, edit_language=str, test_language=str, metric=str, n=int)
OPTIONAL = dict(low=float, high=float, eval_when=str, batch=int, records=int, order=str, seed=int, run_seed=int,
                seeds=int, spread=float)


def less_is_better(metric):
    return metric.split(".")[-1] in LESS_IS_BETTER or ".did_not_stop." in metric


def unit(metric):
    """What stands behind the name of a metric on an axis. Fluency is an entropy times 100."""
    return "" if metric in PLAIN_DECIMALS or metric == "fluency" else ", %"


def value_text(value, metric):
    """As the program's tables show it; a dash where there is none."""
    return "–" if value is None else f"{value:.{PLAIN_DECIMALS.get(metric, 2)}f}"


def parse_published(item, file, place):
    values = []
    for one in value_of(item, "published", list, file, place, default=[]):
        if not isinstance(one, dict):
            raise DamagedFileError(file, f"{place}: published", "a list of objects", shown(one))
        at = f"{place}: published"
        values.append(PublishedValue(value_of(one, "value", float, file, at), value_of(one, "paper", str, file, at),
                                     value_of(one, "model", str, file, at), value_of(one, "mark", str, file, at)))
    return tuple(values)


def parse_row(item, file, place):
    """Raises DamagedFileError where a field is missing or of another kind."""
    if not is_of(item, dict):
        raise DamagedFileError(file, place, "an object", shown(item))
    fields = {key: value_of(item, key, kind, file, place) for key, kind in REQUIRED.items()}
    fields |= {key: value_of(item, key, kind, file, place, default=None) for key, kind in OPTIONAL.items()}
    fields["value"] = value_of(item, "value", float, file, place, **({} if fields["n"] > 0 else dict(default=None)))
    fields["method"] = value_of(item, "method", str, file, place, default="xkde")
    fields["published"] = parse_published(item, file, place)
    return ResultRow(**fields, extra={key: value for key, value in item.items() if key not in FIELDS})
