"""Evidence that was made by a run of its own and is attached to a report: reported, never a gate.

Each kind is one JSON file in canonical form.  The report holds its content and its digest; the
file lies beside the report under a fixed name.
"""

from typing import Literal

from pydantic import Field

from causalguard.certify.report.parts import Hex, Number, Part

ATTACKS_NAME = "safety-report.attacks.json"
STRUCTURAL_NAME = "safety-report.structural.json"
BACKENDS_NAME = "safety-report.backends.jsonl"


class Disagreement(Part):
    """Verdicts that differ from those of the report's first backend; one text a cluster."""

    clusters: int = Field(ge=1)
    differ: int
    """Clusters whose text has another verdict."""
    high: Number
    """Exact upper bound on that share: what the report's own bound grows by on this backend."""
    delta: Number


class Agreement(Part):
    """How a further backend compares with the first one on a part of the same audit set."""

    injected: Disagreement
    clean: Disagreement
    largest: Number
    """Largest absolute difference of a risk."""
    margin: Number
    """Both upper bounds must be at or below it for the backend to be listed."""
    rows_sha256: Hex
    """Digest of the rows, in ``safety-report.backends.jsonl``."""


class BudgetPoint(Part):
    """How many goals had passed by then."""

    queries: int
    """Texts scored for the attacker."""
    evaded: int


class AttackRow(Part):
    """One attack on all goals: how many passed, with exact (Clopper-Pearson) one-sided bounds."""

    attack: str
    what: str
    """What it does, in words."""
    knowledge: str
    """What the attacker knows, in words."""
    budget: str
    """What he may spend on one goal, in words."""
    goals: int = Field(ge=1)
    """Goals tried, each on a carrier of its own: the independent units."""
    evaded: int = Field(ge=0)
    estimate: Number
    """evaded / goals."""
    low: Number
    high: Number
    delta: Number
    """Error probability of each bound."""
    curve: tuple[BudgetPoint, ...]
    """Goals passed by number of queries; empty for unions of attacks."""


class Attacks(Part):
    """``safety-report.attacks.json``: adaptive attacks, only those that were run."""

    schema_id: Literal["attacks/1"] = "attacks/1"
    model_sha256: Hex
    """Root digest of the MODEL_DIR that was attacked."""
    threshold: float = Field(gt=0, le=1, allow_inf_nan=False)
    """The threshold attacked: not rounded."""
    backend: str
    seed: int
    success: str
    """What counted as evading, in words."""
    population: str
    """What goals and carriers are drawn from, in words."""
    carriers_flagged: int
    """Carriers left out because the guard flags them without any payload."""
    rows_sha256: Hex
    """Digest of attacks.jsonl, one row an attack and goal."""
    rows: tuple[AttackRow, ...] = Field(min_length=1)
    unions: tuple[AttackRow, ...]
    """Goals passed by any attack of a class."""


class CertifiedRecall(Part):
    """Share of carriers whose injected texts stay flagged whatever the stated attacker does."""

    name: str
    claim: str
    """What is certified, precisely."""
    threshold: float = Field(gt=0, le=1, allow_inf_nan=False)
    """Cut in force: not rounded."""
    clusters: int = Field(ge=1)
    missed: int
    """Clusters with a text that is not certified."""
    recall: Number
    """1 - missed / clusters."""
    low: Number
    """Exact lower bound on the recall."""
    false_positives: int | None
    """Clean documents flagged by the rule behind the certificate; None: the guard's own rate."""
    documents: int | None
    """Clean documents tried."""
    false_positive_high: Number | None
    """Exact upper bound on that rate."""
    delta: Number
    note: str = ""


class Structural(Part):
    """``safety-report.structural.json``: certificates that follow from how the guard is built."""

    schema_id: Literal["structural/1"] = "structural/1"
    model_sha256: Hex
    backend: str
    epsilon: Number
    """Numeric noise allowed for: largest change of a risk in other batches and lengths."""
    epsilon_texts: int
    """Texts it was measured on."""
    tokenizer: str
    """Why suffixes cannot change earlier tokens, in words."""
    data_sha256: Hex
    """Of the audit set."""
    sets: int
    seed: int | None
    rows: tuple[CertifiedRecall, ...] = Field(min_length=1)


class AttachedAttacks(Part):
    """The attacks' file and what it says."""

    file: Literal["safety-report.attacks.json"] = "safety-report.attacks.json"
    sha256: Hex
    content: Attacks


class AttachedStructural(Part):
    """The structural file and what it says."""

    file: Literal["safety-report.structural.json"] = "safety-report.structural.json"
    sha256: Hex
    content: Structural
