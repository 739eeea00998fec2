from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from causalguard.guard.template import Template
from causalguard.guard.windows import WindowSpec, windows
from causalguard.records import Triplet
from causalguard.train.batches import (
    CHUNK,
    IGNORE,
    BatchSource,
    Drawer,
    Drawing,
    collate,
    enough,
    label_window,
)
from causalguard.train.config import TrainConfig
from causalguard.train.examples import ROLES, Example, from_triplets, split_dev
from causalguard.train.run import Prepared, batch_source
from causalguard.train.tokens import Corpus, make_corpus, token_span

SPEC = WindowSpec(tokens=16, stride=12)


def drawer(**changes: float) -> Drawer:
    return Drawer(replace(Drawing(windows=SPEC, rows=4, seed=0, weights=(1.0,)), **changes))  # type: ignore[arg-type]


@given(st.integers(1, 200), st.integers(0, 10_000))
def test_windows_off_the_grid_still_cover_the_text(n: int, seed: int) -> None:
    starts = drawer(shift=1.0).starts(n, np.random.default_rng(seed))
    covered = {t for s in starts for t in range(s, min(s + SPEC.tokens, n))}
    assert covered == set(range(n))


@given(st.integers(1, 200), st.integers(0, 1000))
def test_without_a_shift_training_draws_the_windows_that_the_guard_reads(n: int, seed: int) -> None:
    starts = drawer(shift=0.0).starts(n, np.random.default_rng(seed))
    assert starts == [a for a, _ in windows(n, SPEC)]


@given(st.integers(20, 150), st.integers(0, 140), st.integers(1, 40), st.integers(0, 10_000))
def test_a_window_drawn_for_a_span_is_a_positive(n: int, at: int, size: int, seed: int) -> None:
    first = min(at, n - 1)
    last = min(first + size, n)
    start, end = drawer(shift=1.0, off_span=0.0).window(
        n, (first, last), np.random.default_rng(seed)
    )
    held = min(last, end) - max(first, start)
    assert enough(held, last - first) or last - first > SPEC.tokens - SPEC.stride


def test_a_window_with_half_of_the_span_is_a_positive_and_one_with_less_is_unlabelled() -> None:
    facts = {"y": 1, "span": (10, 20), "n_tokens": 60, "grace": 0}
    labels, document = label_window(15, 31, **facts)  # type: ignore[arg-type]
    assert (document, labels[:5].tolist(), labels[5:].max()) == (1, [1] * 5, 0)
    labels, document = label_window(16, 32, **facts)  # type: ignore[arg-type]
    assert (document, labels[:4].tolist()) == (IGNORE, [IGNORE] * 4)
    labels, document = label_window(20, 36, **facts)  # type: ignore[arg-type]
    assert (document, labels.max()) == (0, 0)


def test_the_first_tokens_of_a_span_are_given_time() -> None:
    labels, _ = label_window(8, 24, y=1, span=(10, 22), n_tokens=60, grace=2)
    assert labels.tolist() == [0, 0, IGNORE, IGNORE, *[1] * 10, 0, 0]


def test_an_attack_that_nobody_located_is_labelled_as_a_whole_or_not_at_all() -> None:
    labels, document = label_window(0, 9, y=1, span=(-1, -1), n_tokens=9, grace=0)
    assert (document, set(labels.tolist())) == (1, {IGNORE})
    _, document = label_window(0, 8, y=1, span=(-1, -1), n_tokens=9, grace=0)
    assert document == IGNORE


def test_batch_i_does_not_depend_on_what_was_asked_before(
    config: TrainConfig, prepared: Prepared
) -> None:
    first, second = batch_source(config, prepared), batch_source(config, prepared)
    for i in range(CHUNK + 2):
        first[i]
    late = second[CHUNK + 1]
    assert all((first[CHUNK + 1][name] == late[name]).all() for name in late)


def test_members_of_a_set_stand_in_one_batch(config: TrainConfig, prepared: Prepared) -> None:
    source = batch_source(config, prepared)
    sizes = np.bincount(prepared.train.group)
    for i in range(CHUNK):
        groups, counts = np.unique(source[i]["groups"].numpy(), return_counts=True)
        assert (counts == sizes[groups]).all()


def test_every_set_is_seen_once_before_any_is_seen_twice(
    config: TrainConfig, prepared: Prepared
) -> None:
    source = batch_source(config, prepared)
    n = int(prepared.train.group.max()) + 1
    seen: list[int] = []
    for i in range(2 * CHUNK):
        seen += np.unique(source[i]["groups"].numpy()).tolist()
    counts = np.bincount(seen, minlength=n)
    assert counts.max() - counts.min() <= 1


