"""The leave-one-source-out protocol as a file: sources, models, folds, probes, variants."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from causalguard.errors import ConfigError
from causalguard.evaluate.rows import Columns

BASE = "base"
"""Name of the variant that changes nothing."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CleanConfig(_Section):
    """Rows of a training source that are dropped because they quote a test-only source."""

    meta: str
    """Key of ``meta`` whose string is looked for."""
    against: str
    """Source in whose texts it must not occur."""


class SourceConfig(_Section):
    """A labelled file under ``--shared``."""

    file: str = ""
    """File name; empty: NAME.jsonl.gz."""
    train: bool = True
    """False: the source is only ever scored."""
    weight: float = Field(default=0.2, gt=0.0)
    """Share of a training batch's rows, against the engine's weight."""
    max_rows: int | None = Field(default=None, ge=1)
    """Rows trained on at most."""
    sets: float = Field(default=0.0, ge=0.0)
    """Matched sets rendered per benign row."""
    sets_weight: float = Field(default=0.1, gt=0.0)
    """Share of a training batch's rows that these sets get."""
    calibrate: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the pairs that only help to choose the threshold."""
    part: str = "split"
    """``split`` or a key of ``meta``."""
    family: str = "attack"
    """Key of ``meta``."""
    format: str = ""
    """``split`` or a key of ``meta``."""
    clean: CleanConfig | None = None

    def columns(self) -> Columns:
        """As the reader wants it."""
        return Columns(part=self.part, family=self.family, format=self.format)


class ModelConfig(_Section):
    """One model to train."""

    hold_out: tuple[str, ...] = ()
    """Sources it never sees, beside those that are never trained on."""
    shared: bool = True
    """False: trained on the engine alone."""
    groups_out: tuple[str, ...] = ()
    """Family groups of the engine it never sees."""


class EngineFold(_Section):
    """Matched sets of the engine's audit split."""

    families: Literal["held-out", "trained", "all"] = "held-out"
    groups: tuple[str, ...] = ()
    """Keep families of these groups; empty: all."""
    n_sets: int = Field(default=600, ge=1)
    seed: int = Field(default=7, ge=0)


class FoldConfig(_Section):
    """What is scored with one model."""

    model: str
    test: tuple[str, ...] = ()
    """Held-out sources that are scored."""
    benign: tuple[str, ...] = ()
    """Held-out benign sources that give the source enough benign clusters for low rates."""
    parts: tuple[str, ...] = ()
    """Parts of the source that have lines of their own and count alone in the means."""
    engine: EngineFold | None = None


class TriggerProbe(_Section):
    """Benign prompts full of trigger words, put where a guard meets them."""

    model: str
    source: str
    """The prompts (test only); their ``meta`` has ``words``."""
    carriers: tuple[str, ...]
    """Held-out sources whose benign rows are the tool outputs."""
    words: str = "trigger_words"


class DilutionProbe(_Section):
    """Known injections inside more and more benign text."""

    model: str
    payloads: str
    """Held-out source whose ``injection`` strings are inserted."""
    carriers: tuple[str, ...]
    """Held-out sources whose benign rows are joined to surroundings."""
    lengths: tuple[int, ...] = (128, 256, 512, 1024, 2048, 4096, 8192, 16384)
    """Tokens of the whole text."""
    documents: int = Field(default=300, ge=10)
    """Documents per length, each once with and once without the injection."""
    fpr: float = Field(default=0.01, gt=0.0, lt=1.0)
    """Document-level false-positive rate at which recall is read off, per length."""


class VariantConfig(_Section):
    """An ablation: changes to the training configuration."""

    set: tuple[str, ...] = ()
    """Overrides as in ``guard-train --set``."""
    matched: bool = True
    """False: of each matched set either the benign text is kept or the injected one, so that
    no carrier is seen both ways and there are no counterfactuals and hard negatives."""


class Protocol(_Section):
    """The whole file."""

    sources: dict[str, SourceConfig]
    models: dict[str, ModelConfig]
    folds: dict[str, FoldConfig]
    triggers: dict[str, TriggerProbe] = {}
    dilution: dict[str, DilutionProbe] = {}
    variants: dict[str, VariantConfig] = {}
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _together(self) -> "Protocol":
        faults: list[str] = []
        for name, model in self.models.items():
            faults += [
                f"models.{name}: unknown source {s!r}"
                for s in model.hold_out
                if s not in self.sources
            ]
        uses = {f"folds.{n}": (f.model, (*f.test, *f.benign)) for n, f in self.folds.items()}
        uses |= {
            f"triggers.{n}": (t.model, (t.source, *t.carriers)) for n, t in self.triggers.items()
        }
        uses |= {
            f"dilution.{n}": (d.model, (d.payloads, *d.carriers)) for n, d in self.dilution.items()
        }
        for where, (model_name, needed) in uses.items():
            if model_name not in self.models:
                faults.append(f"{where}: unknown model {model_name!r}")
            else:
                faults += [f"{where}: {f}" for f in self._seen(model_name, needed)]
        if len(self.tests()) < len(self.folds) + len(self.triggers) + len(self.dilution):
            faults.append("folds, triggers and dilution must not share a name")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _seen(self, model: str, needed: tuple[str, ...]) -> list[str]:
        unknown = [f"unknown source {s!r}" for s in needed if s not in self.sources]
        return unknown + [
            f"{s!r} is trained on by model {model!r}; hold it out there"
            for s in needed
            if s in self.trained(model)
        ]

    def tests(self) -> dict[str, str]:
        """Model of every fold and probe, by its name."""
        found = {name: fold.model for name, fold in self.folds.items()}
        found |= {name: probe.model for name, probe in self.triggers.items()}
        return found | {name: probe.model for name, probe in self.dilution.items()}

    def trained(self, model: str) -> tuple[str, ...]:
        """Sources that a model is trained on."""
        spec = self.models[model]
        if not spec.shared:
            return ()
        return tuple(n for n, s in self.sources.items() if s.train and n not in spec.hold_out)

    def path(self, source: str, shared: Path) -> Path:
        """File of a source."""
        return shared / (self.sources[source].file or f"{source}.jsonl.gz")


def load_protocol(path: Path) -> Protocol:
    """Read the file; ConfigError lists every fault."""
    try:
        raw: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no such file; give a protocol such as configs/loso.yaml"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {error}") from None
    try:
        return Protocol.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(
            [
                f"{path}: {'.'.join(map(str, e['loc'])) or 'protocol'}: "
                f"{e['msg'].removeprefix('Value error, ')}"
                for e in error.errors()
            ]
        ) from None
