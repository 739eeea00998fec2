"""MODEL_DIR: what is in it, written all or nothing, read strictly.

Reading keeps the bytes it hashed and builds everything from those very bytes, so that what was
verified is what runs.  Pickles are never read; files that are not listed are an error.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from causalguard.attestation.digests import model_dir_names, sha256_bytes
from causalguard.errors import ModelDirError
from causalguard.files import new_directory
from causalguard.guard.encoder import LORA_PREFIX, expected_adapter_shapes
from causalguard.guard.head import RiskHead
from causalguard.guard.template import TemplateSpec
from causalguard.guard.windows import WindowSpec

T = TypeVar("T", bound=BaseModel)

SCHEMA_VERSION = 1
SCORING_VERSION: Final = 3
"""How risks are computed from a text: 1 is the raw view alone, 3 adds the views of views.py.

2 read one of two encoded runs that touch, and no careless spelling; it is no longer there.

Written into guard.json, whose digest the certificate names.  A change of scoring or of what any
view reads raises it; a model keeps the version that it was calibrated and certified under.
"""
VIEWS_SINCE = 3
"""First scoring version with decoded views."""
OTHER_SCORING = (
    "this release reads texts otherwise than the one that made this model, so neither its "
    "threshold nor its certificate would hold; train it with this release, or install that one"
)
DEFAULT = "default"
"""The name of the model that the package ships."""
MODELS = Path(__file__).parents[1] / "models"
"""Shipped models, and the public key that their reports are signed with."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BaseInfo(_Strict):
    """The base model that the adapter was trained on."""

    name: str
    layers: int = Field(ge=1)
    """Layers kept: the deepest exit."""
    tensors_sha256: str
    """Digest of the tensors as loaded, before the adapter."""
    tokenizer_sha256: str


class TemplateInfo(_Strict):
    """The rendering: see guard/template.py."""

    version: int
    open: str
    close: str
    system_tokens: int = Field(ge=0)
    task_tokens: int = Field(ge=1)
    sha256: str

    def spec(self) -> TemplateSpec:
        """The specification; ModelDirError when it is not the one whose digest is written."""
        spec = TemplateSpec(**self.model_dump(exclude={"sha256"}))
        if spec.digest() != self.sha256:
            raise ModelDirError("guard.json: the template does not match its digest; train again")
        return spec


class WindowInfo(_Strict):
    """The window grid: see guard/windows.py."""

    tokens: int
    stride: int
    max_tokens: int

    def spec(self) -> WindowSpec:
        """The specification, validated."""
        return WindowSpec(**self.model_dump())


class ExitInfo(_Strict):
    """One place where the network is read."""

    layer: int = Field(ge=1)
    middle: int = Field(ge=1)
    width: int = Field(ge=1)
    clear_below: float | None = Field(default=None, ge=0.0, lt=1.0)
    """Not on the deepest exit: a window whose risk here stays below this goes no deeper."""


class ThresholdInfo(_Strict):
    """The cut, and how it was chosen."""

    value: float = Field(gt=0.0, le=1.0)
    rule: str
    """E.g. ``learn-then-test: FPR <= 0.01 at confidence 0.95``."""
    benign_clusters: int = Field(ge=0)
    """Independent benign clusters it was chosen on."""
    false_positives: int = Field(ge=0)
    """Of those, how many are flagged at the value."""
    data_sha256: str = ""
    """Digest of the calibration rows."""


class NativeInfo(_Strict):
    """Native mode: the threshold is for the reading of a whole conversation's prefill."""

    rendering: int = Field(ge=1)
    """Version of the rendering of chats: see guard/native_chat.py."""
    chat_sha256: str
    """Digest of the chat template and what it is given."""
    tensors_sha256: str
    """Digest of all tensors of the generating base model, before the adapter."""
    generator: Literal["base", "base+adapter"]
    """What generates: the base's own weights (an adapter of zeros), or the adapted ones."""


class GuardInfo(_Strict):
    """guard.json."""

    schema_version: Literal[1] = 1
    scoring_version: Literal[1, 3] = SCORING_VERSION
    name: str
    base: BaseInfo
    template: TemplateInfo
    windows: WindowInfo
    exits: tuple[ExitInfo, ...] = Field(min_length=1)
    threshold: ThresholdInfo
    families_trained: tuple[str, ...] = ()
    """Attack families of the training set; the others were never seen."""
    native: NativeInfo | None = None
    """Set: for native mode only; absent: for the windowed guard only."""

    def to_bytes(self) -> bytes:
        """As written to disk."""
        values = self.model_dump(mode="json", exclude={"native"} if self.native is None else None)
        return (json.dumps(values, indent=1, sort_keys=True) + "\n").encode()


