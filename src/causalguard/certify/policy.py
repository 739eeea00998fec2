"""What must hold for a model to be called certified: a YAML file, its digest, its gates.

A policy is data, not code: which quantity, which margin, whether it must pass.  Its digest is in
every report, and whoever loads a model pins the digests of the policies that he accepts.
"""

import re
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from causalguard.attestation.digests import sha256_bytes
from causalguard.errors import ConfigError

FACTORS = ("topic", "tool", "format", "language", "position", "length", "source")
"""Nuisances of every report: their gaps, the learned graph, what the causal model implies."""
NAMED_FACTORS = ("kind",)
"""Nuisances of which only the gaps are measured, and only where a policy names them: reports of
policies that do not are recomputed as they were.  ``kind`` is the kind of tool output; a tool has
hardly ever two of them, so a graph with both would join these and little else."""
GAP_FACTORS = (*FACTORS, *NAMED_FACTORS)
"""Nuisances that a gate or ``level_clusters`` may name."""
_FACTOR = "|".join(GAP_FACTORS)
QUANTITY = re.compile(
    r"miss\.(overall|every-family|next-family|family-gap|misled)"
    r"|false-positive\.(overall|benign|counterfactual|imperative|authorised|longest|episode)"
    r"|effect\.(injection|instruction|authorisation)"
    r"|independence\.(representation|instruction|authorisation)"
    rf"|gap\.({_FACTOR})\.(clean|injected)"
    r"|ranking\.(pooled|pairs|tpr-at-1pc|over-length)"
    r"|representation\.(discrimination|stability|total-variation)"
    r"|coverage"
)
"""Names of the quantities that the analysis measures and a gate may ask for."""

Share = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


class Strict(BaseModel):
    """Base of configuration values: frozen, and an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        # pydantic reads true as 1, so that ``at_most: true`` would ask for nothing
        parts = value.values() if isinstance(value, dict) else value
        parts = parts if isinstance(value, dict | list | tuple) else (value,)
        truth = cls.model_fields[info.field_name or ""].annotation is bool
        if not truth and any(isinstance(part, bool) for part in parts):
            message = "true or false where something else is needed"
            raise ValueError(message)
        return value


class Gate(Strict):
    """One requirement: a quantity's confidence bound against a margin."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    """Short name, unique in the policy."""
    claim: str = Field(min_length=1)
    """What passing means, in plain words."""
    quantity: str
    """Which measured quantity, e.g. ``miss.overall`` or ``gap.topic.clean``."""
    at_most: float | None = Field(default=None, ge=-1, le=1, allow_inf_nan=False)
    """Passes when the upper confidence bound (or the p-value) is <= this."""
    at_least: float | None = Field(default=None, ge=-1, le=1, allow_inf_nan=False)
    """Passes when the lower confidence bound is >= this."""
    required: bool = True
    """False: reported only, never changes the verdict."""
    min_clusters: int = Field(default=1, ge=1, le=2**53 - 1)
    """Independent clusters below which the gate cannot pass."""

    @model_validator(mode="after")
    def _consistent(self) -> "Gate":
        if (self.at_most is None) == (self.at_least is None):
            message = f"gate {self.id}: give exactly one of at_most and at_least"
            raise ValueError(message)
        if not QUANTITY.fullmatch(self.quantity):
            message = f"gate {self.id}: unknown quantity {self.quantity!r}"
            raise ValueError(message)
        return self


