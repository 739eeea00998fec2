"""Corpora on a local Ray of two workers: killed workers, resumes, the command itself."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from causalguard.errors import InputError, ScanError
from causalguard.guard.cli import command
from causalguard.guard.corpora import ray_pool
from causalguard.guard.corpora.job import scan_corpus
from causalguard.guard.corpora.plan import Limits
from causalguard.guard.corpora.ray_pool import RayPool, Workers, cluster
from support import corpora
from support.corpora import FakeLoad, SerialPool, found

pytestmark = [
    # Ray's own: its logger and its sockets are left to the collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray.*"),
]
TWO = Workers(count=2)
SMALL = Limits(block_rows=4)


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    # Workers unpickle the fakes from the folder of the tests.
    found_in = [str(Path(corpora.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, found_in)))
        with cluster(TWO) as module:
            yield module


def scan(ray: Any, source: Path, output: Path, load: FakeLoad, **options: Any) -> Any:
    pool = RayPool(ray, TWO, load)
    return scan_corpus([str(source)], output, pool, facts={}, limits=SMALL, **options)


def keyed(output: Path) -> dict[tuple[str, int], Any]:
    rows = found(output)
    keys = {(row["source"], row["row"]): row for row in rows}
    assert len(keys) == len(rows)
    return keys


def mixed(path: Path) -> Path:
    """A folder with each kind of file, and bad rows among the good."""
    texts = corpora.texts(40)
    corpora.write_jsonl(path / "a.jsonl", [*({"text": t} for t in texts), {"txt": 1}, 3])
    corpora.write_parquet(path / "sub" / "b.parquet", {"text": [*texts, None]})
    corpora.write_folder(path / "pages", texts[:10])
    (path / "pages" / "image").write_bytes(bytes(range(256)))
    return path


def test_ray_listens_on_loopback_alone(ray: Any) -> None:
    assert {node["NodeManagerAddress"] for node in ray.nodes()} == {"127.0.0.1"}
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_a_worker_killed_at_work_costs_no_row_and_doubles_none(ray: Any, tmp_path: Path) -> None:
    source = mixed(tmp_path / "in")
    load = FakeLoad(tmp_path / "log", dies_at="mail 21 ")  # kill -9 by its own hand, once
    summary = scan(ray, source, tmp_path / "out", load)
    assert (tmp_path / "log.died").exists()
    alone = SerialPool(FakeLoad(tmp_path / "alone"))
    facts: dict[str, Any] = {}
    assert summary == scan_corpus(
        [str(source)], tmp_path / "out1", alone, facts=facts, limits=SMALL
    )
    assert keyed(tmp_path / "out") == keyed(tmp_path / "out1")
    assert (summary.rows, summary.verdicts, summary.set_aside) == (94, 90, 4)
    lines = (tmp_path / "log").read_text().splitlines()
    assert len({line.split()[0] for line in lines}) >= 3  # two workers, and the one in its place


def test_a_block_that_kills_every_worker_ends_the_scan(ray: Any, tmp_path: Path) -> None:
    source = corpora.write_jsonl(tmp_path / "a.jsonl", [{"text": t} for t in corpora.texts(4)])
    load = FakeLoad(tmp_path / "log", dies_at="mail 2 ", always=True)
    with pytest.raises(ScanError, match=r"died 4 times at block 0 .*a\.jsonl:1"):
        scan(ray, source, tmp_path / "out", load)
    assert not (tmp_path / "log").exists()


def test_large_corpora_are_counted_by_tasks(
    ray: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = corpora.write_folder(tmp_path / "in", corpora.texts(9))
    from causalguard.guard.corpora.sources import list_files

    files = list_files([str(source)])
    pool = RayPool(ray, TWO, FakeLoad(tmp_path / "log"))
    here = list(pool.index(files, SMALL))
    monkeypatch.setattr(ray_pool, "LOCAL_BYTES", 0)
    assert list(pool.index(files, SMALL)) == here


def test_more_workers_than_fit_are_refused(ray: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lower --workers"):
        RayPool(ray, Workers(count=3), FakeLoad(tmp_path / "log"))


def command_line(*arguments: object) -> Result:
    given = ["--engine", "ray", "--uncertified", "--dtype", "float32", *map(str, arguments)]
    return CliRunner().invoke(command, given, standalone_mode=False)


def test_the_command_gives_the_verdicts_of_the_local_engine(
    ray: Any, tmp_path: Path, tiny_model: Path
) -> None:
    rows = [{"text": "mail from ana " * (1 + n % 7), "id": f"r{n}"} for n in range(150)]
    source = corpora.write_jsonl(tmp_path / "rows.jsonl", rows)
    out = tmp_path / "out"
    options = ("--model", tiny_model, "--output", out, "--block-rows", 64, source)
    result = command_line(*options)
    assert result.exception is None
    local = tmp_path / "local.jsonl"
    arguments = ["--model", tiny_model, "--uncertified", "--dtype", "float32"]
    arguments += ["--input", source, "--output", local]
    alone = CliRunner().invoke(command, [str(a) for a in arguments], standalone_mode=False)
    expected = [json.loads(line) for line in local.read_text().splitlines()]
    place = ("source", "row")
    got = [{k: v for k, v in row.items() if k not in place} for row in found(out)]
    assert got == expected
    assert result.return_value == alone.return_value == any(row["flagged"] for row in expected)
    assert command_line(*options, "--resume").return_value == result.return_value
