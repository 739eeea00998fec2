"""The pool of workers on Ray: readers as tasks, scorers as actors, outcomes to the driver.

Only the driver writes.  A worker that dies is started again and its blocks are done again; what
it had sent is whole, what it had not is nowhere, so a row gets one verdict whatever dies.
"""

import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from causalguard.errors import CausalGuardError, InputError, MissingError, ScanError
from causalguard.guard.corpora.index import Index, index_file
from causalguard.guard.corpora.plan import Block, Limits, Row, SourceFile
from causalguard.guard.corpora.scoring import (
    Load,
    Outcome,
    Scanner,
    failed,
    read_block,
    rows_from_json,
    rows_to_json,
    score_rows,
)

WAVE = 4096
"""Blocks per dataset: the driver holds a reference to each."""
RETRIES = 3
"""Times that a block is done again after its worker died; then the scan stops."""
READER_CPUS = 0.1
"""What a reader reserves.  A scorer leaves as much free, so that both fit on its processors."""
LOCAL_BYTES = 64 << 20
"""Corpora up to this size are counted in the driver: sooner than tasks start."""
STORE_BYTES, WORKER_BYTES = 256 << 20, 32 << 20
"""Memory of a local cluster for rows on their way to the scorers: in all, and more for each."""
LOOPBACK = "127.0.0.1"
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Ray's own switch for one machine: every one of its servers then binds to loopback.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
"""Set before Ray is imported, for a local cluster."""
QUIET = {"RAY_BACKEND_LOG_LEVEL": "fatal"}
"""Set unless the user has: Ray's core logs an error about every pool of actors, which is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """How many scorers, and what each may use."""

    count: int
    """Actors, each with a guard of its own; 0: as many as fit."""
    threads: int = 1
    """Processors and torch threads of each, >= 1."""
    gpus: float = 0.0
    """GPUs of each; a fraction lets several share one."""
    address: str = ""
    """A running cluster (``auto``, ``ray://...``); empty: one of our own on this machine."""


@contextmanager
def cluster(workers: Workers) -> Iterator[Any]:
    """Ray, connected: to a running cluster, or to one that is started here and stopped after.

    Raises MissingError without Ray; ScanError when no cluster can be had.
    """
    if not workers.address:
        os.environ.update(QUIET | dict(os.environ) | ENVIRONMENT)
    try:
        import ray
        import ray.data
    except ImportError as error:
        message = f"{error.name} is needed for --engine ray; pip install 'causalguard[ray]'"
        raise MissingError(message) from None
    if ray.is_initialized():  # the caller's own
        yield ray
        return
    options: dict[str, Any] = {"address": workers.address or "local"}
    if not workers.address:
        options |= {
            "num_cpus": _processors(workers),
            "include_dashboard": False,
            "object_store_memory": STORE_BYTES + workers.count * WORKER_BYTES,
        }
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except (RuntimeError, ConnectionError, ValueError, OSError) as error:
        raise ScanError(f"no Ray cluster ({error}); check --ray-address and free memory") from None
    try:
        if not workers.address:
            _only_loopback(ray)
        yield ray
    finally:
        ray.shutdown()


def _processors(workers: Workers) -> int:
    here = len(os.sched_getaffinity(0))
    return workers.count * workers.threads or here


def _only_loopback(ray: Any) -> None:
    addresses = {node["NodeManagerAddress"] for node in ray.nodes()}
    if addresses != {LOOPBACK}:
        message = (
            f"the local Ray listens on {sorted(addresses)}, not on loopback alone: it was imported "
            "before this scan; set RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 first"
        )
        raise ScanError(message)


def _fitting(resources: Mapping[str, float], workers: Workers) -> int:
    wanted = {"CPU": float(workers.threads), "GPU": workers.gpus}
    fits = []
    for name, each in wanted.items():
        there = resources.get(name, 0.0)
        fits.append(int(there / each + 1e-9) if each else sys.maxsize)
        if fits[-1] < max(workers.count, 1):
            all_of_them = max(workers.count, 1) * each
            message = f"{all_of_them:g} {name}s are wanted, the cluster has {there:g}; "
            raise InputError(message + "lower --workers, --threads or --num-gpus")
    return workers.count or min(fits)


class RayPool:
    """Readers and scorers of one scan; see :class:`causalguard.guard.corpora.job.Pool`."""

    def __init__(
        self, ray: Any, workers: Workers, load: Load, *, task: str = "", system: str = ""
    ) -> None:
        """Keep what workers need.

        Args:
            ray: what :func:`cluster` gives.
            workers: how many, how large.
            load: makes the guard in each scorer; pickled.
            task: the user's task, for rows without one.
            system: the system prompt, likewise.

        Raises InputError when the cluster is too small for that many.
        """
        self._ray, self._load, self._context = ray, load, (task, system)
        self._workers = replace(workers, count=_fitting(ray.cluster_resources(), workers))
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)

    def index(self, files: Sequence[SourceFile], limits: Limits) -> Iterator[Index]:
        """The index of each file, in the order given; by tasks when there is much to read."""
        if len(files) == 1 or sum(file.size for file in files) <= LOCAL_BYTES:
            yield from (index_file(file, limits) for file in files)
            return
        remote = self._ray.remote(num_cpus=1, max_retries=RETRIES)(_indexed)
        width = 2 * max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        running: list[Any] = []
        for file in files:
            running.append(remote.remote(file, limits))
            if len(running) > width:
                yield self._got(running.pop(0))
        for reference in running:
            yield self._got(reference)

    def _got(self, reference: Any) -> Index:
        found = self._ray.get(reference)
        if isinstance(found, str):
            raise InputError(found)
        return found  # type: ignore[no-any-return]

    def outcomes(self, blocks: Sequence[Block], limits: Limits) -> Iterator[Outcome]:
        """The outcome of each block, as they come.

        Raises ScanError when a block has killed its worker more often than is tried again.
        """
        from ray.exceptions import RayError

        attempts = self._ray.remote(num_cpus=0)(_Attempts).remote()
        for start in range(0, len(blocks), WAVE):
            dataset = self._dataset(blocks[start : start + WAVE], limits, attempts)
            try:
                for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
                    yield from map(_outcome, batch.to_pylist())
            except RayError as error:
                message = f"the workers failed ({error}); what is done is kept: run with --resume"
                raise ScanError(message) from None

    def _dataset(self, blocks: Sequence[Block], limits: Limits, attempts: Any) -> Any:
        data, workers = self._ray.data, self._workers
        items = [{"number": block.number, "data": block.to_json()} for block in blocks]
        count = min(workers.count, len(blocks))
        cpus = workers.threads - READER_CPUS
        resources = {"num_cpus": cpus}  # with GPUs too: without, the pool waits for ever
        if workers.gpus:
            resources["num_gpus"] = workers.gpus
        blockwise = {"batch_size": 1, "batch_format": "pyarrow"}
        dataset = data.from_items(items, override_num_blocks=len(items))
        dataset = dataset.map_batches(_read, fn_args=(limits,), num_cpus=READER_CPUS, **blockwise)
        return dataset.map_batches(
            _Scorer,
            fn_constructor_args=(self._load, attempts, *self._context),
            compute=data.ActorPoolStrategy(size=count, max_tasks_in_flight_per_actor=2),
            **resources,
            **blockwise,
        )


