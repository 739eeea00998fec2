"""certificate.verify: every check refuses on its own, and says which one it was."""

import copy
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from causalguard.attestation import dsse, keys
from causalguard.attestation.certificate import (
    NON_SUBJECT_NAMES,
    PREDICATE_TYPE,
    ROOT_SUBJECT,
    SUBJECT_FILES,
    Certificate,
    make_statement,
    verify,
)
from causalguard.attestation.digests import root_digest, sha256_bytes
from causalguard.errors import (
    CertificateError,
    InputError,
    NotCertifiedError,
    SignatureError,
    SubjectMismatchError,
)

SIGNER = CryptoSigner.generate_ecdsa()
PUBLIC = keys.public_of(SIGNER)
FILES = {name: sha256_bytes(name.encode()) for name in SUBJECT_FILES}
ISSUED = datetime(2026, 11, 23, 12, tzinfo=UTC)
POLICIES = {"default": sha256_bytes(b"policy"), "strict": sha256_bytes(b"strict")}
PREDICATE: dict[str, Any] = {
    "schemaVersion": "1.0",
    "result": "PASSED",
    "policy": {"name": "default", "sha256": POLICIES["default"]},
    "model": {
        "threshold": 0.25,
        "templateSha256": sha256_bytes(b"template"),
        "baseSha256": sha256_bytes(b"base"),
        "tokenizerSha256": sha256_bytes(b"tokenizer"),
    },
    "backends": [{"name": "torch-cpu-float32", "trials": 9}, {"name": "torch-cuda-bfloat16"}],
    "timeCreated": "2026-11-23T12:00:00Z",
    "report": {"anything": [1, 2.5, None]},
}
Change = Callable[[dict[str, Any]], object]


def no_change(_: dict[str, Any]) -> None:
    """Leave it as it is."""


def signed(change: Change = no_change, *, statement_change: Change = no_change) -> bytes:
    """A well signed bundle whose predicate or Statement was changed before signing."""
    statement = make_statement(FILES, PREDICATE)
    statement["predicate"] = copy.deepcopy(PREDICATE)
    change(statement["predicate"])
    statement_change(statement)
    return dsse.sign(statement, SIGNER)


def check(bundle: bytes, files: Mapping[str, str] = FILES, **options: Any) -> Certificate:
    given: dict[str, Any] = {"public_key": PUBLIC, "accepted_policies": POLICIES} | options
    return verify(bundle, file_digests=files, **given)


def test_a_good_report_becomes_a_certificate() -> None:
    bundle = signed()
    assert check(bundle, backend="torch-cpu-float32") == Certificate(
        id=sha256_bytes(bundle),
        result="PASSED",
        policy_name="default",
        policy_sha256=POLICIES["default"],
        subjects=FILES,
        threshold=0.25,
        template_sha256=sha256_bytes(b"template"),
        base_sha256=sha256_bytes(b"base"),
        tokenizer_sha256=sha256_bytes(b"tokenizer"),
        backends=("torch-cpu-float32", "torch-cuda-bfloat16"),
        issued="2026-11-23T12:00:00Z",
        key_fingerprint=PUBLIC.fingerprint,
    )


def test_the_statement_lists_the_root_and_every_file_once() -> None:
    statement = make_statement(FILES, PREDICATE)
    listed = {entry["name"]: entry["digest"] for entry in statement["subject"]}
    assert listed == {
        n: {"sha256": d} for n, d in (FILES | {ROOT_SUBJECT: root_digest(FILES)}).items()
    }
    assert next(iter(listed)) == ROOT_SUBJECT
    assert statement["predicateType"] == PREDICATE_TYPE


def test_signed_names_and_unsigned_names_do_not_overlap() -> None:
    assert not set(SUBJECT_FILES) & set(NON_SUBJECT_NAMES)
    assert ROOT_SUBJECT not in SUBJECT_FILES


def test_a_key_that_is_not_trusted_is_refused() -> None:
    other = keys.load_public(keys.generate()[1])
    with pytest.raises(SignatureError, match=r"^key:"):
        check(signed(), public_key=other)
    with pytest.raises(SignatureError, match="accepted: none"):
        check(signed(), public_key=[])


def test_several_trusted_keys_may_come_as_an_iterator() -> None:
    other = keys.load_public(keys.generate("ed25519")[1])
    certificate = check(signed(), public_key=iter([other, PUBLIC]))
    assert certificate.key_fingerprint == PUBLIC.fingerprint


def test_a_tampered_file_is_refused_by_name() -> None:
    with pytest.raises(SubjectMismatchError, match=r"subjects: guard\.json differs from the cert"):
        check(signed(), FILES | {"guard.json": sha256_bytes(b"other")})


