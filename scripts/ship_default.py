"""Put a certified MODEL_DIR into the package as the default model.

    python scripts/ship_default.py runs/default

Copies the signed files and the reports, without the trials (15 MB; guard-certify makes them
again), after the report was verified with the key that the package pins.  The card gets what
docs/default-model.md says of data, licences and limits: the package has no docs.
"""

import re
import shutil
import sys
from pathlib import Path

from causalguard import Guard
from causalguard.attestation.layout import SUBJECT_FILES
from causalguard.guard.api import PINNED_KEY
from causalguard.guard.bundle import MODELS

ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


def main(model: Path) -> None:
    """Verify, then replace what is there."""
    Guard.load(model, trust=MODELS / PINNED_KEY)
    target = MODELS / "default"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    reports = sorted(path.name for path in model.glob("safety-report.*"))
    for name in (*SUBJECT_FILES, *reports):
        shutil.copyfile(model / name, target / name)
    told = (ROOT / "docs" / "default-model.md").read_text(encoding="utf-8")
    _title, about = told.split("\n## ", 1)
    card = (model / "README.md").read_text(encoding="utf-8")
    about = _LINK.sub(r"\1", about)  # relative links lead nowhere from there
    text = f"{card.rstrip()}\n\n## {about}"
    (target / "README.md").write_text(text, encoding="utf-8")
    size = sum(path.stat().st_size for path in target.iterdir())
    print(f"{target}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
