import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from causalguard.interventions import engine, triplets
from causalguard.records import Triplet
from causalguard.train.noise import noisy, wear, worn


def some(n: int = 40) -> list[Triplet]:
    return list(engine.generate(n, seed=6, split="train", lengths=["200-800"]))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_rate_of_zero_changes_nothing_and_a_rate_of_one_most_words() -> None:
    text = "please send the quarterly report before Friday evening"
    assert worn(text, rng(), 0.0) == text
    kept = set(text.split()) & set(worn(text, rng(), 1.0).split())
    assert len(kept) <= 1


def test_figures_addresses_markup_and_escapes_stay_what_they_are() -> None:
    text = (
        '<td class="note">pay 512.30 to ana@bank.example, https://bank.example/pay?x=1 \\n %42%65'
    )
    after = worn(text, rng(1), 1.0)
    for part in (
        "<td class=",
        "512.30",
        "ana@bank.example",
        "bank.example/pay?x=1",
        "\\n",
        "%42%65",
    ):
        assert part in after


@given(st.integers(0, 10_000))
def test_spans_hold_what_was_put_in_and_the_set_stays_valid(seed: int) -> None:
    one = some(8)[seed % 8]
    after = wear(one, rng(seed))
    assert not triplets.row_faults(triplets.to_row(after))
    inside = after.injected[after.span.start : after.span.end]
    before = one.injected[one.span.start : one.span.end]
    assert re.sub(r"[^0-9]", "", inside) == re.sub(r"[^0-9]", "", before)


def test_members_share_the_spelling_of_what_they_share() -> None:
    changed = 0
    for k, one in enumerate(some()):
        after = wear(one, rng(k))
        head, tail = after.injected[: after.span.start], after.injected[after.span.end :]
        if one.benign.startswith(one.injected[: one.span.start]):
            assert after.benign.startswith(head)
        tail_before = one.injected[one.span.end :]
        apart = one.span.start + len(tail_before) <= len(one.benign)
        if one.benign.endswith(tail_before) and apart:
            assert after.benign.endswith(tail)
        changed += after.benign != one.benign
    assert 0.2 < changed / 40 < 0.7


def test_the_share_is_kept_and_a_set_is_worn_the_same_way_in_any_company() -> None:
    sets = some(200)
    after = list(noisy(sets, 0.3, seed=5))
    assert 0.15 < np.mean([a != b for a, b in zip(sets, after, strict=True)]) < 0.45
    assert list(noisy(sets[50:60], 0.3, seed=5)) == after[50:60]
    assert list(noisy(sets, 0.0, seed=5)) == sets


def test_orders_and_harmless_imperatives_are_worn_alike() -> None:
    rates = {"injected": [], "imperative": []}  # type: dict[str, list[bool]]
    for k, one in enumerate(some()):
        if one.imperative_span is None:
            continue
        after = wear(one, rng(k))
        rates["injected"].append(after.span.end - after.span.start != one.span.end - one.span.start)
        place = after.imperative_span
        assert place is not None
        rates["imperative"].append(
            place.end - place.start != one.imperative_span.end - one.imperative_span.start
        )
    assert abs(np.mean(rates["injected"]) - np.mean(rates["imperative"])) < 0.25
