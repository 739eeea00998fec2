"""The model card, README.md: its figures come from the report and from nowhere else."""

import json

from causalguard.certify.report.markdown import table, text
from causalguard.certify.report.model import Report
from causalguard.certify.wording import percent

MARK = "causalguard-audit"
"""Stands in every card made here: a README.md without it was written by somebody."""


def render(report: Report) -> str:
    """The card, with the front matter that model hubs read."""
    results = report.results
    miss, false, ranking = results.miss, results.false_positives, results.ranking
    base = str(report.model.guard.get("base", {}).get("name", ""))
    rows = [
        ["miss rate, all families", percent(miss.overall.estimate), percent(miss.overall.high)],
        ["miss rate, any one family", "", percent(miss.epsilon_causal)],
        [
            "false alarms, clean outputs",
            percent(false.overall.estimate),
            percent(false.overall.high),
        ],
        *(
            [f"false alarms, {kind.name}", percent(kind.estimate), percent(kind.high)]
            for kind in false.kinds
            if kind.name in ("imperative", "authorised")
        ),
        [
            f"a false alarm in {false.episode.outputs} clean outputs",
            "",
            percent(false.episode.union_bound),
        ],
    ]
    return "\n".join(
        [
            *_front_matter(report, base),
            f"# {text(report.model.name)}",
            "",
            (
                "A guard against indirect prompt injection: it reads what a tool returned, given "
                "the user's task, and says how likely it holds an instruction nobody authorised."
            ),
            "",
            (
                f"**{results.result}** under the policy `{report.policy.name}`, "
                f"{report.signature.state}, {report.time_created}. The whole report is "
                "`safety-report.html`; `safety-report.sigstore.json` is the signed object."
            ),
            "",
            *(f"* {text(line)}" for line in results.plain[1:]),
            "",
            *table(("figure", "estimate", "upper bound"), rows),
            *_attacks(report),
            (
                f"AUROC within matched pairs {ranking.pairs.estimate:.4f} "
                f"({ranking.pairs.low:.4f} to {ranking.pairs.high:.4f}); of the length alone "
                f"{ranking.length_only.estimate:.4f}."
            ),
            "",
            text(results.population.statement),
            "",
            "## Not covered",
            "",
            *(f"* {text(line)}" for line in results.not_covered),
            "",
        ]
    )


def _attacks(report: Report) -> list[str]:
    """What attackers who search against this guard reached, as far as they were run."""
    if report.adaptive is None:
        return ["Adaptive attacks: none were run.", ""]
    found = report.adaptive.content
    rows = [
        [row.attack, row.budget, row.goals, percent(row.estimate), percent(row.high)]
        for row in (*found.rows, *found.unions)
    ]
    head = ("adaptive attack", "budget a goal", "goals", "passed", "upper bound")
    return [*table(head, rows), text(found.success) + ".", ""]


def _front_matter(report: Report, base: str) -> list[str]:
    # JSON texts are YAML texts: nothing in a name can end the front matter
    figures = {
        "miss rate, upper bound": report.results.miss.overall.high,
        "false-positive rate, upper bound": report.results.false_positives.overall.high,
    }
    metrics = [{"type": name, "value": value} for name, value in figures.items()]
    index = {
        "name": report.model.name,
        "results": [
            {
                "task": {"type": "text-classification", "name": "indirect prompt injection"},
                "dataset": {"type": MARK, "name": report.data.origin},
                "metrics": metrics,
            }
        ],
    }
    return [
        "---",
        "library_name: peft",
        f"base_model: {json.dumps(base)}",
        "tags: [prompt-injection, guardrail]",
        f"model-index: {json.dumps([index])}",
        "---",
        "",
    ]
