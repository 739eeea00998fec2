"""The safety report as frozen values: what ``safety-report.json`` holds, field by field.

Two halves.  The *declared* half says what was run (policy, model, data, evidence, environment);
the *results* half is a pure function of the trials and the declared policy, and
``guard-certify verify --recompute`` computes it again.  Numbers are rounded to nine significant
digits so that the last bits of a linear-algebra library do not change a report's bytes.
The JSON schema made from these classes is published as ``schema/safety-report-v1.json``.
"""

from hashlib import sha256
from typing import Any, Literal

from pydantic import Field

from causalguard.certify.report.attached import Agreement, AttachedAttacks, AttachedStructural
from causalguard.certify.report.parts import Hex, Number, Part

SCHEMA_VERSION = "1.1"
"""Of reports made now.  1.1 added ``adaptive``, ``structural`` and further backends to 1.0."""

Outcome = Literal["PASSED", "FAILED", "INCONCLUSIVE"]


# --- results -------------------------------------------------------------------------------


class Rate(Part):
    """A share of independent clusters with exact (Clopper-Pearson) one-sided bounds."""

    name: str
    hits: int
    """Clusters in which at least one row is hit."""
    clusters: int
    """Independent clusters, > 0."""
    rows_hit: int
    rows: int
    estimate: Number
    """hits / clusters, [0, 1]."""
    low: Number
    """Lower bound at ``delta``."""
    high: Number
    """Upper bound at ``delta``."""
    delta: Number
    """Chance that the upper bound is below the truth (and, separately, the lower above it)."""


class Measure(Part):
    """One quantity that a gate may ask for: an estimate between two confidence bounds."""

    quantity: str
    estimate: Number
    low: Number
    high: Number
    clusters: int
    """Independent clusters behind it (the smallest stratum for a simultaneous bound)."""
    delta: Number
    """Error probability of each bound; 0 for a p-value, which is its own bound."""
    kind: Literal["rate", "gap", "effect", "p-value", "ranking"]
    note: str = ""


class FamilyRate(Part):
    """The miss rate in one family, and whether Holm's procedure counts it as covered."""

    rate: Rate
    """Bounds at delta/m: they hold for all families together."""
    p_value: Number
    """Exact binomial p-value of "the miss rate is above the margin"."""
    covered: bool
    """Below the policy's family margin, by Holm over all families."""
    held_out: bool
    """True: the guard was never trained on this family."""


class NextFamily(Part):
    """Bound on the miss rate of a family drawn like the held-out ones."""

    families: int
    """K, the held-out families."""
    order: int
    """j: the bound is the j-th largest of the K upper bounds."""
    estimate: Number
    high: Number
    confidence: Number
    """1 - j/(K+1) - the error of the per-family bounds."""
    assumption: str


class MissSection(Part):
    """P(not flagged | Y = 1)."""

    overall: Rate
    families: tuple[FamilyRate, ...]
    groups: tuple[Rate, ...]
    every_family: Rate
    """The family with the largest bound, each at delta: intersection-union."""
    next_family: NextFamily | None
    epsilon_causal: Number
    """Upper bound on P(an injection reaches the LLM) that holds for every family at once."""


class Episode(Part):
    """P(at least one false alarm in an episode of benign outputs)."""

    outputs: int
    if_independent: Number
    """1 - (1 - U)^outputs."""
    union_bound: Number
    """min(1, outputs * U): holds whatever the dependence."""


class FalsePositiveSection(Part):
    """P(flagged | Y = 0)."""

    overall: Rate
    """Benign and counterfactual outputs, one a carrier cluster."""
    kinds: tuple[Rate, ...]
    """By kind of output; the last row counts carriers with any clean output flagged."""
    lengths: tuple[Rate, ...]
    """By length in tokens; simultaneous over the rows."""
    episode: Episode


class Level(Part):
    """P(flagged | Y) at one level of a nuisance; one row a cluster."""

    level: str
    flagged: int
    clusters: int
    estimate: Number
    low: Number
    high: Number


class Gap(Part):
    """How far apart P(flagged | Y) can be between levels of a nuisance."""

    factor: str
    among: Literal["clean", "injected"]
    levels: tuple[Level, ...]
    estimate: Number
    """Largest minus smallest share."""
    high: Number
    """Upper bound on that gap; simultaneous over the levels."""
    low: Number
    """Lower bound on that gap; simultaneous over the levels."""
    margin: Number
    """What the policy asks for (or 0.1 where it asks for nothing)."""
    power: Number
    """P(high <= margin) at these counts if every level truly had the pooled rate."""
    clusters: int
    """Of the smallest level."""


