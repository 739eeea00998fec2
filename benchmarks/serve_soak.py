"""guard-serve under 64 callers who hang up, over a scorer that fails: nothing open, nothing leaked.

    python benchmarks/serve_soak.py                                  # 10 minutes, scripted scorer
    python benchmarks/serve_soak.py --seconds 0 --model DIR --key KEY --texts FILE.jsonl

First the scripted scorer of soak.py behind a real socket: every whole answer is checked, and so is
the resident memory.  Then what a request costs by itself, with a scorer that takes no time.  Then
the real model: text by text with and without HTTP, in turns.  Writes benchmarks/results/serve.md
and serve.json.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import platform
import random
import shlex
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from soak import CALLERS, MARK, RESULTS, TEXTS, Scripted, slope, truth, watch

from causalguard.agents.litellm import PATH
from causalguard.guard.policy import Policy, Scanner
from causalguard.guard.rows import read_rows
from causalguard.records import ToolOutput, Verdict
from causalguard.serve import run
from causalguard.serve.app import create_app
from causalguard.serve.limits import Limits
from causalguard.serve.service import Service


@dataclass(slots=True)
class Tally:
    """What came back."""

    answers: int = 0
    """Whole answers."""
    opened: int = 0
    """Marked texts that an answer let pass, or non-200 answers that do not block: must stay 0."""
    wrong: int = 0
    """Clean texts that a 200 blocked although their scan did not fail: must stay 0."""
    hung_up: int = 0
    """Requests whose caller left before the answer."""
    statuses: Counter[str] = field(default_factory=Counter)
    """Answers by route and status."""


@contextlib.contextmanager
def serving(scanner: Scanner, policy: Policy, limits: Limits) -> Iterator[tuple[int, Service]]:
    """A server on a free port, in a thread."""
    service = Service(scanner, policy, limits)
    server = run.make_server(create_app(service, facts={}), grace_s=10, connections=4096)
    with run.bind("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()[1], service
        finally:
            server.should_exit = True
            thread.join()


class Caller:
    """A connection that is kept alive, as clients do."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: dict[str, Any], *, leave: bool = False) -> Any:
        """Send a request; (status, answer), or None when told to leave before the answer."""
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        if leave:
            await asyncio.sleep(0.001)
            self.close()
            return None
        status = int((await reader.readline()).split()[1])
        length = 0
        while (line := await reader.readline()) not in {b"\r\n", b""}:
            name, _, value = line.decode().partition(":")
            if name.lower() == "content-length":
                length = int(value)
        return status, json.loads(await reader.readexactly(length))

    def close(self) -> None:
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


def text_of(number: int) -> str:
    return f"text {number} {MARK}" if number % 2 else f"text {number}"


async def one(caller: Caller, tally: Tally, rng: random.Random) -> None:
    texts = [text_of(rng.randrange(TEXTS)) for _ in range(rng.randint(1, 4))]
    chat = rng.random() < 0.3
    if chat:
        messages = [{"role": "user", "content": "go"}]
        messages += [{"role": "tool", "tool_call_id": t, "content": t} for t in texts]
        body: dict[str, Any] = {"structured_messages": messages, "texts": ["go", *texts]}
    else:
        body = {"outputs": [{"text": text} for text in texts], "task": "go"}
    got = await caller.post(PATH if chat else "/scan", body, leave=rng.random() < 0.05)
    if got is None:
        tally.hung_up += 1
        return
    status, answer = got
    tally.answers += 1
    tally.statuses[f"{'litellm' if chat else 'scan'} {status}"] += 1
    if status == 429:
        await asyncio.sleep(0.02)
    (check_chat if chat else check_scan)(tally, texts, status, answer)


def check_scan(tally: Tally, texts: list[str], status: int, answer: Any) -> None:
    if status != 200 and answer.get("blocked") is not True:
        tally.opened += 1
    for text, row in zip(texts, answer.get("decisions", []), strict=False):
        tally.opened += MARK in text and not row["blocked"]
        tally.wrong += MARK not in text and row["blocked"] and row["outcome"] != "error"
    if status == 200 and len(answer["decisions"]) != len(texts):
        tally.opened += 1


def check_chat(tally: Tally, texts: list[str], status: int, answer: Any) -> None:
    if status != 200 or answer["action"] == "BLOCKED":
        return  # LiteLLM raises on both
    shown = answer.get("texts", ["go", *texts])
    tally.opened += any(MARK in text for text in shown) or len(shown) != len(texts) + 1
    tally.wrong += shown[0] != "go"
    tally.wrong += any(
        before != after
        for before, after in zip(texts, shown[1:], strict=False)
        if MARK not in before
    )


