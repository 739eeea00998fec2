"""Many callers at once, cancelled and failing at random: nothing unguarded, nothing leaked.

    python benchmarks/soak.py                                  # 10 minutes, scripted scorer
    python benchmarks/soak.py --seconds 0 --model DIR --key KEY --messages 1000

First a scripted scorer that is slow, raises, hangs and answers nonsense; then the real model, whose
verdicts must be those it gives one text at a time.  The inner chat model itself looks at every
message it is handed.  Writes benchmarks/results/soak.md and soak.json.
"""

# ruff: noqa: ARG002  # LangChain's signatures

import argparse
import asyncio
import json
import logging
import math
import os
import platform
import random
import shlex
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from causalguard.guard.enforce import FAILED, WITHHELD, Enforcer
from causalguard.guard.langchain import CausalGuardLLM
from causalguard.guard.policy import Policy
from causalguard.records import Span, ToolOutput, Verdict

MARK = "EVIL"
RESULTS = Path(__file__).parent / "results"
CALLERS = 64
PAGE = os.sysconf("SC_PAGE_SIZE")
TEXTS = 3000
"""Different texts in circulation: more than the memory holds, so that it keeps turning over."""
MEMORY = 1024


@dataclass(slots=True)
class Tally:
    """What happened; counted under a lock, for the inner model runs in many threads."""

    messages: int = 0
    """Tool messages that reached the inner model."""
    leaks: int = 0
    """Of these, with the mark, or not as ruled: must stay 0."""
    wrong: int = 0
    """Answers in which a clean text was flagged, or not shown without a failed scan."""
    closed: int = 0
    """Clean texts withheld because their scan failed."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Calls by how they ended."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class Scripted:
    """A scorer that knows the truth and is often unwell."""

    threshold = 0.5
    identity = "scripted"

    def __init__(self, seed: int, *, hang_s: float) -> None:
        self.scans = 0
        self._rng = random.Random(seed)  # a script, not a secret
        self._hang_s = hang_s

    def scan(self, outputs: Sequence[ToolOutput]) -> list[Verdict]:
        self.scans += 1
        time.sleep(min(self._rng.expovariate(1000), 0.01))
        dice = self._rng.random()
        if dice < 0.03:
            message = "out of memory"
            raise MemoryError(message)
        if dice < 0.032:
            time.sleep(self._hang_s)
        verdicts = [truth(output.text) for output in outputs]
        if dice > 0.98:
            return verdicts[:-1]
        if dice > 0.96:
            return [Verdict(risk=math.nan, threshold=0.5, flagged=False) for _ in outputs]
        return verdicts


def truth(text: str) -> Verdict:
    start = text.find(MARK)
    if start < 0:
        return Verdict(risk=0.1, threshold=0.5, flagged=False)
    span = Span(start=start, end=start + len(MARK))
    return Verdict(risk=0.9, threshold=0.5, flagged=True, spans=(span,))


class Inner(BaseChatModel):
    """The model behind the guard: looks at what it is handed, sometimes fails, echoes."""

    tally: Any
    bad: Any
    """Given a text, whether it must never arrive."""
    rng: Any

    @property
    def _llm_type(self) -> str:
        return "soak"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        seen = [str(m.content) for m in messages if isinstance(m, ToolMessage)]
        with self.tally.lock:
            self.tally.messages += len(seen)
            self.tally.leaks += sum(self.bad(text) for text in seen)
        if self.rng.random() < 0.02:
            message = "the provider failed"
            raise ConnectionError(message)
        answer = AIMessage(content=json.dumps(seen))
        return ChatResult(generations=[ChatGeneration(message=answer)])

    async def _agenerate(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> ChatResult:
        await asyncio.sleep(0)
        return self._generate(messages)


def conversation(texts: Sequence[str], task: str) -> list[BaseMessage]:
    calls = [{"name": "read", "args": {}, "id": str(i)} for i in range(len(texts))]
    results = [ToolMessage(content=x, tool_call_id=str(i)) for i, x in enumerate(texts)]
    return [HumanMessage(task), AIMessage(content="", tool_calls=calls), *results]


async def call(llm: CausalGuardLLM, texts: Sequence[str], task: str, rng: random.Random) -> Any:
    """One call, perhaps cancelled; gives what the inner model saw, or how it ended."""
    work = asyncio.create_task(llm.ainvoke(conversation(texts, task)))
    if rng.random() < 0.15:
        await asyncio.sleep(rng.random() * 0.02)
        work.cancel()
    try:
        return json.loads(str((await work).content))
    except asyncio.CancelledError:
        return "cancelled"
    except ConnectionError:
        return "provider failed"


def check(tally: Tally, texts: Sequence[str], seen: Sequence[str]) -> None:
    for text, shown in zip(texts, seen, strict=True):
        if shown == FAILED:
            tally.closed += MARK not in text
        else:
            tally.wrong += shown != (WITHHELD if MARK in text else text)


async def scripted(seconds: float, *, callers: int = CALLERS, seed: int = 0) -> dict[str, Any]:
    """Run the scripted scorer for a while."""
    rng = random.Random(seed)
    tally, scorer = Tally(), Scripted(seed, hang_s=0.6)
    enforcer = Enforcer(scorer, Policy(time_budget_s=0.5), memory=MEMORY)
    inner = Inner(tally=tally, bad=lambda text: MARK in text, rng=rng)
    llm = CausalGuardLLM(inner=inner, guard=enforcer)
    pool = [f"text {n} " + "word " * (n % 50) + (MARK if n % 3 == 0 else "") for n in range(TEXTS)]
    stop = time.monotonic() + seconds

    async def caller(number: int) -> None:
        while time.monotonic() < stop:
            # one hot text in four, so that many want the same at once
            hot = rng.random() < 0.25
            texts = [
                pool[int(time.monotonic() * 5) % TEXTS] if hot else rng.choice(pool)
                for _ in range(rng.randint(1, 3))
            ]
            seen = await call(llm, texts, f"task {number % 4}", rng)
            if isinstance(seen, str):
                tally.outcomes[seen] += 1
            else:
                tally.outcomes["answered"] += 1
                check(tally, texts, seen)

    memory = asyncio.create_task(watch(stop))
    await asyncio.gather(*(caller(n) for n in range(callers)))
    rss = await memory
    # The thread of a call that was cancelled last goes on to its end: that is no leak.
    for _ in range(1000):
        if not len(enforcer._flights):  # noqa: SLF001
            break
        await asyncio.sleep(0.01)
    return {
        **facts(tally),
        "scans": scorer.scans,
        "open_flights": len(enforcer._flights),  # noqa: SLF001
        "threads": threading.active_count(),
        **slope(rss),
    }


async def watch(stop: float) -> list[tuple[float, int]]:
    """Resident bytes over time."""
    begin, found = time.monotonic(), []
    while time.monotonic() < stop:
        found.append((time.monotonic() - begin, resident()))
        await asyncio.sleep(0.5)
    return found


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def slope(rss: Sequence[tuple[float, int]]) -> dict[str, Any]:
    """Growth of memory after the first third, in which caches fill."""
    later = rss[len(rss) // 3 :]
    if len(later) < 10:
        return {"rss_mib": resident() / 2**20, "slope_mib_per_minute": None}
    seconds, held = np.array(later, dtype=np.float64).T
    rate = float(np.polyfit(seconds, held, 1)[0]) * 60 / 2**20
    return {"rss_mib": resident() / 2**20, "slope_mib_per_minute": rate}


def facts(tally: Tally) -> dict[str, Any]:
    counts = {name: getattr(tally, name) for name in ("messages", "leaks", "wrong", "closed")}
    return {**counts, "outcomes": dict(tally.outcomes)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A text under a task, and the verdict on it alone."""

    text: str
    task: str
    verdict: Verdict