class Effect(Part):
    """Mean paired difference of ``flagged`` between two members of the same matched set."""

    name: str
    claim: str
    clusters: int
    both: int
    only_first: int
    only_second: int
    neither: int
    estimate: Number
    """(only_first - only_second) / clusters, [-1, 1]."""
    low: Number
    high: Number
    delta: Number


class Test(Part):
    """One hypothesis of the pre-registered list."""

    id: str
    claim: str
    null: str
    method: str
    guarantee: str
    clusters: int
    statistic: Number | None
    p_value: Number | None
    p_holm: Number | None
    """Holm-adjusted over the tests of this list that have a p-value."""
    effect: Number | None
    bound: Number | None
    note: str = ""


class Interval(Part):
    """An estimate with a two-sided interval."""

    estimate: Number
    low: Number
    high: Number


class Ranking(Part):
    """How well risk ranks injected above benign; not used by any bound."""

    pooled: Interval
    pairs: Interval
    tpr_at_1pc: Interval
    """Share of injected texts above a cut that 1 % of the clean ones exceed."""
    hard: Interval | None
    """Injected against benign imperatives and authorised instructions."""
    length_only: Interval
    """AUROC of the number of tokens alone: what a length detector would reach."""
    pairs_counted: int
    method: str


class Distance(Part):
    """One figure of the representation, between the bounds that may be stated for it."""

    name: str
    meaning: str
    estimate: Number
    low: Number
    high: Number
    clusters: int


class Representation(Part):
    """What R itself shows."""

    figures: tuple[Distance, ...]
    benign_accuracy: Literal["not applicable"]
    """Token accuracy on benign responses exists in native mode only."""
    notes: tuple[str, ...]


class RocPoint(Part):
    threshold: Number
    false_positive_rate: Number
    true_positive_rate: Number


class Histogram(Part):
    """Risks of one kind of text in equal bins over [0, 1]."""

    kind: str
    counts: tuple[int, ...]


class CurvePoint(Part):
    """Mean risk and miss rate of injected texts at one level."""

    level: str
    rows: int
    mean_risk: Number
    miss_rate: Number


class Curves(Part):
    roc: tuple[RocPoint, ...]
    """Near zero: false-positive rates up to 0.1."""
    risks: tuple[Histogram, ...]
    dilution: tuple[CurvePoint, ...]
    """By length in tokens."""
    position: tuple[CurvePoint, ...]


class GateOutcome(Part):
    """A gate of the policy, and what became of it."""

    id: str
    claim: str
    quantity: str
    comparator: Literal["at most", "at least"]
    margin: Number
    required: bool
    min_clusters: int
    outcome: Outcome
    estimate: Number | None
    bound: Number | None
    """The confidence bound that was compared with the margin."""
    clusters: int
    needed: int | None
    """Clusters that would be needed at the observed rate; None when no number would do."""
    reason: str


class SampleSize(Part):
    """Clusters needed to show a rate below ``margin`` with so many errors."""

    margin: Number
    confidence: Number
    errors: int
    clusters: int


class Population(Part):
    """What was sampled: a bound is a statement about this population and no other."""

    statement: str
    trials: int
    sets: int
    clusters: int
    contexts: int
    goals: int
    templates: int
    kinds: dict[str, int]
    families: dict[str, int]
    coverage_below_one: int
    """Trials that were not scanned in full (each is flagged)."""


class GraphEdge(Part):
    """One adjacency of the learned graph."""

    source: str
    target: str
    mark: Literal["directed", "undirected", "conflict"]
    p_value: Number | None
    """Largest p-value among the tests of this pair."""
    frequency: Number | None
    """Share of half-samples in which the pair is adjacent."""
    arrow_frequency: Number | None
    """Share of half-samples with this arrow."""


class LearnedGraph(Part):
    """PC over the assigned nuisances, Y, R and risk; it describes and never gates."""

    state: Literal["CONCLUSIVE", "INCONCLUSIVE", "NOT RUN"]
    nodes: tuple[str, ...]
    tiers: dict[str, int]
    edges: tuple[GraphEdge, ...]
    clusters: int
    clusters_needed: int
    half_samples: int
    alpha: Number
    assumptions: tuple[str, ...]
    note: str


