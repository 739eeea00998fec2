"""One YAML file in, one frozen configuration out: every fault at once, before any model loads.

The resolved copy (defaults filled in) is written beside the model as ``training.yaml``.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from causalguard.errors import ConfigError
from causalguard.guard.template import TemplateSpec
from causalguard.guard.windows import WindowSpec
from causalguard.records import KINDS, Kind

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Attention = Literal["auto", "sdpa", "flex", "flash_attention_2", "eager"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExitConfig(_Section):
    """One place where the network is read."""

    layer: int = Field(ge=1)
    """Layer whose output the head reads, counted from 1."""
    middle: int = Field(default=256, ge=1)
    """Width of the head's hidden layer."""
    width: int = Field(default=128, ge=2)
    """Dimension of R."""
    weight: float = Field(default=1.0, gt=0.0)
    """Weight of this exit's losses in the sum."""


class LoraConfig(_Section):
    """The adapter."""

    r: int = Field(default=16, ge=1)
    alpha: float = Field(default=32.0, gt=0.0)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    targets: Literal["auto"] | tuple[str, ...] = "auto"
    """Last names of the adapted linear maps; auto: every linear map of the decoder layers."""
    first_layer: int = Field(default=1, ge=1)
    """Layers below this one keep an adapter of zeros: no backward pass runs through them."""
    frozen_below: int = Field(default=1, ge=1)
    """With ``init``: layers below this one keep their adapter as it is; several times faster."""
    lowest_share: float = Field(default=1.0, gt=0.0, le=1.0)
    """Below 1: every step trains at a share of the adapter's change drawn from here to 1, so that
    a guard kept by ``interpolate`` was trained as well (callbacks/shares.py)."""
    interpolate: float = Field(default=1.0, gt=0.0, le=1.0)
    """Share of the trained change of the weights that the guard keeps: between the base (0) and
    the fine-tuned weights (1) lie models that hold better on sources nobody trained on (WiSE-FT,
    Wortsman et al. 2022, arXiv:2109.01903)."""


class TemplateConfig(_Section):
    """The rendering of the trusted context; see guard/template.py."""

    open: str = "<|im_start|>"
    close: str = "<|im_end|>"
    system_tokens: int = Field(default=96, ge=0)
    task_tokens: int = Field(default=160, ge=1)

    def spec(self) -> TemplateSpec:
        """As the guard wants it."""
        return TemplateSpec(**self.model_dump())


class WindowConfig(_Section):
    """The window grid; see guard/windows.py."""

    tokens: int = Field(default=320, ge=8)
    stride: int = Field(default=256, ge=1)
    max_tokens: int = Field(default=524_288, ge=8)

    def spec(self) -> WindowSpec:
        """As the guard wants it."""
        return WindowSpec(**self.model_dump())


class GenerateConfig(_Section):
    """Matched sets made by the intervention engine."""

    n_sets: int = Field(ge=1)
    """Sets of the engine's training split."""
    dev_sets: int = Field(default=100, ge=0)
    """Sets of its dev split, which shares no carrier, goal or template with training."""
    seed: int = Field(default=1, ge=0)
    families: Literal["trained", "held-out", "all"] | tuple[str, ...] | None = None
    """Attack families to draw from; null: all that may be trained on."""
    lengths: tuple[str, ...] | None = None
    """Length levels of the engine to draw from; null: all."""
    weight: float = Field(default=1.0, gt=0.0)
    """Share of a batch's rows, against the other sources' weights."""


class FileConfig(_Section):
    """A file of matched sets (triplet/1 rows)."""

    path: Path
    weight: float = Field(default=1.0, gt=0.0)


