from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalguard.demo.page import Shown, page
from causalguard.demo.run import MARK, run_demo
from causalguard.demo.table import table
from causalguard.errors import OutputExistsError
from causalguard.records import Verdict


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.inside, self.text, self.tags = False, "", set[str]()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        self.inside = self.inside or tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "pre"

    def handle_data(self, data: str) -> None:
        self.text += data if self.inside else ""


def shown(text: str, risks: list[float]) -> Shown:
    offsets = np.array([[i, min(i + 3, len(text))] for i in range(0, len(text), 2)][: len(risks)])
    return Shown(
        tool="<b>",
        task="t",
        text=text,
        verdict=Verdict(risk=0.5, threshold=0.4, flagged=True),
        token_risk=np.array(risks[: len(offsets)], dtype=np.float32),
        offsets=offsets.reshape(-1, 2),
        injected=True,
    )


@given(st.text(alphabet="ab<>&\"'\n é😀", max_size=40), st.lists(st.floats(0, 1), max_size=20))
def test_the_page_shows_each_text_whole_and_escaped(text: str, risks: list[float]) -> None:
    parser = Text()
    item = shown(text, risks)
    parser.feed(page([item], title="t", notes=[], threshold=0.4))
    assert parser.text == text
    assert "b" not in parser.tags


def test_risky_parts_are_marked_and_calm_ones_are_not() -> None:
    found = page([shown("aabbcc", [0.0, 0.9, 0.0])], title="t", notes=["n"], threshold=0.4)
    assert found.count("background: rgb(229") == 1
    assert "withheld from the LLM" in found


def test_a_directory_that_no_demo_made_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(OutputExistsError):
        run_demo(tmp_path)
    assert not (tmp_path / MARK).exists()


def test_tables_line_up() -> None:
    assert list(table([["a", "b"], ["long", "c"]])) == ["a     b", "----  -", "long  c"]