def _indexed(file: SourceFile, limits: Limits) -> Index | str:
    try:
        return index_file(file, limits)
    except InputError as error:
        return str(error)


def _table(number: int, **columns: bytes) -> Any:
    import pyarrow as pa

    raw = {name: pa.array([value], pa.large_binary()) for name, value in columns.items()}
    return pa.table({"number": [number], **raw})


def _read(batch: Any, limits: Limits) -> Any:
    (item,) = batch.to_pylist()
    block = Block.from_json(item["data"])
    try:
        rows = rows_to_json(read_block(block, limits))
    except CausalGuardError as error:
        return _table(block.number, rows=b"", fault=_packed(failed(block.number, error)))
    return _table(block.number, rows=rows, fault=b"")


class _Attempts:
    """Counts how often each block was begun.

    Ray begins a block again whenever its worker dies: for ever, if the block is what kills it.
    """

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, number: int) -> int:
        """Times that the block was begun, this one included."""
        self._begun[number] += 1
        return self._begun[number]


class _Scorer:
    """An actor: loads the guard once, at its first block, and keeps it."""

    def __init__(self, load: Load, attempts: Any, task: str, system: str) -> None:
        self._load, self._attempts = load, attempts
        self._task, self._system = task, system
        self._scanner: Scanner | None = None

    def __call__(self, batch: Any) -> Any:
        (item,) = batch.to_pylist()
        return _table(item["number"], outcome=item["fault"] or self._scored(item))

    def _scored(self, item: dict[str, Any]) -> bytes:
        # Typed errors travel as values: Ray would wrap them, and try again what cannot succeed.
        number, rows = item["number"], rows_from_json(item["rows"])
        try:
            self._begin(number, rows)
            self._scanner = self._scanner or self._load()
            found = score_rows(self._scanner, number, rows, task=self._task, system=self._system)
        except CausalGuardError as error:
            found = failed(number, error)
        return _packed(found)

    def _begin(self, number: int, rows: Sequence[Row]) -> None:
        import ray

        if ray.get(self._attempts.begin.remote(number)) > 1 + RETRIES:
            first, last = rows[0], rows[-1]
            message = (
                f"workers died {1 + RETRIES} times at block {number} ({first.source}:{first.row} "
                f"to {last.source}:{last.row}); free memory, lower --block-rows or --max-chars"
            )
            raise ScanError(message + " in a new --output, or take that row out")


def _packed(outcome: Outcome) -> bytes:
    return json.dumps(asdict(outcome)).encode()


def _outcome(item: dict[str, Any]) -> Outcome:
    value = json.loads(item["outcome"])
    value["verdicts"], value["aside"] = tuple(value["verdicts"]), tuple(value["aside"])
    return Outcome(**value)
