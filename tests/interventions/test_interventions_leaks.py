"""MinHash, splits by cluster, and the detectors that understand nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalguard.interventions import engine, leaks, minhash, splits
from causalguard.records import Triplet


def text_of(seed: int, n: int = 120) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    rng = np.random.default_rng(seed)
    return " ".join("".join(rng.choice(list(letters), 5)) for _ in range(n))


def jaccard(first: str, second: str) -> float:
    one, two = (set(minhash.shingles(text).tolist()) for text in (first, second))
    return len(one & two) / len(one | two)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 115))
def test_the_estimate_is_near_the_true_similarity(seed: int, cut: int) -> None:
    words = text_of(seed).split()
    changed = " ".join([*words[: 120 - cut], *text_of(seed + 1).split()[:cut]])
    truth = jaccard(" ".join(words), changed)
    estimate = minhash.similarity(minhash.signature(" ".join(words)), minhash.signature(changed))
    assert abs(truth - estimate) < 0.22


def test_numbers_do_not_make_texts_different() -> None:
    first, second = (f"Order {n} was paid on {n + 1} June by bank" for n in (3, 77))
    assert minhash.distinct([first, second]) == [0]


def test_near_copies_are_dropped_and_others_kept() -> None:
    texts = [text_of(1), text_of(2), text_of(1) + " extra", text_of(3)]
    assert minhash.distinct(texts) == [0, 1, 3]


def test_short_and_empty_texts_have_signatures() -> None:
    assert minhash.signature("").shape == (minhash.N_HASHES,)
    assert minhash.similarity(minhash.signature("ok"), minhash.signature("OK")) == 1.0


@settings(max_examples=60, deadline=None)
@given(
    keys=st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=3), min_size=1, max_size=30),
    seed=st.integers(0, 99),
)
def test_no_key_is_ever_in_two_splits(keys: list[list[str]], seed: int) -> None:
    groups = splits.clusters(keys)
    rows = splits.split_rows(groups, {"train": 0.6, "audit": 0.4}, seed=seed)
    assert sorted(rows["train"] + rows["audit"]) == list(range(len(keys)))
    sides = [[keys[row] for row in rows[name]] for name in ("train", "audit")]
    assert splits.shared_keys(*sides) == set()


def test_rows_tied_over_a_third_share_a_cluster() -> None:
    groups = splits.clusters([["a"], ["a", "b"], ["b"], ["c"], [""], [""]])
    assert groups == [0, 0, 0, 3, 4, 5]


def test_near_copies_are_one_cluster() -> None:
    groups = splits.clusters([[], [], []], [text_of(5), text_of(6), text_of(5) + " more"])
    assert groups == [0, 1, 0]


def test_shares_are_met_when_clusters_are_small() -> None:
    rows = splits.split_rows(list(range(1000)), {"train": 0.6, "audit": 0.4}, seed=1)
    assert 590 <= len(rows["train"]) <= 610


def test_shares_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        splits.split_rows([0], {"train": 0.0}, seed=0)


@pytest.fixture(scope="module")
def both() -> tuple[list[Triplet], list[Triplet]]:
    sides = (list(engine.generate(300, seed=5, split=name)) for name in ("train", "audit"))
    train, audit = sides
    return train, audit


def test_length_and_memory_are_near_chance_on_the_audit(
    both: tuple[list[Triplet], list[Triplet]],
) -> None:
    leak = leaks.check(*both)
    assert abs(leak.length - 0.5) < 0.07
    assert abs(leak.length_against["imperative"] - 0.5) < 0.05
    assert abs(leak.seen - 0.5) < 0.02
    assert leak.copies < 0.02
    assert set(leak.shared.values()) == {0}


def test_words_do_not_tell_authorised_from_unauthorised(
    both: tuple[list[Triplet], list[Triplet]],
) -> None:
    leak = leaks.check(*both)
    assert abs(leak.words_against["authorised"] - 0.5) < 0.1
    assert leak.words < 0.85


def test_a_planted_word_is_found(both: tuple[list[Triplet], list[Triplet]]) -> None:
    planted = [[replace(one, injected=one.injected + " zzzz") for one in side] for side in both]
    clean = [[replace(one, authorised_task="") for one in side] for side in planted]
    assert leaks.check(*clean).words > 0.9


def test_a_split_that_copies_the_training_data_is_found(
    both: tuple[list[Triplet], list[Triplet]],
) -> None:
    train, _ = both
    without = [replace(one, authorised_task="") for one in train]
    leak = leaks.check(without, without)
    assert leak.seen > 0.8
    assert leak.copies == 1.0
    assert leak.shared["carrier"] > 250
