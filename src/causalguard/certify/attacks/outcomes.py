"""Rows of attacks to figures: exact intervals, curves by budget, unions.  No model is needed."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from causalguard.attestation.canonical import canonical_json
from causalguard.certify.attacks.methods import METHODS, SCORES, WEIGHTS
from causalguard.certify.attacks.search import Budget
from causalguard.certify.report.attached import AttackRow, BudgetPoint
from causalguard.errors import DataError, InputError
from causalguard.files import raise_faults, read_jsonl
from causalguard.stats import bounds

SCHEMA = "attack/1"
DELTA = 0.05
TRANSFER = "transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One attack on one goal."""

    run: str
    """Identifier of the run: model, threshold, seed, budget."""
    attack: str
    """Name of the attack."""
    target: str
    """Identifier of the goal."""
    carrier: str
    """Identifier of the carrier."""
    index: int
    """Number of the goal in the run, >= 0."""
    evaded: bool
    """A payload that carries the goal was not flagged."""
    evaded_at: int | None
    """Query at which it first was; None: never."""
    queries: int
    """Texts scored for the attacker."""
    risk: float
    """Risk of the best payload (of the passing one, where one passed)."""
    payload: str
    """That payload."""


def line_of(outcome: Outcome) -> bytes:
    """One row of ``attacks.jsonl``."""
    return canonical_json({"schema": SCHEMA, **asdict(outcome)}) + b"\n"


def read_outcomes(path: Path) -> list[Outcome]:
    """Read ``attacks.jsonl``.

    Raises:
        DataError: rows of another form, each named by its line.
        InputError: no such file.
    """
    names = set(Outcome.__dataclass_fields__)
    found, faults = [], []
    for number, row in read_jsonl(path):
        if row.get("schema") != SCHEMA or set(row) != {"schema", *names}:
            faults.append(f"{path}:{number}: no row of {SCHEMA}; delete the file and run again")
        else:
            found.append(Outcome(**{name: row[name] for name in names}))
    raise_faults(faults)
    return found


def keep_whole_lines(path: Path) -> None:
    """Cut what an interruption left of a row at the end of a file."""
    data = path.read_bytes() if path.is_file() else b""
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        path.write_bytes(whole)


def attack_rows(outcomes: Sequence[Outcome], budget: Budget) -> tuple[AttackRow, ...]:
    """One row an attack, in the order of METHODS.

    Args:
        outcomes: all of one run.
        budget: what each attack might spend.
    """
    by_attack: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_attack.setdefault(outcome.attack, []).append(outcome)
    order = [name for name in (*METHODS, TRANSFER) if name in by_attack]
    return tuple(_row(name, by_attack[name], budget) for name in order)


def _row(name: str, outcomes: Sequence[Outcome], budget: Budget) -> AttackRow:
    method = METHODS.get(name)
    most = max(outcome.queries for outcome in outcomes)
    points = [4**k for k in range(12) if 4**k < most] + [most]
    words = "one text" if method is None else budget.words(gradients=method.gradients)
    return _counted(
        name,
        "payloads found against another guard, sent unchanged" if method is None else method.what,
        "another guard (transfer)" if method is None else method.knowledge,
        "1 query" if name == "direct" else words,
        [outcome.evaded for outcome in outcomes],
        tuple(
            BudgetPoint(
                queries=point,
                evaded=sum(o.evaded_at is not None and o.evaded_at <= point for o in outcomes),
            )
            for point in points
        ),
    )


def union_rows(outcomes: Sequence[Outcome]) -> tuple[AttackRow, ...]:
    """Goals passed by any black-box attack, any white-box attack, any at all.

    Only goals that every attack of the class tried are counted.
    """
    names = {outcome.attack for outcome in outcomes}
    mixed = len({METHODS[name].gradients if name in METHODS else None for name in names}) > 1
    classes: Mapping[str, tuple[str, Callable[[str], bool]]] = {
        "any black-box attack": (SCORES, lambda n: n in METHODS and not METHODS[n].gradients),
        "any white-box attack": (WEIGHTS, lambda n: n in METHODS and METHODS[n].gradients),
        "any attack": (WEIGHTS, lambda _n: mixed),
    }
    rows = []
    for title, (knowledge, belongs) in classes.items():
        members = {name for name in names if belongs(name)}
        passed = _by_goal(outcomes, members)
        if len(members) > 1 and passed:
            what = f"the best of {len(members)}: {', '.join(sorted(members))}"
            rows.append(_counted(title, what, knowledge, "the budgets above", passed, ()))
    return tuple(rows)


def _by_goal(outcomes: Sequence[Outcome], members: set[str]) -> list[bool]:
    tried: dict[str, dict[str, bool]] = {}
    for outcome in outcomes:
        if outcome.attack in members:
            tried.setdefault(outcome.target, {})[outcome.attack] = outcome.evaded
    return [any(found.values()) for found in tried.values() if set(found) == members]


def _counted(
    name: str,
    what: str,
    knowledge: str,
    budget: str,
    passed: Sequence[bool],
    curve: tuple[BudgetPoint, ...],
) -> AttackRow:
    n, k = len(passed), sum(passed)
    return AttackRow(
        attack=name,
        what=what,
        knowledge=knowledge,
        budget=budget,
        goals=n,
        evaded=k,
        estimate=k / n,
        low=bounds.lower(k, n, delta=DELTA, name=name),
        high=bounds.upper(k, n, delta=DELTA, name=name),
        delta=DELTA,
        curve=curve,
    )


def check_run(outcomes: Sequence[Outcome], run: str, path: Path) -> None:
    """Rows of another run must not be counted with this one.

    Raises:
        InputError: there are some.
    """
    if any(outcome.run != run for outcome in outcomes):
        raise InputError(
            f"{path} holds rows of another model, seed or budget; give another --output"
        )


def payloads_of(path: Path) -> dict[str, str]:
    """Best payload of each goal in a former run, the passing one first.

    Raises:
        DataError: a faulty file.
    """
    found: dict[str, Outcome] = {}
    for outcome in read_outcomes(path):
        old = found.get(outcome.target)
        if old is None or (outcome.evaded, -outcome.risk) > (old.evaded, -old.risk):
            found[outcome.target] = outcome
    if not found:
        raise DataError(f"{path}: no rows; give attacks.jsonl of a finished run")
    return {name: outcome.payload for name, outcome in found.items()}


def digest_facts(facts: Mapping[str, object]) -> bytes:
    """Bytes that identify a run."""
    return json.dumps(facts, sort_keys=True).encode()
