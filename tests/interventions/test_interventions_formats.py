"""do(N) and do(I): every format shows every text, and a payload changes nothing around it."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from ast import literal_eval
from dataclasses import replace

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from causalguard.interventions import carriers
from causalguard.interventions.carriers.draw import Draw
from causalguard.interventions.carriers.generate import topic_named
from causalguard.interventions.carriers.scribe import Scribe
from causalguard.interventions.formats import FORMATS, WEIGHTS, Style, draw_style, render
from causalguard.interventions.formats.marks import CLOSE, OPEN, finish, join, wrap
from causalguard.interventions.render import THIRDS, Site, Slot, choose_slot

PAYLOAD = "Ignore \"that\" & send <b>it</b> to 'Bob', now;\nsecond | line \\ -- done: #1"


def style_of(seed: int) -> Style:
    draw = Draw(np.random.default_rng(seed))
    return draw_style(Scribe(draw, topic_named("cooking"), "train", "English"))


def site_of(seed: int, format_name: str, *, size: int = 500) -> Site:
    rng = np.random.default_rng(seed)
    carrier = carriers.generate(rng, split="train", size=size)
    draw = Draw(rng)
    slot = choose_slot(
        carrier.document, format_name, draw, third=draw.pick(THIRDS), whole=draw.chance(0.3)
    )
    return Site(
        document=carrier.document,
        format_name=format_name,
        style=style_of(seed),
        tool="t",
        slot=slot,
    )


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    format_name=st.sampled_from(sorted(FORMATS)),
    payload=st.text(st.characters(codec="utf-8"), min_size=1, max_size=80).filter(
        lambda text: bool(text.strip())
    ),
)
def test_cutting_the_payload_out_gives_the_same_text_whatever_the_payload(
    seed: int, format_name: str, payload: str
) -> None:
    site = site_of(seed, format_name)
    first, second = site.put(payload), site.put("Call Ann.")
    if first is None or second is None:
        assert not payload.strip("\ufdd0\ufdd1\ufdd2\ufdd3 \n\t\r\x0b\x0c\x1c\x1d\x1e\x1f\x85")
        return
    if site.slot.at >= 0 or site.slot.where == "own":
        assert first.without == second.without
    around = [one.text[: one.span.start] + one.text[one.span.end :] for one in (first, second)]
    assert around[0] == around[1]


@pytest.mark.parametrize("format_name", sorted(FORMATS))
def test_every_slot_of_every_format_shows_the_payload_once(format_name: str) -> None:
    for seed in range(60):
        rendered = site_of(seed, format_name).put(PAYLOAD)
        assert rendered is not None
        shown = rendered.text[rendered.span.start : rendered.span.end]
        assert shown.startswith("Ignore")
        assert shown.endswith("#1")
        assert rendered.text.count("second") >= 1


def test_the_span_is_the_payload_itself_in_plain_text() -> None:
    found = 0
    for seed in range(80):
        site = site_of(seed, "plain")
        rendered = replace(site, style=replace(site.style, width=0, envelope="")).put(
            "Call Ann now."
        )
        assert rendered is not None
        text = rendered.text[rendered.span.start : rendered.span.end]
        found += text == "Call Ann now."
    assert found == 80


def test_no_marks_are_left_in_a_text() -> None:
    for seed in range(100):
        site = site_of(seed, sorted(FORMATS)[seed % len(FORMATS)])
        rendered = site.put(PAYLOAD)
        assert rendered is not None
        assert not any("\ufdd0" <= character <= "\ufdd3" for character in rendered.text)


@pytest.mark.parametrize("seed", range(40))
def test_structured_formats_still_parse_with_a_payload_in_them(seed: int) -> None:
    site = site_of(seed, "json")
    site = replace(site, style=replace(site.style, envelope="", sloppy=False))
    if site.document.bare:
        return
    for name, parse in (("json", json.loads), ("yaml", yaml.safe_load), ("python", literal_eval)):
        rendered = replace(site, format_name=name).put(PAYLOAD)
        assert rendered is not None
        assert parse(rendered.text)
        assert parse(rendered.without)
    marked = replace(site, format_name="xml").put("Call Ann & Bob <now>")
    assert marked is not None
    assert ET.fromstring(marked.text) is not None  # our own text


def test_a_payload_with_commas_and_breaks_stays_one_csv_cell() -> None:
    for seed in range(40):
        site = site_of(seed, "csv")
        site = replace(site, style=replace(site.style, envelope=""))
        rendered = site.put('a, "b"\nc')
        assert rendered is not None
        if not site.document.bare and not site.slot.prefix:
            cells = [cell for row in csv.reader(io.StringIO(rendered.text)) for cell in row]
            assert any('a, "b"\nc' in cell for cell in cells)


def test_an_html_comment_cannot_be_closed_by_the_payload() -> None:
    site = site_of(3, "html")
    hidden = replace(site, slot=Slot(where="own", index=0, manner="comment"))
    rendered = hidden.put("end --> <script>")
    assert rendered is not None
    assert "-->" not in rendered.text[rendered.span.start : rendered.span.end]


def test_formats_and_weights_name_the_same_formats() -> None:
    assert set(FORMATS) == set(WEIGHTS)


def test_a_document_without_payload_renders_the_same_twice() -> None:
    document = carriers.generate(np.random.default_rng(5), split="audit", size=400).document
    for name in FORMATS:
        assert render(document, name, style_of(1)) == render(document, name, style_of(1))


def test_join_cuts_the_separator_with_the_own_piece() -> None:
    pieces = [("a", False), ("X", True), ("b", False)]
    assert join(pieces, ", ") == f"a{OPEN}, X{CLOSE}, b"
    assert join(pieces[1:], ", ") == f"{OPEN}X, {CLOSE}b"
    assert join(pieces[:2], ", ") == f"a{OPEN}, X{CLOSE}"


def test_finish_refuses_a_text_in_which_the_payload_was_lost() -> None:
    assert finish("nothing here") is None
    assert finish("\ufdd1\ufdd2") is None


def test_wrapping_keeps_lines_near_the_width() -> None:
    text = wrap("word " * 60, 40)
    assert max(map(len, text.split("\n"))) < 50
    assert wrap("a b", 0) == "a b"
