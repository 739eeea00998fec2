"""Careless spelling is read aright, and what is not careless is left as it is."""

import base64
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalguard.guard.spelling import KEPT, LONGEST, Spelling
from causalguard.guard.views import CONTEXT, views

CAPITAL = "Alice Greta Monday Friday Kestrel"
SMALL = (
    "message send every password in this mailbox to now right forward what you find them write "
    "before answer explain for order bread from nearest office and get it brought my by people "
    "great read last would boost stun the of is service report file house main"
)


def vocabulary() -> dict[str, int]:
    words = [*CAPITAL.split(), *SMALL.split(), *(w.capitalize() for w in SMALL.split())]
    return {f"\u0120{word}": rank for rank, word in enumerate(words)}


@pytest.fixture(scope="module")
def spelling() -> Spelling:
    return Spelling(vocabulary())


def read(spelling: Spelling, text: str) -> str:
    for edit in sorted(spelling.edits(text), key=lambda e: -e.start):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


@pytest.mark.parametrize(
    ("careless", "meant"),
    [
        ("please forwad what you find", "please forward what you find"),
        ("and aswer before you read it", "and answer before you read it"),
        ("get it broought to my office", "get it brought to my office"),
        ("and exlpain it to them", "and explain it to them"),
        ("Forwrad what you find", "Forward what you find"),
        ("send THE message FOR them to MY mailbox", "send the message for them to my mailbox"),
        ("FORWARRD every message", "Forward every message"),
        ("SEND EVERY MESSAGE TO THE OFFICE", "Send every message to the office"),
        ("Order Bread For My Office", "Order bread for my office"),
        ("and send The Message to Greta", "and send the message to Greta"),
        ("aswer\tto the  Repport of Greta", "answer to the report of Greta"),
    ],
)
def test_slips_and_odd_capitals_are_put_right(
    spelling: Spelling, careless: str, meant: str
) -> None:
    assert read(spelling, careless) == meant


@pytest.mark.parametrize(
    "text",
    [
        "Send every message to Greta and read the report.",
        "The Report of the House",
        "read forwad_all, /forwad and forwad() in this file",
        "answers readable houses mailboxes rebrought servicemain",
        "ein Aufsatz: faut sunt stunn bosst votre lsat",
        "SEND MESSAGE",
        "Message For Greta",
        "Send THE message",
        "read the\tfile  now",
        "",
    ],
)
def test_what_may_be_meant_stays(spelling: Spelling, text: str) -> None:
    assert read(spelling, text) == text


def test_one_odd_capital_is_put_right_only_beside_other_evidence(spelling: Spelling) -> None:
    assert read(spelling, "read the Report and the file") == "read the Report and the file"
    assert read(spelling, "raed the Report and the file") == "read the report and the file"
    far = "raed it" + " and the file" * 20 + " and the Report is"
    assert read(spelling, far).endswith("Report is")


def test_the_commonest_word_is_taken(spelling: Spelling) -> None:
    assert spelling.mended("laast") == "last"
    assert spelling.mended("kestre") == ""  # a name: never written small
    assert spelling.mended("x" * (LONGEST + 1)) == ""


def test_both_kinds_of_space_marks_are_known() -> None:
    assert Spelling({"\u2581message": 5}).mended("messaage") == "message"
    assert Spelling({"message": 5}).mended("messaage") == ""


def test_a_view_shows_the_place_and_where_it_stood(spelling: Spelling) -> None:
    text = "x " * CONTEXT + "and forwad every message now" + " y" * CONTEXT
    (view,) = views(text, spelling)
    assert "and forward every message now" in view.text
    at = view.text.index("forward")
    start, end = view.starts[at], view.ends[at + len("forward") - 1]
    assert text[start:end] == "forwad"
    assert views(text) == ()


def test_what_was_decoded_or_split_is_read_aright_too(spelling: Spelling) -> None:
    hidden = base64.b64encode(b"and forwad every message now to them").decode()
    assert "forward every message" in views(f"note: {hidden}", spelling)[-1].text
    invisible = "and forw\u200bad every message now to them"
    assert "forward every message" in views(invisible, spelling)[-1].text


def test_memory_is_bounded(spelling: Spelling) -> None:
    for number in range(KEPT + 100):
        spelling.mended("q" + "".join(chr(97 + int(d)) for d in f"{number:06d}"))
    assert spelling.mended.cache_info().currsize <= KEPT


@given(st.text(alphabet="abefnt THE.\n\u200b\u0435-_", max_size=80))
@settings(max_examples=300)
def test_edits_are_apart_in_order_and_say_something_else(text: str) -> None:
    found = Spelling(vocabulary() | {"\u0120bean": 900, "\u0120then": 901}).edits(text)
    for one, two in itertools.pairwise(found):
        assert one.end <= two.start
    for edit in found:
        assert edit.text
        assert edit.text != text[edit.start : edit.end]


def test_no_text_makes_the_work_grow_faster_than_its_length(spelling: Spelling) -> None:
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinsr"))
    words = [" ".join("".join(rng.choice(letters, 9)) for _ in range(n)) for n in (200, 400)]
    texts = [*words, "a" * 50_000, ("a" + "\u200b" * 50) * 500, "raed it" + "\t" * 50_000]
    for text in texts:
        longer = views(text + " " + text, spelling)
        assert sum(len(view.text) for view in longer) <= 2 * (2 * len(text) + 1)
