"""Reads JSON files and files of JSON lines, and says where one is damaged."""

import json

from .errors import DamagedFileError

KINDS = {str: "a string", int: "an integer", float: "a number", dict: "an object", list: "a list"}
MOST_SHOWN = 60  # characters of a value in a message


def shown(value):
    """A value as JSON, cut to a readable length."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"


def is_of(value, kind):
    """Whether a value of JSON is of a kind. A number may be an integer; true and false are neither."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def value_of(item, key, kind, file, place, default=...):
    """A value of an object. With a `default` it may be missing or null."""
    value = item.get(key)
    if value is None and default is not ...:
        return default
    if not is_of(value, kind):
        found = "nothing" if key not in item else shown(value)
        raise DamagedFileError(file, f"{place}: {key}" if place else key, KINDS[kind], found)
    return value


def refuse_constant(text):
    raise ValueError(f"{text}, which is no JSON")


def parsed(data, file, place):
    try:
        return json.loads(data, parse_constant=refuse_constant)
    except json.JSONDecodeError as error:
        at = f"column {error.colno}" if place else f"line {error.lineno}, column {error.colno}"
        raise DamagedFileError(file, f"{place}, {at}" if place else at, "JSON", error.msg) from None
    except UnicodeDecodeError as error:
        at = f"byte {error.start}"
        raise DamagedFileError(file, f"{place}, {at}" if place else at, "UTF-8", error.reason) from None
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(file, place, "JSON", error) from None


def read_json(file, kind):
    """The whole of a JSON file, which is an object or a list."""
    value = parsed(file.read_bytes(), file, "")
    if not is_of(value, kind):
        raise DamagedFileError(file, "", KINDS[kind], shown(value))
    return value


def json_lines(file, may_be_torn=False, on_torn=lambda place: None):
    """(number of the line, object) of each line of a file.

    `may_be_torn`: a run may have been killed while it wrote the last line. One without its newline is then left out
    where it does not parse, and `on_torn` is told.
    """
    with open(file, "rb") as lines:
        for number, line in enumerate(lines, 1):
            place = f"line {number}"
            try:
                value = parsed(line, file, place)
            except DamagedFileError:
                if not may_be_torn or line.endswith(b"\n"):
                    raise
                on_torn(place)
                return
            if not isinstance(value, dict):
                raise DamagedFileError(file, place, "an object", shown(value))
            yield number, value
