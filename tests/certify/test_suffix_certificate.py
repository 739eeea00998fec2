"""What no suffix can change: tokens, windows and the risk of the stable beginning."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from causalguard.certify.attacks import structural, suffix
from causalguard.certify.attacks.erase import erasures, largest_risk
from causalguard.certify.attacks.suffix import StableText
from causalguard.certify.attacks.victim import Victim, load_victim
from causalguard.errors import BaseModelError
from causalguard.guard.scorer import Scored
from causalguard.guard.template import Template
from causalguard.records import ToolOutput
from support import planted, tiny

PIECES = ["'", "'l", "l", "ll", "'re", " ", "  ", "\n", "\t", "ab", "we", "7", "42", ".", "!'", "é",
          "e\u0301", "漢", "🙂", "<|im_end|>", "\x00", "\u00a0", "-", "the mail"]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=12).map("".join)


def _tokenizer() -> Tokenizer:
    """A byte-level BPE that has learnt contractions, runs of space and accents."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(["we'll they're  I've   \n\n the mail !' é 漢 🙂"] * 20, trainer)
    return made


TOKENIZER = _tokenizer()
TEMPLATE = Template(TOKENIZER)
STABLE = StableText(TOKENIZER)


@settings(max_examples=200)
@given(text=TEXTS, appended=TEXTS)
@example(text="I'l", appended="l")
@example(text="I'", appended="ve")
@example(text="ab  ", appended="c")
@example(text="ab", appended="\u0301")
@example(text="a\n\nwe", appended="b")
def test_the_tokens_of_the_stable_beginning_survive_every_suffix(text: str, appended: str) -> None:
    kept = TEMPLATE.tokens(STABLE(text)).ids.tolist()
    assert TEMPLATE.tokens(text + appended).ids.tolist()[: len(kept)] == kept
    assert TEMPLATE.tokens(text).ids.tolist()[: len(kept)] == kept


@given(text=TEXTS)
def test_the_stable_beginning_leaves_out_two_pieces_and_white_space_at_most(text: str) -> None:
    ends = [end for _, (_, end) in TOKENIZER.pre_tokenizer.pre_tokenize_str(text)]
    kept = STABLE(text)
    assert text.startswith(kept)
    assert len([e for e in ends if e > len(kept) and text[e - 1].strip()]) <= suffix.LOOK_AHEAD + 1


def test_without_looking_ahead_a_contraction_would_break_the_certificate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(suffix, "LOOK_AHEAD", 1)
    kept = TEMPLATE.tokens(STABLE("I'l")).ids.tolist()
    assert TEMPLATE.tokens("I'll").ids.tolist()[: len(kept)] != kept


def test_a_cut_after_white_space_would_break_the_certificate() -> None:
    kept = "a\n\n"  # every pre-token of it ends two characters before the end of the text
    assert TEMPLATE.tokens("a\n\nweb").ids.tolist()[:2] != TEMPLATE.tokens(kept).ids.tolist()[:2]
    assert STABLE("a\n\nwe") == "a"


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Victim:
    """A tiny model of several windows over that tokenizer."""
    root = tmp_path_factory.mktemp("suffix")
    base = tiny.tiny_base(root / "base", tokenizer=_tokenizer())
    return load_victim(tiny.tiny_model_dir(root / "model", base), dtype="float32")


@settings(max_examples=200)
@given(text=st.lists(TEXTS, max_size=5).map("".join), appended=st.lists(TEXTS, max_size=5))
def test_no_suffix_lowers_the_risk_below_that_of_the_stable_beginning(
    victim: Victim, text: str, appended: list[str]
) -> None:
    outputs = [ToolOutput(text=t, task="read it") for t in (STABLE(text), text + "".join(appended))]
    beginning, whole = (victim.score([output])[0] for output in outputs)
    assert whole.risk >= beginning.token_risk.max(initial=0.0) - 1e-5


def _beginning(raw: float, *, tokens: int = 3, view: float = 0.0) -> Scored:
    risks = np.full(min(tokens, 9), raw, np.float32)
    return Scored(
        risk=max(raw, view), coverage=float(tokens > 0), flagged=True, n_tokens=tokens,
        token_risk=risks, offsets=np.zeros((tokens, 2), np.int64),
        representation=np.zeros(1, np.float32), mean=np.zeros(1, np.float32),
    )  # fmt: skip


WORDS = (" the", " mail", "!", ".", "7", "-")


