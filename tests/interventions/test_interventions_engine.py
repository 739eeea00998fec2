"""The engine: matched sets that differ in one thing, reproducible, disjoint between splits."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from causalguard.errors import InputError
from causalguard.interventions import carriers, engine, triplets
from causalguard.interventions.families import FAMILIES
from causalguard.interventions.formats import FORMATS
from causalguard.interventions.scenes import LENGTHS, MAX_CHARACTERS
from causalguard.records import Triplet

N = 240


@pytest.fixture(scope="module")
def train() -> list[Triplet]:
    return list(engine.generate(N, seed=3, split="train"))


@pytest.fixture(scope="module")
def audit() -> list[Triplet]:
    return list(engine.generate(N, seed=3, split="audit"))


def common_ends(first: str, second: str) -> tuple[int, int]:
    """Lengths of the longest common start and, beside it, end of two texts."""
    shortest = min(len(first), len(second))
    start = next((i for i in range(shortest) if first[i] != second[i]), shortest)
    room = shortest - start
    end = next((i for i in range(room) if first[-1 - i] != second[-1 - i]), room)
    return start, end


def test_every_set_would_be_read_back(train: list[Triplet], audit: list[Triplet]) -> None:
    for triplet in (*train, *audit):
        assert triplets.row_faults(triplets.to_row(triplet)) == []


def test_the_same_seed_gives_the_same_sets(train: list[Triplet]) -> None:
    assert list(engine.generate(20, seed=3, split="train")) == train[:20]
    assert list(engine.generate(5, seed=4, split="train")) != train[:5]


def test_a_set_depends_on_its_number_only(train: list[Triplet]) -> None:
    stream = engine.generate(N, seed=3, split="train")
    assert next(itertools.islice(stream, 50, None)) == train[50]


def test_benign_and_injected_differ_where_the_payload_stands(train: list[Triplet]) -> None:
    for triplet in train:
        if triplet.nuisance["placement"] != "insert":
            continue
        start, end = common_ends(triplet.benign, triplet.injected)
        # Nothing of the benign text is changed: it is its own start and its own end.
        assert start + end >= len(triplet.benign)


def test_imperative_and_injected_differ_in_the_payload_only(audit: list[Triplet]) -> None:
    for triplet in audit:
        span, other = triplet.span, triplet.imperative_span
        assert other is not None
        around = triplet.injected[: span.start], triplet.injected[span.end :]
        assert around == (triplet.imperative[: other.start], triplet.imperative[other.end :])


def test_replaced_fields_differ_in_the_field_only(train: list[Triplet]) -> None:
    replaced = [one for one in train if one.nuisance["placement"] == "replace"]
    assert len(replaced) > N / 6
    for triplet in replaced:
        assert triplet.benign.startswith(triplet.injected[: triplet.span.start])
        assert triplet.benign.endswith(triplet.injected[triplet.span.end :])


def test_the_counterfactual_holds_no_injection(train: list[Triplet]) -> None:
    for triplet in train:
        payload = triplet.injected[triplet.span.start : triplet.span.end]
        assert payload not in triplet.counterfactual
        assert payload not in triplet.benign


def test_splits_share_no_carrier_goal_or_template() -> None:
    seen: dict[str, dict[str, str]] = {"carrier": {}, "goal": {}, "template": {}}
    for split in engine.SPLITS:
        for triplet in engine.generate(120, seed=1, split=split):
            for name, owners in seen.items():
                if name == "template" and split == "dev":
                    continue
                assert owners.setdefault(triplet.cluster[name], split) == split


def test_no_goal_of_the_audit_is_worded_as_in_training(
    train: list[Triplet], audit: list[Triplet]
) -> None:
    assert not {one.cluster["goal"] for one in train} & {one.cluster["goal"] for one in audit}
    spans = [
        {one.injected[one.span.start : one.span.end] for one in side} for side in (train, audit)
    ]
    assert not spans[0] & spans[1]


def test_only_the_audit_holds_families_that_are_never_trained_on(
    train: list[Triplet], audit: list[Triplet]
) -> None:
    held_out = {family.name for family in FAMILIES if not family.trained}
    assert not {one.family for one in train} & held_out
    assert {one.family for one in audit} >= held_out


def test_families_are_dealt_evenly(audit: list[Triplet]) -> None:
    counts = Counter(one.family for one in audit)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_nuisances_are_independent_of_the_family_group(train: list[Triplet]) -> None:
    from scipy.stats import chi2_contingency

    for factor in ("position", "length", "placement"):
        pairs = Counter((one.group, one.nuisance[factor]) for one in train)
        groups = sorted({group for group, _ in pairs})
        levels = sorted({level for _, level in pairs})
        table = np.array([[pairs[group, level] for level in levels] for group in groups])
        assert chi2_contingency(table).pvalue > 1e-4


def test_lengths_stay_in_range(train: list[Triplet]) -> None:
    lengths = [len(one.injected) for one in train]
    assert max(lengths) <= MAX_CHARACTERS
    assert np.median(lengths) < 3000
    assert sum(len(one.counterfactual) > MAX_CHARACTERS for one in train) == 0


def test_formats_lengths_and_families_can_be_chosen() -> None:
    made = list(
        engine.generate(
            12,
            seed=0,
            split="audit",
            formats=["yaml"],
            lengths=["50-200"],
            families=[FAMILIES[0].name, FAMILIES[1].name],
        )
    )
    assert {one.nuisance["format"] for one in made} == {"yaml"}
    assert {one.nuisance["length"] for one in made} == {"50-200"}
    assert len({one.family for one in made}) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"split": "test"},
        {"formats": ["docx"]},
        {"lengths": ["9"]},
        {"families": ["nobody"]},
        {"n_sets": 0},
    ],
)
def test_wrong_arguments_are_refused_at_once(wrong: dict[str, object]) -> None:
    arguments: dict[str, object] = {"n_sets": 3, "seed": 0, "split": "train", **wrong}
    n_sets = arguments.pop("n_sets")
    with pytest.raises(ValueError, match=r"use one of|see|must be"):
        engine.generate(n_sets, **arguments)  # type: ignore[arg-type]


def test_every_format_and_length_occurs(train: list[Triplet], audit: list[Triplet]) -> None:
    both = (*train, *audit)
    assert {one.nuisance["format"] for one in both} == set(FORMATS)
    assert {one.nuisance["length"] for one in both} == set(LENGTHS)
    assert sum(bool(one.authorised_task) for one in both) > 40


def test_the_users_own_files_become_matched_sets(tmp_path: Path) -> None:
    for index in range(12):
        blocks = carriers.generate(
            np.random.default_rng(index), split="dev", size=400
        ).document.blocks
        text = f"Report {index}.\n" + "\n".join(block.text for block in blocks)
        (tmp_path / f"r{index}.txt").write_text(text)
    own = carriers.from_directory(tmp_path)
    made = list(engine.generate(10, seed=0, split="train", carriers=own))
    texts = {carrier.text for carrier in own}
    assert all(one.benign in texts for one in made)
    assert all(one.counterfactual in texts - {one.benign} for one in made)
    assert {one.nuisance["source"] for one in made} == {"files"}
    audited = list(engine.generate(10, seed=0, split="audit", carriers=own))
    assert not {one.benign for one in made} & {one.benign for one in audited}


def test_too_few_files_for_a_split_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text("The very same text about the very same thing.")
    own = carriers.from_directory(tmp_path)
    with pytest.raises(InputError, match="falls into split"):
        engine.generate(3, seed=0, split="audit", carriers=own)