class ExtraConfig(_Section):
    """A file of labelled examples: ``id, source, license, task, text, label, injection, pair``."""

    path: Path
    weight: float = Field(default=0.2, gt=0.0)
    licences: Literal["all", "shippable"] | tuple[str, ...] = "all"
    """shippable: rows whose licence lets the trained model be given away; or words to look for."""
    exclude_sources: tuple[str, ...] = ()
    """Drop rows of these sources."""
    max_rows: int | None = Field(default=None, ge=1)
    """Keep at most this many rows: whole pairs, drawn evenly."""
    sets: float = Field(default=0.0, ge=0.0)
    """Matched sets rendered per benign row, which is their carrier; 0: the rows alone."""
    sets_weight: float = Field(default=0.1, gt=0.0)
    """Share of a batch's rows that the sets get."""
    quote: bool = True
    """The file's injections may stand in the sets of all files."""
    calibrate: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the pairs left out of training: their benign rows help to choose the threshold."""


class DataConfig(_Section):
    """Where examples come from and how windows are drawn."""

    generate: GenerateConfig | None = None
    files: tuple[FileConfig, ...] = ()
    extra: tuple[ExtraConfig, ...] = ()
    kinds: tuple[Kind, ...] = KINDS
    """Members of the matched sets that are trained on (the dev split keeps all)."""
    dev_share: float = Field(default=0.1, gt=0.0, lt=0.9)
    """Share of the carriers (pairs) of files that is held out for choosing a checkpoint."""
    dev_max: int = Field(default=2000, ge=2)
    """At most this many texts are scored for that choice."""
    shift: float = Field(default=0.5, ge=0.0, le=1.0)
    """Probability that a window leaves the guard's grid by a random shift."""
    off_span: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Probability that the window of an injected text is drawn without looking at its span."""
    noise: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the matched sets that get careless spelling (train/noise.py); the dev split of the
    engine stays as it is."""
    crop: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Probability that a text shorter than a window loses its first tokens."""
    grace: int = Field(default=3, ge=0)
    """First tokens of a span that get no token label: nothing can be known there yet."""
    workers: int = Field(default=0, ge=0)
    """Processes that prepare batches; 0: the training process itself."""
    task_tokens: int = Field(default=1024, ge=16)
    """Longest chat of the task term, answer included; sets with a longer one take no part in it."""

    @model_validator(mode="after")
    def _some(self) -> "DataConfig":
        if self.generate is None and not self.files and not self.extra:
            raise ValueError("no data: give generate, files or extra")
        # Sources are told apart by these names: two of one name would be mixed into one.
        names = [str(f.path) for f in self.files] + [e.path.name for e in self.extra]
        paths = [str(f.path.resolve()) for f in self.files]
        twice = [n for each in (names, paths) for n, k in Counter(each).items() if k > 1]
        if twice:
            raise ValueError(
                f"two files are called {twice[0]}: rename one file of extra; give a path of files "
                "once, with the weight of both"
            )
        if not {"benign", "injected"} <= set(self.kinds):
            raise ValueError("kinds must hold benign and injected at least")
        return self


class LossConfig(_Section):
    """Weights and shapes of the loss terms; see train/losses.py."""

    token: float = Field(default=1.0, ge=0.0)
    document: float = Field(default=1.0, ge=0.0)
    contrastive: float = Field(default=0.3, ge=0.0)
    matched: float = Field(default=0.1, ge=0.0)
    task: float = Field(default=0.0, ge=0.0)
    """Next token of the answers in native mode's chats; > 0 needs matched sets with a response."""
    temperature: float = Field(default=0.1, ge=0.01, le=1.0)
    positive_share: float = Field(default=0.5, gt=0.0, lt=1.0)
    """Share of the token term that span tokens get, however few they are."""
    focal_gamma: float = Field(default=0.0, ge=0.0)
    """> 0: down-weight tokens that are right already."""
    smooth_max: float = Field(default=0.0, ge=0.0)
    """Temperature of the maximum in the document term; 0: the exact maximum."""

    @model_validator(mode="after")
    def _detects(self) -> "LossConfig":
        if self.token + self.document <= 0:
            raise ValueError("token and document are both 0: no term would train the risk")
        return self


class OptimiserConfig(_Section):
    """AdamW with a warm-up and a decay."""

    name: str = "adamw_torch"
    """Any optimiser name that transformers' TrainingArguments takes."""
    lr: float = Field(default=4e-4, gt=0.0)
    head_lr: float = Field(default=1e-3, gt=0.0)
    weight_decay: float = Field(default=0.01, ge=0.0)
    warmup: float = Field(default=0.05, ge=0.0, lt=1.0)
    """Share of the steps over which the rate grows from 0."""
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    clip: float = Field(default=1.0, gt=0.0)
    """Largest norm of the gradient."""


