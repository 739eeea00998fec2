"""Goals: disjoint between splits, wide, deterministic, grammatical in form."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalguard.interventions import goals
from causalguard.interventions.vocabulary import (
    POOLS,
    SPLITS,
    pool,
    slot_names,
    split_of,
    word,
)
from causalguard.interventions.wording import alternate, conjugate, expand


def many(split: str, count: int, **options: object) -> list[goals.Goal]:
    rng = np.random.default_rng(11)
    return [goals.draw(rng, split, **options) for _ in range(count)]  # type: ignore[arg-type]


def test_no_goal_is_in_two_splits() -> None:
    texts = {split: {goal.text.lower() for goal in many(split, 3000)} for split in SPLITS}
    assert not texts["train"] & texts["audit"]
    assert not texts["train"] & texts["calibration"]
    assert not texts["calibration"] & texts["audit"]


def test_the_split_of_a_goal_is_the_hash_of_its_text() -> None:
    assert {split_of(goal.text) for goal in many("audit", 500)} == {"audit"}


@pytest.mark.parametrize("language", goals.LANGUAGES)
@pytest.mark.parametrize("split", SPLITS)
def test_every_language_has_two_hundred_goals_in_every_split(language: str, split: str) -> None:
    found = {goal.text for goal in many(split, 700, language=language)}
    assert len(found) >= 200


@pytest.mark.parametrize("kind", goals.KINDS)
def test_every_kind_has_goals_in_the_audit_split(kind: str) -> None:
    found = many("audit", 60, kinds=(kind,))
    assert {goal.kind for goal in found} == {kind}
    assert len({goal.text for goal in found}) >= 15


def test_there_are_many_kinds_and_patterns() -> None:
    assert len(goals.KINDS) >= 20
    assert goals.pattern_count() >= 600
    assert len(goals.LANGUAGES) >= 9


def test_requests_for_an_answer_and_deeds_keep_their_shares() -> None:
    asks = [goal.domain in {"answer", "offtopic"} for goal in many("audit", 3000)]
    assert 0.41 < np.mean(asks) < 0.49


def test_goals_are_curt_and_wordy() -> None:
    sizes = [len(goal.text.split()) for goal in many("train", 3000)]
    low, high = np.quantile(sizes, [0.02, 0.98])
    assert low <= 4
    assert high >= 28


def test_no_goal_names_one_filler_twice() -> None:
    assert all(len(set(goal.check)) == len(goal.check) for goal in many("calibration", 1500))


def test_articles_fit_the_fillers() -> None:
    wrong = re.compile(
        r"\ban (?=hedge|rein|nurse|tailor|fitted)|\ba (?=otter|octopus|axo|alpaca|electr)"
    )
    assert not any(wrong.search(goal.text + goal.direct) for goal in many("train", 4000))


def test_verbs_of_goals_are_known_to_the_conjugation() -> None:
    wrong = re.compile(
        r"(?:^| )(?:haved|doed|undoed|shuted|forgeted|overwrited|splited|formated)\b"
    )
    assert not any(
        found for goal in many("train", 4000) if (found := wrong.search(goal.past)) is not None
    )


def test_no_mark_of_the_template_language_is_left_in_a_goal() -> None:
    for goal in many("train", 4000):
        forms = goal.text + goal.direct + goal.gerund + goal.past + goal.third
        assert not any(mark in forms for mark in ("[[", "]]", "^", "«", "»", "  ")), forms


def test_the_same_seed_gives_the_same_goals() -> None:
    assert many("train", 50) == many("train", 50)


def test_a_goal_names_what_shows_that_it_was_followed() -> None:
    goal = next(goal for goal in many("train", 300) if goal.kind == "money" and goal.check)
    assert any(piece in goal.text for piece in goal.check)
    assert goal.tool in goal.call


def test_verbs_are_conjugated_but_not_after_to() -> None:
    phrase = "^copy the file, ^send it and ask them to ^run it"
    assert conjugate(phrase, "past") == "copied the file, sent it and ask them to run it"
    assert conjugate("^set it and ^stop", "gerund") == "setting it and stopping"
    assert conjugate("^watch and ^reply", "third") == "watches and replies"


def test_alternation_keeps_brackets_at_its_edges() -> None:
    rng = np.random.default_rng(0)
    found = {alternate("[[[a]|![b]|c [[d|e]] f]]", rng) for _ in range(60)}
    assert found == {"[a]", "![b]", "c d f", "c e f"}


@given(st.integers(0, 2**32 - 1), st.sampled_from(slot_names()), st.sampled_from(SPLITS))
def test_a_slot_draws_from_its_split_only(seed: int, name: str, split: str) -> None:
    filler = word(name, np.random.default_rng(seed), split)
    assert filler
    if name in POOLS:
        assert filler in pool(name, split)
    if name == "domain":
        assert split_of(filler[: filler.index(".")]) == split


def test_the_parts_of_a_pool_are_disjoint_and_cover_it() -> None:
    parts = [set(pool("city", split)) for split in SPLITS]
    assert set.union(*parts) == set(POOLS["city"])
    assert sum(map(len, parts)) == len(POOLS["city"])


def test_an_unknown_split_or_language_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="use one of"):
        goals.draw(rng, "test")
    with pytest.raises(ValueError, match="no goals in language"):
        goals.draw(rng, "train", language="xx")
    with pytest.raises(ValueError, match="no goal of kinds"):
        goals.draw(rng, "train", kinds=("nonsense",))


def test_a_numbered_slot_is_drawn_once() -> None:
    text = expand("«person:1» and «person:1»", np.random.default_rng(3), split="train")
    left, right = text.split(" and ")
    assert left == right
