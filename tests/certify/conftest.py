"""One signed certification of the small world, made once a session; tests copy what they damage."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from causalguard.attestation import keys
from causalguard.certify import pipeline
from causalguard.certify.evidence import collect
from causalguard.certify.pipeline import Audit, Certified
from causalguard.certify.policy import LoadedPolicy, parse
from causalguard.certify.trials import TrialSet
from support import planted

SETS = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A certified MODEL_DIR on disk, and what was made."""

    model: Path
    private: Path
    public: Path
    made: Certified


@pytest.fixture(scope="session")
def planted_policy() -> LoadedPolicy:
    """The policy of the small world."""
    return parse(planted.POLICY.encode(), where="planted")


@pytest.fixture(scope="session")
def full_policy() -> LoadedPolicy:
    """The policy of the small world with misled members."""
    return parse(planted.FULL_POLICY.encode(), where="planted")


@pytest.fixture(scope="session")
def signed_once(tmp_path_factory: pytest.TempPathFactory, planted_policy: LoadedPolicy) -> Sample:
    """Certified and signed; do not change its files."""
    root = tmp_path_factory.mktemp("certified")
    private, public = keys.write_key_pair(root / "key.pem")
    model = planted.model_dir(root / "model")
    made = pipeline.certify(
        model,
        planted.FakeGuard(planted.sound),
        Audit(triplets=planted.small_world(SETS), origin="engine", seed=0),
        planted_policy,
        signer=keys.load_signer(private),
        reproduce="guard-certify --model MODEL_DIR",
    )
    return Sample(model=model, private=private, public=public, made=made)


@pytest.fixture
def signed(signed_once: Sample, tmp_path: Path) -> Sample:
    """A copy that a test may damage."""
    model = tmp_path / "copy"
    shutil.copytree(signed_once.model, model)
    return Sample(
        model=model,
        private=signed_once.private,
        public=signed_once.public,
        made=signed_once.made,
    )


Scores = Callable[[planted.FakeGuard, int, int], TrialSet]


def _scores(directory: Path, *, misled: bool) -> Scores:
    def run(guard: planted.FakeGuard, sets: int, seed: int) -> TrialSet:
        return collect(
            guard,
            planted.small_world(sets, seed, misled=misled),
            model_sha256="0" * 64,
            partial=directory / f"partial-{seed}",
        )

    return run


@pytest.fixture
def score_world(tmp_path: Path) -> Scores:
    """Run a fake guard over a small world."""
    return _scores(tmp_path, misled=False)


@pytest.fixture
def score_full_world(tmp_path: Path) -> Scores:
    """Run a fake guard over a small world with misled members."""
    return _scores(tmp_path, misled=True)