@pytest.mark.parametrize("name", SUBJECT_FILES)
def test_a_missing_file_is_refused_by_name(name: str) -> None:
    with pytest.raises(SubjectMismatchError, match=f"{name} is missing"):
        check(signed(), {n: d for n, d in FILES.items() if n != name})


def test_an_extra_file_is_refused_by_name() -> None:
    with pytest.raises(SubjectMismatchError, match=r"backdoor.py is not among"):
        check(signed(), FILES | {"backdoor.py": sha256_bytes(b"x")})


def test_a_renamed_file_and_two_swapped_files_are_refused() -> None:
    renamed = {("guard2.json" if n == "guard.json" else n): d for n, d in FILES.items()}
    with pytest.raises(SubjectMismatchError, match=r"guard\.json is missing; guard2\.json is not"):
        check(signed(), renamed)
    head, guard = FILES["head.safetensors"], FILES["guard.json"]
    with pytest.raises(SubjectMismatchError, match=r"guard\.json differs.*head\.safetensors diff"):
        check(signed(), FILES | {"head.safetensors": guard, "guard.json": head})


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["subject"].pop(),
        lambda s: s["subject"].pop(0),
        lambda s: s["subject"].append({"name": "x", "digest": {"sha256": "0" * 64}}),
        lambda s: s["subject"].append(s["subject"][1]),
        lambda s: s["subject"][0]["digest"].update(sha256="0" * 64),
        lambda s: s["subject"][1]["digest"].update(sha1="0" * 40),
        lambda s: s["subject"][1].update(uri="https://example.org"),
        lambda s: s["subject"][1]["digest"].update(sha256=FILES["guard.json"].upper()),
        lambda s: s["subject"][1].update(name=1),
        lambda s: s["subject"].append("x"),
        lambda s: s.update(subject={}),
        lambda s: s.update(subject=[]),
        lambda s: s.update(subject=None),
    ],
    ids=range(13),
)
def test_a_signed_list_of_subjects_that_is_not_exact_is_refused(change: Change) -> None:
    with pytest.raises(SubjectMismatchError, match=r"^subjects:"):
        check(signed(statement_change=change))


@pytest.mark.parametrize("result", ["FAILED", "INCONCLUSIVE"])
def test_a_report_that_did_not_pass_is_refused_but_can_be_shown(result: str) -> None:
    bundle = signed(lambda p: p.update(result=result))
    with pytest.raises(NotCertifiedError, match=f"^result: the report says {result}"):
        check(bundle)
    assert check(bundle, require_result=None).result == result


def test_an_unknown_policy_is_refused_and_the_accepted_ones_are_named() -> None:
    with pytest.raises(NotCertifiedError, match=r"^policy: 'demo'.*accepted: default, strict"):
        check(signed(lambda p: p["policy"].update(name="demo")))
    with pytest.raises(NotCertifiedError, match="accepted: none"):
        check(signed(), accepted_policies={})
    assert check(signed(), accepted_policies=None).policy_name == "default"


def test_a_policy_of_the_right_name_and_another_digest_is_refused() -> None:
    with pytest.raises(NotCertifiedError, match=r"^policy: 'default' has the digest"):
        check(signed(lambda p: p["policy"].update(sha256=POLICIES["strict"])))


def test_a_backend_that_was_not_measured_is_refused() -> None:
    with pytest.raises(NotCertifiedError, match=r"^backend: 'torch-cpu-bfloat16' was not measured"):
        check(signed(), backend="torch-cpu-bfloat16")


def test_an_old_report_is_refused_only_if_the_age_is_asked_for() -> None:
    now = ISSUED + timedelta(days=90, seconds=1)
    with pytest.raises(NotCertifiedError, match=r"^age: issued .* 90 days ago, 90 are allowed"):
        check(signed(), max_age_days=90, now=now)
    assert check(signed(), max_age_days=90, now=now - timedelta(seconds=1))
    assert check(signed(), now=now)


def test_the_age_does_not_depend_on_the_time_zone_of_now() -> None:
    now = (ISSUED + timedelta(days=1)).astimezone(timezone(timedelta(hours=-11)))
    assert check(signed(), max_age_days=1, now=now)


def test_a_report_from_the_future_is_refused_when_the_age_is_asked_for() -> None:
    assert check(signed(), max_age_days=1, now=ISSUED - timedelta(minutes=5))
    with pytest.raises(NotCertifiedError, match="in the future"):
        check(signed(), max_age_days=1, now=ISSUED - timedelta(minutes=6))


