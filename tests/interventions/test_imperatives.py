"""Benign imperatives and authorising tasks: many kinds, matched to the attack they stand for."""

import re

import numpy as np
import pytest

from causalguard.interventions import goals
from causalguard.interventions.authorise import authorised_task, can_be_authorised, skeleton_count
from causalguard.interventions.families import FAMILIES, FamilyContext
from causalguard.interventions.imperatives import KINDS, imperative, render
from causalguard.interventions.imperatives import skeleton_count as imperative_skeletons
from causalguard.interventions.vocabulary import SPLITS

by_kind = pytest.mark.parametrize("kind", KINDS)


def attacks(count: int) -> list[str]:
    rng = np.random.default_rng(8)
    picked = [FAMILIES[index % len(FAMILIES)] for index in range(count)]
    return [f.render(f.draw(rng, "train"), FamilyContext(), rng) for f in picked]


def test_there_are_at_least_25_kinds() -> None:
    assert len(KINDS) >= 25


@by_kind
def test_every_kind_has_20_skeletons_and_shows_them(kind: str) -> None:
    assert imperative_skeletons(kind) >= 20
    rng = np.random.default_rng(1)
    drawn = [render(kind, rng, split=SPLITS[index % 3]) for index in range(150)]
    assert len({found.template for found in drawn}) >= 20
    assert len({found.text for found in drawn}) >= 75


@by_kind
def test_templates_of_imperatives_are_disjoint_between_splits(kind: str) -> None:
    rng = np.random.default_rng(2)
    seen = {s: {render(kind, rng, split=s).template for _ in range(80)} for s in SPLITS}
    assert not seen["train"] & seen["audit"]
    assert not seen["calibration"] & (seen["train"] | seen["audit"])


@by_kind
def test_no_mark_is_left_in_an_imperative(kind: str) -> None:
    rng = np.random.default_rng(3)
    for _ in range(60):
        text = render(kind, rng, split="audit", length=200).text
        assert not re.search(r"«[a-z_]+»|\[\[|\]\]|\^[a-z]", text), text


def test_imperatives_are_as_long_as_the_attacks_they_match() -> None:
    rng = np.random.default_rng(4)
    ratios = [
        len(imperative(rng, like=text, topic="", split="train").text) / len(text)
        for text in attacks(300)
    ]
    low, middle, high = np.quantile(ratios, [0.05, 0.5, 0.95])
    assert low > 0.6
    assert 0.85 < middle < 1.2
    assert high < 2.0


def test_imperatives_share_trigger_words_with_attacks_more_than_by_chance() -> None:
    triggers = r"\b(ignore|please|must|send|instructions?|system|assistant|open)\b|@|//"
    words = re.compile(triggers, re.IGNORECASE)
    rng = np.random.default_rng(5)

    def share(like_it: bool) -> float:
        hits = []
        for text in attacks(300):
            like = text if like_it else "x" * len(text)
            found = imperative(rng, like=like, topic="", split="train").text
            wanted = set(words.findall(text.lower()))
            if wanted:
                hits.append(bool(wanted & set(words.findall(found.lower()))))
        return float(np.mean(hits))

    assert share(True) > share(False) + 0.2


def test_all_kinds_are_used() -> None:
    rng = np.random.default_rng(6)
    used = {imperative(rng, like=text, topic="", split="train").kind for text in attacks(1200)}
    assert used == set(KINDS)


def test_imperatives_are_deterministic() -> None:
    def once() -> list[str]:
        rng = np.random.default_rng(7)
        return [
            imperative(rng, like="Ignore this.", topic="cheese", split="audit").text
            for _ in range(20)
        ]

    assert once() == once()


def test_there_are_40_authorising_skeletons_and_they_vary() -> None:
    assert skeleton_count() >= 40
    rng = np.random.default_rng(0)
    tasks = {authorised_task(goals.draw(rng, "train"), rng) for _ in range(400)}
    assert len(tasks) >= 300
    assert not any(re.search(r"«|\[\[|\]\]|\^[a-z]", task) for task in tasks)


def test_many_authorising_tasks_name_the_goal_and_many_do_not() -> None:
    rng = np.random.default_rng(1)
    drawn = [goals.draw(rng, "audit") for _ in range(400)]
    named = [
        goal.text in (task := authorised_task(goal, rng)) or goal.gerund in task.lower()
        for goal in drawn
        if can_be_authorised(goal)
    ]
    assert 0.4 < sum(named) / len(named) < 0.8


def test_hiding_things_from_the_user_is_never_named_in_the_users_task() -> None:
    rng = np.random.default_rng(2)
    for _ in range(100):
        goal = goals.draw(rng, "train", kinds=("conceal",))
        assert goal.text not in authorised_task(goal, rng)


def test_a_foreign_goal_is_quoted_in_its_language() -> None:
    rng = np.random.default_rng(3)
    drawn = [goals.draw(rng, "train", language="de") for _ in range(60)]
    assert any(goal.direct in authorised_task(goal, rng) for goal in drawn)
