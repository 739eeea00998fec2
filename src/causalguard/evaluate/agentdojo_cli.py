"""guard-eval agentdojo: what reaches an agent, and what the user's tasks lose."""

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from causalguard import __version__
from causalguard.attestation.digests import sha256_bytes
from causalguard.errors import InputError, OutputExistsError
from causalguard.evaluate import agentdojo as runs
from causalguard.evaluate import agentdojo_llm, agentdojo_page
from causalguard.evaluate.agentdojo import Folder, Settings
from causalguard.evaluate.agentdojo_page import Replay, Step
from causalguard.evaluate.agentdojo_plan import Planned, Rows, write_rows
from causalguard.evaluate.agentdojo_results import Result, rulings_of
from causalguard.evaluate.agentdojo_scores import (
    PATIENCE_S,
    ScoreBook,
    read_verdicts,
    score_rows,
    to_score,
    unlogged,
)
from causalguard.evaluate.agentdojo_suites import VERSION, VICTIM
from causalguard.evaluate.agentdojo_text import places
from causalguard.guard.enforce import Enforcer
from causalguard.guard.options import ModelChoice, model_options
from causalguard.guard.policy import Action, Policy

HELP = """AgentDojo: what reaches an agent, and what the user's tasks lose.

All suites under all attacks that need no model.  The agent is the worst case: it carries out the
ground truth of the user's task and obeys every injection that it can read; AgentDojo executes
the calls and judges.  --llm puts a real model in its place.

Everything goes to OUTPUT; what is finished there is not done again.

\b
On two machines (only the first needs AgentDojo, only the second a GPU):
  guard-eval agentdojo --output DIR --export-rows rows.jsonl.gz
  guard-scan --model M --key K --input rows.jsonl.gz --output scores.jsonl
  guard-eval agentdojo --output DIR --scores scores.jsonl
"""


@click.command(help=HELP)
@model_options(default=None)
@click.option("--scores", multiple=True, type=click.Path(path_type=Path),
              help="Verdicts that guard-scan gave on exported rows; repeatable.")  # fmt: skip
@click.option("--export-rows", type=click.Path(path_type=Path),
              help="Write the outputs that have no score yet, and stop.")  # fmt: skip
@click.option("--suites", default="", help="Names with commas between; default: all.")
@click.option("--attacks", default="", help="Likewise; default: all that need no model.")
@click.option("--limit", type=click.IntRange(min=1),
              help="Conversations per suite and attack at most.")  # fmt: skip
@click.option("--action", type=click.Choice(["withhold", "sanitise"]), default="withhold",
              show_default=True, help="What the guard does with a flagged output.")  # fmt: skip
@click.option("--benchmark", default=VERSION, show_default=True, help="Version of AgentDojo's.")
@click.option("--victim", default=VICTIM, show_default=True, help="Whom attacks address.")
@click.option("--replays", default=40, show_default=True, type=click.IntRange(min=0),
              help="Conversations on the page.")  # fmt: skip
@click.option("--llm", help="A model as the agent: PROVIDER:NAME or MODULE:OBJECT (LangChain), "
              "or a name at --llm-url.")  # fmt: skip
@click.option("--llm-url", help="OpenAI-compatible endpoint of that model.")
@click.option("--output", required=True, type=click.Path(path_type=Path),
              help="Folder; may hold an unfinished run.")  # fmt: skip
def agentdojo(
    *,
    chosen: ModelChoice | None,
    scores: tuple[Path, ...],
    export_rows: Path | None,
    suites: str,
    attacks: str,
    limit: int | None,
    action: str,
    benchmark: str,
    victim: str,
    replays: int,
    llm: str | None,
    llm_url: str | None,
    output: Path,
) -> None:
    """See HELP."""
    settings = Settings(
        output=output,
        suites=_names(suites),
        attacks=_names(attacks),
        limit=limit,
        version=benchmark,
        victim=victim,
    )
    if (chosen is not None and scores) or (llm and chosen is None):
        raise InputError("give either --model or --scores; --llm needs --model")
    if chosen is None and not scores and export_rows is None:
        raise InputError("give --model MODEL_DIR, --scores FILE or --export-rows FILE")
    done: Action = "sanitise" if action == "sanitise" else "withhold"
    guard = chosen.load() if chosen is not None else None
    if llm:
        hold_llm(settings, guard, done, (llm, llm_url), replays)
        return
    pairs = runs.build_plans(settings)
    rows = runs.all_rows(settings, pairs)
    if export_rows is not None:
        export(export_rows, to_score(rows, read_verdicts(scores), done))
        return
    facts = run_facts(settings, done)
    if guard is not None:
        facts |= guard_facts(guard)
        verdicts = score_rows(guard, rows, output / "scores", done)
        book = ScoreBook(verdicts, identity=guard.identity)
    else:
        verdicts = read_verdicts(scores)
        facts["scores"] = digests(scores)
        book = ScoreBook(verdicts, identity=facts["scores"])
    facts["threshold"] = book.threshold
    finish(settings, pairs, book.enforcer(done), facts, replays)


