"""Everything runs offline, on few threads; tiny models are built once a session."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random three-layer Llama with a byte-level tokenizer."""
    from support import tiny

    return tiny.tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def tiny_model(tmp_path: Path, tiny_base: Path) -> Path:
    """A fresh MODEL_DIR over the tiny base; tests may damage it."""
    from support import tiny

    return tiny.tiny_model_dir(tmp_path / "model", tiny_base)


@pytest.fixture
def edit() -> Callable[[Path, Callable[[bytes], bytes]], None]:
    """Rewrite a file's bytes."""

    def apply(path: Path, change: Callable[[bytes], bytes]) -> None:
        path.write_bytes(change(path.read_bytes()))

    return apply
