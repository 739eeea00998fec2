"""Carriers by seed: reproducible, varied, and disjoint between splits."""

from collections import Counter

import numpy as np
import pytest

from causalguard.interventions import carriers, minhash
from causalguard.interventions.carriers.bodies import BODIES
from causalguard.interventions.carriers.draw import Draw
from causalguard.interventions.carriers.generate import kinds_of, topics_of
from causalguard.interventions.carriers.kinds_data import KINDS, RESERVED_KINDS, RESERVED_TOPICS
from causalguard.interventions.carriers.prose_bank import compile_skeleton, foreign, general, topics
from causalguard.interventions.carriers.values import MAKERS

SPLITS = ("train", "dev", "calibration", "audit")


def some(split: str, n: int, size: int = 300) -> list[carriers.Carrier]:
    return [
        carriers.generate(np.random.default_rng([7, i]), split=split, size=size) for i in range(n)
    ]


def words_of(carrier: carriers.Carrier) -> str:
    document = carrier.document
    values = [field.value for row in (document.head, *document.rows) for field in row]
    return " ".join([*map(str, values), *(block.text for block in document.blocks)])


def test_the_same_seed_gives_the_same_carrier() -> None:
    assert some("train", 20) == some("train", 20)


def test_there_are_forty_kinds_twenty_five_topics_and_sixty_tasks() -> None:
    assert len(KINDS) >= 40
    assert len(topics()) >= 25
    assert len({task for kind in KINDS for task in kind.tasks}) >= 60
    assert len(foreign()) >= 8


def test_every_kind_names_makers_that_exist() -> None:
    for kind in KINDS:
        assert kind.body in BODIES
        assert kind.tasks
        for spec in (*kind.head.split(), *kind.rows.split()):
            key, _, maker = spec.partition(":")
            assert maker.rstrip("*") in MAKERS, (kind.name, key)


def test_no_slot_of_a_skeleton_is_left_open() -> None:
    for split in SPLITS:
        for carrier in some(split, 150):
            text = words_of(carrier) + carrier.task + carrier.system
            for slot in ("{thing}", "{person}", "{act}", "{role}", "{small}", "{date}"):
                assert slot not in text


def test_tasks_are_never_empty_and_some_are_generic() -> None:
    made = some("train", 400)
    assert all(carrier.task.strip() for carrier in made)
    generic = sum(carrier.generic for carrier in made)
    assert 15 <= generic <= 80
    assert any("\n" in carrier.task for carrier in made)
    assert any(not carrier.system for carrier in made)


def test_reserved_kinds_and_topics_stay_in_their_split() -> None:
    for split in ("train", "dev"):
        names = {kind.name for kind in kinds_of(split)}
        assert not names & RESERVED_KINDS["audit"]
    assert {topic.name for topic in topics_of("audit")} >= RESERVED_TOPICS["audit"]
    assert not {topic.name for topic in topics_of("train")} & RESERVED_TOPICS["audit"]


def test_few_carriers_of_a_split_are_near_duplicates() -> None:
    texts = [words_of(carrier) for carrier in some("audit", 300)]
    assert len(minhash.distinct(texts)) >= 285


def test_no_audit_carrier_is_a_near_copy_of_a_training_carrier() -> None:
    index = minhash.Index()
    for carrier in some("train", 250):
        index.add(minhash.signature(words_of(carrier)))
    copies = [
        carrier.kind
        for carrier in some("audit", 250)
        if index.near(minhash.signature(words_of(carrier)))
    ]
    assert len(copies) <= 3


def test_the_counterfactual_has_other_data_about_the_same() -> None:
    same = 0
    for index, carrier in enumerate(some("train", 60)):
        rng = np.random.default_rng([9, index])
        other = carriers.counterfactual(carrier, rng, split="train", size=300)
        assert other != carrier.document
        same += other.kind == carrier.kind
    assert same >= 45


def test_sizes_follow_the_size_that_was_asked_for() -> None:
    short = np.median([len(words_of(carrier)) for carrier in some("train", 80, size=80)])
    long = np.median([len(words_of(carrier)) for carrier in some("train", 80, size=3000)])
    assert short < 300
    assert long > 1500


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown split"):
        carriers.generate(np.random.default_rng(0), split="test", size=100)


def test_a_skeleton_is_cut_into_text_slots_and_choices() -> None:
    parts = compile_skeleton("[Hi|Dear {first}], see {thing}.")
    assert parts == ((("Hi",), ("Dear ", ("first",))), ", see ", ("thing",), ".")
    assert compile_skeleton("[]") == ("[]",)


def test_every_section_that_code_asks_for_is_there() -> None:
    for section in ("sentence", "request", "tiny", "error", "system", "generic_task"):
        assert len(general(section)) >= 8


def test_draws_are_uniform_enough() -> None:
    draw = Draw(np.random.default_rng(1))
    counts = Counter(draw.below(4) for _ in range(4000))
    assert min(counts.values()) > 850
    assert all(3 <= draw.between(3, 5) <= 5 for _ in range(100))
    assert len(draw.digits(5)) == 5
    assert {draw.weighted([("a", 1.0), ("b", 0.0)]) for _ in range(50)} == {"a"}
