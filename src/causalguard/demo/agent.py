"""The demo's last step: one agent, the same tool outputs, without and with the guard."""

import logging
from pathlib import Path
from typing import Any

import click
from langchain_core.messages import AIMessage, HumanMessage

from causalguard.agents.fixtures import FIXTURES, SYSTEM_PROMPT, TASK, Fixture
from causalguard.agents.langgraph_agent import Desk, build_agent
from causalguard.agents.scripted import ScriptedModel
from causalguard.demo.page import Shown, page
from causalguard.demo.table import table
from causalguard.files import write_atomic
from causalguard.guard.api import Guard
from causalguard.guard.context import make_context
from causalguard.records import ToolOutput

POLICY = "demo"


def compare(model_dir: Path, key: Path, page_path: Path) -> None:
    """Run the agent twice, print what reached the model, write the page.

    Args:
        model_dir: a MODEL_DIR certified under the demo policy.
        key: the public key of its report.
        page_path: where the HTML page goes.

    Raises:
        CertificateError: the model is not certified as it must be.
    """
    # The decision log is for the operator's handlers; here the table says it.
    logging.getLogger("causalguard").addHandler(logging.NullHandler())
    guard = Guard.load(model_dir, trust=key, policies=[POLICY])
    bare, bare_desk = _run(None)
    guarded, desk = _run(guard)
    shown = _scored(guard)
    rows = [["tool output", "what was put in", "without guard", "with guard", "risk"]]
    for fixture, item in zip(FIXTURES, shown, strict=True):
        form = fixture.injection.form if fixture.injection else "-"
        cells = [_name(fixture), form, _reached(bare, fixture), _reached(guarded, fixture)]
        rows.append([*cells, f"{item.verdict.risk:.3f}"])
    click.echo("\nWhat reached the language model:\n")
    click.echo("\n".join(table(rows)))
    click.echo(
        f"\nthe agent acted on injected orders: {_acts(bare_desk)} without the guard, ", nl=False
    )
    click.echo(f"{_acts(desk)} with it")
    notes = [
        (
            "Trained, certified and signed on this machine under the demo policy: it shows how "
            "the parts work together, not how well a real guard detects."
        ),
        f"System prompt: {SYSTEM_PROMPT}",
    ]
    title = "CausalGuard demo: risk over each tool output"
    write_atomic(page_path, page(shown, title=title, notes=notes, threshold=guard.threshold))


def _run(guard: Guard | None) -> tuple[ScriptedModel, Desk]:
    model, desk = ScriptedModel(), Desk()
    agent: Any = build_agent(model, desk.tools(), guard)
    end = agent.invoke({"messages": [HumanMessage(TASK)]}, {"recursion_limit": 60})
    if not isinstance(end["messages"][-1], AIMessage):
        raise TypeError("the agent must end with an answer")
    return model, desk


def _scored(guard: Guard) -> list[Shown]:
    context = make_context([("system", SYSTEM_PROMPT), ("human", TASK)])
    outputs = [
        ToolOutput(text=f.text, tool=f.tool, task=context.task, system=context.system)
        for f in FIXTURES
    ]
    return [
        Shown(
            tool=_name(fixture),
            task=TASK,
            text=output.text,
            verdict=verdict,
            token_risk=scored.token_risk,
            offsets=scored.offsets,
            injected=fixture.injection is not None,
        )
        for fixture, output, verdict, scored in zip(
            FIXTURES, outputs, guard.scan(outputs), guard.score(outputs), strict=True
        )
    ]


def _name(fixture: Fixture) -> str:
    return f"{fixture.tool} {next(iter(fixture.args.values()))}"[:58]


def _reached(model: ScriptedModel, fixture: Fixture) -> str:
    texts = model.reached.values()
    if fixture.text not in texts:
        return "withheld"
    return "INJECTION REACHED" if fixture.injection else "passed"


def _acts(desk: Desk) -> int:
    return len(desk.done)