@pytest.mark.parametrize(
    ("days", "now"),
    [(1, None), (1, datetime(2026, 11, 23)), (0, ISSUED), (-1, ISSUED), (float("nan"), ISSUED)],  # noqa: DTZ001
)
def test_an_age_without_a_usable_now_is_the_callers_mistake(days: float, now: Any) -> None:
    with pytest.raises(ValueError, match="max_age_days"):
        check(signed(), max_age_days=days, now=now)


@pytest.mark.parametrize("days", [36_501, 1e12, float("inf")])
def test_an_age_of_more_than_a_century_is_refused_readably(days: float) -> None:
    assert check(signed(), max_age_days=36_500, now=ISSUED)
    with pytest.raises(InputError, match="at most 36500"):
        check(signed(), max_age_days=days, now=ISSUED)


def test_another_predicate_type_is_refused() -> None:
    other = "https://in-toto.io/attestation/test-result/v0.1"
    with pytest.raises(NotCertifiedError, match=r"^predicateType:.*test-result"):
        check(signed(statement_change=lambda s: s.update(predicateType=other)))


@pytest.mark.parametrize("version", ["2.0", "0.9", "1", "1.0.0", "01.0", "1.x", "10.0", 1, None])
def test_a_schema_of_another_major_version_is_refused(version: object) -> None:
    with pytest.raises(NotCertifiedError, match=r"^schemaVersion:"):
        check(signed(lambda p: p.update(schemaVersion=version)))


def test_a_later_minor_version_and_unknown_fields_are_read() -> None:
    assert check(signed(lambda p: p.update(schemaVersion="1.7", novelty={"x": 1})))


BAD_PREDICATES: dict[str, Change] = {
    "result": lambda p: p.update(result="passed"),
    "policy.name": lambda p: p["policy"].update(name=""),
    "policy.sha256": lambda p: p.update(policy=None),
    "model.threshold": lambda p: p["model"].update(threshold=0.0),
    "model.threshold ": lambda p: p["model"].update(threshold=1.01),
    "model.threshold  ": lambda p: p["model"].update(threshold=True),
    "model.templateSha256": lambda p: p["model"].pop("templateSha256"),
    "model.baseSha256": lambda p: p["model"].update(baseSha256="x"),
    "model.tokenizerSha256": lambda p: p["model"].update(tokenizerSha256="A" * 64),
    "backends": lambda p: p.update(backends=[]),
    "backends ": lambda p: p.update(backends=["torch-cpu-float32"]),
    "backends  ": lambda p: p["backends"].append(p["backends"][0]),
    "timeCreated": lambda p: p.update(timeCreated="2026-11-23T12:00:00+01:00"),
    "timeCreated ": lambda p: p.update(timeCreated="2026-02-30T12:00:00Z"),
}


@pytest.mark.parametrize("place", BAD_PREDICATES)
def test_a_malformed_predicate_is_refused_by_the_name_of_its_field(place: str) -> None:
    with pytest.raises(NotCertifiedError, match=f"predicate: {place.strip()} is missing or malf"):
        check(signed(BAD_PREDICATES[place]))


@pytest.mark.parametrize("predicate", [None, [], "x", 1])
def test_a_predicate_that_is_no_object_is_refused(predicate: object) -> None:
    with pytest.raises(NotCertifiedError, match="predicate: not an object"):
        check(signed(statement_change=lambda s: s.update(predicate=predicate)))


def test_what_no_verifier_would_accept_is_not_made() -> None:
    with pytest.raises(InputError, match=r"head\.safetensors is missing"):
        make_statement({n: d for n, d in FILES.items() if n != "head.safetensors"}, PREDICATE)
    with pytest.raises(InputError, match=r"guard\.json: no SHA-256"):
        make_statement(FILES | {"guard.json": "0" * 63}, PREDICATE)
    with pytest.raises(InputError, match=r"predicate: backends, |predicate: backends is"):
        make_statement(FILES, PREDICATE | {"backends": []})


def test_every_refusal_says_what_to_do() -> None:
    refusals: list[Callable[[], object]] = [
        lambda: check(signed(), backend="other"),
        lambda: check(signed(lambda p: p.update(result="FAILED"))),
        lambda: check(signed(), accepted_policies={}),
        lambda: check(signed(), {}),
        lambda: check(signed()[:-1]),
        lambda: check(signed(), max_age_days=1, now=ISSUED + timedelta(days=9)),
    ]
    for refusal in refusals:
        with pytest.raises(CertificateError, match=r"[;:] .*\b(use|fetch|give|certify|run|read)\b"):
            refusal()
