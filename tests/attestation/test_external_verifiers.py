"""A third party's tools read our bundles: openssl and jq, and Sigstore's client from npm."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "docs" / "verify"
VECTORS = ROOT / "tests" / "fixtures" / "attestation" / "v1"
KINDS = ("p256", "ed25519")
INSTALL = "apt-get install -y openssl jq coreutils; Node.js >= 20.17 with npm for the npm script"

pytestmark = pytest.mark.external


def missing(what: str) -> None:
    """Skip at a desk, fail under CI: there the proof is not optional."""
    message = f"{what}; to run this test: {INSTALL}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def openssl_script() -> Path:
    for tool in ("openssl", "jq", "sha256sum", "base64"):
        if shutil.which(tool) is None:
            missing(f"{tool} is not installed")
    return SCRIPTS / "verify_openssl.sh"


@pytest.fixture(scope="module")
def node_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("npm") is None or shutil.which("node") is None:
        missing("node and npm are not installed")
    folder = tmp_path_factory.mktemp("sigstore")
    for name in ("package.json", "package-lock.json", "verify_sigstore.mjs"):
        shutil.copy(SCRIPTS / name, folder)
    npm = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
    done = run(*npm)
    if done.returncode:
        missing(f"npm could not install @sigstore/verify: {done.stderr[-500:]}")
    return folder / "verify_sigstore.mjs"


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A copy of the vectors that a test may spoil."""
    return Path(shutil.copytree(VECTORS, tmp_path / "case"))


def spoil_payload(bundle: Path) -> None:
    value = json.loads(bundle.read_text())
    payload = base64.b64decode(value["dsseEnvelope"]["payload"]).replace(b"20000", b"90000")
    value["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    bundle.write_text(json.dumps(value))


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail), ("", pytest.skip)])
def test_a_missing_tool_fails_under_ci_and_skips_elsewhere(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: Any
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome.Exception, match="apt-get install"):
        missing("openssl is not installed")


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_verifies_bundle_and_files(openssl_script: Path, kind: str) -> None:
    bundle, key = VECTORS / f"{kind}.sigstore.json", VECTORS / f"{kind}.pub.pem"
    done = run(openssl_script, bundle, key, VECTORS / "model")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "VERIFIED"
    assert "result PASSED under policy vector" in done.stdout
    assert run(openssl_script, bundle, key).returncode == 0


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_refuses_a_changed_payload_and_a_wrong_key(
    openssl_script: Path, case: Path, kind: str
) -> None:
    bundle, other = case / f"{kind}.sigstore.json", case / f"{KINDS[kind == 'p256']}.pub.pem"
    assert "names another key" in run(openssl_script, bundle, other).stderr
    spoil_payload(bundle)
    done = run(openssl_script, bundle, case / f"{kind}.pub.pem")
    assert (done.returncode, "does not verify" in done.stderr) == (1, True)


def test_openssl_refuses_every_change_of_the_files(openssl_script: Path, case: Path) -> None:
    command = [openssl_script, case / "p256.sigstore.json", case / "p256.pub.pem", case / "model"]
    model = case / "model"
    (model / "README.md").write_text("the card may lie there")
    assert run(*command).returncode == 0
    (model / "extra.py").write_text("")
    assert "extra.py was not certified" in run(*command).stderr
    (model / "extra.py").unlink()
    (model / "safety-report.d").mkdir()
    assert "links or directories" in run(*command).stderr
    (model / "safety-report.d").rmdir()
    (model / "guard.json").write_text("{}")
    assert run(*command).returncode == 1
    (model / "guard.json").unlink()
    assert "not those that were certified" in run(*command).stderr


def test_openssl_script_tells_how_it_is_used(openssl_script: Path) -> None:
    done = run(openssl_script)
    assert (done.returncode, "usage:" in done.stderr) == (2, True)


def test_the_commands_written_out_in_the_docs_verify_a_vector(
    openssl_script: Path, case: Path
) -> None:
    (case / "p256.sigstore.json").rename(case / "safety-report.sigstore.json")
    (case / "p256.pub.pem").rename(case / "key.pub.pem")
    (case / "model").rename(case / "MODEL_DIR")
    text = (ROOT / "docs" / "verify.md").read_text()
    (commands,) = (block for block in text.split("```sh\n") if block.startswith("jq -j"))
    done = run("sh", "-e", "-c", f"cd {case}\n{commands.partition('```')[0]}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Verified OK")
    assert done.stdout.endswith(
        'guard.json: OK\nhead.safetensors: OK\ntraining.yaml: OK\n"PASSED"\n'
    )


@pytest.mark.parametrize("kind", KINDS)
def test_sigstores_client_verifies_our_bundle(node_script: Path, kind: str) -> None:
    done = run("node", node_script, VECTORS / f"{kind}.sigstore.json", VECTORS / f"{kind}.pub.pem")
    assert done.returncode == 0, done.stderr
    assert "safety-report/v1: PASSED under policy vector" in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_sigstores_client_refuses_a_changed_payload_and_a_wrong_key(
    node_script: Path, case: Path, kind: str
) -> None:
    bundle, other = case / f"{kind}.sigstore.json", case / f"{KINDS[kind == 'p256']}.pub.pem"
    assert "names another key" in run("node", node_script, bundle, other).stderr
    spoil_payload(bundle)
    done = run("node", node_script, bundle, case / f"{kind}.pub.pem")
    assert (done.returncode, "signature verification failed" in done.stderr) == (1, True)


def test_the_lock_file_pins_every_package_and_names_no_registry() -> None:
    lock = json.loads((SCRIPTS / "package-lock.json").read_text())
    packages = [package for name, package in lock["packages"].items() if name]
    assert all(package["integrity"].startswith("sha512-") for package in packages)
    assert all("resolved" not in package for package in packages)
