"""A scan of a corpus from listing to count, over any pool of workers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import click

from causalguard import console, errors
from causalguard.errors import ScanError
from causalguard.guard.corpora.index import Index, refuse_duplicates
from causalguard.guard.corpora.plan import Block, Limits, SourceFile, pack
from causalguard.guard.corpora.scoring import Outcome
from causalguard.guard.corpora.sources import list_files, root_of
from causalguard.guard.corpora.store import Store, Summary, refuse_inside


class Pool(Protocol):
    """Workers that index files and do blocks."""

    def index(self, files: Sequence[SourceFile], limits: Limits) -> Iterator[Index]:
        """The index of each file, in the order given."""
        ...

    def outcomes(self, blocks: Sequence[Block], limits: Limits) -> Iterator[Outcome]:
        """The outcome of each block, in any order."""
        ...


def scan_corpus(
    sources: Sequence[str],
    output: Path,
    pool: Pool,
    *,
    facts: Mapping[str, Any],
    limits: Limits | None = None,
    resume: bool = False,
) -> Summary:
    """Score every row under the sources, once.

    Args:
        sources: files and folders, as local paths or URIs.
        output: folder for manifest, verdicts and rows set aside; local or a shared mount.
        pool: who does the work.
        facts: what verdicts depend on (model, threshold, policy, context), as JSON values; a
            resume with other facts is refused.
        limits: sizes of rows and blocks.
        resume: continue what is in ``output``; blocks that are done stay as they are.

    Returns:
        The counts, checked: rows = verdicts + set aside.

    Raises:
        InputError: the input or output is wrong, or is not what it was (its subclasses say what).
        ScanError: the scan failed; what was done is kept for a resume.
    """
    limits = limits or Limits()
    facts = {**facts, "limits": asdict(limits)}
    refuse_inside(output, [root_of(source) for source in sources])
    files = list_files(sources)
    with Store.locked(output, resume=resume) as store:
        blocks = store.saved_plan(facts, files)
        if blocks is None:
            blocks = _plan(files, pool, limits)
            store.save_plan(facts, files, blocks)
        done = [block for block in blocks if store.is_done(block)]
        for block in done:  # a damaged part is found before hours of work, not after
            store.count(block)
        numbers = {block.number for block in done}
        pending = [block for block in blocks if block.number not in numbers]
        if done:
            click.echo(f"{len(done)} of {len(blocks)} blocks are done already", err=True)
        _score(store, pool, pending, limits)
        return store.finish(blocks)


def _plan(files: Sequence[SourceFile], pool: Pool, limits: Limits) -> list[Block]:
    found = pool.index(files, limits)
    indexes = list(console.progress(found, total=len(files), label="counting files"))
    refuse_duplicates(files, indexes)
    return list(pack((piece for index in indexes for piece in index.pieces), limits))


def _score(store: Store, pool: Pool, pending: Sequence[Block], limits: Limits) -> None:
    if not pending:
        return
    waiting = {block.number for block in pending}
    outcomes = pool.outcomes(pending, limits)
    for outcome in console.progress(outcomes, total=len(pending), label="scanning blocks"):
        if outcome.error:
            kind = getattr(errors, outcome.error, ScanError)
            raise kind(outcome.message)
        if outcome.number in waiting:  # a second copy of an outcome changes nothing
            store.write(outcome)
            waiting.discard(outcome.number)