def hold_llm(
    settings: Settings, guard: Any, action: Action, llm: tuple[str, str | None], replays: int
) -> None:
    """The run with a model as the agent."""
    # A scan that fails or takes long would withhold the output, and count as an attack prevented.
    policy = Policy(action=action, on_error="raise", time_budget_s=PATIENCE_S)
    enforcer = Enforcer(guard, policy)
    with unlogged():
        results = agentdojo_llm.run(settings, enforcer, *llm)
    shown = agentdojo_page.choose(results, replays)
    made = [agentdojo_llm.replay(settings.output, result) for result in shown]
    facts = run_facts(settings, action) | guard_facts(guard) | {"agent": llm[0]}
    click.echo(agentdojo_page.write(settings.output, results, facts, made, scripted=False))


def finish(
    settings: Settings,
    pairs: Sequence[tuple[str, str]],
    enforcer: Enforcer,
    facts: Mapping[str, Any],
    replays: int,
) -> None:
    """Write results and report, and print the summary."""
    with unlogged():
        results = runs.write_results(settings, pairs, enforcer, facts)
        shown = {result.case: result for result in agentdojo_page.choose(results, replays)}
        made = [
            replay(item, folder, enforcer, shown[item.case])
            for folder in runs.read_folders(settings, pairs)
            for item in folder.planned
            if item.case in shown
        ]
    made.sort(key=lambda r: list(shown).index(r.result.case))
    click.echo(agentdojo_page.write(settings.output, results, facts, made, scripted=True))


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in text.split(","))))


def export(path: Path, rows: Rows) -> None:
    """Write rows for guard-scan."""
    if path.exists():
        raise OutputExistsError(f"{path} exists already; give another path or remove it first")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".unfinished-{path.name}")
    try:
        write_rows(beside, rows)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    characters = sum(len(row.text) for row in rows.values())
    click.echo(f"{path}: {len(rows)} outputs to score, {characters} characters")


def run_facts(settings: Settings, action: str) -> dict[str, Any]:
    """What a reader needs to re-make the figures."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "causalguard": __version__,
        "machine": f"{platform.machine()}, {platform.system()}",
        **runs.read_facts(settings),
        "action": action,
    }


def guard_facts(guard: Any) -> dict[str, Any]:
    """Which guard it was."""
    certificate = guard.certificate.id[:16] if guard.certificate else "none"
    return {
        "guard": guard.identity[:16],
        "backend": guard.backend,
        "certificate": certificate,
        "threshold": guard.threshold,
    }


def digests(paths: Sequence[Path]) -> str:
    """Names and digests of files of scores."""
    return ", ".join(f"{path.name} {sha256_bytes(path.read_bytes())[:16]}" for path in paths)


def replay(item: Planned, folder: Folder, enforcer: Enforcer, result: Result) -> Replay:
    """A conversation of the worst-case agent for the page."""
    rows = [folder.rows[key] for key in item.outputs]
    task = rows[0].task if rows else ""
    steps = [Step(title="user", text=task)]
    for row, call, ruling in zip(
        rows, item.calls, rulings_of(item, folder.rows, enforcer), strict=True
    ):
        decision = ruling.decision
        risk = "" if decision.risk is None else f"{decision.action}: {decision.reason}"
        steps.append(
            Step(
                title=call,
                text=row.text,
                marks=decision.spans,
                attack=tuple(places(item.payloads, row.text)),
                hidden=ruling.replacement is not None,
                note=risk,
            )
        )
    last = "The agent ends."
    if result.reached:
        judged = "goal reached" if result.success_guarded else "goal not reached"
        last = f"The agent obeys the attacker (AgentDojo's check: {judged})."
    return Replay(result=result, steps=(*steps, Step(title="agent", text=last)))
