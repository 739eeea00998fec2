"""Arrays that are slow to make, kept on disk under the digest of what they are made of."""

import io
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalguard.files import write_atomic

Arrays = dict[str, NDArray[Any]]


def content_key(facts: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    """Digest of what decides the arrays, in hex.

    Args:
        facts: what holds for all rows: versions and digests of tokenizer and template.
        rows: the texts that each row is made of.
    """
    whole = blake2b(digest_size=16)
    for fact in facts:
        whole.update(fact.encode() + b"\0")
    for row in rows:
        whole.update("\0".join(row).encode("utf-8", "surrogatepass") + b"\1")
    return whole.hexdigest()


def kept(path: Path | None, make: Callable[[], Arrays]) -> Arrays:
    """The arrays in a file, made and written first if it is not there.

    Args:
        path: a file ``.npz``; None: nothing is kept.
        make: makes them.
    """
    if path is not None and path.is_file():
        with np.load(path, allow_pickle=False) as found:
            return dict(found)
    arrays = make()
    if path is not None:
        whole = io.BytesIO()
        np.savez(whole, **arrays)  # type: ignore[arg-type]  # names are ours
        write_atomic(path, whole.getvalue())
    return arrays
