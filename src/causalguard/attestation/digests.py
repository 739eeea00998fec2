"""SHA-256 of bytes, files, a directory and named tensors.

The root digest is that of model-signing, so that a signature made with that tool and ours speak
of one number.  Files are read through a descriptor that follows no link.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from causalguard.attestation.canonical import canonical_json
from causalguard.attestation.layout import SUBJECT_FILES, is_non_subject
from causalguard.errors import ModelDirError

HEX_DIGITS = frozenset("0123456789abcdef")
CHUNK = 1 << 20
"""Bytes read at a time."""


def sha256_bytes(data: bytes | bytearray | memoryview) -> str:
    """SHA-256 of a byte string, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def is_sha256(value: object) -> bool:
    """Whether a value is a SHA-256 as this package writes it: 64 lower-case hexadecimal digits."""
    return isinstance(value, str) and len(value) == 64 and HEX_DIGITS.issuperset(value)


def file_digests(directory: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of named files of a directory.

    Args:
        directory: Where the files lie.
        names: Relative POSIX paths, e.g. ``guard.json``.

    Returns:
        Name to hexadecimal digest, in order of path parts.

    Raises:
        ModelDirError: A file is missing, unreadable, a link, or no regular file.
        ValueError: A name leaves the directory, or is empty.
    """
    return {name: _file_digest(directory / name) for name in _ordered(names)}


def root_digest(digests: Mapping[str, str]) -> str:
    """One digest for a set of files, by model-signing's rule.

    SHA-256 over the files' 32-byte digests, joined in order of path *parts* (``sub/a.json``
    before ``sub.json``; model_signing 1.1, ``manifest.py`` and ``_signing/signing.py``).  Names
    do not enter, only their order: a certificate therefore lists every file as well.

    Args:
        digests: Relative POSIX path to SHA-256 in lower-case hexadecimal; at least one.

    Returns:
        64 hexadecimal digits.

    Raises:
        ValueError: No files, a name that leaves the directory, or a malformed digest.
    """
    if not digests:
        raise ValueError("no files, no root digest; give at least one file")
    root = hashlib.sha256()
    for name in _ordered(digests):
        if not is_sha256(digests[name]):
            raise ValueError(f"{name}: {digests[name]!r} is no lower-case hexadecimal SHA-256")
        root.update(bytes.fromhex(digests[name]))
    return root.hexdigest()


def tensors_digest(
    tensors: Iterable[tuple[str, str, Sequence[int], bytes | bytearray | memoryview]],
) -> str:
    """One digest for a set of named tensors, whatever file format or order they came in.

    SHA-256 over the canonical JSON of ``[name, dtype, shape, SHA-256 of the bytes]``, sorted by
    name: the framing is unambiguous, and tensors can be streamed one at a time.

    Args:
        tensors: ``(name, dtype, shape, bytes)``; bytes are C-contiguous and little-endian.  The
            caller fixes the spelling of dtypes, e.g. safetensors' ``F32``, ``BF16``.

    Returns:
        64 hexadecimal digits.

    Raises:
        ValueError: A name occurs twice, or there is no tensor at all.
    """
    rows: dict[str, list[object]] = {}
    for name, dtype, shape, data in tensors:
        if name in rows:
            raise ValueError(f"tensor {name!r} is given twice; names must be unique")
        rows[name] = [name, dtype, [int(size) for size in shape], sha256_bytes(data)]
    if not rows:
        raise ValueError("no tensors, no digest; give at least one")
    return sha256_bytes(canonical_json([rows[name] for name in sorted(rows)]))


def model_dir_names(directory: Path) -> tuple[str, ...]:
    """The signed files of a MODEL_DIR, after checking that it holds nothing unlisted.

    Args:
        directory: A MODEL_DIR.

    Returns:
        ``SUBJECT_FILES``: every one is there, as a regular file.

    Raises:
        ModelDirError: No such directory; a missing or an unlisted file; a link; a subdirectory.
            All faults are named at once.
    """
    if not directory.is_dir():
        raise ModelDirError(f"{directory}: no such directory; give the path of a MODEL_DIR")
    with os.scandir(directory) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    faults = [fault for entry in entries if (fault := _entry_fault(entry))]
    present = {entry.name for entry in entries}
    faults += [f"{name} is missing" for name in SUBJECT_FILES if name not in present]
    if faults:
        raise ModelDirError(
            f"{directory}: {'; '.join(faults)}. A MODEL_DIR holds exactly "
            f"{', '.join(SUBJECT_FILES)}, and reports beside them: move anything else out, or "
            "fetch the directory again as plain files"
        )
    return SUBJECT_FILES


def model_dir_digests(directory: Path) -> dict[str, str]:
    """SHA-256 of every signed file of a MODEL_DIR, after :func:`model_dir_names`' checks.

    Args:
        directory: A MODEL_DIR.

    Returns:
        Name to hexadecimal digest: what ``certificate.verify`` takes.

    Raises:
        ModelDirError: As :func:`model_dir_names`, or a file cannot be read.
    """
    return file_digests(directory, model_dir_names(directory))


def _entry_fault(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return f"{entry.name} is a symbolic link"
    if entry.is_dir(follow_symlinks=False):
        return f"{entry.name}/ is a subdirectory"
    if not entry.is_file(follow_symlinks=False):
        return f"{entry.name} is not a regular file"
    if entry.name in SUBJECT_FILES or is_non_subject(entry.name):
        return ""
    return f"{entry.name} is not listed"


def _ordered(names: Iterable[str]) -> list[str]:
    given = list(names)
    for name in given:
        path = PurePosixPath(name)
        if not name or path.is_absolute() or ".." in path.parts or str(path) != name or name == ".":
            raise ValueError(f"{name!r} is no plain relative POSIX path")
    return sorted(given, key=lambda name: PurePosixPath(name).parts)


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    # No link is followed, and opening a pipe does not wait: what is hashed is the file itself.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise ModelDirError(f"{path}: not a regular file; put the file itself there")
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise ModelDirError(
            f"{path}: cannot be read ({error.strerror}); a plain, readable file is needed"
        ) from None
    return digest.hexdigest()
