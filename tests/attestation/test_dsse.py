"""Bundles: exactly one file is accepted for one signature, and no byte of it may change."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from causalguard.attestation import dsse, keys
from causalguard.attestation.canonical import canonical_json
from causalguard.errors import InputError, SignatureError

SIGNERS = {"p256": CryptoSigner.generate_ecdsa(), "ed25519": CryptoSigner.generate_ed25519()}
P256 = keys.public_of(SIGNERS["p256"])
STATEMENT: dict[str, Any] = {
    "_type": dsse.STATEMENT_TYPE,
    "subject": [{"name": "file", "digest": {"sha256": "0" * 64}}],
    "predicateType": "https://example.org/test",
    "predicate": {"x": 1.5, "text": "é\n"},
}
BUNDLE = dsse.sign(STATEMENT, SIGNERS["p256"])


class Twisted:
    """A signer whose signatures are changed on the way out."""

    def __init__(self, twist: Callable[[bytes], bytes]) -> None:
        self.public_key = SIGNERS["p256"].public_key
        self._twist = twist

    def sign(self, payload: bytes) -> Any:
        signature = SIGNERS["p256"].sign(payload)
        signature.signature = self._twist(bytes.fromhex(signature.signature)).hex()
        return signature


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The bundle with its parsed form changed, written canonically again."""
    value = json.loads(BUNDLE)
    change(value)
    return canonical_json(value)


def resigned(payload: bytes) -> bytes:
    """A bundle around any payload whatever, well signed."""
    signature = SIGNERS["p256"].sign(dsse._pre_authentication(payload)).signature
    lower = dsse._lower(bytes.fromhex(signature), P256)
    return canonical_json(dsse._bundle(payload, lower, P256.fingerprint))


@pytest.mark.parametrize("kind", SIGNERS)
def test_what_was_signed_comes_back(kind: str) -> None:
    public = keys.public_of(SIGNERS[kind])
    bundle = dsse.sign(STATEMENT, SIGNERS[kind])
    assert dsse.open_bundle(bundle, public) == STATEMENT
    assert dsse.signed_by(bundle) == public.fingerprint


def test_the_bundle_has_the_shape_of_sigstore_v03() -> None:
    bundle = json.loads(BUNDLE)
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert bundle["verificationMaterial"] == {
        "publicKey": {"hint": P256.fingerprint},
        "tlogEntries": [],
    }
    assert bundle["dsseEnvelope"]["payloadType"] == "application/vnd.in-toto+json"
    assert base64.b64decode(bundle["dsseEnvelope"]["payload"]) == canonical_json(STATEMENT)


@pytest.mark.parametrize("kind", SIGNERS)
def test_a_flipped_byte_is_refused_wherever_it_stands(kind: str) -> None:
    public = keys.public_of(SIGNERS[kind])
    bundle = dsse.sign(STATEMENT, SIGNERS[kind])
    for position in range(len(bundle)):
        for mask in (0x01, 0x02, 0x04, 0x20, 0x80):
            flipped = bytearray(bundle)
            flipped[position] ^= mask
            with pytest.raises(SignatureError):
                dsse.open_bundle(bytes(flipped), public)


@given(st.data())
def test_a_byte_put_in_left_out_or_replaced_is_refused(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(BUNDLE)))
    end = data.draw(st.integers(start, min(start + 3, len(BUNDLE))))
    other = BUNDLE[:start] + data.draw(st.binary(max_size=3)) + BUNDLE[end:]
    if other != BUNDLE:
        with pytest.raises(SignatureError):
            dsse.open_bundle(other, P256)


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(SignatureError):
        dsse.open_bundle(data, P256)


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.update(extra=1),
        lambda b: b.pop("mediaType"),
        lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle.v0.2+json"),
        lambda b: b["dsseEnvelope"].update(payloadType="application/json"),
        lambda b: b["dsseEnvelope"]["signatures"].append(b["dsseEnvelope"]["signatures"][0]),
        lambda b: b["dsseEnvelope"]["signatures"].clear(),
        lambda b: b["dsseEnvelope"]["signatures"][0].update(keyid=""),
        lambda b: b["verificationMaterial"].update(tlogEntries=[{}]),
        lambda b: b["verificationMaterial"].update(certificate={}),
        lambda b: b["verificationMaterial"]["publicKey"].update(hint=""),
        lambda b: b["verificationMaterial"]["publicKey"].update(hint=7),
        lambda b: b["dsseEnvelope"].update(payload=""),
        lambda b: b["dsseEnvelope"].update(payload=None),
        lambda b: b["dsseEnvelope"].update(payload="é" + b["dsseEnvelope"]["payload"]),
        lambda b: b["dsseEnvelope"].update(payload=b["dsseEnvelope"]["payload"] + "\n"),
    ],
    ids=range(15),
)
def test_every_departure_from_the_shape_is_refused(
    change: Callable[[dict[str, Any]], object],
) -> None:
    with pytest.raises(SignatureError, match=r"^(bundle|key):"):
        dsse.open_bundle(changed(change), P256)


@pytest.mark.parametrize("top", [b"null", b"[]", b"1", b'"x"', b"{}"])
def test_a_document_that_is_no_bundle_is_refused(top: bytes) -> None:
    with pytest.raises(SignatureError, match=r"safety-report\.sigstore\.json"):
        dsse.open_bundle(top, P256)