class HeadsFirstConfig(_Section):
    """Training the heads on the frozen backbone before the adapter; see train/heads.py."""

    windows: int = Field(ge=1)
    """Windows that are run through the backbone once and kept: 1.2 MB each at most."""
    steps: int = Field(ge=10)
    """Steps of the heads on these windows, one batch each."""
    batch: int = Field(default=32, ge=2)
    """Windows of a batch, about."""
    lr: float = Field(default=1e-3, gt=0.0)
    """Peak learning rate of the heads in these steps."""


class WatchConfig(_Section):
    """Choosing a checkpoint and stopping a run that has gone wrong."""

    every: int = Field(default=0, ge=0)
    """Steps between looks at the dev split and checkpoints; 0: only at the end."""
    patience: int = Field(default=0, ge=0)
    """Looks without improvement after which training stops; 0: never."""
    min_delta: float = Field(default=0.0, ge=0.0)
    """An improvement is at least this much."""
    keep: int = Field(default=2, ge=1)
    """Checkpoints kept on disk."""
    explosion: float = Field(default=10.0, gt=1.0)
    """Stop when the loss exceeds this many times its running median."""


class CalibrationConfig(_Section):
    """Choosing the threshold: false-positive side of fixed-sequence Learn-then-Test."""

    n_sets: int = Field(default=400, ge=0)
    """Matched sets drawn from the engine's calibration split; 0: calibrate on files alone."""
    seed: int = Field(default=2, ge=0)
    lengths: tuple[str, ...] | None = None
    """Length levels of the engine to draw from; null: all."""
    kinds: tuple[Kind, ...] = ("benign", "counterfactual")
    """Which Y = 0 members of the sets count as benign outputs."""
    files: tuple[Path, ...] = ()
    """Benign outputs of your own tools (JSONL with text) to calibrate on as well."""
    apart: bool = False
    """Bound the rate among the engine's outputs and among the others each on its own."""
    alpha: float = Field(default=0.01, gt=0.0, lt=1.0)
    """False-positive rate not to be exceeded."""
    delta: float = Field(default=0.05, gt=0.0, lt=1.0)
    """Probability that it is exceeded all the same."""

    @model_validator(mode="after")
    def _benign(self) -> "CalibrationConfig":
        if not self.kinds or "injected" in self.kinds:
            raise ValueError("kinds must name benign members only, and at least one")
        return self


