"""The list of keys in SECURITY.md and the keys that the package pins are the same."""

import re
from pathlib import Path

from causalguard.attestation import keys

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| `?([0-9a-f]{64})`? \|.*\| (\w+) \|$", re.MULTILINE)


def _listed() -> dict[str, str]:
    return dict(_ROW.findall((ROOT / "SECURITY.md").read_text(encoding="utf-8")))


def test_every_pinned_key_is_listed_as_valid() -> None:
    pinned = {
        keys.load_public(path).fingerprint
        for path in (ROOT / "src" / "causalguard").rglob("*.pub.pem")
    }
    listed = _listed()
    assert {name for name, state in listed.items() if state == "valid"} == pinned


def test_every_listed_key_has_a_known_state() -> None:
    assert set(_listed().values()) <= {"valid", "retired", "revoked"}