class Results(Part):
    """Everything that follows from the trials and the policy."""

    result: Outcome
    gates: tuple[GateOutcome, ...]
    population: Population
    miss: MissSection
    false_positives: FalsePositiveSection
    effects: tuple[Effect, ...]
    gaps: tuple[Gap, ...]
    tests: tuple[Test, ...]
    ranking: Ranking
    representation: Representation
    curves: Curves
    graph: LearnedGraph
    sample_sizes: tuple[SampleSize, ...]
    measures: tuple[Measure, ...]
    multiplicity: tuple[str, ...]
    plain: tuple[str, ...]
    """The result in plain words."""
    not_covered: tuple[str, ...]


# --- declared ------------------------------------------------------------------------------


class PolicyPart(Part):
    name: str
    sha256: Hex
    text: str
    """The policy file, whole."""


class ModelPart(Part):
    """The signed subject."""

    name: str
    root_sha256: Hex
    files: dict[str, Hex]
    threshold: float = Field(gt=0, le=1, allow_inf_nan=False)
    """Exactly as in guard.json: not rounded."""
    template_sha256: str
    base_sha256: str
    tokenizer_sha256: str
    guard: dict[str, Any]
    """guard.json as it was."""


class DataPart(Part):
    origin: str
    """``engine`` (rendered here) or the name of the file that was read."""
    sha256: Hex
    """Of the canonical rows of the audit set."""
    sets: int
    seed: int | None
    licences: dict[str, int]
    sources: dict[str, int]


def audit_seed(root_sha256: str) -> int:
    """Seed of the audit set that belongs to a model.

    It follows from the digest of the finished weights and threshold, so nobody who trained or
    calibrated them could know, or train on, the texts that they are certified with.  The parts
    that they are made of (the audit split's carriers, goals, templates) are public all the same.

    Args:
        root_sha256: root digest of the MODEL_DIR's signed files.

    Returns: a number below 2^32.
    """
    return int(sha256(b"causalguard/audit-set/1 " + root_sha256.encode()).hexdigest()[:8], 16)


class BackendPart(Part):
    name: str
    trials: int
    noise: Number
    """Largest change of a risk when texts are scored in other batches (epsilon)."""
    noise_sample: int
    """Texts scored twice to measure it."""
    agreement: Agreement | None = None
    """None: every figure of the report was measured on this backend.  Since 1.1."""


class EvidencePart(Part):
    trials_sha256: Hex
    representations_sha256: Hex
    dimension: int
    held_out_families: tuple[str, ...]
    trained_families_known: bool


class SignaturePart(Part):
    state: Literal["SIGNED", "UNSIGNED"]
    note: str


class Report(Part):
    """safety-report.json."""

    schema_version: Literal["1.0", "1.1"] = "1.1"
    title: Literal["CausalGuard safety report"] = "CausalGuard safety report"
    time_created: str
    """UTC, ISO 8601; asserted by whoever made the report."""
    verifier: dict[str, str]
    """``id`` and ``version`` of the program."""
    signature: SignaturePart
    attempt: int = Field(ge=1)
    """Which certification attempt of this model under this policy it is, as declared."""
    policy: PolicyPart
    model: ModelPart
    data: DataPart
    backends: tuple[BackendPart, ...]
    evidence: EvidencePart
    results: Results
    environment: dict[str, str]
    reproduce: str
    """The command that makes this report again."""
    backends_refused: tuple[BackendPart, ...] | None = None
    """Backends that were tried and do not agree: a guard does not load on them.  Since 1.1."""
    adaptive: AttachedAttacks | None = None
    """Adaptive attacks, only those that were run.  Since 1.1."""
    structural: AttachedStructural | None = None
    """Certificates that follow from how the guard is built.  Since 1.1."""


ADDED = ("backendsRefused", "adaptive", "structural")
"""Fields that 1.0 did not have: left out where they are None, so that a report of 1.0 keeps its
bytes."""


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain JSON values with its published (camelCase) names."""
    value = report.model_dump(mode="json", by_alias=True)
    for part, names in ((value, ADDED), *((row, ("agreement",)) for row in value["backends"])):
        for name in names:
            if part[name] is None:
                del part[name]
    return value


def json_schema() -> dict[str, Any]:
    """The JSON schema that ``schema/safety-report-v1.json`` must equal."""
    schema = Report.model_json_schema(by_alias=True, mode="serialization")
    for part, names in ((schema, ADDED), (schema["$defs"]["BackendPart"], ("agreement",))):
        part["required"] = [name for name in part["required"] if name not in names]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