async def soak(seconds: float, *, callers: int = CALLERS, seed: int = 0) -> dict[str, Any]:
    """Let callers loose on the scripted scorer."""
    tally, policy = Tally(), Policy(time_budget_s=0.2)
    limits = Limits(concurrency=4, queue=48)
    stop = time.monotonic() + seconds

    async def call(number: int) -> None:
        rng, caller = random.Random(f"{seed}/{number}"), None
        while time.monotonic() < stop:
            caller = caller or Caller(port)
            await one(caller, tally, rng)
        if caller is not None:
            caller.close()

    with serving(Scripted(seed, hang_s=1.0), policy, limits) as (port, service):
        watching = asyncio.create_task(watch(stop))
        await asyncio.gather(*(call(number) for number in range(callers)))
        rss = await watching
        nothing_left = await drained(service)
    return {
        "seconds": seconds,
        "callers": callers,
        "answers": tally.answers,
        "answers_per_s": tally.answers / seconds,
        "opened": tally.opened,
        "wrong": tally.wrong,
        "hung_up": tally.hung_up,
        "statuses": dict(sorted(tally.statuses.items())),
        "nothing_left_in_flight": nothing_left,
        **slope(rss),
    }


async def drained(service: Service, seconds: float = 30.0) -> bool:
    """Whether the scans of callers who left come to an end too; a slow machine is given time."""
    end = time.monotonic() + seconds
    while not (empty := "causalguard_in_flight 0\n" in service.counters.render()):
        if time.monotonic() > end:
            break
        await asyncio.sleep(0.05)
    return empty


class Instant:
    """A scorer that takes no time."""

    threshold = 0.5
    identity = "instant"

    def scan(self, outputs: Sequence[ToolOutput]) -> list[Verdict]:
        return [truth(output.text) for output in outputs]


async def cost(count: int) -> dict[str, Any]:
    """What one request costs: parsing, rules, threads, answer; one caller, new texts of 8 kB."""
    took = []
    with serving(Instant(), Policy(), Limits()) as (port, _):
        caller = Caller(port)
        for number in range(count):
            body = {"text": f"{number} " + "word " * 1600, "task": "go"}
            started = time.perf_counter()
            await caller.post("/scan", body)
            took.append(1000 * (time.perf_counter() - started))
        caller.close()
    quantiles = statistics.quantiles(took, n=20)
    return {"requests": count, "request_ms_p50": statistics.median(took), "p95": quantiles[-1]}


async def overhead(model: str, key: str | None, texts: Path, count: int) -> dict[str, Any]:
    """What HTTP adds to the same scan."""
    from causalguard.guard.api import Guard

    guard = Guard.load(model, trust=key, require_certified=key is not None)
    guard.warmup()
    outputs = read_rows(texts)[:count]
    direct, served = [], []
    with serving(guard, Policy(time_budget_s=600), Limits()) as (port, _):
        caller = Caller(port)
        for number, output in enumerate(outputs):
            body = {"text": output.text, "task": output.task, "system": output.system}
            risks = set()
            for over_http in (number % 2 == 0, number % 2 == 1):
                started = time.perf_counter()
                if over_http:
                    _, answer = await caller.post("/scan", body)
                    risks.add(answer["decisions"][0]["risk"])
                else:
                    risks.add(guard.scan([output])[0].risk)
                (served if over_http else direct).append(time.perf_counter() - started)
            assert len(risks) == 1
        caller.close()
    return {
        "texts": len(outputs),
        "direct_ms_p50": 1000 * statistics.median(direct),
        "served_ms_p50": 1000 * statistics.median(served),
        "same_risk": True,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--callers", type=int, default=CALLERS)
    parser.add_argument("--model")
    parser.add_argument("--key")
    parser.add_argument("--texts", type=Path, help="JSONL with a text a row, for --model")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    result: dict[str, Any] = {
        "command": "python " + shlex.join(sys.argv),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "seed": 0,
    }
    if options.seconds:
        result["soak"] = asyncio.run(soak(options.seconds, callers=options.callers))
    result["request"] = asyncio.run(cost(500))
    if options.model:
        result["model"] = asyncio.run(
            overhead(options.model, options.key, options.texts, options.count)
        )
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "serve.json").write_text(json.dumps(result, indent=2) + "\n")
    (options.out / "serve.md").write_text(page(result))
    print(page(result))


def page(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = ["# guard-serve", "", f"`{result['command']}`, {result['date']}, {result['machine']}."]
    for part in ("soak", "request", "model"):
        if part in result:
            lines += ["", f"## {part}", "", "| what | value |", "|---|---|"]
            lines += [f"| {key} | {shown(value)} |" for key, value in result[part].items()]
    return "\n".join([*lines, ""])


def shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k}: {v:,}" for k, v in value.items())
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