def test_batches_hold_about_the_rows_asked_for_and_rows_of_like_length(
    config: TrainConfig, prepared: Prepared
) -> None:
    source = batch_source(config, prepared)
    rows = [len(source[i]["input_ids"]) for i in range(CHUNK)]
    assert abs(float(np.mean(rows)) - config.batch) < 0.2 * config.batch


def test_labels_stand_on_window_tokens_alone(config: TrainConfig, prepared: Prepared) -> None:
    batch = batch_source(config, prepared)[0]
    assert (batch["token_labels"][~batch["window_mask"]] == IGNORE).all()
    assert "labels" not in batch
    codes = torch.tensor([ROLES.index("injected"), ROLES.index("misled")])
    injected = torch.isin(batch["roles"], codes)
    assert (batch["document_labels"][~injected] == 0).all()
    assert (batch["token_labels"][~injected] <= 0).all()


def test_weights_set_the_share_of_rows(config: TrainConfig, prepared: Prepared) -> None:
    half = np.asarray([int(g % 2) for g in prepared.train.group])
    corpus = replace(prepared.train, source=half, sources=("a", "b"))
    drawing = Drawing(windows=SPEC, rows=20, seed=0, weights=(3.0, 1.0))
    source = BatchSource(corpus, drawing, n_batches=CHUNK)
    groups = np.concatenate([source[i]["groups"].numpy() for i in range(CHUNK)])
    assert float((groups % 2 == 0).mean()) == pytest.approx(0.75, abs=0.05)


def corpus_of(examples: list[Example], prepared: Prepared) -> Corpus:
    return make_corpus(examples, prepared.template, tokenizer_sha256="", cache=None)


def test_the_span_in_tokens_covers_the_span_in_characters(
    prepared: Prepared, make_sets: Callable[..., list[Triplet]]
) -> None:
    triplet = make_sets(1)[0]
    example = from_triplets([triplet], "x")[2]
    corpus = corpus_of([example], prepared)
    first, last = corpus.spans[0]
    offsets = prepared.template.tokens(triplet.injected).offsets
    assert offsets[first, 0] <= triplet.span.start < offsets[first, 1]
    assert offsets[last - 1, 0] < triplet.span.end <= offsets[last - 1, 1]


def test_a_span_outside_every_token_is_unknown() -> None:
    assert token_span(np.asarray([[0, 3], [3, 5]]), 9, 12) == (-1, -1)


def test_cached_tokens_are_the_same_and_other_content_misses_the_cache(
    prepared: Prepared,
    make_sets: Callable[..., list[Triplet]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    examples = from_triplets(make_sets(3), "x")
    template: Template = prepared.template
    fresh = make_corpus(examples, template, tokenizer_sha256="a", cache=cache)
    again = make_corpus(examples, template, tokenizer_sha256="a", cache=cache)
    assert np.array_equal(fresh.ids, again.ids)
    assert np.array_equal(fresh.spans, again.spans)
    make_corpus(examples[:-1], template, tokenizer_sha256="a", cache=cache)
    make_corpus(examples, template, tokenizer_sha256="b", cache=cache)
    assert len(list(cache.iterdir())) == 3


def test_no_cluster_is_on_both_sides_of_the_dev_split(
    make_sets: Callable[..., list[Triplet]],
) -> None:
    examples = from_triplets(make_sets(40), "x")
    train, dev = split_dev(examples, dev_share=0.3, seed=0)
    assert len(train) + len(dev) == len(examples)
    assert dev
    assert not {e.cluster for e in train} & {e.cluster for e in dev}


def test_an_authorised_text_is_the_injected_one_with_label_zero(
    make_sets: Callable[..., list[Triplet]],
) -> None:
    by_kind = {e.kind: e for e in from_triplets(make_sets(1), "x")}
    assert set(by_kind) == set(ROLES)
    texts = {by_kind[kind].output.text for kind in ("injected", "authorised", "misled")}
    assert len(texts) == 1
    assert [by_kind[kind].y for kind in ("injected", "authorised", "misled")] == [1, 0, 1]


def test_collated_rows_are_padded_on_the_right(config: TrainConfig, prepared: Prepared) -> None:
    source = batch_source(config, prepared)
    rows = source._rows(0, np.random.default_rng(0))
    batch = collate(rows)
    for k, row in enumerate(rows):
        n = len(row.prefix) + len(row.window)
        assert batch["input_ids"][k, :n].tolist() == [*row.prefix, *row.window]
        assert batch["input_ids"][k, n:].sum() == 0