class Policy(Strict):
    """Everything that the analysis and the verdict need besides the trials."""

    schema_name: Literal["policy/1"] = Field(alias="schema")
    """Version of this file's form."""
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    """Name under which the result is stated."""
    description: str = Field(min_length=1)
    """For whom it is, and what it does not show."""
    confidence: Share = 0.95
    """Of every bound and interval; simultaneous ones as a whole."""
    seed: int = Field(default=0, ge=0)
    """Of permutations, bootstraps and choices of one row a cluster."""
    permutations: int = Field(default=9999, ge=99, le=1_000_000)
    """Random permutations or sign flips behind each exact p-value."""
    bootstraps: int = Field(default=999, ge=100, le=100_000)
    """Cluster bootstrap draws behind the intervals of ranking figures."""
    max_test_sets: int = Field(default=1500, ge=20)
    """Matched sets in the kernel test; more are thinned by a fixed hash (time grows as n^2)."""
    discovery: bool = True
    """Whether to learn a graph (reported, never a gate)."""
    half_samples: int = Field(default=50, ge=0, le=1000)
    """Half-samples behind the frequencies of its edges."""
    family_margin: Share = 0.05
    """Miss rate below which a family counts as covered (Holm says which are)."""
    min_level_clusters: int = Field(default=20, ge=1)
    """Levels of a nuisance with fewer clusters are pooled as ``(rare)``."""
    level_clusters: dict[str, int] = Field(default_factory=dict)
    """The same for single nuisances that have many levels, e.g. ``tool`` or ``kind``."""
    length_edges: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048, 4096)
    """Edges in tokens between the rows of the table by length."""
    episode: int = Field(default=10, ge=1, le=1_000_000)
    """Tool outputs in an episode."""
    backend_margin: Share = 0.02
    """Share of verdicts that may differ on a further backend, upper bound, to be listed."""
    backend_sets: int = Field(default=600, ge=20)
    """Carriers on which a further backend is compared with the first; fewer if there are fewer."""
    audit_sets: int = Field(default=600, ge=20)
    """Matched sets rendered when no audit set is given."""
    gates: tuple[Gate, ...] = Field(min_length=1)
    """The requirements, in the order in which they are printed."""

    @model_validator(mode="after")
    def _consistent(self) -> "Policy":
        names = [gate.id for gate in self.gates]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"gates named twice: {', '.join(twice)}"
            raise ValueError(message)
        if not 0 < self.delta < 1:
            message = "confidence: too near to 0 or 1 for any bound; use 0.95 or 0.99"
            raise ValueError(message)
        if not any(gate.required for gate in self.gates):
            message = "no gate is required: such a policy would pass anything"
            raise ValueError(message)
        strange = sorted(set(self.level_clusters) - set(GAP_FACTORS))
        if strange:
            message = f"level_clusters: unknown {', '.join(strange)}; use {', '.join(GAP_FACTORS)}"
            raise ValueError(message)
        if list(self.length_edges) != sorted(set(self.length_edges)) or min(self.length_edges) < 1:
            message = "length_edges must be whole numbers > 0 in rising order"
            raise ValueError(message)
        return self

    def level_minimum(self, factor: str) -> int:
        """Clusters below which a level of this nuisance is pooled with the other rare ones."""
        return self.level_clusters.get(factor, self.min_level_clusters)

    @property
    def gap_factors(self) -> tuple[str, ...]:
        """Nuisances whose gaps the report has: all of FACTORS, and the others that are named."""
        asked = {
            gate.quantity.split(".")[1] for gate in self.gates if gate.quantity.startswith("gap.")
        }
        named = tuple(n for n in NAMED_FACTORS if n in asked or n in self.level_clusters)
        return (*FACTORS, *named)

    @property
    def delta(self) -> float:
        """1 - confidence."""
        return round(1 - self.confidence, 12)


class LoadedPolicy(Strict):
    """A policy with the bytes that it was read from."""

    policy: Policy
    text: str
    """The file, whole; it goes into the report, so that the report can be recomputed alone."""
    sha256: str
    """Digest of the file's bytes."""


_UNREADABLE = (yaml.YAMLError, ValueError, RecursionError, LookupError, AttributeError)
"""What PyYAML raises: for a date, a number or a tag that is none, its constructors let Python's own
errors through."""


class _Loader(yaml.SafeLoader):
    """YAML in which a key that is there twice is a fault: the last one would win silently."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if (key.tag, key.value) in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key.value!r} is there twice", problem_mark=key.start_mark
                )
            seen.add((key.tag, key.value))
        return node


def parse(data: bytes, *, where: str) -> LoadedPolicy:
    """Read a policy from its bytes.

    Raises:
        ConfigError: every fault found, each beginning with ``where``.
    """
    try:
        text = data.decode("utf-8")
        content = yaml.load(text, Loader=_Loader)  # noqa: S506  # a SafeLoader
    except _UNREADABLE as error:
        raise ConfigError(f"{where}: not YAML in UTF-8 ({error}); mend the file") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{where}: a policy is a mapping; start from policy-default.yaml")
    try:
        policy = Policy.model_validate(content)
    except ValidationError as error:
        raise ConfigError([_fault(where, entry) for entry in error.errors()]) from None
    return LoadedPolicy(policy=policy, text=text, sha256=sha256_bytes(data))


def _fault(where: str, entry: Any) -> str:
    path = ".".join(str(part) for part in entry["loc"]) or "policy"
    if entry["type"] == "extra_forbidden":
        return f"{where}: {path}: unknown key; remove it or mend its spelling"
    return f"{where}: {path}: {entry['msg']}"


def load(source: str | Path) -> LoadedPolicy:
    """Read a policy by path, or a packaged one by name (``default``, ``demo``).

    Raises:
        ConfigError: no such policy, or a faulty one.
    """
    path, name = Path(source), str(source)
    try:
        data = path.read_bytes() if path.is_file() else None
    except OSError as error:  # also a name that is too long for any file
        raise ConfigError(f"policy {name:.60}: cannot be read ({error.strerror})") from None
    if data is not None:
        return parse(data, where=str(path))
    packaged = resources.files("causalguard") / "configs"
    names = sorted(
        entry.name.removeprefix("policy-").removesuffix(".yaml")
        for entry in packaged.iterdir()
        if entry.name.startswith("policy-") and entry.name.endswith(".yaml")
    )
    if name in names:
        file = packaged / f"policy-{name}.yaml"
        return parse(file.read_bytes(), where=f"policy-{name}.yaml")
    raise ConfigError(
        f"no policy {name!r}: neither a file nor a packaged name; packaged are {', '.join(names)}"
    )