class TrainConfig(_Section):
    """Everything that decides a training run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    base: str
    """Embedded name, directory, .gguf file or hub id in the local cache."""
    exits: tuple[ExitConfig, ...] = Field(min_length=1)
    data: DataConfig
    lora: LoraConfig = LoraConfig()
    template: TemplateConfig = TemplateConfig()
    windows: WindowConfig = WindowConfig()
    loss: LossConfig = LossConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    init: tuple[Path, ...] = ()
    """A MODEL_DIR whose adapter and heads the run starts from, or several: from the mean of their
    changes of the weights (train/warm.py); null: from nothing."""
    heads_first: HeadsFirstConfig | None = None
    """null: adapter and heads start together."""
    watch: WatchConfig = WatchConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    steps: int = Field(default=1500, ge=0)
    """Steps of adapter and heads together; 0 with heads_first: the frozen probe; 0 with init: that
    model again, with this run's threshold and ``lora.interpolate``."""
    batch: int = Field(default=64, ge=2)
    """Windows (rows) of a micro-batch, about: members of a set are never parted."""
    accumulation: int = Field(default=1, ge=1)
    """Micro-batches per step."""
    precision: Precision = "auto"
    """auto: bf16 where the device has it, else fp32."""
    head_precision: Literal["fp32", "bf16"] = "fp32"
    """What the heads' linear maps compute in; their weights are float32 either way."""
    quantisation: Literal["none", "nf4"] = "none"
    """nf4: the frozen linear maps in 4 bits, double quantised (QLoRA); needs bitsandbytes."""
    attn: Attention = "auto"
    """Attention kernel; auto: what transformers takes.  One that cannot run here is replaced."""
    compile: bool = False
    """Compile the decoder layers: a minute's start, then fewer and larger kernels."""
    checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, a third more time."""
    offload: bool = False
    """With ``checkpointing`` on a GPU: what each layer is recomputed from waits in host memory."""
    packed: bool = False
    """Compute what the members of a matched set share only once; same results."""
    deterministic: bool = False
    """Refuse operations whose results vary between runs; slower."""
    seed: int = Field(default=0, ge=0)
    report_to: tuple[str, ...] = ()
    """Trackers of transformers (tensorboard, wandb ...); empty: none."""

    @field_validator("init", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        if value is None:
            return ()
        return (value,) if isinstance(value, str | Path) else value

    @model_validator(mode="after")
    def _together(self) -> "TrainConfig":
        layers = [e.layer for e in self.exits]
        faults = []
        if layers != sorted(set(layers)):
            faults.append("exits must have distinct layers in ascending order")
        if self.lora.first_layer > max(layers):
            faults.append("lora.first_layer lies above the deepest exit: nothing would be adapted")
        if self.steps == 0 and self.heads_first is None and not self.init:
            faults.append("steps is 0, without heads_first or init: nothing would be trained")
        if self.steps == 0 and self.loss.task > 0:
            faults.append("loss.task is above 0, but with steps: 0 no adapter is trained")
        if self.offload and not self.checkpointing:
            faults.append("offload moves what checkpointing keeps: set checkpointing: true as well")
        if self.compile and self.lora.lowest_share < 1:
            faults.append("compile would compile anew at every share: lora.lowest_share must be 1")
        if self.windows.stride > self.windows.tokens:
            faults.append("windows.stride must lie in [1, windows.tokens]")
        if self.windows.max_tokens < self.windows.tokens:
            faults.append("windows.max_tokens must be at least windows.tokens")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def depth(self) -> int:
        """Layers of the base model that are kept."""
        return self.exits[-1].layer

    def to_yaml(self) -> str:
        """The resolved configuration; reading it gives this configuration back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def load_config(path: Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a YAML configuration and apply ``a.b=c`` overrides.

    Args:
        path: the YAML file; paths inside it are relative to the working directory.
        overrides: ``section.key=value``, the value parsed as YAML.

    Raises:
        ConfigError: with every fault found (unknown keys, wrong values, missing files).
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; give a YAML configuration") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: a mapping of sections is needed")
    faults: list[str] = []
    for item in overrides:
        faults += _override(raw, item)
    if faults:
        raise ConfigError(faults)
    return parse_config(raw, where=str(path))


def parse_config(raw: Mapping[str, Any], *, where: str) -> TrainConfig:
    """Validate a mapping; ConfigError with every fault, each beginning with ``where``."""
    try:
        config = TrainConfig.model_validate(raw)
    except ValidationError as error:
        faults = [
            f"{where}: {'.'.join(str(part) for part in e['loc']) or 'configuration'}: {_say(e)}"
            for e in error.errors()
        ]
        raise ConfigError(faults) from None
    missing = [p for p in _paths(config) if not p.exists()]
    if missing:
        raise ConfigError([f"{where}: {p}: no such file; correct the path" for p in missing])
    return config


def _say(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown key; see docs/training.md for the keys there are"
    return str(error["msg"]).removeprefix("Value error, ") + f" (got {error['input']!r:.60})"


def _paths(config: TrainConfig) -> list[Path]:
    data = config.data
    start = list(config.init)
    files = [f.path for f in data.files] + [e.path for e in data.extra]
    return [*files, *config.calibration.files, *start]


def _override(raw: dict[str, Any], item: str) -> list[str]:
    """Set one dotted key; the faults found, if any."""
    key, sign, text = item.partition("=")
    parts: list[str] = key.strip().split(".")
    if not sign or not all(parts):
        return [f"--set {item}: write it as section.key=value"]
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return [f"--set {item}: the value is not YAML: {error}"]
    here: Any = raw
    try:
        for part in parts[:-1]:
            here = here[int(part)] if isinstance(here, list) else here.setdefault(part, {})
        last: Any = int(parts[-1]) if isinstance(here, list) else parts[-1]
        here[last] = value
    except (AttributeError, IndexError, TypeError, ValueError):
        return [f"--set {item}: {key} does not lead into the configuration"]
    return []
