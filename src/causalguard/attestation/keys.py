"""Keys: P-256 by default (the one type every verifier takes), Ed25519 accepted, nothing else.

A key is never made on the way: without one the caller gets UnsignedError.  A public key is
named by the SHA-256 of its PEM file, as ``sha256sum key.pub.pem`` prints it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from securesystemslib.exceptions import Error as BackendError
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, SSlibKey

from causalguard.attestation.digests import sha256_bytes
from causalguard.errors import InputError, MissingError, OutputExistsError, UnsignedError

Kind = Literal["p256", "ed25519"]

PASSPHRASE_ENV = "CAUSALGUARD_KEY_PASSPHRASE"  # noqa: S105  # the variable's name, no secret
"""Environment variable with the passphrase of an encrypted private key."""

_PublicObject = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
_PrivateObject = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class Signer(Protocol):
    """What signs: any signer of securesystemslib, or an object of the same shape."""

    @property
    def public_key(self) -> Any:
        """A securesystemslib ``SSlibKey``."""

    def sign(self, payload: bytes) -> Any:
        """Sign bytes; the result has ``signature``, the signature in hexadecimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key that a verifier trusts."""

    kind: Kind
    """Type of key: ``p256`` or ``ed25519``."""
    pem: str
    """SubjectPublicKeyInfo in PEM, as ``openssl pkey -pubout`` writes it."""
    fingerprint: str
    """SHA-256 of the PEM text, 64 hexadecimal digits: the bundle's hint."""

    def verifier(self) -> Any:
        """The same key as a securesystemslib ``SSlibKey``."""
        loaded = serialization.load_pem_public_key(self.pem.encode())
        return SSlibKey.from_crypto(loaded, keyid=self.fingerprint)


def generate(kind: Kind = "p256", *, passphrase: str | None = None) -> tuple[bytes, bytes]:
    """Make a key pair.

    Args:
        kind: ``p256`` or ``ed25519``.
        passphrase: Encrypts the private half; None leaves it in the clear, empty is refused.

    Returns:
        ``(private, public)``, both PEM (PKCS#8 and SubjectPublicKeyInfo).

    Raises:
        InputError: Unknown kind, or an empty passphrase.
    """
    private: _PrivateObject
    if kind == "p256":
        private = ec.generate_private_key(ec.SECP256R1())
    elif kind == "ed25519":
        private = ed25519.Ed25519PrivateKey.generate()
    else:
        raise InputError(f"unknown kind of key {kind!r}; use p256 or ed25519")
    if passphrase == "":
        raise InputError("the passphrase is empty; set one, or leave it out for a plain key file")
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    return pem, _public(private.public_key()).pem.encode()


def write_key_pair(
    private_path: Path, *, kind: Kind = "p256", passphrase: str | None = None
) -> tuple[Path, Path]:
    """Make a key pair and write it: the private half to ``private_path``, with mode 0600.

    The public half goes beside it, with ``.pub`` put before the suffix (``key.pem`` gives
    ``key.pub.pem``).

    Args:
        private_path: Where the private key goes; its directory must exist.
        kind: ``p256`` or ``ed25519``.
        passphrase: Encrypts the private half; None leaves it in the clear.

    Returns:
        The two paths, private first.

    Raises:
        OutputExistsError: One of the files exists; neither is changed.
        InputError: The directory does not exist or cannot be written to.
    """
    public_path = private_path.with_name(f"{private_path.stem}.pub{private_path.suffix}")
    private_pem, public_pem = generate(kind, passphrase=passphrase)
    _write_new(private_path, private_pem, 0o600)
    try:
        _write_new(public_path, public_pem, 0o644)
    except InputError:
        private_path.unlink()  # ours, written a moment ago: half a pair helps nobody
        raise
    return private_path, public_path


def load_public(source: bytes | str | Path) -> PublicKey:
    """Read a public key.

    Args:
        source: PEM as bytes or text, or the path of a PEM file.

    Returns:
        The key.

    Raises:
        InputError: No such file, no public key in PEM, a private key, more than one key, or a
            type of key other than P-256 and Ed25519.
    """
    pem, name = _read_pem(source)
    if b"PRIVATE KEY-----" in pem:
        raise InputError(
            f"{name}: this is a private key. To verify, the public half is needed (openssl pkey "
            "-in KEY -pubout); if the private half went to anyone, replace the key"
        )
    if pem.count(b"-----BEGIN") != 1 or b"-----BEGIN PUBLIC KEY-----" not in pem:
        raise InputError(f"{name}: give exactly one block 'BEGIN PUBLIC KEY' in PEM")
    try:
        loaded = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(f"{name}: damaged public key ({error}); fetch it again") from None
    return _public(loaded, name)


def public_of(signer: Signer) -> PublicKey:
    """The public half of a signer's key.

    Raises:
        InputError: The signer's key is neither P-256 nor Ed25519.
    """
    value = signer.public_key.keyval["public"]
    if signer.public_key.keytype == "ed25519":
        return _public(ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(value)))
    return load_public(value.encode())


