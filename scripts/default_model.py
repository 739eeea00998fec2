"""Re-make the full-size model: data, training, certificate.

    make default-model SHARED=DIR       (or: python scripts/default_model.py --shared DIR)

Without ``--shared`` the intervention engine's own carriers are all there is.  With it, matched sets
on real benign tool outputs are added (see real_carriers.py).  Ten minutes of training on one H200;
a night or more on CPUs.  The result is not yet good enough to be shipped: docs/experiments.md.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
WEIGHTS = {
    "agent_logs": 0.06,
    "apibank": 0.03,
    "benign_docs": 0.12,
    "llmail_benign": 0.03,
    "tau": 0.06,
}
"""Share of a batch's rows by real source, against 1.0 for the engine."""


def main() -> None:
    """Run the steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, help="directory of labelled sets")
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "default")
    parser.add_argument("--key", type=Path, help="private key that signs the report")
    given = parser.parse_args()
    data = given.output.with_name(given.output.name + ".data")
    data.mkdir(parents=True, exist_ok=True)
    config = data / "default.yaml"
    config.write_text(yaml.safe_dump(configuration(given.shared, data), sort_keys=False))
    python("-m", "causalguard.train.cli", "--config", config, "--output", given.output)
    key = ["--key", given.key] if given.key else []
    python("-m", "causalguard.certify.cli", "--model", given.output, *key)


def configuration(shared: Path | None, data: Path) -> dict[str, object]:
    """The default configuration, with the real carriers' files when there are any."""
    config: dict[str, object] = yaml.safe_load((ROOT / "configs" / "default.yaml").read_text())
    if shared is not None:
        python(ROOT / "scripts" / "real_carriers.py", shared, data)
        section, calibration = config["data"], config["calibration"]
        section["files"] = [  # type: ignore[index]
            {"path": str(data / f"{name}.triplets.jsonl"), "weight": weight}
            for name, weight in WEIGHTS.items()
        ]
        calibration["files"] = [str(data / f"{n}.calibration.jsonl") for n in WEIGHTS]  # type: ignore[index]
    return config


def python(*arguments: object) -> None:
    """Run this Python; leave with its exit code when it fails."""
    done = subprocess.run([sys.executable, *(str(a) for a in arguments)], check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
