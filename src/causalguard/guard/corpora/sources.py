"""Files of a corpus: found under folders and URIs, opened where a worker needs them."""

import gzip
import io
import os
from collections import Counter
from collections.abc import Sequence
from typing import IO, Any, cast
from urllib.parse import urlsplit

from causalguard.errors import InputError, MissingError
from causalguard.guard.corpora.plan import Kind, SourceFile

KINDS: dict[str, Kind] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".jsonl.gz": "jsonl", ".ndjson.gz": "jsonl",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
"""Endings of tables; every other file is one text."""
GZIP = ".gz"


def kind_of(path: str) -> Kind:
    """How a file is read, by the ending of its name."""
    lower = path.lower()
    return next((kind for ending, kind in KINDS.items() if lower.endswith(ending)), "text")


def need_arrow() -> Any:
    """The module pyarrow.fs; MissingError names the extra that brings it."""
    try:
        from pyarrow import fs
    except ImportError:
        message = "pyarrow is needed to scan corpora; pip install 'causalguard[ray]'"
        raise MissingError(message) from None
    return fs


def root_of(source: str) -> str:
    """A source as it is remembered: a URI as given, a local path made absolute.

    Raises InputError for a URI that carries a password: it would be written into the manifest.
    """
    if "://" not in source:
        return os.path.abspath(source)  # noqa: PTH100  # links stay as they are named
    parts = urlsplit(source)
    if parts.password or parts.username:
        message = f"{parts.scheme}://...@{parts.hostname}: a URI with a key in it is refused; "
        raise InputError(message + "give keys through the environment")
    return source


def list_files(sources: Sequence[str]) -> list[SourceFile]:
    """Every file under the sources, sorted by path; a folder means everything below it.

    Args:
        sources: local paths, or URIs that pyarrow.fs knows (``s3://``, ``gs://``, ``file://``).

    Raises:
        InputError: nothing is there, a path appears twice, or the store refuses.
    """
    found: list[SourceFile] = []
    for source in sources:
        files = _below(root_of(source))
        if not files:
            raise InputError(f"{source}: no file there; give a file or a folder that holds some")
        found += files
    times = Counter((_scheme(file.root), file.path) for file in found)
    twice = [path for (_, path), n in times.items() if n > 1]
    if twice:
        raise InputError(f"{twice[0]} is given twice; name each folder or file once")
    return sorted(found, key=lambda file: (file.path, file.root))


def _scheme(root: str) -> str:
    return root.split("://", 1)[0] if "://" in root and not root.startswith("file:") else ""


def _below(root: str) -> list[SourceFile]:
    fs = need_arrow()
    system, path = file_system(root)
    try:
        info = system.get_file_info(path)
        infos = [info]
        if info.type == fs.FileType.Directory:
            infos = system.get_file_info(fs.FileSelector(path, recursive=True))
    except OSError as error:
        raise InputError(
            f"{root}: cannot be listed ({error}); check the path and your keys"
        ) from None
    return [
        SourceFile(
            root=root,
            path=one.path,
            kind=kind_of(one.path),
            size=one.size or 0,
            mtime_ns=one.mtime_ns or 0,
        )
        for one in infos
        if one.type == fs.FileType.File
    ]


def file_system(root: str) -> tuple[Any, str]:
    """The pyarrow file system of a root and the path inside it.

    Raises InputError for a scheme that pyarrow does not know.
    """
    fs = need_arrow()
    try:
        system, path = fs.FileSystem.from_uri(root)
    except (ValueError, OSError) as error:  # ArrowInvalid is a ValueError
        message = (
            f"{root}: no file system for this ({error}); give a path, or s3://, gs://, file://"
        )
        raise InputError(message) from None
    return system, path


def open_file(file: SourceFile) -> Any:
    """A file opened for reading from any place.

    Raises InputError when it is gone or has changed since it was listed.
    """
    system, _ = file_system(file.root)
    try:
        info = system.get_file_info(file.path)
        if (info.size, info.mtime_ns or 0) != (file.size, file.mtime_ns):
            raise InputError(changed(file.path))
        return system.open_input_file(file.path)
    except OSError as error:
        raise InputError(f"{file.path}: cannot be read ({error}); give readable files") from None


def changed(path: str) -> str:
    """The message for a file that is not what it was when the plan was made."""
    return f"{path} has changed since the scan began; scan it into a new --output"


def open_bytes(file: SourceFile) -> IO[bytes]:
    """A file's bytes, decompressed for ``.gz`` tables; the same errors as :func:`open_file`."""
    raw = cast("IO[bytes]", io.BufferedReader(open_file(file), 1 << 20))
    if file.kind == "jsonl" and file.path.lower().endswith(GZIP):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw, mode="rb"))
    return raw
