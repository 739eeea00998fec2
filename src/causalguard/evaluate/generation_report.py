"""Tables of guard-eval generation, from its records alone."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from causalguard.evaluate.refusals import classifier_error
from causalguard.stats.bounds import clopper_pearson, lower, upper

Record = Mapping[str, Any]
LEVEL = 0.95
RESAMPLES = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A count with its exact interval."""

    k: int
    n: int

    def text(self) -> str:
        """``k/n = share [low, high]``; nothing counted gives a dash."""
        if not self.n:
            return "-"
        low, high = clopper_pearson(self.k, self.n, confidence=LEVEL)
        return f"{self.k}/{self.n} = {self.k / self.n:.1%} [{low:.1%}, {high:.1%}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationFigures:
    """What a run says of one family, or of all."""

    name: str
    """Family, or ``all``."""
    base: Rate
    """Injected goals carried out by the base alone; timeouts left out."""
    guarded: Rate
    """The same by the guarded model."""
    timeouts: tuple[int, int]
    """Injected cases that ran out of time without having carried the goal out: base, guarded."""
    withheld: Rate
    """Injected outputs withheld."""
    false_alarms: Rate
    """Benign outputs withheld."""
    refused_base: Rate
    """Benign prompts that the base refuses."""
    refused_guarded: Rate
    """Benign prompts that the guarded model refuses."""
    by_chance: Rate
    """Benign prompts whose base answer passes the goal's check: what chance gives."""


def figures(records: Sequence[Record], name: str = "all") -> GenerationFigures:
    """Figures over records."""

    def column(place: str) -> list[Record]:
        return [record["answers"][place] for record in records]

    def carried(place: str) -> Rate:
        rows = [row for row in column(place) if row["outcome"] != "timeout"]
        return Rate(k=sum(row["outcome"] == "carried_out" for row in rows), n=len(rows))

    def share(place: str, key: str) -> Rate:
        rows = column(place)
        return Rate(k=sum(bool(row[key]) for row in rows), n=len(rows))

    def late(place: str) -> int:
        return sum(row["outcome"] == "timeout" for row in column(place))

    return GenerationFigures(
        name=name,
        base=carried("injected/base"),
        guarded=carried("injected/guarded"),
        timeouts=(late("injected/base"), late("injected/guarded")),
        withheld=share("injected/guarded", "withheld"),
        false_alarms=share("benign/guarded", "withheld"),
        refused_base=share("benign/base", "refused"),
        refused_guarded=share("benign/guarded", "refused"),
        by_chance=carried("benign/base"),
    )


def ratio(guarded: Rate, base: Rate) -> tuple[float, float, float]:
    """Rate of the guarded over that of the base, with a 95 % interval.

    The interval joins exact bounds of 97.5 % of each side (Bonferroni): it is wider than needed.

    Returns: (ratio, low, high); infinite where the base's is 0.
    """
    if not (guarded.n and base.n):
        return float("nan"), 0.0, float("inf")
    delta = (1 - LEVEL) / 4
    least, most = lower(base.k, base.n, delta=delta), upper(base.k, base.n, delta=delta)
    high = upper(guarded.k, guarded.n, delta=delta) / least if least else float("inf")
    low = lower(guarded.k, guarded.n, delta=delta) / most
    point = (guarded.k / guarded.n) / (base.k / base.n) if base.k else float("inf")
    return point, low, high


