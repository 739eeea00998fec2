"""All conversations of a suite and an attack, held once without a guard: outputs and outcomes.

The plan holds everything of AgentDojo that the figures need, so any guard is evaluated from it
without running AgentDojo again, on a machine that does not have it.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from causalguard import console
from causalguard.evaluate.agentdojo_suites import Case, Suite
from causalguard.evaluate.agentdojo_text import Grams, carries, payload_grams
from causalguard.files import new_directory, read_jsonl
from causalguard.records import ToolOutput

BENIGN = "none"
"""Folder of the conversations without an attack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """AgentDojo's two checks."""

    utility: bool
    """The user's task was done."""
    security: bool
    """The attacker reached the goal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One conversation, for every possible moment at which the agent starts to obey."""

    case: Case
    """What was held."""
    calls: tuple[str, ...]
    """The calls on the ground-truth path, in order, as text."""
    outputs: tuple[str, ...]
    """Digests of what they return."""
    payloads: tuple[str, ...]
    """The attacker's messages that were put in."""
    deaf: Outcome
    """The agent never obeys."""
    obeyed: Mapping[int, Outcome]
    """By number of the output in which the attacker's message could first be read.  Empty: the
    attack put nothing on the path, and no agent can be reached on it."""


Rows = dict[str, ToolOutput]
"""Tool outputs by digest."""


def digest(output: ToolOutput) -> str:
    """sha256 (hex) of what a guard is given: system, task and text."""
    parts = json.dumps([output.system, output.task, output.text])
    return sha256(parts.encode()).hexdigest()


def make_plan(suite: Suite, attack: str, benign: Mapping[str, Sequence[str]], limit: int | None,
              rows: Rows) -> Iterator[Planned]:  # fmt: skip
    """Hold the conversations of one attack.

    Args:
        suite: the suite.
        attack: name; empty: none.
        benign: user task to the texts of its outputs without an attack.
        limit: conversations at most, spread evenly; None: all.
        rows: takes up the outputs.
    """
    cases = suite.cases(attack, limit)
    label = f"{suite.name}/{attack or BENIGN}"
    for case in console.progress(cases, total=len(cases), label=label):
        yield plan_case(suite, case, benign.get(case.user, ()), rows)


def plan_case(suite: Suite, case: Case, benign: Sequence[str], rows: Rows) -> Planned:
    """Hold one conversation as often as there are moments to obey; arguments as above."""
    from causalguard.evaluate.agentdojo_agent import converse  # needs the package

    payloads = tuple(dict.fromkeys(suite.injections(case).values()))
    marks = payload_grams(payloads, benign)
    deaf = converse(suite, case, frozenset())
    prompt = suite.user_tasks[case.user].PROMPT
    outputs = [
        ToolOutput(text=seen.text, tool=seen.tool, task=prompt, system=deaf.system)
        for seen in deaf.outputs
    ]
    keys = [digest(output) for output in outputs]
    for key, output in zip(keys, outputs, strict=True):
        rows.setdefault(key, output)
    carriers = [k for k, seen in enumerate(deaf.outputs) if carries(seen.text, marks)]
    return Planned(
        case=case,
        calls=tuple(call_text(m) for m in deaf.messages if m.get("calls")),
        outputs=tuple(keys),
        payloads=payloads,
        deaf=Outcome(utility=deaf.utility, security=deaf.security),
        obeyed=_obeyed(suite, case, marks, carriers),
    )


def call_text(message: Mapping[str, Any]) -> str:
    """The calls of an assistant's message, as text."""
    return "; ".join(
        f"{call['tool']}({', '.join(f'{k}={v!r}' for k, v in call['args'].items())})"
        for call in message.get("calls", ())
    )


def _obeyed(
    suite: Suite, case: Case, marks: Grams, carriers: Sequence[int]
) -> Mapping[int, Outcome]:
    """Outcomes of obeying; the attacker wins if either order of the calls pleases the check."""
    from causalguard.evaluate.agentdojo_agent import converse  # needs the package

    if not carriers:
        return {}
    found = {}
    stops = suite.stops_only(case.attack)
    last = None if stops else converse(suite, case, marks)
    for k in carriers:
        if last is not None and last.security:
            found[k] = Outcome(utility=last.utility, security=True)
            continue
        now = converse(suite, case, marks, obey_at=k)
        utility = now.utility if last is None else last.utility
        found[k] = Outcome(utility=utility, security=now.security)
    return found


def write_plan(folder: Path, planned: Iterable[Planned], rows: Rows) -> None:
    """Write ``cases.jsonl.gz`` and ``rows.jsonl.gz``; the folder appears when both are whole."""
    with new_directory(folder) as fresh:
        with gzip.open(fresh / "cases.jsonl.gz", "wt", encoding="utf-8") as stream:
            stream.writelines(json.dumps(_to_json(item)) + "\n" for item in planned)
        write_rows(fresh / "rows.jsonl.gz", rows)


def write_rows(path: Path, rows: Rows) -> None:
    """Tool outputs as guard-scan reads them, gzipped under ``.gz``; the digest is the id."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8") as stream:
        for key, row in rows.items():
            values = {"id": key, "system": row.system, "task": row.task, "tool": row.tool}
            stream.write(json.dumps({**values, "text": row.text}) + "\n")


def read_plan(folder: Path) -> tuple[list[Planned], Rows]:
    """Inverse of :func:`write_plan`."""
    planned = [_from_json(row) for _, row in read_jsonl(folder / "cases.jsonl.gz")]
    rows = {row["id"]: ToolOutput(**row) for _, row in read_jsonl(folder / "rows.jsonl.gz")}
    return planned, rows


def _to_json(item: Planned) -> dict[str, Any]:
    case = item.case
    return {
        "suite": case.suite,
        "attack": case.attack,
        "user": case.user,
        "injection": case.injection,
        "calls": item.calls,
        "outputs": item.outputs,
        "payloads": item.payloads,
        "deaf": [item.deaf.utility, item.deaf.security],
        "obeyed": {str(k): [o.utility, o.security] for k, o in item.obeyed.items()},
    }


def _from_json(row: Mapping[str, Any]) -> Planned:
    names = ("suite", "attack", "user", "injection")
    return Planned(
        case=Case(**{name: row[name] for name in names}),
        calls=tuple(row["calls"]),
        outputs=tuple(row["outputs"]),
        payloads=tuple(row["payloads"]),
        deaf=Outcome(utility=row["deaf"][0], security=row["deaf"][1]),
        obeyed={int(k): Outcome(utility=u, security=s) for k, (u, s) in row["obeyed"].items()},
    )
