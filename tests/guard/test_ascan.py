"""Scans for event loops: the same verdicts, few threads, and cancelling one harms no other."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from causalguard.guard import deadline
from causalguard.guard.api import Guard
from causalguard.guard.deadline import SCAN_WORKERS, _Pool, start
from causalguard.guard.fast_llama import FastLlama
from causalguard.records import ToolOutput


@pytest.fixture
def guard(tiny_model: Path) -> Guard:
    return Guard.load(tiny_model, require_certified=False, dtype="float32")


async def test_many_at_once_get_the_serial_verdicts(guard: Guard) -> None:
    guard.warmup()
    outputs = [ToolOutput(text="mail from ana " * n, task=f"task {n % 3}") for n in range(24)]
    together = await asyncio.gather(*(guard.ascan([output]) for output in outputs))
    assert [v for verdicts in together for v in verdicts] == [guard.scan([o])[0] for o in outputs]


async def test_a_cancelled_scan_leaves_the_others_their_verdicts(guard: Guard) -> None:
    outputs = [ToolOutput(text=f"text {n}", task="t") for n in range(12)]
    tasks = [asyncio.create_task(guard.ascan([output])) for output in outputs]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(f, asyncio.CancelledError) for f in found] == [True, False] * 6
    assert found[1] == guard.scan([outputs[1]])


async def test_what_is_cancelled_before_its_turn_never_runs() -> None:
    release, ran = threading.Event(), threading.Event()
    busy = [asyncio.wrap_future(start(lambda: release.wait(30))) for _ in range(SCAN_WORKERS)]
    late = asyncio.wrap_future(start(ran.set))
    late.cancel()
    await asyncio.sleep(0)  # the loop hands the news on
    release.set()
    assert await asyncio.gather(*busy) == [True] * SCAN_WORKERS
    await asyncio.wrap_future(start(lambda: None))
    assert not ran.is_set()


def call(pool: _Pool, work: Callable[[], Any]) -> Future[Any]:
    future: Future[Any] = Future()
    pool.submit(future, work)
    return future


class Late:
    """A lock that the pool's own threads reach late."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.2)
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_no_call_waits_behind_a_hung_one_while_a_thread_may_be_added() -> None:
    pool, release = _Pool(8), threading.Event()
    call(pool, lambda: None).result(30)
    time.sleep(0.1)  # its thread waits for the next call
    pool._lock = Late()  # type: ignore[assignment]
    try:
        call(pool, lambda: release.wait(30))
        time.sleep(0.1)  # taken, and nothing more
        assert call(pool, lambda: "done").result(10) == "done"
    finally:
        release.set()


def test_calls_one_after_another_need_one_thread() -> None:
    pool = _Pool(8)
    for number in range(200):
        assert call(pool, lambda n=number: n).result(30) == number  # type: ignore[misc]
    assert pool._count == 1


def test_all_arithmetic_is_done_by_as_many_threads_as_asked_for(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[int] = set()
    run = FastLlama._run

    def noting(self: FastLlama, *arguments: Any) -> Any:
        seen.add(threading.get_ident())
        return run(self, *arguments)

    monkeypatch.setattr(FastLlama, "_run", noting)
    monkeypatch.setattr(deadline, "_singles", _Pool(1))  # other tests may have asked for more
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: guard.scan([ToolOutput(text=f"text {n}")]), range(16)))
    assert 1 <= len(seen) <= torch.get_num_threads()
    assert threading.get_ident() not in seen
