"""More requests than the guard can take: bounded, turned away, never let through."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from causalguard.errors import ConfigError, ScanError
from causalguard.guard.policy import Incoming, Policy
from causalguard.records import ToolOutput
from causalguard.serve.app import create_app
from causalguard.serve.limits import Limits
from causalguard.serve.service import BoundedScanner, Service
from support.words import DoingGuard, WordGuard


class Gate:
    """Holds scans until it is opened, and knows how many were inside at once."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Semaphore(0)
        self.most = 0
        self._inside = 0
        self._lock = threading.Lock()

    def __call__(self, _: Sequence[ToolOutput]) -> None:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        self.entered.release()
        self.open.wait(60)
        with self._lock:
            self._inside -= 1


def http_to(service: Service) -> httpx.AsyncClient:
    app = create_app(service, facts={})
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1")


async def test_what_exceeds_slots_and_queue_is_turned_away_and_the_rest_is_answered() -> None:
    gate = Gate()
    service = Service(DoingGuard(gate), limits=Limits(concurrency=2, queue=3))
    async with http_to(service) as http:
        posts = [
            asyncio.create_task(http.post("/scan", json={"text": f"EVIL {n}"})) for n in range(9)
        ]
        refused = [task.result() for task in await _first(posts, 4)]
        for _ in range(2):
            await asyncio.to_thread(gate.entered.acquire)
        gate.open.set()
        responses = await asyncio.gather(*posts)
    assert {r.status_code for r in refused} == {429}
    assert all(r.headers["Retry-After"] and r.json()["blocked"] for r in refused)
    assert sorted(r.status_code for r in responses) == [200] * 5 + [429] * 4
    assert all(r.json()["blocked"] for r in responses)
    assert gate.most == 2


async def _first(tasks: list["asyncio.Task[httpx.Response]"], count: int) -> set[Any]:
    done: set[Any] = set()
    while len(done) < count:
        left = [task for task in tasks if task not in done]
        done |= (await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED))[0]
    return done


async def test_a_place_is_free_again_after_an_answer() -> None:
    service = Service(WordGuard(), limits=Limits(concurrency=1, queue=0))
    async with http_to(service) as http:
        for n in range(3):
            assert (await http.post("/scan", json={"text": str(n)})).status_code == 200
            assert (await http.post("/scan", content=b"x")).status_code == 415


async def test_an_abandoned_scan_keeps_its_slot_until_it_ends() -> None:
    gate = Gate()
    guard = DoingGuard(gate)
    service = Service(guard, Policy(time_budget_s=0.1), Limits(concurrency=1))
    async with http_to(service) as http:
        first = await http.post("/scan", json={"text": "one"})
        second = await http.post("/scan", json={"text": "two"})
        gate.open.set()
    assert [first.status_code, second.status_code] == [503, 503]
    assert gate.most == 1


def test_no_free_slot_is_a_scan_error() -> None:
    gate = Gate()
    bounded = BoundedScanner(DoingGuard(gate), 1, wait_s=0.01)
    thread = threading.Thread(target=bounded.scan, args=([ToolOutput(text="a")],))
    thread.start()
    gate.entered.acquire()
    with pytest.raises(ScanError, match="--concurrency"):
        bounded.scan([ToolOutput(text="b")])
    gate.open.set()
    thread.join()
    assert bounded.scan([ToolOutput(text="c")])[0].risk == 0.1


async def test_many_callers_at_once_each_get_their_own_verdict() -> None:
    service = Service(WordGuard(), limits=Limits(concurrency=4, queue=400))

    async def one(number: int) -> bool:
        text = f"EVIL {number}" if number % 3 else f"good {number}"
        outcome = await service.decide([Incoming(output=ToolOutput(text=text, id=str(number)))])
        decision = outcome.rulings[0].decision
        return decision.flagged == bool(number % 3) and decision.id == str(number)

    assert all(await asyncio.gather(*(one(number) for number in range(300))))


def test_a_policy_looser_than_the_certificate_is_refused() -> None:
    with pytest.raises(ConfigError, match="voids the certificate"):
        Service(WordGuard(), Policy(thresholds={"mail": 0.9}))


def test_senseless_limits_are_refused_all_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Limits(concurrency=0, queue=-1, max_outputs=0)
    assert len(caught.value.faults) == 3
