"""Whether a mean of paired differences is more than chance.

The interval is the percentile bootstrap's (Efron 1979). The p-value is that of the test that turns signs (Fisher's
randomisation test): if two runs are equally good, every difference might as well have the other sign. A bootstrap's own
p-value is too small where there are few differences: two equal ones would always be "significant".

All draws come from Python's generator, by the seed alone. numpy, where it is installed, only adds up, so the results
are the same without it.
"""

import array
import dataclasses
import itertools
import math
import random
import sys

try:
    import numpy
except ImportError:
    numpy = None

TAIL = 0.025
SLACK = 1e-12  # relative: sums that are equal but for rounding count as equal
CHUNK = 1 << 22  # bytes of draws at once


@dataclasses.dataclass(frozen=True)
class PairedTest:
    """`low` and `high` are the 95 % interval of `mean`; None, as `p`, of fewer than two differences."""

    n: int
    mean: float
    low: float | None
    high: float | None
    p: float | None


def quantile(ordered, share):
    """Of sorted values; linear between the two nearest, as numpy.quantile."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def chunks(generator, width, count):
    """Random bytes of `count` draws, `width` bytes each, some draws at a time."""
    at_once = max(1, CHUNK // width)
    for start in range(0, count, at_once):
        yield generator.randbytes(width * min(at_once, count - start))


def resampled_means(values, resamples, generator):
    """Means of as many values, drawn with replacement: the upper half of a 32-bit number times n chooses one."""
    n = len(values)
    if numpy is not None:
        table = numpy.asarray(values)
        for data in chunks(generator, 4 * n, resamples):
            places = numpy.frombuffer(data, "<u4").astype(numpy.uint64) * numpy.uint64(n) >> numpy.uint64(32)
            yield from table[places.astype(numpy.intp)].reshape(-1, n).mean(axis=1).tolist()
        return
    for data in chunks(generator, 4 * n, resamples):
        numbers = array.array("I", data)
        if sys.byteorder == "big":
            numbers.byteswap()
        drawn = [values[number * n >> 32] for number in numbers]
        for start in range(0, len(drawn), n):
            yield sum(drawn[start:start + n]) / n


def all_sums(values):
    """Sums with every choice of signs."""
    sums = [0.0]
    for value in values:
        sums = [one + value for one in sums] + [one - value for one in sums]
    return sums


def drawn_sums(values, resamples, generator):
    """Sums with drawn signs: a bit of each says whether it stays."""
    n, width, total = len(values), -(-len(values) // 8), math.fsum(values)
    for data in chunks(generator, width, resamples):
        if numpy is not None:
            bits = numpy.unpackbits(numpy.frombuffer(data, numpy.uint8).reshape(-1, width), axis=1, count=n,
                                    bitorder="little")
            yield from (2 * (bits @ numpy.asarray(values)) - total).tolist()
            continue
        for start in range(0, len(data), width):
            bits = int.from_bytes(data[start:start + width], "little")
            stays = map(int, format(bits, f"0{8 * width}b")[::-1])
            yield 2 * sum(itertools.compress(values, stays)) - total


def sign_test(values, resamples, generator):
    """Two-sided. Exact where there are not more choices of signs than `resamples`."""
    values = [value for value in values if value != 0]
    least = abs(math.fsum(values)) - SLACK * math.fsum(map(abs, values))
    if len(values) < 64 and 1 << len(values) <= resamples:
        sums = all_sums(values)
        return sum(abs(one) >= least for one in sums) / len(sums)
    count = sum(abs(one) >= least for one in drawn_sums(values, resamples, generator))
    return (1 + count) / (1 + resamples)


def paired_test(differences, resamples=10_000, seed=0):
    """The mean of differences of independent pairs, its interval, and a p-value of "it is 0"."""
    values = [float(value) for value in differences]
    if not values:
        raise ValueError("differences: expected at least one, found none")
    if resamples < 100:
        raise ValueError(f"resamples: expected at least 100, found {resamples}")
    n, mean = len(values), math.fsum(values) / len(values)
    if n < 2:
        return PairedTest(n, mean, None, None, None)
    means = sorted(resampled_means(values, resamples, random.Random(f"bootstrap {seed} {n}")))
    p = sign_test(values, resamples, random.Random(f"signs {seed} {n}"))
    return PairedTest(n, mean, quantile(means, TAIL), quantile(means, 1 - TAIL), p)


def holm(p_values):
    """Holm's correction for several tests, in their order; None stays None."""
    order = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected, largest = list(p_values), 0.0
    for rank, (p, place) in enumerate(order):
        largest = max(largest, min(1.0, p * (len(order) - rank)))
        corrected[place] = largest
    return corrected
