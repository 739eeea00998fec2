"""The summary of an AgentDojo run, as Markdown and JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from causalguard.evaluate.agentdojo_results import ALL, Line, Rate, Result

ATTACK_HEAD = (
    "suite", "attack", "n", "on the path", "reached, guarded", "success", "success, guarded",
    "utility", "utility, guarded",
)  # fmt: skip
BENIGN_HEAD = ("suite", "tasks", "utility", "utility, guarded", "outputs flagged")

SCRIPTED = (
    (
        "The agent is the worst case: it carries out the ground truth of the user's task and obeys "
        "every attacker's message of which it can read four words in a row. AgentDojo executes the "
        "calls and judges them."
    ),
    (
        "reached: the attacker's message could be read in what the agent was shown. It bounds the "
        "success of any agent that makes these calls; AgentDojo's check of success is stricter."
    ),
    (
        "utility, guarded: AgentDojo's check, and no output on the way was withheld or lost benign "
        "text. Under attack most tasks are lost by this count, for the attacked output itself is "
        "withheld."
    ),
    (
        "utility of an obeying agent is low in some suites because AgentDojo counts every further "
        "change of the state against the user's task."
    ),
    "Eight goals of the workspace suite have no ground truth in AgentDojo; their calls are ours.",
    "Tools write a fixed time, so that equal calls give equal outputs.",
)
MODEL = (
    (
        "The agent is a model. Utility and success are AgentDojo's checks; reached: the attacker's "
        "message could be read in something the model was shown."
    ),
)
ALWAYS = (
    (
        "Intervals: exact 95 % Clopper-Pearson, as if conversations were independent; those of one "
        "suite share user tasks and goals, so the true uncertainty is larger."
    ),
    "AgentDojo is for tests only: nothing of the guard was trained, tuned or chosen on it.",
)


def markdown(lines: Sequence[Line], facts: Mapping[str, Any], said: Sequence[str]) -> str:
    """The summary as Markdown."""
    parts = ["# AgentDojo", "", "; ".join(f"{k}: {v}" for k, v in facts.items()), ""]
    parts += ["## Without an attack", "", *_table(BENIGN_HEAD, benign_cells(lines)), ""]
    parts += ["## Under attack", "", *_table(ATTACK_HEAD, attack_cells(lines)), ""]
    parts += [f"* {note}" for note in said]
    return "\n".join(parts) + "\n"


def notes(results: Sequence[Result], *, scripted: bool) -> list[str]:
    """What a reader must know, with what these results say of the attacks themselves."""
    found = [*(SCRIPTED if scripted else MODEL), *ALWAYS]
    if not scripted:
        return found
    attacked = [r for r in results if r.case.attack]
    absent = [r for r in attacked if not r.placed]
    if attacked and not absent:
        found.append("Every attack put its message on the ground-truth path of every task.")
    for attack in dict.fromkeys(r.case.attack for r in absent):
        some = [r.case.name for r in absent if r.case.attack == attack]
        shown = ", ".join(some[:5]) + (" ..." if len(some) > 5 else "")
        found.append(f"{attack}: nothing on the path in {len(some)} conversations ({shown}).")
    refused = sum(r.placed and not r.success for r in attacked)
    if refused:
        found.append(
            f"In {refused} of {len(attacked)} conversations the unguarded agent obeyed and "
            "AgentDojo's check still said no."
        )
    return found


def benign_cells(lines: Sequence[Line]) -> list[list[str]]:
    """Cells of the table without an attack."""
    return [
        [
            line.suite,
            str(line.rates["utility"].n),
            *(percent(line.rates.get(name)) for name in ("utility", "utility_guarded", "alarms")),
        ]
        for line in lines
        if not line.attack
    ]


def attack_cells(lines: Sequence[Line]) -> list[list[str]]:
    """Cells of the table under attack; sums last."""
    names = ("placed", "reached", "success", "success_guarded", "utility", "utility_guarded")
    attacked = [line for line in lines if line.attack]
    ordered = sorted(attacked, key=lambda line: (line.attack == ALL, line.suite == ALL))
    return [
        [
            line.suite,
            line.attack,
            str(line.rates["reached"].n),
            *(percent(line.rates[name]) for name in names),
        ]
        for line in ordered
    ]


def percent(rate: Rate | None) -> str:
    """A rate with its interval."""
    if rate is None:
        return "-"
    return f"{rate.value:.2%} [{rate.low:.2%}, {rate.high:.2%}]"


def as_json(lines: Sequence[Line], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The summary for programs."""
    return {
        "facts": dict(facts),
        "lines": [
            {
                "suite": line.suite,
                "attack": line.attack,
                "rates": {
                    name: {**asdict(rate), "value": rate.value} for name, rate in line.rates.items()
                },
            }
            for line in lines
        ],
    }


def _table(head: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    rule = "|" + "---|" * len(head)
    return [f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(row)} |" for row in cells)]
