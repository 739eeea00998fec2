"""Clopper-Pearson, sample sizes, conformal p-values, the unseen family, and the band."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from causalguard.stats import bands, bounds


@given(n=st.integers(1, 2000), share=st.floats(0, 1), confidence=st.floats(0.5, 0.999))
def test_the_interval_is_scipys_exact_one(n: int, share: float, confidence: float) -> None:
    k = round(share * n)
    oracle = stats.binomtest(k, n).proportion_ci(confidence, method="exact")
    assert bounds.clopper_pearson(k, n, confidence=confidence) == pytest.approx(
        (oracle.low, oracle.high), abs=1e-9
    )


@pytest.mark.parametrize(
    ("alpha", "delta", "sizes"),
    [
        (0.05, 0.05, [59, 93, 124, 208, 336]),
        (0.01, 0.05, [299, 473, 628, 1049, 1693]),
        (0.01, 0.01, [459, 662, 838, 1307, 2010]),
        (0.001, 0.05, [2995, 4742, 6294, 10511, 16959]),
    ],
)
def test_sample_sizes_are_the_exact_ones(alpha: float, delta: float, sizes: list[int]) -> None:
    assert [bounds.sample_size(alpha, delta, k) for k in (0, 1, 2, 5, 10)] == sizes


@pytest.mark.parametrize("delta", [1e-11, 1e-16, 1e-30, 1e-200])
def test_a_bound_keeps_its_level_at_a_tiny_error_probability(delta: float) -> None:
    for k, n in ((0, 50), (1, 50), (20, 60), (5, 3000)):
        bound = bounds.upper(k, n, delta=delta)
        assert stats.binom.cdf(k, n, bound) == pytest.approx(delta, rel=1e-6)
        assert bounds.upper_many(k, n, delta=delta) == pytest.approx(bound, rel=1e-9)


@given(alpha=st.floats(0.002, 0.4), delta=st.floats(0.001, 0.3), k=st.integers(0, 12))
def test_the_sample_size_is_the_smallest(alpha: float, delta: float, k: int) -> None:
    n = bounds.sample_size(alpha, delta, k)
    assert bounds.upper(k, n, delta=delta) <= alpha + 1e-9
    assert n == k + 1 or stats.binom.cdf(k, n - 1, alpha) > delta


@given(n=st.integers(1, 3000), alpha=st.floats(0.001, 0.5), delta=st.floats(0.001, 0.3))
def test_allowed_errors_is_the_largest_count_that_still_proves(
    n: int, alpha: float, delta: float
) -> None:
    k = bounds.allowed_errors(n, alpha=alpha, delta=delta)
    assert k == -1 or stats.binom.cdf(k, n, alpha) <= delta
    assert stats.binom.cdf(k + 1, n, alpha) > delta


def test_seven_errors_in_a_hundred_count_as_seven() -> None:
    # a peer counts ceil(n * (k / n)), which is eight here
    assert bounds.tail(7, 100, 0.1) == pytest.approx(stats.binom.cdf(7, 100, 0.1))


@given(n=st.integers(1, 500), k=st.integers(0, 500), delta=st.floats(0.001, 0.5))
def test_vectorised_bounds_are_the_scalar_ones(n: int, k: int, delta: float) -> None:
    k = min(k, n)
    many = bounds.upper_many([k, 0], n, delta=delta), bounds.lower_many([k, 0], n, delta=delta)
    assert many[0][0] == pytest.approx(bounds.upper(k, n, delta=delta), abs=1e-9)
    assert many[1][0] == pytest.approx(bounds.lower(k, n, delta=delta), abs=1e-9)


def test_the_upper_bound_covers_by_enumeration() -> None:
    n, delta = 23, 0.05
    table = bounds.upper_many(np.arange(n + 1), n, delta=delta)
    for rate in np.linspace(0.001, 0.999, 200):
        covered = stats.binom.pmf(np.arange(n + 1), n, rate)[table >= rate].sum()
        assert covered >= 1 - delta - 1e-12


def test_an_empty_stratum_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match="invoice mails"):
        bounds.upper(0, 0, delta=0.05, name="invoice mails")


@pytest.mark.parametrize("delta", [0.0, 1.0, -0.1, float("nan")])
def test_a_level_outside_zero_one_is_refused(delta: float) -> None:
    with pytest.raises(ValueError, match="delta"):
        bounds.upper(0, 10, delta=delta)


def test_conformal_p_values_count_ties_against_us() -> None:
    p = bounds.conformal_p([0.1, 0.5, 0.5, 0.9], [0.5, 0.95, 0.0])
    assert p == pytest.approx([4 / 5, 1 / 5, 1.0])


def test_conformal_p_values_are_super_uniform() -> None:
    rng = np.random.default_rng(0)
    draws = rng.integers(0, 6, size=(4000, 20)).astype(float)
    p = np.array([bounds.conformal_p(row[:19], row[19:])[0] for row in draws])
    for cut in (0.05, 0.1, 0.3):
        assert (p <= cut).mean() <= cut + 3 * np.sqrt(cut * (1 - cut) / 4000)


def test_nineteen_families_are_needed_for_five_percent() -> None:
    few = bounds.unseen_family([0] * 18, [300] * 18, delta_rank=0.05, delta_count=0.05)
    assert (few.bound, few.families_needed) == (None, 19)
    enough = bounds.unseen_family([0] * 19, [300] * 19, delta_rank=0.05, delta_count=0.05)
    assert enough.bound == pytest.approx(bounds.upper(0, 300, delta=0.05))
    assert enough.confidence == pytest.approx(0.90)


@pytest.mark.parametrize("families", [19, 39])
def test_the_next_family_stays_under_its_bound(families: int) -> None:
    rng = np.random.default_rng(1)
    broken = 0
    for _ in range(600):
        rates = rng.beta(1, 30, size=families + 1)
        misses = rng.binomial(80, rates[:-1])
        result = bounds.unseen_family(misses, [80] * families, delta_rank=0.05, delta_count=0.05)
        assert result.bound is not None
        broken += bool(rates[-1] > result.bound)
    assert broken / 600 <= 0.10


def test_the_band_recursion_matches_small_cases_by_hand() -> None:
    assert bands.crossing_free([0.3]) == pytest.approx(0.3)
    # both below .6, less both in (.3, .6)
    assert bands.crossing_free([0.3, 0.6]) == pytest.approx(0.36 - 0.09)
    assert bands.crossing_free([1.0, 1.0, 1.0]) == pytest.approx(1.0)


@settings(max_examples=20)
@given(n=st.integers(2, 60), seed=st.integers(0, 99))
def test_the_band_recursion_matches_simulation(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    boundary = np.sort(rng.uniform(0.3, 1, n)) ** 0.5
    inside = (np.sort(rng.random((4000, n)), axis=1) <= boundary).all(axis=1).mean()
    assert bands.crossing_free(boundary) == pytest.approx(inside, abs=0.04)


def test_the_band_is_tight_in_the_tail_and_holds_its_level() -> None:
    first = bands.simultaneous_upper(0, 1000, delta=0.05)[0]
    assert first == pytest.approx(0.0067, abs=5e-5)
    rng = np.random.default_rng(2)
    u = np.sort(rng.random((4000, 200)), axis=1)
    bound = bands.simultaneous_upper(np.arange(200), 200, delta=0.05)
    assert (u <= bound).all(axis=1).mean() == pytest.approx(0.95, abs=0.012)


def test_the_miss_band_covers_each_threshold_of_tied_risks() -> None:
    rng = np.random.default_rng(3)
    share = np.array([0.1, 0.2, 0.3, 0.4])
    truth = np.concatenate([[0], np.cumsum(share)[:-1]])
    broken = 0
    for _ in range(400):
        risks = rng.choice(4, size=60, p=share).astype(float)
        cuts, bound = bands.miss_band(risks, delta=0.1)
        broken += bool((truth[cuts.astype(int)] > bound).any())
    assert broken / 400 <= 0.1


def test_the_false_positive_band_mirrors_the_miss_band() -> None:
    risks = np.array([0.1, 0.4, 0.4, 0.8])
    cuts, bound = bands.false_positive_band(risks, delta=0.1)
    assert np.allclose(cuts, [0.1, 0.4, 0.8])
    seen = [(risks >= cut).sum() for cut in cuts]
    assert seen == [3, 1, 0]
    assert bound == pytest.approx(bands.simultaneous_upper([3, 1, 0], 4, delta=0.1))


def test_counts_that_are_not_numbers_have_no_bound() -> None:
    for k, n in ((np.nan, 3.0), (1.0, np.nan)):
        with pytest.raises(ValueError, match="0 <= k <= n"):
            bounds.upper_many([k], [n], delta=0.05)
    with pytest.raises(ValueError, match="must lie in"):
        bands.simultaneous_upper([np.nan], 5, delta=0.05)


def test_beyond_32_bits_the_binomial_is_poissons() -> None:
    n = 5_000_000_000
    assert bounds.tail(3, n, 1e-9) == pytest.approx(stats.poisson.cdf(3, 5), rel=1e-6)
    assert bounds.sample_size(1e-9, 0.05) == pytest.approx(np.log(20) * 1e9, rel=1e-6)
    assert bounds.allowed_errors(n, alpha=1e-9, delta=0.05) == 1