def load_signer(source: str | Path | None, *, public: PublicKey | None = None) -> Signer:
    """Open a private key for signing.

    Args:
        source: Path of a PEM file, ``file:PATH``, ``env:NAME`` (PEM in an environment variable),
            or a private key URI of securesystemslib (``awskms:``, ``gcpkms:``, ``azurekms:``,
            ``hv:``, ``hsm:``, ...), passed on as it is.
        public: The public half.  Needed for a URI of securesystemslib; otherwise, if given, it
            must match.

    Returns:
        A signer for :func:`causalguard.attestation.dsse.sign`.  An encrypted key is opened with
        the passphrase in the environment variable PASSPHRASE_ENV.

    Raises:
        UnsignedError: No key was given.
        InputError: The key cannot be read, has another type, or does not match ``public``.
        MissingError: The key service's own library is not installed.
    """
    if not source:
        raise UnsignedError(
            "no signing key was given, so nothing can be signed: give a key file, env:NAME or a "
            "key service's URI, or make a key pair first"
        )
    scheme, _, rest = str(source).partition(":")
    if isinstance(source, str) and scheme in SIGNER_FOR_URI_SCHEME and rest:
        return _service_signer(source, public)
    signer = CryptoSigner(_load_private(source))
    if public is not None and public_of(signer) != public:
        raise InputError(f"{source}: the private key does not belong to the public key given")
    return _typed(signer)


def _typed(signer: Any) -> Signer:
    checked: Signer = signer
    return checked


def _service_signer(uri: str, public: PublicKey | None) -> Signer:
    scheme = uri.partition(":")[0]
    if public is None:
        raise InputError(f"{scheme}: a key service needs the public key as well; give both")
    with _backend_errors(scheme):
        return _typed(SIGNER_FOR_URI_SCHEME[scheme].from_priv_key_uri(uri, public.verifier()))


@contextmanager
def _backend_errors(scheme: str) -> Iterator[None]:
    try:
        yield
    except (UnsupportedLibraryError, ImportError) as error:
        raise MissingError(
            f"{scheme}: {error}; install securesystemslib with the extra for this service"
        ) from None
    except (BackendError, ValueError, OSError) as error:
        raise InputError(f"{scheme}: the key cannot be used ({error}); check the URI") from None


def _load_private(source: str | Path) -> _PrivateObject:
    pem, name = _read_private(source)
    try:
        try:
            loaded = serialization.load_pem_private_key(pem, None)
        except TypeError:  # cryptography's way to say: encrypted
            loaded = serialization.load_pem_private_key(pem, _passphrase(name))
    except (ValueError, UnsupportedAlgorithm):
        # The library's own message is left out: it may quote the key.
        raise InputError(
            f"{name}: no readable private key in PEM, or a wrong passphrase in {PASSPHRASE_ENV}"
        ) from None
    if isinstance(loaded, ed25519.Ed25519PrivateKey):
        return loaded
    if isinstance(loaded, ec.EllipticCurvePrivateKey) and isinstance(loaded.curve, ec.SECP256R1):
        return loaded
    raise InputError(f"{name}: only P-256 and Ed25519 keys are accepted; make one with keygen")


def _passphrase(name: str) -> bytes:
    text = os.environ.get(PASSPHRASE_ENV, "")
    if not text:
        raise InputError(f"{name}: the key is encrypted; put its passphrase in {PASSPHRASE_ENV}")
    return text.encode()


def _read_private(source: str | Path) -> tuple[bytes, str]:
    text = str(source)
    if isinstance(source, str) and text.startswith("env:"):
        variable = text.removeprefix("env:")
        pem = os.environ.get(variable, "")
        if not pem:
            raise UnsignedError(
                f"no signing key: the environment variable {variable!r} is empty or not set"
            )
        return pem.encode(), text
    if "-----BEGIN" in text:
        raise InputError("give a private key as a file or as env:NAME, not its text")
    path = Path(text.removeprefix("file:")) if isinstance(source, str) else source
    return _read_file(path), str(path)


def _read_pem(source: bytes | str | Path) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        return source, "public key"
    if isinstance(source, str) and "-----BEGIN" in source:
        return source.encode(), "public key"
    return _read_file(Path(source)), str(source)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}: cannot be read ({reason}); give a PEM file") from None


def _public(loaded: object, name: str = "public key") -> PublicKey:
    kind: Kind
    if isinstance(loaded, ed25519.Ed25519PublicKey):
        kind = "ed25519"
    elif isinstance(loaded, ec.EllipticCurvePublicKey) and isinstance(loaded.curve, ec.SECP256R1):
        kind = "p256"
    else:
        curve = getattr(getattr(loaded, "curve", None), "name", type(loaded).__name__)
        raise InputError(f"{name}: {curve} is not accepted; use a P-256 or an Ed25519 key")
    pem = loaded.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return PublicKey(kind=kind, pem=pem.decode(), fingerprint=sha256_bytes(pem))


def _write_new(path: Path, data: bytes, mode: int) -> None:
    try:
        # O_EXCL: made here or not at all, and never readable by others for a moment.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise OutputExistsError(f"{path} exists already; give another path") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); check it") from None
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
