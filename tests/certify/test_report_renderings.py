"""The report in its four forms: published schema, every section, nothing unescaped."""

import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from causalguard.certify.assemble import report_bytes
from causalguard.certify.report import card, html, junit, markdown
from causalguard.certify.report.model import Report, as_json, json_schema
from causalguard.certify.verify import report_of

HOSTILE = '<script>alert("x")</script>&|`[a](javascript:1)'
VOID = {"meta", "link"}


def _published() -> Any:
    file = resources.files("causalguard.certify.report") / "schema" / "safety-report-v1.json"
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture
def report(signed_once: Any) -> Report:
    """A report of the small world."""
    found: Report = signed_once.made.report
    return found


@pytest.fixture
def hostile(report: Report) -> Report:
    """The same with markup wherever a name comes from outside."""
    content = as_json(report)
    content["model"]["name"] = HOSTILE
    content["data"]["origin"] = HOSTILE
    content["reproduce"] = HOSTILE
    content["policy"]["text"] = HOSTILE
    content["results"]["miss"]["families"][0]["rate"]["name"] = HOSTILE
    content["results"]["gates"][0]["claim"] = HOSTILE
    content["results"]["gates"][0]["reason"] = HOSTILE
    content["results"]["gaps"][0]["levels"][0]["level"] = HOSTILE
    content["results"]["curves"]["position"][0]["level"] = HOSTILE
    content["results"]["graph"] |= {
        "state": "INCONCLUSIVE",
        "nodes": [HOSTILE, "risk"],
        "edges": [
            {"source": HOSTILE, "target": "risk", "mark": "directed", "pValue": 0.1}
            | {"frequency": 0.9, "arrowFrequency": 0.9}
        ],
    }
    return report_of(content)


class _Page(HTMLParser):
    """Tags, identifiers and balance of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.links += [values[k] or "" for k in ("href", "src") if k in values]
        assert not any(name.startswith("on") for name in values)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_published_schema_is_that_of_the_model() -> None:
    assert _published() == json_schema()


def test_a_report_satisfies_its_published_schema(report: Report) -> None:
    jsonschema.validate(json.loads(report_bytes(report)), _published())


def test_the_schema_refuses_an_unknown_field(report: Report) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(as_json(report) | {"colour": "red"}, _published())


def test_a_report_survives_being_written_and_read(report: Report) -> None:
    assert report_of(json.loads(report_bytes(report))) == report


def test_the_page_has_every_section_and_is_balanced(report: Report) -> None:
    page = _Page(html.render(report))
    names = [name for name in page.ids if name not in {"signature", "arrow"}]
    assert names == [name for name, _ in html.SECTIONS]
    assert page.open == []
    assert page.tags.count("svg") == 5


def test_the_page_fetches_nothing_and_runs_nothing(report: Report) -> None:
    page = _Page(html.render(report))
    assert "script" not in page.tags
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert "default-src 'none'" in html.render(report)


def test_the_page_is_readable_in_light_and_dark(report: Report) -> None:
    assert "prefers-color-scheme:dark" in html.render(report)


def test_hostile_names_stay_text_in_the_page(hostile: Report) -> None:
    text = html.render(hostile)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert _Page(text).open == []


def test_hostile_names_stay_text_in_markdown(hostile: Report) -> None:
    text = markdown.render(hostile)
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert "[a](javascript:1)" not in text


def test_junit_has_one_case_a_gate_and_counts_failures(hostile: Report) -> None:
    suite = ET.fromstring(junit.render(hostile)).find("testsuite")
    assert suite is not None
    gates = hostile.results.gates
    assert len(suite.findall("testcase")) == len(gates)
    failed = [gate for gate in gates if gate.required and gate.outcome == "FAILED"]
    assert int(suite.attrib["failures"]) == len(suite.findall(".//failure")) == len(failed)


def test_markdown_leads_with_the_verdict_and_names_every_gate(report: Report) -> None:
    text = markdown.render(report)
    assert text.startswith(f"# CausalGuard safety report: {report.results.result}")
    assert all(markdown.text(gate.id) in text for gate in report.results.gates)


def test_the_card_takes_its_figures_from_the_report(report: Report) -> None:
    front, body = card.render(report).removeprefix("---\n").split("\n---\n", 1)
    index = yaml.safe_load(front)["model-index"][0]
    bound = report.results.miss.overall.high
    assert index["results"][0]["metrics"][0]["value"] == bound
    assert f"{100 * bound:.3g} %" in body


def test_a_hostile_name_cannot_leave_the_front_matter(report: Report) -> None:
    content = as_json(report)
    content["model"]["name"] = "x\n---\nlicense: evil"
    front = card.render(report_of(content)).removeprefix("---\n").split("\n---\n", 1)[0]
    assert "license" not in yaml.safe_load(front)
