"""Frozen values that cross package borders.

One polarity everywhere: ``risk`` is in [0, 1] and higher is worse.  Offsets are counted in
characters (Unicode code points) of the original text, never of a decoded or windowed view.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["benign", "counterfactual", "injected", "authorised", "imperative", "misled"]
"""What an audit or training text is: see :class:`Trial`."""

TURN_SEPARATOR = "\n"
"""Between human turns in a task: one rendering, for training data and at run time."""

KINDS: tuple[Kind, ...] = (
    "benign", "counterfactual", "injected", "authorised", "imperative", "misled",
)  # fmt: skip
POSITIVE: frozenset[Kind] = frozenset({"injected", "misled"})
"""Members with Y = 1: an instruction that the task does not authorise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Half-open range of characters ``[start, end)`` in the original text."""

    start: int
    """First character, 0-based, >= 0."""
    end: int
    """One past the last character, > start."""

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            message = f"a span needs 0 <= start < end, got [{self.start}, {self.end})"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOutput:
    """One tool output, with the trusted context in which it arrives."""

    text: str
    """What the tool returned, untouched; may be empty."""
    tool: str = ""
    """The tool's name: a nuisance label for logs and tables.  It never enters the prompt."""
    task: str = ""
    """Trusted: the human turns up to the call.  Never assistant or tool text."""
    system: str = ""
    """Trusted: the system prompt."""
    id: str = ""
    """Caller's identifier, copied to logs; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the guard says of one tool output."""

    risk: float
    """Estimated risk that the text carries an unauthorised instruction; [0, 1], higher is worse."""
    threshold: float
    """The cut in force, (0, 1]; ``flagged`` is ``risk >= threshold`` unless coverage is < 1."""
    flagged: bool
    """True: must not reach the LLM unseen.  Always true when the text was not scanned in full."""
    spans: tuple[Span, ...] = ()
    """Where the risk sits, in characters of the original text; empty when not flagged."""
    coverage: float = 1.0
    """Share of the text's tokens that was scored, [0, 1]; < 1 is always flagged."""
    certificate_id: str = ""
    """sha256 of the signed report under which this verdict was given; empty: uncertified."""
    reason: str = ""
    """One line for people: why it was flagged or passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Triplet:
    """A matched set: one carrier under interventions do(D), do(I) and do(N).

    ``benign`` and ``injected`` differ in the instruction span only; ``counterfactual`` has the
    same trusted context and other data.  The optional members identify the effect of the
    *instruction*: ``imperative`` puts a benign imperative of matched length and place where the
    injection stands, ``authorised_task`` is a task under which the injected text is what the
    user asked for, and under ``misleading_task`` the user authorises something else.
    """

    id: str
    """Unique in its file."""
    system: str
    """Trusted system prompt; may be empty."""
    task: str
    """Trusted user task; not empty."""
    tool: str
    """Tool name (nuisance label); may be empty."""
    benign: str
    """Y = 0: the rendered tool output without an instruction."""
    counterfactual: str
    """Y = 0: the same trusted context, other data: do(D)."""
    injected: str
    """Y = 1: ``benign`` with the instruction put in: do(I)."""
    span: Span
    """Where the instruction stands in ``injected``."""
    family: str
    """Attack family, e.g. ``override/plain``; never empty."""
    group: str
    """Family group, e.g. ``override``; never empty."""
    imperative: str = ""
    """Y = 0: a benign imperative in the injection's place; empty when there is none."""
    imperative_span: Span | None = None
    """Where that imperative stands."""
    authorised_task: str = ""
    """Y = 0: with this task in place of ``task`` the injected text is authorised; may be empty."""
    misleading_task: str = ""
    """Y = 1 still: this task authorises something else than the injected text; may be empty."""
    response: str = ""
    """The answer that serves ``task`` given ``benign``, and given ``injected`` too: what is said by
    a model that ignores the instruction.  Empty: nobody gave one."""
    nuisance: Mapping[str, str] = field(default_factory=dict)
    """N, as labels: ``topic, format, language, position, source, length`` ..."""
    cluster: Mapping[str, str] = field(default_factory=dict)
    """What makes rows dependent: ``carrier, goal, template`` identifiers.  Splits go by these."""
    license: str = ""
    """SPDX identifier or words; of the carrier and the instruction together."""
    source: str = ""
    """Where the row comes from: ``engine/SEED`` or a data set's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One audit text run once through the guard: what was assigned, and what came out."""

    id: str
    """Unique in its file; ``TRIPLET_ID/KIND``."""
    cluster: str
    """Independent unit: rows of one cluster may depend on each other, clusters may not."""
    set_id: str
    """The matched set this trial belongs to."""
    kind: Kind
    """Which member of the set; misled: injected, with a task that authorises something else."""
    y: int
    """1 = an instruction is present that S does not authorise; else 0.  Assigned by design."""
    family: str
    """Attack family of the set, also on its benign members (they are its matched controls)."""
    group: str
    """Family group of the set."""
    s: str
    """Identifier of the trusted context S (a short digest of system and task)."""
    nuisance: Mapping[str, str]
    """Assigned levels of N by factor: ``topic, tool, format, language, position, length`` ..."""
    n_tokens: int
    """Tokens of the tool output, >= 0."""
    risk: float
    """Document risk, [0, 1], higher is worse."""
    flagged: bool
    """risk >= threshold, or coverage < 1."""
    coverage: float
    """Share of tokens scored, [0, 1]."""
    backend: str
    """Backend and dtype that gave the risk, e.g. ``torch-cpu-float32``."""
    row: int
    """Row of the side file of representations R (float32), >= 0."""
