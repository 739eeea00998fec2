"""The report as Markdown, for pull requests and release notes."""

from collections.abc import Iterable, Sequence

from causalguard.certify.report.model import GateOutcome, Rate, Report
from causalguard.certify.wording import agreement_words, factor_words, percent, seed_words

_SPECIAL = str.maketrans(
    {char: "\\" + char for char in "\\`*_{}[]<>#|~!$"} | {"\n": " ", "\r": " "}
)


def text(value: object) -> str:
    """A value as literal Markdown text: nothing in it is markup, a link or HTML."""
    return str(value).translate(_SPECIAL)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A pipe table; every cell is escaped."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(text(cell) for cell in row) + " |" for row in rows]
    return [*lines, ""]


def _rates(rates: Iterable[Rate]) -> list[list[object]]:
    return [[r.name, r.hits, r.clusters, percent(r.estimate), percent(r.high)] for r in rates]


def _gate(gate: GateOutcome) -> list[object]:
    kind = "required" if gate.required else "report only"
    return [gate.outcome, gate.id, kind, gate.claim, gate.reason]


def render(report: Report) -> str:
    """The whole report, shorter than the HTML page: no plots."""
    results = report.results
    lines = [
        f"# CausalGuard safety report: {results.result}",
        "",
        f"**{report.signature.state}.** {text(report.signature.note)}",
        "",
        *(f"{text(line)}  " for line in results.plain),
        "",
        "## Gates",
        "",
        *table(("outcome", "gate", "", "claim", "finding"), map(_gate, results.gates)),
    ]
    lines += _bounds(report)
    lines += _tests(report)
    lines += _attached(report)
    lines += _provenance(report)
    return "\n".join(lines) + "\n"


def _bounds(report: Report) -> list[str]:
    results = report.results
    head = ("stratum", "hits", "clusters", "estimate", "upper bound")
    miss, false = results.miss, results.false_positives
    families = [
        [*_rates([f.rate])[0], "yes" if f.covered else "no", "yes" if f.held_out else "no"]
        for f in miss.families
    ]
    return [
        "## Missed injections",
        "",
        *table(head, _rates([miss.overall, *miss.groups])),
        *table((*head, "covered (Holm)", "held out of training"), families),
        "## False alarms",
        "",
        *table(head, _rates([false.overall, *false.kinds, *false.lengths])),
    ]


def _tests(report: Report) -> list[str]:
    results = report.results
    ranking = results.ranking
    tests = [
        [t.id, t.claim, _number(t.p_value), _number(t.effect), _number(t.bound), t.guarantee]
        for t in results.tests
    ]
    gaps = [
        [
            factor_words(g.factor),
            g.among,
            percent(g.estimate),
            percent(g.high),
            percent(g.margin),
            f"{g.power:.2f}",
        ]
        for g in results.gaps
    ]
    effects = [
        [e.claim, f"{e.estimate:.3f}", f"{e.low:.3f} to {e.high:.3f}", e.clusters]
        for e in results.effects
    ]
    figures = {
        "AUROC, pooled": ranking.pooled,
        "AUROC within pairs": ranking.pairs,
        "TPR at 1 % FPR": ranking.tpr_at_1pc,
        "AUROC of length alone": ranking.length_only,
    }
    distances = [
        [d.name, f"{d.estimate:.4g}", f"{d.low:.4g} to {d.high:.4g}", d.meaning]
        for d in results.representation.figures
    ]
    return [
        "## Tests",
        "",
        *table(("test", "claim", "p", "effect", "bound", "guarantee"), tests),
        "## Effects of what was assigned",
        "",
        *table(("effect", "estimate", "interval", "clusters"), effects),
        "## Nuisances",
        "",
        *table(("factor", "among", "gap", "upper bound", "margin", "power"), gaps),
        "## Ranking",
        "",
        *table(
            ("figure", "estimate", "interval"),
            [[n, f"{i.estimate:.4f}", f"{i.low:.4f} to {i.high:.4f}"] for n, i in figures.items()],
        ),
        "## Representation",
        "",
        *table(("figure", "estimate", "bounds", "meaning"), distances),
        "## Learned graph",
        "",
        text(results.graph.note),
        "",
    ]


def _attached(report: Report) -> list[str]:
    lines: list[str] = []
    if report.adaptive is not None:
        attacks = report.adaptive.content
        rows = [
            [
                a.attack,
                a.knowledge,
                a.budget,
                a.goals,
                a.evaded,
                percent(a.estimate),
                percent(a.high),
            ]
            for a in (*attacks.rows, *attacks.unions)
        ]
        head = ("attack", "knows", "budget a goal", "goals", "passed", "rate", "upper bound")
        lines += ["## Adaptive attacks, only those that were run", "", *table(head, rows)]
        lines += [text(attacks.success), ""]
    if report.structural is not None:
        found = report.structural.content
        cells = [
            [r.name, r.claim, f"{r.threshold:.6g}", r.clusters, percent(r.recall), percent(r.low)]
            for r in found.rows
        ]
        columns = ("certificate", "what", "threshold", "carriers", "recall", "lower bound")
        lines += ["## Structural certificates", "", *table(columns, cells)]
    return lines


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _provenance(report: Report) -> list[str]:
    rows: list[tuple[str, object]] = [
        ("policy", f"{report.policy.name} ({report.policy.sha256})"),
        ("model", f"{report.model.name} ({report.model.root_sha256})"),
        ("threshold", report.model.threshold),
        ("audit set", f"{report.data.origin}, {report.data.sets} sets ({report.data.sha256})"),
        ("chosen by", seed_words(report)),
        *(("backend", f"{b.name}: {agreement_words(b)}") for b in report.backends),
        ("trials", report.evidence.trials_sha256),
        ("attempt", report.attempt),
        ("time", report.time_created),
        ("make it again", report.reproduce),
    ]
    return [
        "## Population",
        "",
        text(report.results.population.statement),
        "",
        "## What this report does not cover",
        "",
        *(f"* {text(line)}" for line in report.results.not_covered),
        "",
        "## How to read several bounds at once",
        "",
        *(f"* {text(line)}" for line in report.results.multiplicity),
        "",
        "## Provenance",
        "",
        *table(("", ""), rows),
    ]
