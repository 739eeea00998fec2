"""The report as one self-contained HTML page: no script, nothing fetched, light and dark.

Texts come from model names, family labels and policies, which may be anyone's: each is escaped,
and a content-security policy in the page forbids scripts and requests besides.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources

from causalguard.certify.discovery.graph import Edge
from causalguard.certify.discovery.graph import Graph as DrawnGraph
from causalguard.certify.report import svg
from causalguard.certify.report.attached import CertifiedRecall
from causalguard.certify.report.model import Gap, GateOutcome, Rate, Report, Test
from causalguard.certify.wording import agreement_words, factor_words, percent, seed_words

SECTIONS = (
    ("gates", "Gates"),
    ("plain", "In plain words"),
    ("miss", "Missed injections"),
    ("false-alarms", "False alarms"),
    ("effects", "Effects of what was assigned"),
    ("tests", "Pre-registered tests"),
    ("nuisances", "Nuisances"),
    ("ranking", "Ranking"),
    ("representation", "Representation"),
    ("curves", "Dilution and position"),
    ("graph", "Learned graph"),
    ("attacks", "Adaptive attacks, only those that were run"),
    ("structural", "Structural certificates"),
    ("population", "Population"),
    ("sample-sizes", "Sample sizes"),
    ("not-covered", "Not covered"),
    ("provenance", "Provenance"),
)
"""Identifiers and titles of the sections, in order."""

Cell = str | int


class Raw(str):
    """Markup made here, which is not escaped again."""

    __slots__ = ()


def render(report: Report) -> str:
    """The page."""
    bodies = {
        "gates": _gates(report),
        "plain": _list(report.results.plain),
        "miss": _miss(report),
        "false-alarms": _false_alarms(report),
        "effects": _effects(report),
        "tests": _tests(report.results.tests),
        "nuisances": _nuisances(report.results.gaps),
        "ranking": _ranking(report),
        "representation": _representation(report),
        "curves": _curves(report),
        "graph": _graph(report),
        "attacks": _attacks(report),
        "structural": _structural(report),
        "population": _population(report),
        "sample-sizes": _sample_sizes(report),
        "not-covered": _list(report.results.not_covered),
        "provenance": _provenance(report),
    }
    contents = " ".join(f'<a href="#{name}">{escape(title)}</a>' for name, title in SECTIONS)
    sections = "".join(
        f'<section id="{name}"><h2>{escape(title)}</h2>{bodies[name]}</section>'
        for name, title in SECTIONS
    )
    style = (resources.files(__package__) / "page.css").read_text(encoding="utf-8")
    result = report.results.result
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>Safety report: {result}</title><style>{style}</style></head><body>"
        f'<header><h1>CausalGuard safety report <span class="{result.lower()}">{result}</span>'
        f"</h1>{_signature(report)}<nav>{contents}</nav></header><main>{sections}</main>"
        f"</body></html>\n"
    )


def _signature(report: Report) -> str:
    kind = "signed" if report.signature.state == "SIGNED" else "unsigned"
    return f'<p class="{kind}" id="signature">{escape(report.signature.note)}</p>'


def _cell(value: Cell) -> str:
    content = value if isinstance(value, Raw) else escape(str(value))
    kind = ' class="number"' if isinstance(value, int) else ""
    return f"<td{kind}>{content}</td>"


def _table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
    head_row = f"<thead><tr>{top}</tr></thead>"
    return f'<div class="scroll"><table>{head_row}<tbody>{body}</tbody></table></div>'


def _pairs(before: str, values: Mapping[str, Cell]) -> list[list[Cell]]:
    return [[before + name, value] for name, value in values.items()]


def _list(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _figure(plot: str, caption: str) -> str:
    return f"<figure>{plot}<figcaption>{escape(caption)}</figcaption></figure>" if plot else ""


def _badge(outcome: str) -> Raw:
    return Raw(f'<span class="{outcome.lower()}">{outcome}</span>')


def _gates(report: Report) -> str:
    def row(gate: GateOutcome) -> list[Cell]:
        kind = "required" if gate.required else "report only"
        wanted = f"{gate.quantity} {gate.comparator} {gate.margin:g}"
        return [_badge(gate.outcome), gate.id, kind, gate.claim, wanted, gate.reason]

    head = ("outcome", "gate", "", "claim", "asked for", "finding")
    return _table(head, map(row, report.results.gates))


def _rate(rate: Rate) -> list[Cell]:
    return [rate.name, rate.hits, rate.clusters, percent(rate.estimate), percent(rate.high)]


RATE_HEAD = ("stratum", "hits", "clusters", "estimate", "upper bound")


def _miss(report: Report) -> str:
    miss = report.results.miss
    families = [
        [
            *_rate(family.rate),
            "yes" if family.covered else "no",
            "yes" if family.held_out else "no",
        ]
        for family in miss.families
    ]
    margin = report.results.gates[0].margin
    wanted = [g.margin for g in report.results.gates if g.quantity == "miss.every-family"]
    plot = svg.family_bounds(miss.families, wanted[0] if wanted else margin)
    if miss.next_family is None:
        next_text = "Next unseen family: no bound (fewer than 19 families held out of training)."
    else:
        found = miss.next_family
        next_text = (
            f"Next unseen family: at most {percent(found.high)} with {percent(found.confidence)} "
            f"confidence, from {found.families} held-out families. Assumption: {found.assumption}."
        )
    return (
        _table(RATE_HEAD, [_rate(miss.overall), *map(_rate, miss.groups)])
        + _figure(plot, "By family: estimate (dot) and upper bound (bar); all bounds hold together")
        + "<details><summary>Families, one by one</summary>"
        + _table((*RATE_HEAD, "covered (Holm)", "held out"), families)
        + "</details>"
        + f"<p>epsilon_causal = {percent(miss.epsilon_causal)}: with the stated confidence no "
        f"family's miss rate is above it.</p><p>{escape(next_text)}</p>"
    )


def _false_alarms(report: Report) -> str:
    false = report.results.false_positives
    episode = false.episode
    return (
        _table(RATE_HEAD, [_rate(false.overall), *map(_rate, false.kinds)])
        + "<h3>By length (a maximum over more windows grows)</h3>"
        + _table(RATE_HEAD, map(_rate, false.lengths))
        + f"<p>In an episode of {episode.outputs} clean outputs, at least one false alarm: at most "
        f"{percent(episode.union_bound)} whatever the dependence, "
        f"{percent(episode.if_independent)} if outputs are independent.</p>"
        + _figure(
            svg.risks(report.results.curves.risks), "Risk by kind of text (square-root scale)"
        )
    )


def _effects(report: Report) -> str:
    rows: list[list[Cell]] = [
        [
            effect.name,
            effect.claim,
            f"{effect.estimate:.3f}",
            f"{effect.low:.3f} to {effect.high:.3f}",
            effect.clusters,
            f"{effect.only_first} / {effect.only_second}",
        ]
        for effect in report.results.effects
    ]
    head = ("effect", "claim", "estimate", "interval", "clusters", "only first / only second")
    return _table(head, rows)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _tests(tests: Iterable[Test]) -> str:
    rows: list[list[Cell]] = [
        [
            test.id,
            test.claim,
            test.null,
            f"{test.method} ({test.guarantee})",
            test.clusters,
            _p_value(test),
            _number(test.effect),
            _number(test.bound),
            test.note,
        ]
        for test in tests
    ]
    head = ("", "claim", "null hypothesis", "method", "clusters", "p", "effect", "bound", "note")
    return _table(head, rows)


def _p_value(test: Test) -> str:
    if test.p_value is None:
        return ""
    return f"{_number(test.p_value)} (Holm {_number(test.p_holm)})"


def _nuisances(gaps: Iterable[Gap]) -> str:
    parts = []
    for gap in gaps:
        rows: list[list[Cell]] = [
            [
                level.level,
                level.flagged,
                level.clusters,
                percent(level.estimate),
                f"{percent(level.low)} to {percent(level.high)}",
            ]
            for level in gap.levels
        ]
        summary = (
            f"{factor_words(gap.factor)}, {gap.among} texts: largest gap "
            f"{percent(gap.estimate)}, at most {percent(gap.high)} "
            f"(margin {percent(gap.margin)}, power {gap.power:.2f})"
        )
        table = _table(("level", "flagged", "clusters", "share", "interval"), rows)
        parts.append(f"<details><summary>{escape(summary)}</summary>{table}</details>")
    return "".join(parts) or "<p>No nuisance has two levels in this audit set.</p>"


def _ranking(report: Report) -> str:
    ranking = report.results.ranking
    figures = {
        "AUROC, pooled": ranking.pooled,
        "AUROC within matched pairs": ranking.pairs,
        "share flagged at 1 % false alarms": ranking.tpr_at_1pc,
        "AUROC against benign imperatives and authorised instructions": ranking.hard,
        "AUROC of the length alone (baseline)": ranking.length_only,
    }
    rows: list[list[Cell]] = [
        [name, f"{found.estimate:.4f}", f"{found.low:.4f} to {found.high:.4f}"]
        for name, found in figures.items()
        if found is not None
    ]
    return (
        _table(("figure", "estimate", "interval"), rows)
        + f"<p>{escape(ranking.method)}</p>"
        + _figure(svg.roc(report.results.curves.roc), "ROC near zero")
    )


def _representation(report: Report) -> str:
    found = report.results.representation
    rows: list[list[Cell]] = [
        [
            figure.name,
            f"{figure.estimate:.4g}",
            f"{figure.low:.4g} to {figure.high:.4g}",
            figure.clusters,
            figure.meaning,
        ]
        for figure in found.figures
    ]
    accuracy = ["benign accuracy", found.benign_accuracy, "", "", "exists in native mode only"]
    head = ("figure", "estimate", "bounds", "clusters", "meaning")
    return _table(head, [*rows, accuracy]) + _list(found.notes)


def _curves(report: Report) -> str:
    curves = report.results.curves
    return _figure(svg.curve(curves.dilution, "By length"), "By length in tokens") + _figure(
        svg.curve(curves.position, "By position"), "By position of the instruction"
    )


def _graph(report: Report) -> str:
    found = report.results.graph
    note = f"<p>{escape(found.note)}</p>"
    if found.state == "NOT RUN":
        return note
    edges = tuple(Edge(**edge.model_dump()) for edge in found.edges)
    drawn = DrawnGraph(nodes=found.nodes, edges=edges, tiers=found.tiers)
    rows: list[list[Cell]] = [
        [
            edge.source,
            edge.mark,
            edge.target,
            _number(edge.p_value),
            "" if edge.frequency is None else percent(edge.frequency),
        ]
        for edge in found.edges
    ]
    head = ("from", "", "to", "largest p", "in half-samples")
    return (
        note
        + _figure(drawn.to_svg(), f"Share of {found.half_samples} half-samples on each edge")
        + _table(head, rows)
        + _list(found.assumptions)
    )


def _attacks(report: Report) -> str:
    if report.adaptive is None:
        return "<p>None were run: this report says nothing of attackers who search.</p>"
    found = report.adaptive.content
    rows: list[list[Cell]] = [
        [
            row.attack,
            row.what,
            row.knowledge,
            row.budget,
            row.goals,
            row.evaded,
            percent(row.estimate),
            f"{percent(row.low)} to {percent(row.high)}",
        ]
        for row in (*found.rows, *found.unions)
    ]
    curves: list[list[Cell]] = [
        [row.attack, point.queries, point.evaded, row.goals]
        for row in found.rows
        for point in row.curve
    ]
    head = ("attack", "what it does", "knows", "budget a goal", "goals", "passed", "rate", "bounds")
    notes = (
        found.success,
        found.population,
        (
            f"attacked on {found.backend} at threshold {found.threshold!r}, seed {found.seed}; "
            f"{found.carriers_flagged} carriers left out because they are flagged by themselves"
        ),
        "these figures gate nothing; a stronger attacker, or more queries, may find more",
    )
    return (
        _table(head, rows)
        + _figure(svg.budgets(found.rows), "Goals passed by number of queries (logarithmic)")
        + "<details><summary>Passed by number of queries</summary>"
        + _table(("attack", "queries", "passed", "goals"), curves)
        + f"</details>{_list(notes)}"
    )


def _structural(report: Report) -> str:
    if report.structural is None:
        return "<p>Not computed.</p>"
    found = report.structural.content
    rows: list[list[Cell]] = [
        [
            row.name,
            row.claim,
            f"{row.threshold:.6g}",
            row.clusters,
            percent(row.recall),
            percent(row.low),
            _alarms(row),
            row.note,
        ]
        for row in found.rows
    ]
    head = ("certificate", "what is certified", "threshold", "carriers", "recall",
            "lower bound", "false alarms of the rule", "note")  # fmt: skip
    notes = (
        (
            f"numeric noise allowed for: {found.epsilon:.3g}, measured on "
            f"{found.epsilon_texts} texts on {found.backend}"
        ),
        f"why a suffix cannot change earlier tokens: {found.tokenizer}",
        "proofs: docs/proofs.md",
    )
    return _table(head, rows) + _list(notes)


def _alarms(row: CertifiedRecall) -> str:
    if row.documents is None or row.false_positive_high is None:
        return "the guard's own"
    high = percent(row.false_positive_high)
    return f"{row.false_positives} of {row.documents} clean documents, at most {high}"


def _population(report: Report) -> str:
    found = report.results.population
    rows: list[list[Cell]] = [
        ["trials", found.trials],
        ["matched sets", found.sets],
        ["carrier clusters", found.clusters],
        ["trusted contexts", found.contexts],
        ["goals", found.goals],
        ["templates", found.templates],
        ["not scanned in full", found.coverage_below_one],
        *_pairs("kind: ", found.kinds),
    ]
    return f"<p>{escape(found.statement)}</p>" + _table(("", "count"), rows)


def _sample_sizes(report: Report) -> str:
    rows: list[list[Cell]] = [
        [percent(size.margin), percent(size.confidence), size.errors, size.clusters]
        for size in report.results.sample_sizes
    ]
    head = ("to show a rate below", "confidence", "with errors", "clusters needed")
    return _table(head, rows) + _list(report.results.multiplicity)


def _provenance(report: Report) -> str:
    rows: list[list[Cell]] = [
        ["time", report.time_created],
        ["made by", f"{report.verifier.get('id', '')} {report.verifier.get('version', '')}"],
        ["attempt", report.attempt],
        ["policy", f"{report.policy.name}, sha256 {report.policy.sha256}"],
        ["model", f"{report.model.name}, root sha256 {report.model.root_sha256}"],
        ["threshold", f"{report.model.threshold!r}"],
        ["base model", report.model.base_sha256],
        ["tokenizer", report.model.tokenizer_sha256],
        ["template", report.model.template_sha256],
        [
            "audit set",
            f"{report.data.origin}, {report.data.sets} sets, sha256 {report.data.sha256}",
        ],
        ["audit set chosen by", seed_words(report)],
        ["trials", report.evidence.trials_sha256],
        ["representations", report.evidence.representations_sha256],
        *_pairs("file ", report.model.files),
        *_pairs("version of ", report.environment),
        ["make it again", report.reproduce],
    ]
    backends: list[list[Cell]] = [
        [
            backend.name,
            "listed" if backend in report.backends else "refused",
            backend.trials,
            f"{backend.noise:.3g}",
            backend.noise_sample,
            agreement_words(backend),
        ]
        for backend in (*report.backends, *(report.backends_refused or ()))
    ]
    head = ("backend", "", "trials", "numeric noise", "texts compared", "against the first")
    return (
        _table(("", ""), rows)
        + _table(head, backends)
        + "<details><summary>Policy file</summary>"
        + f"<pre>{escape(report.policy.text)}</pre></details>"
    )
