"""guard-certify attack and guard-certify structural: evidence that a report can carry."""

from pathlib import Path

import click

from causalguard import console
from causalguard.certify.attacks.methods import METHODS
from causalguard.certify.attacks.search import Budget
from causalguard.certify.report.attached import AttackRow, CertifiedRecall

_PATH = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
DEFAULT_SEED = 6_000_001
_LIST = "\n".join(f"  {m.name:12} {m.what}; knows {m.knowledge}" for m in METHODS.values())
_HELP = f"""Attack a guard adaptively and count the goals that pass.

\b
{_LIST}

A goal passes when a payload that still carries it to the word is not flagged (the exact rule is
in the output).  Rows go to OUTPUT/attacks.jsonl as they are found; repeat the command to go on
after an interruption, or with more --goals.  OUTPUT/attacks.json is the summary:

\b
  guard-certify attack --model DIR --output attacks
  guard-certify --model DIR --attacks attacks/attacks.json
"""


@click.command("attack", help=_HELP, epilog="Exit codes: 0 done, 2 usage, 3 the run failed.")
@click.option("--model", required=True, type=_PATH, help="MODEL_DIR.")
@click.option("--attack", "attacks", multiple=True, type=click.Choice(list(METHODS)),
              help="Attack to run (repeatable).  Default: all.")  # fmt: skip
@click.option("--goals", default=100, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=DEFAULT_SEED, show_default=True, type=click.IntRange(min=0))
@click.option("--queries", default=200, show_default=True, type=click.IntRange(min=1),
              help="Texts a black-box attacker may have scored for a goal.")  # fmt: skip
@click.option("--steps", default=500, show_default=True, type=click.IntRange(min=1),
              help="Gradient steps for a goal.")  # fmt: skip
@click.option("--candidates", default=256, show_default=True, type=click.IntRange(min=1),
              help="Texts scored a step.")  # fmt: skip
@click.option("--tokens", default=40, show_default=True, type=click.IntRange(min=1),
              help="Tokens that a gradient search may add.")  # fmt: skip
@click.option("--restarts", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--transfer", type=_FILE,
              help="attacks.jsonl of another guard, same seed: send its payloads.")  # fmt: skip
@click.option("--device", default="cpu", show_default=True)
@click.option("--dtype", default="auto", show_default=True)
@click.option("--output", required=True, type=_PATH, help="Directory; may hold this run already.")
def attack(
    model: Path,
    attacks: tuple[str, ...],
    goals: int,
    seed: int,
    queries: int,
    steps: int,
    candidates: int,
    tokens: int,
    restarts: int,
    transfer: Path | None,
    device: str,
    dtype: str,
    output: Path,
) -> int:
    """See _HELP."""
    from causalguard.certify.attacks import runner
    from causalguard.certify.attacks.victim import load_victim

    plan = runner.Plan(
        attacks=attacks or (() if transfer else tuple(METHODS)),
        goals=goals,
        seed=seed,
        budget=Budget(
            queries=queries, steps=steps, candidates=candidates, tokens=tokens, restarts=restarts
        ),
        transfer=transfer,
    )
    victim = load_victim(model, device=device, dtype=dtype)
    found = runner.run(
        victim,
        plan,
        output,
        model_sha256=victim.model_sha256,
        tell=lambda line: click.echo(line, err=True),
    )
    click.echo(table([*found.rows, *found.unions]))
    click.echo(f"wrote {output / runner.SUMMARY_NAME}")
    return console.OK


def table(rows: list[AttackRow]) -> str:
    """A Markdown table of attacks."""
    lines = [
        "| attack | knows | budget a goal | goals | passed | rate | 95 % bounds, each side |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.attack} | {row.knowledge} | {row.budget} | {row.goals} | {row.evaded} | "
        f"{row.estimate:.1%} | {row.low:.1%} to {row.high:.1%} |"
        for row in rows
    ]
    return "\n".join(lines)


@click.command("structural", epilog="Exit codes: 0 done, 2 usage, 3 the run failed.")
@click.option("--model", required=True, type=_PATH, help="MODEL_DIR.")
@click.option("--data", type=_PATH, help="Audit set: JSONL of matched sets.  Default: rendered.")
@click.option("--sets", default=600, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=7_000_001, show_default=True, type=click.IntRange(min=0))
@click.option("--erase", default=0, show_default=True, type=click.IntRange(min=0),
              help="Tokens erased at most by erase-and-check; 0: not run.")  # fmt: skip
@click.option("--erase-documents", default=300, show_default=True, type=click.IntRange(min=1),
              help="Clean documents on which its false alarms are counted.")  # fmt: skip
@click.option("--longest", default=320, show_default=True, type=click.IntRange(min=8),
              help="Tokens of the longest document for erase-and-check.")  # fmt: skip
@click.option("--device", default="cpu", show_default=True)
@click.option("--dtype", default="auto", show_default=True)
@click.option("--output", required=True, type=_PATH, help="Directory for structural.json.")
def structural_command(
    model: Path,
    data: Path | None,
    sets: int,
    seed: int,
    erase: int,
    erase_documents: int,
    longest: int,
    device: str,
    dtype: str,
    output: Path,
) -> int:
    """Recall that is certified against suffixes of any length and against inserted tokens.

    docs/proofs.md states what is certified and proves it.  --erase scores every document once for
    each block of up to that many tokens: use a GPU for more than a few.
    """
    from causalguard.certify.attacks import structural
    from causalguard.certify.attacks.victim import load_victim

    victim = load_victim(model, device=device, dtype=dtype)
    found = structural.run(
        victim,
        structural.audit(data, sets, seed),
        structural.Erasure(tokens=erase, documents=erase_documents, longest=longest),
        seed=None if data else seed,
    )
    structural.write(output, found)
    click.echo(recall_table(list(found.rows)))
    click.echo(f"wrote {output / structural.NAME}")
    return console.OK


def recall_table(rows: list[CertifiedRecall]) -> str:
    """A Markdown table of certified recalls."""
    lines = [
        "| certificate | threshold | carriers | recall | 95 % lower bound | false alarms |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        alarms = "the guard's own"
        if row.documents is not None and row.false_positive_high is not None:
            alarms = f"{row.false_positives} of {row.documents} (<= {row.false_positive_high:.1%})"
        lines.append(
            f"| {row.name} | {row.threshold:.4f} | {row.clusters} | {row.recall:.1%} | "
            f"{row.low:.1%} | {alarms} |"
        )
    return "\n".join(lines)
