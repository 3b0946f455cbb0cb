"""What is tried: scenarios by name. One attempt of one is what a seed, a name and a number say."""

import dataclasses
import random
from collections.abc import Callable


class Wrong(AssertionError):
    """The program did what it must not do."""


class Skip(Exception):
    """This machine or user cannot try it; the reason is the message."""


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    figures: tuple  # rows of the table in docs/reliability.md
    quick: Callable  # of a Bench: how many attempts
    long: Callable
    act: Callable  # of an Attempt

    @property
    def claim(self):
        return " ".join(self.act.__doc__.split())


SCENARIOS = {}


def number_of(count):
    return count if callable(count) else lambda _: count


def scenario(*figures, quick, long):
    """Enters a function of an Attempt under its name. The counts are numbers or functions of a Bench."""

    def enter(act):
        SCENARIOS[act.__name__] = Scenario(act.__name__, figures, number_of(quick), number_of(long), act)
        return act

    return enter


def random_of(seed, name, number):
    return random.Random(f"{seed} {name} {number}")