def test_stray_bits_in_the_last_character_of_base64_are_refused() -> None:
    statement = STATEMENT
    while len(canonical_json(statement)) % 3 != 2:  # one "=": the last character has spare bits
        statement = {**statement, "predicateType": statement["predicateType"] + "x"}
    bundle = json.loads(dsse.sign(statement, SIGNERS["p256"]))
    payload = bundle["dsseEnvelope"]["payload"]
    twin = payload[:-2] + chr(ord(payload[-2]) + 1) + "="
    assert base64.b64decode(twin, validate=True) == base64.b64decode(payload)
    bundle["dsseEnvelope"]["payload"] = twin
    with pytest.raises(SignatureError, match="one form of base64"):
        dsse.open_bundle(canonical_json(bundle), P256)


def test_the_other_ecdsa_signature_of_the_same_text_is_refused() -> None:
    envelope = json.loads(BUNDLE)
    signature = base64.b64decode(envelope["dsseEnvelope"]["signatures"][0]["sig"])
    r, s = decode_dss_signature(signature)
    twin = encode_dss_signature(r, dsse.P256_ORDER - s)
    pae = dsse._pre_authentication(canonical_json(STATEMENT))
    P256.verifier()._verify(twin, pae)  # a good signature in itself
    envelope["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(twin).decode()
    with pytest.raises(SignatureError, match="lower s"):
        dsse.open_bundle(canonical_json(envelope), P256)


@pytest.mark.parametrize("junk", [b"\x30\x00", b"junk", b"\0" * 64])
def test_a_signature_that_is_no_der_is_refused(junk: bytes) -> None:
    text = base64.b64encode(junk).decode()
    bundle = changed(lambda b: b["dsseEnvelope"]["signatures"][0].update(sig=text))
    with pytest.raises(SignatureError, match=r"^signature:"):
        dsse.open_bundle(bundle, P256)


@pytest.mark.parametrize("s", [0, dsse.P256_ORDER, dsse.P256_ORDER + 5])
def test_a_signature_outside_the_group_is_refused(s: int) -> None:
    text = base64.b64encode(encode_dss_signature(1, s)).decode()
    bundle = changed(lambda b: b["dsseEnvelope"]["signatures"][0].update(sig=text))
    with pytest.raises(SignatureError, match=r"^signature:"):
        dsse.open_bundle(bundle, P256)


def test_signatures_with_a_high_s_are_lowered_when_signing() -> None:
    def raise_s(signature: bytes) -> bytes:
        r, s = decode_dss_signature(signature)
        return encode_dss_signature(r, max(s, dsse.P256_ORDER - s))

    assert dsse.open_bundle(dsse.sign(STATEMENT, Twisted(raise_s)), P256) == STATEMENT


@pytest.mark.parametrize("twist", [lambda s: s[::-1], lambda s: encode_dss_signature(5, 7)])
def test_a_signer_that_gives_a_bad_signature_is_found_out(twist: Callable[[bytes], bytes]) -> None:
    with pytest.raises(SignatureError, match=r"^signature:"):
        dsse.sign(STATEMENT, Twisted(twist))


def test_a_wrong_key_is_refused_by_name() -> None:
    other = keys.load_public(keys.generate()[1])
    with pytest.raises(SignatureError, match=f"accepted: {other.fingerprint[:16]}"):
        dsse.open_bundle(BUNDLE, other)


def test_a_wrong_key_under_the_right_hint_is_refused() -> None:
    pem = keys.load_public(keys.generate()[1]).pem
    liar = keys.PublicKey(kind="p256", pem=pem, fingerprint=P256.fingerprint)
    with pytest.raises(SignatureError, match="does not verify"):
        dsse.open_bundle(BUNDLE, liar)


def test_of_several_trusted_keys_the_right_one_is_taken() -> None:
    others = [keys.load_public(keys.generate(kind)[1]) for kind in ("p256", "ed25519")]
    assert dsse.open_bundle(BUNDLE, [*others, P256]) == STATEMENT
    for trusted in (others, []):
        with pytest.raises(SignatureError, match=r"^key:"):
            dsse.open_bundle(BUNDLE, trusted)


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps(STATEMENT, indent=1).encode(),
        canonical_json(STATEMENT) + b"\n",
        canonical_json([STATEMENT]),
        canonical_json({**STATEMENT, "extra": 1}),
        canonical_json({**STATEMENT, "_type": "https://in-toto.io/Statement/v0.1"}),
        canonical_json({k: v for k, v in STATEMENT.items() if k != "predicate"}),
        b'{"_type":1,"_type":2}',
        b"\xff",
    ],
    ids=range(8),
)
def test_a_well_signed_payload_that_is_no_canonical_statement_is_refused(payload: bytes) -> None:
    with pytest.raises(SignatureError, match=r"^payload:"):
        dsse.open_bundle(resigned(payload), P256)


def test_only_a_statement_is_signed() -> None:
    for wrong in ({}, {**STATEMENT, "extra": 1}, {**STATEMENT, "_type": "other"}):
        with pytest.raises(InputError, match="Statement v1"):
            dsse.sign(wrong, SIGNERS["p256"])
    with pytest.raises(InputError, match=r"predicate\.x: nan"):
        dsse.sign({**STATEMENT, "predicate": {"x": float("nan")}}, SIGNERS["p256"])


def test_an_endless_bundle_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(SignatureError, match="longer than"):
        dsse.open_bundle(b" " * (dsse.MAX_BUNDLE_BYTES + 1), P256)