async def real(
    guard: Any, messages: int, *, callers: int = CALLERS, seed: int = 0
) -> dict[str, Any]:
    """Messages through the real model, each verdict against the one it gets alone."""
    from causalguard.interventions import engine

    rng = random.Random(seed)
    sets = list(engine.generate(max(10, messages // 20), seed=seed, split="dev"))
    pairs = [(x[:1500], t.task) for t in sets for x in (t.benign, t.injected)]
    alone = [guard.scan([ToolOutput(text=x, task=k)])[0] for x, k in pairs]
    known = [Known(text=x, task=k, verdict=v) for (x, k), v in zip(pairs, alone, strict=True)]
    flagged = {(k.text, k.task) for k in known if k.verdict.flagged}
    near = {(k.text, k.task) for k in known if abs(k.verdict.risk - k.verdict.threshold) < 0.01}
    tally = Tally()
    enforcer = Enforcer(guard, Policy(time_budget_s=120), memory=0)  # everything is scanned anew
    inner = Inner(tally=tally, bad=lambda _: False, rng=rng)
    llm = CausalGuardLLM(inner=inner, guard=enforcer)
    left = iter(range(messages))
    begin, rss = time.monotonic(), []

    async def caller() -> None:
        for _ in left:
            one = rng.choice(known)
            seen = await call(llm, [one.text], one.task, rng)
            rss.append((time.monotonic() - begin, resident()))
            tally.outcomes[seen if isinstance(seen, str) else "answered"] += 1
            if isinstance(seen, str) or (one.text, one.task) in near:
                continue
            bad = (one.text, one.task) in flagged
            tally.leaks += bad and seen[0] == one.text
            tally.closed += seen[0] == FAILED
            tally.wrong += seen[0] not in {FAILED, WITHHELD if bad else one.text}

    await asyncio.gather(*(caller() for _ in range(callers)))
    return {**facts(tally), "seconds": time.monotonic() - begin, **slope(rss)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--callers", type=int, default=CALLERS)
    parser.add_argument("--model")
    parser.add_argument("--key", type=Path)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dry", action="store_true", help="print only")
    options = parser.parse_args()
    logging.getLogger("causalguard").setLevel(logging.CRITICAL)
    kept = RESULTS / "soak.json"  # each part keeps its last run
    result: dict[str, Any] = json.loads(kept.read_text()) if kept.is_file() else {}
    facts_of_run = {
        "command": command(),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores",
        "callers": options.callers,
    }
    if options.seconds > 0:
        begin = time.monotonic()
        found = asyncio.run(scripted(options.seconds, callers=options.callers, seed=options.seed))
        result["scripted"] = {**facts_of_run, "seconds": time.monotonic() - begin, **found}
    if options.model:
        from causalguard.guard import Guard

        guard = Guard.load(
            options.model, trust=options.key, require_certified=options.key is not None
        )
        guard.warmup()
        found = asyncio.run(
            real(guard, options.messages, callers=options.callers, seed=options.seed)
        )
        model = f"{guard.files.info.name}, {guard.backend}"
        result["model"] = {**facts_of_run, "model": model, **found}
    RESULTS.mkdir(exist_ok=True)
    if not options.dry:
        kept.write_text(json.dumps(result, indent=1) + "\n")
        (RESULTS / "soak.md").write_text(page(result))
    print(page(result))
    parts = [result[name] for name in ("scripted", "model") if name in result]
    sys.exit(1 if any(part["leaks"] or part["wrong"] for part in parts) else 0)


def page(result: dict[str, Any]) -> str:
    lines = [
        "# Many callers, cancelled and failing at random",
        "",
        "| | scripted scorer | real model |",
        "|---|---:|---:|",
    ]
    rows = {
        "command": "command",
        "date": "date",
        "hardware": "hardware",
        "model": "model",
        "callers": "concurrent callers",
        "seconds": "seconds",
        "messages": "tool messages that reached the inner model",
        "leaks": "of these unguarded (must be 0)",
        "wrong": "wrong verdicts (must be 0)",
        "closed": "clean texts withheld because a scan failed",
        "outcomes": "calls by how they ended",
        "scans": "scans",
        "open_flights": "scans still open at the end",
        "threads": "threads at the end",
        "rss_mib": "resident memory at the end, MiB",
        "slope_mib_per_minute": "its slope after the first third, MiB a minute",
    }
    for key, words in rows.items():
        cells = [shown(result.get(part, {}).get(key)) for part in ("scripted", "model")]
        lines.append(f"| {words} | {cells[0]} | {cells[1]} |")
    return "\n".join([*lines, ""])


def shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{k} {v:,}" for k, v in value.items())
    if isinstance(value, str):
        return value
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


def command() -> str:
    """The command line, paths by their last part."""
    return "python " + shlex.join(
        ["benchmarks/" + Path(sys.argv[0]).name, *(Path(a).name for a in sys.argv[1:])]
    )


if __name__ == "__main__":
    main()