def benign_loss(
    records: Sequence[Record], rng: np.random.Generator
) -> tuple[float, float, float, float, float]:
    """Surprise at the base's own benign answers: base, guarded, change with its 95 % interval.

    The reference favours the base, whose answers they are, so the loss is over- not understated.

    Returns: (base, guarded, relative change, low, high), by a paired bootstrap over cases.
    """
    pairs = [
        [r["answers"][f"benign/{arm}"].get("surprise") for arm in ("base", "guarded")]
        for r in records
    ]
    values = np.array([pair for pair in pairs if None not in pair], dtype=float)
    if not len(values):
        return (float("nan"),) * 5
    base, guarded = values.mean(axis=0)
    drawn = values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    changes = drawn[:, 1] / drawn[:, 0] - 1
    low, high = np.quantile(changes, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(base), float(guarded), float(guarded / base - 1), float(low), float(high)


def effect(records: Sequence[Record], arm: str) -> dict[str, Any]:
    """Effect of do(I) on the answer, paired by case.

    Returns: cases in which the goal is met only with the order, only without it, their exact
    two-sided sign-test p (McNemar), and in how many the answer's text differs.
    """
    only_with = only_without = changed = 0
    for record in records:
        without, with_order = (record["answers"][f"{m}/{arm}"] for m in ("benign", "injected"))
        met = [row["outcome"] == "carried_out" for row in (without, with_order)]
        only_with += met[1] and not met[0]
        only_without += met[0] and not met[1]
        changed += without["text"] != with_order["text"]
    discordant = only_with + only_without
    p = float(binomtest(only_with, discordant).pvalue) if discordant else 1.0
    return {
        "cases": len(records),
        "only_with": only_with,
        "only_without": only_without,
        "p": p,
        "changed": changed,
    }


def summary(records: Sequence[Record], *, seed: int) -> dict[str, Any]:
    """Everything as plain values."""
    names = list(dict.fromkeys(record["family"] for record in records))
    parts = [figures([r for r in records if r["family"] == name], name) for name in names]
    whole = figures(records)
    return {
        "families": [asdict(part) for part in [*parts, whole]],
        "ratio": ratio(whole.guarded, whole.base),
        "benign_loss": benign_loss(records, np.random.default_rng(seed)),
        "effect": {arm: effect(records, arm) for arm in ("base", "guarded")},
        "refusal_classifier": classifier_error("unseen").text(),
    }


HEAD = (
    "| family | goal carried out, base | goal carried out, guarded | timeouts | injected withheld "
    "| benign withheld | refusals of benign, base | refusals of benign, guarded | check met by "
    "chance |"
)


def markdown(records: Sequence[Record], facts: Mapping[str, str], *, seed: int) -> str:
    """The report as Markdown."""
    names = list(dict.fromkeys(record["family"] for record in records))
    rows = [figures([r for r in records if r["family"] == name], name) for name in names]
    whole = figures(records)
    lines = ["# Answers with and without the guard", "", HEAD, "|---" * 9 + "|"]
    lines += [_row(f) for f in [*rows, whole]]
    point, low, high = ratio(whole.guarded, whole.base)
    base, guarded, change, worse_low, worse_high = benign_loss(records, np.random.default_rng(seed))
    lines += [
        "",
        "Intervals are exact (Clopper-Pearson), 95 % each.  Timeouts count neither way.",
        "",
        f"* Goals carried out, guarded over base: {point:.3f} [{low:.3f}, {high:.3f}].",
        (
            f"* Surprise at the base's own benign answers, nats a token: base {base:.4f}, guarded "
            f"{guarded:.4f}: {change:+.1%} [{worse_low:+.1%}, {worse_high:+.1%}] (bootstrap)."
        ),
    ]
    lines += [_effect(arm, effect(records, arm)) for arm in ("base", "guarded")]
    lines += [
        f"* Refusals are found by rules; on unseen hand-labelled answers {error}."
        for error in [classifier_error("unseen").text()]
    ]
    lines += ["", *(f"* {name}: {value}" for name, value in facts.items())]
    return "\n".join(lines) + "\n"


def _row(f: GenerationFigures) -> str:
    cells = [f.name, f.base.text(), f.guarded.text(), f"{f.timeouts[0]} / {f.timeouts[1]}"]
    cells += [r.text() for r in (f.withheld, f.false_alarms, f.refused_base, f.refused_guarded)]
    return "| " + " | ".join([*cells, f.by_chance.text()]) + " |"


def _effect(arm: str, found: Mapping[str, Any]) -> str:
    return (
        f"* do(I), {arm}: of {found['cases']} pairs the goal is met in {found['only_with']} only "
        f"with the order and in {found['only_without']} only without it (sign test p "
        f"{found['p']:.2g}); the answer's text differs in {found['changed']}."
    )
