"""A Statement in, a signed Sigstore bundle out, and back under strict rules.

The bundle (v0.3, with a key instead of a certificate) holds a DSSE envelope around an in-toto
Statement v1.  Of every signed Statement exactly one file is accepted per signature: the file is
canonical JSON of an exact set of keys, base64 and DER have one form, and of the two ECDSA
signatures (r, s) and (r, n - s) only the one with the lower s is good.  So a flipped byte
anywhere is refused, and the SHA-256 of the file can name the certificate.
"""

import base64
import binascii
from collections.abc import Iterable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import Error as BackendError
from securesystemslib.signer import Signature

from causalguard.attestation.canonical import canonical_json, parse_canonical
from causalguard.attestation.keys import PublicKey, Signer, public_of
from causalguard.errors import InputError, SignatureError

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
STATEMENT_KEYS = frozenset({"_type", "subject", "predicateType", "predicate"})

MAX_BUNDLE_BYTES = 64 * 2**20
"""Longest bundle read, in bytes; reports are far smaller, and parsing comes before trust."""

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Order n of the group of P-256 (SEC 2, section 2.4.2)."""


def sign(statement: dict[str, Any], signer: Signer) -> bytes:
    """Sign an in-toto Statement.

    Args:
        statement: Statement v1, e.g. from ``certificate.make_statement``.
        signer: From ``keys.load_signer``.

    Returns:
        A Sigstore bundle v0.3 as canonical JSON: write these bytes and no others.

    Raises:
        InputError: The statement has no canonical form, or is no Statement v1.
        SignatureError: What the signer gave does not verify with the signer's own public key.
    """
    if set(statement) != STATEMENT_KEYS or statement["_type"] != STATEMENT_TYPE:
        raise InputError(f"not an in-toto Statement v1: keys {sorted(statement)}; build it anew")
    payload = canonical_json(statement)
    public = public_of(signer)
    signed = signer.sign(_pre_authentication(payload)).signature
    signature = _lower(bytes.fromhex(signed), public)
    bundle = canonical_json(_bundle(payload, signature, public.fingerprint))
    open_bundle(bundle, public)
    return bundle


def open_bundle(bundle: bytes, public: PublicKey | Iterable[PublicKey]) -> dict[str, Any]:
    """Verify a bundle and give the Statement in it.

    Args:
        bundle: The whole file, as it was written.
        public: The key that the caller trusts, or several (the bundle's hint picks one).

    Returns:
        The Statement, verified: its signature, its type, its canonical form.

    Raises:
        SignatureError: Anything at all deviates; the message says which check, and what to do.
    """
    if len(bundle) > MAX_BUNDLE_BYTES:
        raise SignatureError(f"bundle: longer than {MAX_BUNDLE_BYTES} bytes; this is no report")
    payload, signature, hint = _unpack(_parse(bundle, "bundle"))
    key = _pick(hint, public)
    _check_form(signature, key)
    try:
        key.verifier().verify_signature(
            Signature(key.fingerprint, signature.hex()), _pre_authentication(payload)
        )
    except BackendError:
        raise SignatureError(
            f"signature: it does not verify with the key {key.fingerprint[:16]}...; the report "
            "was changed after signing, or signed by another key: get both again from their source"
        ) from None
    statement = _parse(payload, "payload")
    if not isinstance(statement, dict) or set(statement) != STATEMENT_KEYS:
        raise SignatureError("payload: signed, but no in-toto Statement; use the safety report")
    if statement["_type"] != STATEMENT_TYPE:
        raise SignatureError(
            f"payload: _type is {statement['_type']!r}, not {STATEMENT_TYPE}; use the safety report"
        )
    return statement


def signed_by(bundle: bytes) -> str:
    """Fingerprint of the key that a bundle *claims*, to look a key up; nothing is verified.

    Raises:
        SignatureError: The bundle is malformed.
    """
    return _unpack(_parse(bundle, "bundle"))[2]


def _pre_authentication(payload: bytes) -> bytes:
    # DSSE v1, protocol.md: PAE("DSSEv1", type, body) is what is signed.
    pae: bytes = Envelope(payload, PAYLOAD_TYPE, {}).pae()
    return pae


def _bundle(payload: bytes, signature: bytes, hint: str) -> dict[str, Any]:
    return {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode()}],
        },
    }


def _unpack(bundle: Any) -> tuple[bytes, bytes, str]:
    """Payload, signature and hint of a bundle that has exactly the shape of :func:`_bundle`."""
    try:
        payload = bundle["dsseEnvelope"]["payload"]
        signature = bundle["dsseEnvelope"]["signatures"][0]["sig"]
        hint = bundle["verificationMaterial"]["publicKey"]["hint"]
    except (KeyError, IndexError, TypeError):
        raise SignatureError(
            "bundle: not a Sigstore bundle v0.3 signed by a key; give safety-report.sigstore.json"
        ) from None
    values = _decode(payload, "payload"), _decode(signature, "signature")
    # Whole-value comparison: a key more, a key less or another value of a fixed field differs.
    if not isinstance(hint, str) or _bundle(*values, hint) != bundle:
        raise SignatureError(
            "bundle: keys or fixed values (media type, payload type, one signature, no log "
            "entries) are not those of a safety report; use the file as written"
        )
    return (*values, hint)


def _parse(data: bytes, part: str) -> Any:
    try:
        return parse_canonical(data)
    except InputError as error:
        raise SignatureError(f"{part}: {error}") from None


def _decode(text: object, part: str) -> bytes:
    if isinstance(text, str) and text.isascii():
        try:
            data = base64.b64decode(text, validate=True)
        except binascii.Error:
            data = b""
        # The decoder lets stray bits in the last character pass; the encoder does not make any.
        if data and base64.b64encode(data).decode() == text:
            return data
    raise SignatureError(f"bundle: {part} is not in the one form of base64; use the original file")


def _pick(hint: str, public: PublicKey | Iterable[PublicKey]) -> PublicKey:
    keys = [public] if isinstance(public, PublicKey) else list(public)
    for key in keys:
        if key.fingerprint == hint:
            return key
    accepted = ", ".join(key.fingerprint[:16] + "..." for key in keys) or "none"
    raise SignatureError(
        f"key: the report names the key {hint[:16]!r}..., accepted: {accepted}; pin the signer's "
        "public key if you trust it, or get a report signed by a key that you trust"
    )


def _lower(signature: bytes, public: PublicKey) -> bytes:
    """Of (r, s) and (r, n - s), both of which verify, the one with the lower s."""
    if public.kind != "p256":
        return signature
    try:
        r, s = decode_dss_signature(signature)
    except ValueError:
        raise SignatureError("signature: the signer gave no DER signature; check it") from None
    return encode_dss_signature(r, min(s, P256_ORDER - s))


def _check_form(signature: bytes, key: PublicKey) -> None:
    try:
        good = _lower(signature, key) == signature
    except ValueError:  # s beyond the order has no lower partner
        good = False
    if not good:
        raise SignatureError("signature: not in its one form (DER, lower s); use the original file")