class AdapterInfo(BaseModel):
    """The part of peft's adapter_config.json that scoring needs."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    peft_type: Literal["LORA"]
    r: int = Field(ge=1)
    lora_alpha: float
    target_modules: list[str]
    use_dora: Literal[False] = False
    use_rslora: Literal[False] = False
    bias: Literal["none"] = "none"
    modules_to_save: None = None
    rank_pattern: dict[str, int] = Field(default_factory=dict, max_length=0)
    alpha_pattern: dict[str, float] = Field(default_factory=dict, max_length=0)
    fan_in_fan_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """A MODEL_DIR as read: parsed parts and the digests of the bytes they were parsed from."""

    directory: Path
    info: GuardInfo
    adapter: AdapterInfo
    adapter_bytes: bytes
    head_bytes: bytes
    digests: Mapping[str, str]
    """Sha256 in hex of each subject file."""


def shipped(directory: Path) -> Path:
    """Where the model of the package stands, if its name is given and no directory is called so."""
    default = str(directory) == DEFAULT and not directory.exists()
    return MODELS / DEFAULT if default else directory


def read_model_dir(directory: Path) -> ModelFiles:
    """Read a MODEL_DIR; every subject file is read once and hashed from the same bytes.

    ``default`` is the model that the package ships.  Raises ModelDirError naming the first part
    that is missing, extra or damaged.
    """
    directory = shipped(directory)
    raw = {name: (directory / name).read_bytes() for name in model_dir_names(directory)}
    return ModelFiles(
        directory=directory,
        info=_parse(GuardInfo, raw["guard.json"], directory / "guard.json"),
        adapter=_parse(AdapterInfo, raw["adapter_config.json"], directory / "adapter_config.json"),
        adapter_bytes=raw["adapter_model.safetensors"],
        head_bytes=raw["head.safetensors"],
        digests={name: sha256_bytes(data) for name, data in raw.items()},
    )


def _parse(kind: type[T], data: bytes, path: Path) -> T:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        if any(e["loc"] == ("scoring_version",) for e in error.errors()):
            faults.append(OTHER_SCORING)
        raise ModelDirError(f"{path}: " + "; ".join(faults)) from None


def load_exact(
    data: bytes, expected: Mapping[str, tuple[int, ...]], *, where: str
) -> dict[str, Tensor]:
    """Tensors of a safetensors file that must have exactly these names and shapes, all finite.

    A head that is missing from a file is an error here, never a head of random numbers.
    Raises ModelDirError.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors: dict[str, Tensor] = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelDirError(f"{where} is damaged: {error}") from None
    missing, extra = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected)
    if missing or extra:
        raise ModelDirError(f"{where}: missing tensors {missing[:3]}, unknown tensors {extra[:3]}")
    for name, tensor in tensors.items():
        if tuple(tensor.shape) != expected[name]:
            message = f"{where}: {name} has shape {tuple(tensor.shape)}, not {expected[name]}"
            raise ModelDirError(message)
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
            raise ModelDirError(f"{where}: {name} holds NaN, infinity or a type that is not float")
    return tensors


def adapter_tensors(files: ModelFiles, backbone: nn.Module) -> dict[str, Tensor]:
    """The adapter's tensors, checked against the backbone they adapt."""
    shapes = expected_adapter_shapes(backbone, files.adapter.target_modules, files.adapter.r)
    return load_exact(files.adapter_bytes, shapes, where="adapter_model.safetensors")


def build_heads(files: ModelFiles, hidden: int) -> dict[int, RiskHead]:
    """The heads, built from guard.json and filled from head.safetensors."""
    heads = {e.layer: RiskHead(hidden, middle=e.middle, width=e.width) for e in files.info.exits}
    expected = {
        f"exit{layer}.{name}": tuple(value.shape)
        for layer, head in heads.items()
        for name, value in head.state_dict().items()
    }
    tensors = load_exact(files.head_bytes, expected, where="head.safetensors")
    for layer, head in heads.items():
        mark = f"exit{layer}."
        own = {n.removeprefix(mark): t.float() for n, t in tensors.items() if n.startswith(mark)}
        head.load_state_dict(own, strict=True)
    return heads


def write_model_dir(
    directory: Path,
    *,
    info: GuardInfo,
    adapter_config: Mapping[str, Any],
    adapter: Mapping[str, Tensor],
    heads: Mapping[int, RiskHead],
    training_yaml: str,
) -> None:
    """Write a MODEL_DIR, whole or not at all.

    Args:
        directory: must not exist (or be empty).
        info: guard.json.
        adapter_config: peft's configuration as plain JSON values.
        adapter: LoRA tensors under peft's names (``base_model.model...lora_A.weight``).
        heads: by exit layer.
        training_yaml: the resolved configuration.

    Raises OutputExistsError, ModelDirError (a name that peft would not write).
    """
    from safetensors.torch import save

    strange = [name for name in adapter if not name.startswith(LORA_PREFIX)]
    if strange:
        raise ModelDirError(f"adapter tensors must be named as peft names them, not {strange[:3]}")
    tensors = {
        f"exit{layer}.{name}": value.detach().float().cpu().contiguous()
        for layer, head in heads.items()
        for name, value in head.state_dict().items()
    }
    plain = {name: value.detach().cpu().contiguous() for name, value in adapter.items()}
    config = json.dumps(dict(adapter_config), indent=1, sort_keys=True) + "\n"
    with new_directory(directory) as fresh:
        (fresh / "adapter_model.safetensors").write_bytes(save(plain, metadata={"format": "pt"}))
        (fresh / "head.safetensors").write_bytes(save(tensors, metadata={"format": "pt"}))
        (fresh / "adapter_config.json").write_text(config)
        (fresh / "guard.json").write_bytes(info.to_bytes())
        (fresh / "training.yaml").write_text(training_yaml)
