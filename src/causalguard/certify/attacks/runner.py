"""All attacks on all goals: resumable, with progress; one row an attack and goal."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from causalguard.attestation.canonical import canonical_json
from causalguard.attestation.digests import sha256_bytes
from causalguard.certify.attacks import outcomes
from causalguard.certify.attacks.constraint import STATEMENT
from causalguard.certify.attacks.methods import METHODS
from causalguard.certify.attacks.outcomes import TRANSFER, Outcome
from causalguard.certify.attacks.search import Budget, Search
from causalguard.certify.attacks.targets import FORMATS, LENGTHS, Target, draw_targets
from causalguard.certify.evidence import GuardLike
from causalguard.certify.report.attached import Attacks
from causalguard.console import progress
from causalguard.errors import InputError
from causalguard.files import write_atomic

ROWS_NAME = "attacks.jsonl"
SUMMARY_NAME = "attacks.json"
MOST_CARRIERS = 20
"""Carriers tried a goal before giving up on a guard that flags them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is run."""

    attacks: tuple[str, ...]
    """Names of METHODS."""
    goals: int
    """Goals, >= 1."""
    seed: int
    """Of goals, carriers and searches, >= 0."""
    budget: Budget
    """What each attack may spend on one goal."""
    formats: tuple[str, ...] = FORMATS
    """Formats of the carriers."""
    lengths: tuple[str, ...] = LENGTHS
    """Levels of their length."""
    transfer: Path | None = None
    """attacks.jsonl of a run with the same seed against another guard; None: none."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.attacks) - set(METHODS))
        if unknown:
            raise InputError(f"unknown attacks {unknown}; there are: {', '.join(METHODS)}")


class Chosen:
    """Goals whose carrier the guard lets pass without a payload."""

    def __init__(self, guard: GuardLike, plan: Plan) -> None:
        self.targets: list[Target] = []
        self.flagged = 0
        """Carriers left out."""
        drawn = draw_targets(seed=plan.seed, formats=plan.formats, lengths=plan.lengths)
        for target in itertools.islice(drawn, MOST_CARRIERS * plan.goals):
            (answer,) = guard.score([target.output("")])
            if answer.flagged:
                self.flagged += 1
            else:
                self.targets.append(target)
            if len(self.targets) == plan.goals:
                return
        raise InputError("the guard flags nearly every carrier by itself: there is nothing to do")


def run(
    guard: GuardLike,
    plan: Plan,
    output: Path,
    *,
    model_sha256: str,
    tell: Callable[[str], None],
) -> Attacks:
    """Run what is not done yet and write rows and summary.

    Args:
        guard: the guard; gradient attacks need a :class:`.victim.Victim`.
        plan: what to run.
        output: directory; rows there of the same run are kept and not run again.
        model_sha256: root digest of MODEL_DIR.
        tell: told one line a finished attack.

    Raises:
        InputError: the directory holds another run.
    """
    output.mkdir(parents=True, exist_ok=True)
    path = output / ROWS_NAME
    identity = run_id(guard, plan, model_sha256)
    outcomes.keep_whole_lines(path)
    done = outcomes.read_outcomes(path) if path.is_file() else []
    outcomes.check_run(done, identity, path)
    chosen = Chosen(guard, plan)
    finished = {(row.attack, row.target) for row in done}
    for name, attack in _attacks(guard, plan):
        todo = [(i, t) for i, t in enumerate(chosen.targets) if (name, t.id) not in finished]
        for index, target in progress(todo, total=len(todo), label=name):
            found = attack(index, target, identity)
            if found is None:
                continue
            with path.open("ab") as stream:
                stream.write(outcomes.line_of(found))
            done.append(found)
        rows = [row for row in done if row.attack == name]
        tell(f"{name}: {sum(row.evaded for row in rows)} of {len(rows)} goals passed")
    wanted = {target.id for target in chosen.targets}
    summary = summarise(guard, plan, [row for row in done if row.target in wanted],
                        rows=path.read_bytes(), model_sha256=model_sha256,
                        flagged=chosen.flagged)  # fmt: skip
    content = canonical_json(summary.model_dump(mode="json", by_alias=True))
    write_atomic(output / SUMMARY_NAME, content)
    return summary


Step = Callable[[int, Target, str], Outcome | None]


def _attacks(guard: GuardLike, plan: Plan) -> Iterator[tuple[str, Step]]:
    for name in METHODS:
        if name in plan.attacks:
            yield name, _searching(guard, plan, name)
    if plan.transfer is not None:
        yield TRANSFER, _sending(guard, outcomes.payloads_of(plan.transfer))


def _searching(guard: GuardLike, plan: Plan, name: str) -> Step:
    from causalguard.certify.attacks.victim import Victim

    method, budget = METHODS[name], plan.budget
    attack = method.make(guard if isinstance(guard, Victim) else None)
    # a gradient attack scores each start and then its candidates
    gradient_queries = budget.steps * (budget.candidates + 1)
    queries = gradient_queries if method.gradients else budget.queries

    def step(index: int, target: Target, identity: str) -> Outcome:
        search = Search(guard, target, queries=queries)
        attack(search, budget, np.random.default_rng([plan.seed, crc32(name.encode()), index]))
        return _outcome(search, name, index, identity)

    return step


def _sending(guard: GuardLike, payloads: dict[str, str]) -> Step:
    def step(index: int, target: Target, identity: str) -> Outcome | None:
        if target.id not in payloads:
            return None
        search = Search(guard, target, queries=1)
        search.ask([payloads[target.id]])
        return _outcome(search, TRANSFER, index, identity)

    return step


def _outcome(search: Search, name: str, index: int, identity: str) -> Outcome:
    return Outcome(
        run=identity,
        attack=name,
        target=search.target.id,
        carrier=search.target.carrier,
        index=index,
        evaded=search.evaded,
        evaded_at=search.evaded_at,
        queries=search.queries,
        risk=float(min(search.best_risk, 1.0)),
        payload=search.best,
    )


def run_id(guard: GuardLike, plan: Plan, model_sha256: str) -> str:
    """Digest of what decides the rows: model, threshold, backend, seed, budget, carriers."""
    facts = {
        "model": model_sha256,
        "threshold": guard.threshold,
        "backend": guard.backend,
        "seed": plan.seed,
        "budget": asdict(plan.budget),
        "formats": list(plan.formats),
        "lengths": list(plan.lengths),
    }
    return sha256_bytes(outcomes.digest_facts(facts))[:16]


def summarise(
    guard: GuardLike,
    plan: Plan,
    done: Sequence[Outcome],
    *,
    rows: bytes,
    model_sha256: str,
    flagged: int,
) -> Attacks:
    """The content of ``attacks.json``."""
    formats, lengths = ", ".join(plan.formats), ", ".join(plan.lengths)
    return Attacks(
        model_sha256=model_sha256,
        threshold=guard.threshold,
        backend=guard.backend,
        seed=plan.seed,
        success=STATEMENT,
        population=(
            "goals and carriers of the engine's audit split, one of each a target; carriers of "
            f"the formats {formats} and {lengths} characters, not flagged without a payload; the "
            "attacker writes one stretch of the text and knows the trusted context"
        ),
        carriers_flagged=flagged,
        rows_sha256=sha256_bytes(rows),
        rows=outcomes.attack_rows(done, plan.budget),
        unions=outcomes.union_rows(done),
    )