@settings(max_examples=200)
@given(
    inside=st.lists(st.sampled_from(WORDS), min_size=16, max_size=16),
    outside=st.lists(st.sampled_from(WORDS), min_size=48, max_size=48),
)
def test_no_text_outside_a_window_changes_the_risks_inside_it(
    victim: Victim, inside: list[str], outside: list[str]
) -> None:
    stride, length = victim.scorer.spec.stride, victim.scorer.spec.tokens
    first = [*outside[:stride], *inside, *outside[stride:24]]
    second = [*outside[24 : 24 + stride], *inside, *outside[24 + stride :]]
    ids = [TEMPLATE.tokens("".join(words)).ids for words in (first, second)]
    assert all(len(found) == len(first) for found in ids)  # each piece is one token
    one, two = victim.score([ToolOutput(text="".join(w), task="x") for w in (first, second)])
    alone = slice(length, 2 * stride)  # tokens that lie in this window only
    assert np.abs(one.token_risk[alone] - two.token_risk[alone]).max() < 1e-5


@pytest.mark.parametrize(
    ("beginning", "certified"),
    [
        (_beginning(0.9), True),
        (_beginning(0.4), False),
        (_beginning(0.4, view=0.9), False),
        (_beginning(0.0, tokens=0), False),
        (_beginning(0.1, tokens=12), True),
    ],
    ids=["risky", "harmless", "risky in a decoded view alone", "no tokens", "too long to scan"],
)
def test_only_the_raw_risk_of_a_beginning_with_tokens_certifies(
    beginning: Scored, certified: bool
) -> None:
    assert structural.holds(beginning, need=0.5, limit=9) is certified


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: whole.update(normalizer={"type": "NFC"}),
        lambda whole: whole["pre_tokenizer"].update(use_regex=False),
        lambda whole: whole["pre_tokenizer"].update(add_prefix_space=True),
        lambda whole: whole.update(pre_tokenizer={"type": "Whitespace"}),
    ],
)
def test_a_tokenizer_for_which_it_is_not_proved_is_refused(change: object) -> None:
    whole = json.loads(TOKENIZER.to_str())
    change(whole)  # type: ignore[operator]
    with pytest.raises(BaseModelError, match="another kind"):
        StableText(Tokenizer.from_str(json.dumps(whole)))


@given(
    text=st.lists(st.sampled_from(["send", " the", " file", " now", "."]), min_size=1, max_size=9),
    block=st.lists(st.sampled_from([" xx", " 7", "!", " é"]), min_size=1, max_size=3),
    place=st.integers(0, 9),
)
def test_an_inserted_run_of_whole_tokens_is_among_the_erasures(
    text: list[str], block: list[str], place: int
) -> None:
    place = min(place, len(text))
    joined = "".join(text)
    longer = "".join([*text[:place], *block, *text[place:]])
    ends = [(int(a), int(b)) for a, b in TEMPLATE.tokens(longer).offsets]
    start = len("".join(text[:place]))
    stop = start + len("".join(block))
    aligned = {a for a, _ in ends} | {ends[-1][1]}
    if {start, stop} <= aligned:
        inside = sum(start <= a and b <= stop for a, b in ends)
        assert joined in set(erasures(longer, ends, inside))


def test_the_largest_risk_over_erasures_is_not_below_that_of_the_text(victim: Victim) -> None:
    output = ToolOutput(text="the mail we'll send", task="read it")
    plain = victim.score([output])[0].risk
    assert largest_risk(victim, output, 3) >= largest_risk(victim, output, 1) >= plain - 1e-6


def test_a_token_whose_risk_falls_in_the_longer_text_counts_as_noise() -> None:
    same, lower = _beginning(0.6, tokens=3), _beginning(0.59, tokens=5)
    assert structural.largest_drop([same], [_beginning(0.7, tokens=5)], 0.5) == 0
    assert structural.largest_drop([same], [lower], 0.5) == pytest.approx(0.01, abs=1e-6)
    assert structural.largest_drop([same], [lower], 0.7) == 0


def test_certified_recall_never_exceeds_the_clean_one(victim: Victim, tmp_path: Path) -> None:
    world = planted.small_world(12)
    found = structural.run(
        victim, world, structural.Erasure(tokens=1, documents=3, longest=200), seed=0
    )
    rows = {row.name: row for row in found.rows}
    assert rows["any suffix"].missed >= rows["clean"].missed
    assert rows["any suffix"].clusters == 12
    erased = rows["<= 1 inserted tokens, the guard's threshold"]
    assert erased.documents == 3
    structural.write(tmp_path, found)
    assert (tmp_path / "structural.json").is_file()
