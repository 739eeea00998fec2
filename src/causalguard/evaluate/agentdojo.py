"""The run of ``guard-eval agentdojo``: plans, scores, results, report; each step resumes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causalguard.errors import InputError, MissingError
from causalguard.evaluate import agentdojo_plan as plans
from causalguard.evaluate.agentdojo_plan import BENIGN, Planned, Rows
from causalguard.evaluate.agentdojo_results import Result, evaluate, result_json
from causalguard.evaluate.agentdojo_suites import (
    VERSION,
    VICTIM,
    Suite,
    attack_names,
    choose,
    package_version,
)
from causalguard.files import write_atomic
from causalguard.guard.enforce import Enforcer

SCHEME = 1
"""Version of how plans are made; another one makes plans that cannot be mixed with these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is run."""

    output: Path
    """Folder of the run; may hold an unfinished one."""
    suites: tuple[str, ...] = ()
    """Names; empty: all."""
    attacks: tuple[str, ...] = ()
    """Names; empty: all that need no model and no person."""
    limit: int | None = None
    """Conversations per suite and attack at most, >= 1, spread evenly; None: all."""
    version: str = VERSION
    """Version of the benchmark."""
    victim: str = VICTIM
    """Name of the model that attacks address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """One finished plan: a suite and an attack."""

    suite: str
    """Name."""
    attack: str
    """Name; empty: none."""
    planned: Sequence[Planned]
    """Its conversations."""
    rows: Rows
    """Their outputs."""
    benign: Mapping[str, Sequence[str]]
    """User task to the texts of its outputs without an attack."""


def build_plans(settings: Settings) -> list[tuple[str, str]]:
    """Hold every conversation that no earlier run held; needs AgentDojo unless all are there.

    Returns:
        (suite, attack) of the run, in order; the attack is empty first.

    Raises:
        MissingError: AgentDojo is needed and not installed.
        InputError: an unknown name, or the folder holds plans of other settings.
    """
    root = settings.output / "plan"
    try:
        found = package_version()
    except MissingError:
        return _folders(settings, root)
    suites = choose(Suite.names(settings.version), settings.suites, "suite")
    attacks = choose(attack_names(), settings.attacks, "attack")
    _check_facts(root / "facts.json", settings, found)
    for name in suites:
        benign = benign_texts(settings, name)
        suite = Suite(name, version=settings.version, victim=settings.victim)
        for attack in attacks:
            folder = _folder(root, name, attack)
            if not folder.is_dir():
                rows: Rows = {}
                made = plans.make_plan(suite, attack, benign, settings.limit, rows)
                plans.write_plan(folder, made, rows)
    return [(suite, attack) for suite in suites for attack in ["", *attacks]]


def _folder(root: Path, suite: str, attack: str) -> Path:
    return root / suite / (attack or BENIGN)


def _folders(settings: Settings, root: Path) -> list[tuple[str, str]]:
    """What is there already, on a machine without AgentDojo."""
    there = [path.parent for path in sorted(root.glob("*/*/cases.jsonl.gz"))]
    pairs = [(p.parent.name, "" if p.name == BENIGN else p.name) for p in there]
    suites = choose([*dict.fromkeys(s for s, _ in pairs)], settings.suites, "suite")
    attacks = choose([*dict.fromkeys(a for _, a in pairs if a)], settings.attacks, "attack")
    wanted = [(suite, attack) for suite in suites for attack in ["", *attacks]]
    if not wanted or not set(wanted) <= set(pairs):
        message = (
            f"{root} does not hold every plan; run: pip install 'causalguard[agentdojo]', or make "
            "the plans elsewhere with --export-rows and copy the folder"
        )
        raise MissingError(message)
    return wanted


def _check_facts(path: Path, settings: Settings, package: str) -> None:
    facts = {
        "scheme": SCHEME,
        "benchmark": settings.version,
        "agentdojo": package,
        "victim": settings.victim,
        "limit": settings.limit,
    }
    if not path.exists():
        write_atomic(path, json.dumps(facts, indent=1) + "\n")
        return
    before = json.loads(path.read_text())
    other = [
        f"{key}: {before.get(key)!r}" for key, value in facts.items() if before.get(key) != value
    ]
    if other:
        message = f"{path} says {', '.join(other)}; give the same settings, or another --output"
        raise InputError(message)


def benign_texts(settings: Settings, suite: str) -> dict[str, list[str]]:
    """User task to the texts of its outputs without an attack; held if it is not there yet."""
    root = settings.output / "plan"
    _check_facts(root / "facts.json", settings, package_version())
    folder = _folder(root, suite, "")
    if not folder.is_dir():
        rows: Rows = {}
        loaded = Suite(suite, version=settings.version, victim=settings.victim)
        plans.write_plan(folder, plans.make_plan(loaded, "", {}, None, rows), rows)
    return _benign(root, suite)


def read_facts(settings: Settings) -> dict[str, Any]:
    """Settings under which the plans were made."""
    facts: dict[str, Any] = json.loads((settings.output / "plan" / "facts.json").read_text())
    return facts


def _benign(root: Path, suite: str) -> dict[str, list[str]]:
    planned, rows = plans.read_plan(_folder(root, suite, ""))
    return {item.case.user: [rows[key].text for key in item.outputs] for item in planned}


def read_folders(settings: Settings, pairs: Sequence[tuple[str, str]]) -> Iterator[Folder]:
    """The finished plans, one after the other."""
    root = settings.output / "plan"
    benign = {suite: _benign(root, suite) for suite in dict.fromkeys(s for s, _ in pairs)}
    for suite, attack in pairs:
        planned, rows = plans.read_plan(_folder(root, suite, attack))
        yield Folder(suite=suite, attack=attack, planned=planned, rows=rows, benign=benign[suite])


def all_rows(settings: Settings, pairs: Sequence[tuple[str, str]]) -> Rows:
    """Every distinct output of the run."""
    rows: Rows = {}
    for folder in read_folders(settings, pairs):
        rows |= {key: row for key, row in folder.rows.items() if key not in rows}
    return rows


def write_results(
    settings: Settings,
    pairs: Sequence[tuple[str, str]],
    enforcer: Enforcer,
    facts: Mapping[str, Any],
) -> list[Result]:
    """Results of the worst-case agent; one JSON per suite and attack.

    Args:
        settings: the run.
        pairs: from :func:`build_plans`.
        enforcer: the guard's runtime over all verdicts.
        facts: of the guard, repeated in every file.
    """
    results = []
    for folder in read_folders(settings, pairs):
        some = evaluate(folder.planned, folder.rows, folder.benign, enforcer)
        path = settings.output / "results" / folder.suite / f"{folder.attack or BENIGN}.json"
        body = {"facts": facts, "results": [result_json(result) for result in some]}
        write_atomic(path, json.dumps(body) + "\n")
        results += some
    return results
