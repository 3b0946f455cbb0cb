#!/usr/bin/env python3
"""paired_test and holm of xkde_results: exact cases, SciPy's numbers where it is installed, how often they err."""

import itertools
import math
import random
import unittest
from unittest import mock

import run_folders  # noqa: F401  (finds the package)

from xkde_results import bootstrap, holm, paired_test

DIFFERENCES = [12.5, -3.0, 0.0, 7.25, 9.0, -1.5, 4.0, 0.0, 6.5, 2.0, 11.0, -8.0, 3.5, 5.0, 1.0, 0.5, 8.0, -2.0]


class Bootstrap(unittest.TestCase):
    def test_few_differences_have_the_p_value_of_all_their_signs(self):
        for values in ([3, 1, 4, 1, 5, 9], [2, -7, 1, 8, -2, 8], [0, 0, 1, 0], [1, 1, 1, 1, 1, 1, 1, 1]):
            sums = [sum(value * sign for value, sign in zip(values, signs))
                    for signs in itertools.product((1, -1), repeat=len(values))]

            p = paired_test(values).p

            self.assertEqual(p, sum(abs(one) >= abs(sum(values)) for one in sums) / len(sums), values)
        self.assertEqual(paired_test([5.0] * 6).p, 2 / 64)

    def test_two_equal_differences_are_not_significant(self):
        self.assertEqual(paired_test([1.0, 1.0]).p, 0.5)

    def test_one_difference_has_neither_interval_nor_p(self):
        found = paired_test([4.0])

        self.assertEqual((found.n, found.mean, found.low, found.high, found.p), (1, 4.0, None, None, None))
        with self.assertRaisesRegex(ValueError, "expected at least one, found none"):
            paired_test([])
        with self.assertRaisesRegex(ValueError, "resamples: expected at least 100, found 10"):
            paired_test([1, 2], resamples=10)

    def test_no_difference_at_all(self):
        found = paired_test([0.0] * 40)

        self.assertEqual((found.mean, found.low, found.high, found.p), (0, 0, 0, 1))

    def test_the_interval_of_two_values_is_theirs(self):
        # Means of two draws are 0, 5 and 10; a quarter of them is 0, and a quarter 10.
        found = paired_test([0.0, 10.0])

        self.assertEqual((found.low, found.high), (0.0, 10.0))

    def test_the_interval_of_shares_is_that_of_the_binomial(self):
        # Of 50 values 0 or 1, 20 of them 1, means of resamples are binomial: 2.5 % and 97.5 % at 13 and 27 of 50.
        found = paired_test([1.0] * 20 + [0.0] * 30, resamples=20_000)

        self.assertEqual((round(50 * found.low), round(50 * found.high)), (13, 27))

    def test_the_seed_alone_decides(self):
        one, again, other = (paired_test(DIFFERENCES, seed=seed) for seed in (1, 1, 2))

        self.assertEqual(one, again)
        self.assertNotEqual((one.low, one.high, one.p), (other.low, other.high, other.p))

    @unittest.skipIf(bootstrap.numpy is None, "numpy is not installed")
    def test_numpy_changes_nothing(self):
        for count in (2, 9, 18, 65, 200):
            values = [value + 0.25 * place for place, value in zip(range(count), itertools.cycle(DIFFERENCES))]
            values[::2] = [-value for value in values[::2]]
            with_numpy = paired_test(values, resamples=2000, seed=5)
            with mock.patch.object(bootstrap, "numpy", None):
                without = paired_test(values, resamples=2000, seed=5)

            self.assertEqual(with_numpy.p, without.p)
            self.assertEqual(with_numpy.mean, without.mean)
            for one, other in ((with_numpy.low, without.low), (with_numpy.high, without.high)):
                self.assertAlmostEqual(one, other, delta=1e-11 * max(map(abs, values)))  # sums in another order

    def test_scipy_finds_the_same(self):
        try:
            import numpy
            from scipy import stats
        except ImportError:
            self.skipTest("scipy is not installed")
        for values in (DIFFERENCES[:11], DIFFERENCES, DIFFERENCES * 6):
            found = paired_test(values, resamples=40_000)
            interval = stats.bootstrap((values,), numpy.mean, n_resamples=40_000, method="percentile",
                                       rng=numpy.random.default_rng(1)).confidence_interval
            spread = numpy.std(values) / math.sqrt(len(values))  # of the mean
            # Each end has a standard error of about 0.013 spreads at 40,000 resamples; both sides are drawn.
            self.assertAlmostEqual(found.low, interval.low, delta=0.08 * spread)
            self.assertAlmostEqual(found.high, interval.high, delta=0.08 * spread)
            p = stats.permutation_test((values,), numpy.sum, permutation_type="samples", n_resamples=40_000,
                                       rng=numpy.random.default_rng(2)).pvalue
            exact = sum(value != 0 for value in values) <= 15
            self.assertAlmostEqual(found.p, p, delta=1e-12 if exact else 4 * math.sqrt(2 * p * (1 - p) / 40_000) + 1e-4)

    def test_of_equal_runs_few_are_called_different(self):
        # 600 pairs of runs that answer equally well: token accuracies of 25 records, some exactly alike. Three standard
        # errors of a share of 0.05 are 0.027.
        generator, found = random.Random(11), []
        for _ in range(600):
            values = [generator.choice((-1, -0.5, -1 / 3, 0, 0, 0, 0, 1 / 3, 0.5, 1)) for _ in range(25)]
            found.append(paired_test(values, resamples=250, seed=generator.random()))

        false = sum(one.p < 0.05 for one in found) / len(found)
        missed = sum(not one.low <= 0 <= one.high for one in found) / len(found)
        self.assertGreater(false, 0.02)
        self.assertLess(false, 0.077)
        self.assertLess(missed, 0.1)  # a percentile interval of 25 records is a little too narrow

    def test_of_runs_that_differ_most_are_found(self):
        generator = random.Random(12)

        found = sum(paired_test([generator.gauss(0.8, 1) for _ in range(30)], resamples=250).p < 0.05
                    for _ in range(100))

        self.assertGreater(found, 90)  # the t test's power here is 0.99

    def test_holm_corrects_in_steps(self):
        # 0.01 · 4, 0.02 · 3, then 0.04 · 2 and 0.045 · 1, which may not be less than the one before.
        for found, wanted in zip(holm([0.04, 0.01, None, 0.02, 0.045]), [0.08, 0.04, None, 0.06, 0.08]):
            if wanted is None:
                self.assertIsNone(found)
            else:
                self.assertAlmostEqual(found, wanted, delta=1e-15)
        self.assertEqual(holm([0.9, 0.8]), [1.0, 1.0])


if __name__ == "__main__":
    unittest.main()
