"""The wheel, built and installed where nothing else is, verifies a report."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VECTOR = ROOT / "tests" / "fixtures" / "attestation" / "v1"


def run(*command: object) -> str:
    words = [str(word) for word in command]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, cwd="/", env=environment
    )
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_configs_schema_typing_and_no_caches(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    wanted = ["py.typed", "configs/policy-default.yaml", "configs/tiny.yaml"]
    wanted += ["certify/report/schema/safety-report-v1.json", "interventions/carriers/"]
    for part in wanted:
        assert any(name.startswith(f"causalguard/{part}") for name in names), part
    assert not [
        name for name in names if "cache" in str(Path(name).parent) or name.endswith(".pyc")
    ]


@pytest.mark.external
def test_the_bare_wheel_is_enough_to_verify(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel)
    run(home / "bin" / "guard-certify", "verify", "--help")
    code = (
        "import sys; from pathlib import Path; "
        "from causalguard.attestation import dsse, keys; "
        f"v = Path({str(VECTOR)!r}); "
        "key = keys.load_public(next(v.glob('p256.pub.pem'))); "
        "print(dsse.open_bundle(next(v.glob('p256.sigstore.json')).read_bytes(), key)['_type']); "
        "assert 'torch' not in sys.modules"
    )
    assert "in-toto" in run(python, "-c", code)
