"""What to do with a verdict: the policy (frozen, from code or YAML) and the record of a decision.

The policy is data; :mod:`causalguard.guard.enforce` carries it out.  Two rules are built in.
It fails closed: what could not be scanned is not shown.  And it may only be stricter than the
certificate: a threshold can be lowered per tool, never raised.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import yaml

from causalguard.errors import ConfigError
from causalguard.guard.explain import Effect
from causalguard.records import Span, ToolOutput, Verdict

Action = Literal["flag", "withhold", "sanitise", "block", "raise", "interrupt"]
"""What happens to a flagged output.

``flag``: shown, only recorded (shadow mode).  ``withhold``: replaced by a notice.  ``sanitise``:
the flagged spans are removed, what is left is scanned again, and withheld if still risky.
``block``: withheld, and the agent stops.  ``raise``: withheld, and InjectionBlockedError.
``interrupt``: withheld until a person releases it (needs the middleware and a checkpointer).
"""
OnUnscannable = Literal["allow", "flag", "withhold"]
OnError = Literal["withhold", "raise"]
Outcome = Literal[
    "clean", "flagged", "trusted", "released", "allowed", "denied", "notice", "empty", "error"
]
"""How a decision came about.

``trusted``, ``released`` (in this conversation), ``allowed`` (by review, until a date) and
``error`` were not found clean; ``denied`` was withheld by review, whatever the guard would say.
"""
Taken = Literal["pass", "flag", "withhold", "sanitise", "block", "raise", "interrupt"]


@runtime_checkable
class Scanner(Protocol):
    """What the runtime needs of a guard."""

    @property
    def identity(self) -> str:
        """Digest that names weights, threshold and scoring version: equal means same verdicts."""
        ...

    def scan(self, outputs: Sequence[ToolOutput], /) -> list[Verdict]:
        """One verdict per output, in order; pure and thread-safe."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What to do with flagged, unreadable and failed outputs."""

    action: Action = "withhold"
    """Taken on a flagged output."""
    on_unscannable: OnUnscannable = "withhold"
    """Taken on images, PDFs and other blocks that no text guard can read."""
    on_error: OnError = "withhold"
    """Taken when a scan fails or exceeds its time: closed either way."""
    trusted_tools: frozenset[str] = frozenset()
    """Names of tools whose outputs are not scanned.  The certificate does not cover them."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Per tool, a threshold in (0, 1] below the guard's own: lower is stricter."""
    time_budget_s: float = 30.0
    """Wall-clock seconds that one batch of scans may take, > 0; beyond it fails closed."""
    log_content: bool = False
    """Whether the log also carries the text of flagged outputs and of failed scans' exceptions."""
    confirm_spans: bool = False
    """Whether flagged spans are confirmed by scoring the text without them: costs scans of
    flagged texts only, within the time budget, and changes no verdict."""

    def __post_init__(self) -> None:
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        faults = _faults(values)
        if faults:
            raise ConfigError(faults)
        object.__setattr__(self, "trusted_tools", frozenset(self.trusted_tools))
        thresholds = {tool: float(value) for tool, value in self.thresholds.items()}
        object.__setattr__(self, "thresholds", MappingProxyType(thresholds))
        object.__setattr__(self, "time_budget_s", float(self.time_budget_s))

    def __reduce__(self) -> tuple[Any, ...]:
        # a mapping proxy can be neither pickled nor deep-copied
        return (Policy.from_mapping, (self.to_mapping(),))

    def __hash__(self) -> int:
        return hash(self.digest)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, source: str = "policy") -> "Policy":
        """Build a policy from plain values.

        Args:
            values: field name to value; unknown names are refused.
            source: where the values come from, for the messages.

        Raises:
            ConfigError: with every fault found, each naming ``source`` and the key.
        """
        known = [item.name for item in fields(cls)]
        faults = [
            f"unknown key {key!r}; known are {', '.join(known)}"
            for key in values
            if key not in known
        ]
        faults += _faults(values)
        if faults:
            raise ConfigError([f"{source}: {fault}" for fault in faults])
        return cls(**values)

    @classmethod
    def load(cls, path: Path | str) -> "Policy":
        """Read a policy from a YAML file.

        Raises:
            ConfigError: the file is missing, is not a YAML mapping, or holds wrong values.
        """
        try:
            values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            message = f"{path}: cannot be read as YAML ({error}); give a UTF-8 YAML file"
            raise ConfigError(message) from None
        if not isinstance(values, dict):
            message = f"{path}: a mapping such as 'action: withhold' is needed"
            raise ConfigError(message)
        return cls.from_mapping(values, source=str(path))

    def to_mapping(self) -> dict[str, Any]:
        """Plain values, as :meth:`from_mapping` takes them."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        values["trusted_tools"] = sorted(self.trusted_tools)
        values["thresholds"] = dict(sorted(self.thresholds.items()))
        return values

    @property
    def digest(self) -> str:
        """sha256 (hex) of the policy's values."""
        text = json.dumps(self.to_mapping(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def check_thresholds(self, certified: float) -> None:
        """Refuse thresholds above the certified one.

        Args:
            certified: the guard's own threshold, (0, 1].

        Raises:
            ConfigError: a tool's threshold is higher: the certificate's miss bound would be void.
        """
        faults = [
            f"thresholds.{tool}: {value} is above the certified {certified}; raising it voids the "
            "certificate. Lower it, or recalibrate (guard-calibrate) and certify again"
            for tool, value in self.thresholds.items()
            if value > certified
        ]
        if faults:
            raise ConfigError(faults)


def _faults(values: Mapping[str, Any]) -> list[str]:
    faults = []
    choices = {"action": Action, "on_unscannable": OnUnscannable, "on_error": OnError}
    for name, kind in choices.items():
        if name in values and values[name] not in get_args(kind):
            faults.append(f"{name}: {values[name]!r} is not one of {', '.join(get_args(kind))}")
    if not _names(values.get("trusted_tools", ())):
        faults.append("trusted_tools: a list of tool names is needed")
    thresholds = values.get("thresholds", {})
    if not isinstance(thresholds, Mapping) or not all(isinstance(key, str) for key in thresholds):
        faults.append("thresholds: a mapping of tool name to threshold is needed")
    else:
        faults += [
            f"thresholds.{tool}: {value!r} is not a number in (0, 1]"
            for tool, value in thresholds.items()
            if not (_number(value) and 0 < value <= 1)
        ]
    budget = values.get("time_budget_s", 1.0)
    if not (_number(budget) and budget > 0):
        faults.append(f"time_budget_s: {budget!r} is not a positive number of seconds")
    for name in ("log_content", "confirm_spans"):
        if not isinstance(values.get(name, False), bool):
            faults.append(f"{name}: true or false is needed")
    return faults


def _names(value: Any) -> bool:
    if not isinstance(value, list | tuple | set | frozenset):
        return False
    return all(isinstance(name, str) and name for name in value)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One tool output as it arrives in a chat."""

    output: ToolOutput
    """Its readable text and S; ``tool`` is what was *called*, never what a message claims."""
    unscannable: tuple[str, ...] = ()
    """Types of the blocks beside the text that cannot be read (``image``, ``file`` ...)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided on one tool output, and why.  Holds no content."""

    id: str
    """Caller's identifier of the output (the tool call's id); may be empty."""
    tool: str
    """Name of the tool that was called; may be empty."""
    outcome: Outcome
    """How the decision came about."""
    action: Taken
    """What was done with the text."""
    flagged: bool
    """True: risk at or above the threshold, scanned in part only, or failed."""
    risk: float | None
    """[0, 1], higher is worse; None: not scored."""
    threshold: float | None
    """The cut in force, (0, 1]; None: not scored."""
    coverage: float
    """Share of the text that was scored, [0, 1]; 0 when it was not scanned."""
    spans: tuple[Span, ...] = ()
    """Where the risk sits, in characters of the scanned text."""
    effects: tuple[Effect, ...] = ()
    """What each span does to the risk; empty unless the policy says ``confirm_spans``."""
    reason: str = ""
    """One line for people."""
    certificate_id: str = ""
    """sha256 of the signed report in force; empty: uncertified."""
    unscanned: tuple[str, ...] = ()
    """Types of blocks that were not read."""
    unscanned_action: Literal["", "pass", "flag", "withhold"] = ""
    """What was done with them; empty: there were none."""
    latency_s: float = 0.0
    """Seconds of the batch in which it was scanned, >= 0; 0 when remembered."""
    remembered: bool = False
    """True: an earlier verdict on the same text, S, guard and policy was used, and blocks of these
    types stood beside it before, if any do now."""
    text_sha256: str = ""
    """Names the text without showing it."""
    context_sha256: str = ""
    """Names S."""
    guard: str = ""
    """The scanner's identity."""
    policy_sha256: str = ""
    """The policy's digest."""
    reviewed_by: str = ""
    """Who allowed or denied the text; empty: nobody did."""
    reviewed_until: str = ""
    """When that ends, ISO 8601; empty: no end."""

    @property
    def told(self) -> bool:
        """Whether it is news: for log and events, but not where only a notice of ours was met."""
        return not self.remembered and (self.outcome != "notice" or bool(self.unscanned))

    def to_record(self) -> dict[str, Any]:
        """Plain JSON values for logs, events and message metadata; no content."""
        record = {item.name: getattr(self, item.name) for item in fields(self)}
        record["spans"] = [[span.start, span.end] for span in self.spans]
        record["effects"] = [
            {"span": [e.span.start, e.span.end], "change": e.change, "confirmed": e.confirmed}
            for e in self.effects
        ]
        record["unscanned"] = list(self.unscanned)
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A decision and what the LLM may read instead."""

    decision: Decision
    """The record."""
    replacement: str | None = None
    """The text to show; None: the original, unchanged."""

    @property
    def drops_blocks(self) -> bool:
        """Whether unreadable blocks must be taken out as well."""
        return self.decision.unscanned_action == "withhold"
