"""``guard-data``: matched sets by seed, checks of data files, families, imports."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from causalguard import console
from causalguard.errors import ConfigError, OutputExistsError
from causalguard.files import write_atomic
from causalguard.interventions import engine, leaks, licenses, loaders, triplets
from causalguard.interventions.carriers import from_directory, pool
from causalguard.interventions.families import FAMILIES
from causalguard.interventions.formats import FORMATS
from causalguard.interventions.minhash import Index
from causalguard.interventions.scenes import LENGTHS
from causalguard.records import Triplet

_CHANCE = 0.1
"""Distance from 0.5 within which ``check`` calls an AUROC near chance."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def command() -> None:
    """Make and check data for training and certifying a guard.

    A matched set (triplet) is one tool output under interventions: benign, other data, with an
    injected instruction, with a harmless imperative in its place, and sometimes with a task under
    which the instruction is what the user asked for.

    \b
    A first run:
      guard-data triplets -n 2000 --split train -o train.jsonl
      guard-data triplets -n 2000 --split audit -o audit.jsonl
      guard-data check audit.jsonl --against train.jsonl
    With tool outputs of your own agent (text, JSON, HTML, CSV, mail or JSONL files):
      guard-data triplets --carriers ./my_tool_outputs -n 2000 --split train -o own.jsonl
    The sets that a trained guard finds hardest: see guard-mine.
    """


@command.command("triplets")
@click.option(
    "-n", "--sets", default=1000, show_default=True, type=click.IntRange(1), help="Matched sets."
)
@click.option("--split", type=click.Choice(engine.SPLITS), default="train", show_default=True,
              help="Splits share no carrier, goal, template or name; audit also holds the families "
              "that are never trained on.")  # fmt: skip
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0), help="Same seed, same file."
)
@click.option("--families", "families", default="", metavar="trained|held-out|all|NAME,...",
              help="See `guard-data families`. Default: trained, for audit all.")  # fmt: skip
@click.option("--formats", default="", metavar="NAME,...", help=f"Of: {', '.join(FORMATS)}.")
@click.option(
    "--lengths", default="", metavar="LEVEL,...", help=f"Characters, of: {', '.join(LENGTHS)}."
)
@click.option("--carriers", "directory", type=click.Path(path_type=Path), default=None,
              help="Directory of your own tool outputs; injections are put into them.")  # fmt: skip
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="New JSONL file."
)
def triplets_command(  # one argument an option
    sets: int, split: str, seed: int, families: str, formats: str, lengths: str,
    directory: Path | None, output: Path,
) -> None:  # fmt: skip
    """Write matched sets, the same ones for the same options."""
    _refuse(output)
    own = None if directory is None else from_directory(directory)
    try:
        stream = engine.generate(
            sets,
            seed=seed,
            split=split,
            families=_listed(families) or None,
            formats=_listed(formats) or None,
            lengths=_listed(lengths) or None,
            carriers=own,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None
    count = triplets.write(output, console.progress(stream, total=sets, label="triplets"))
    click.echo(f"{output}: {count} matched sets, split {split}, seed {seed}")


def _listed(text: str) -> str | list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    return words[0] if len(words) == 1 and words[0] in {"trained", "held-out", "all"} else words


def _refuse(output: Path) -> None:
    if output.exists():
        message = f"{output} exists already; give another path or remove it first"
        raise OutputExistsError(message)


@command.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def validate(files: tuple[Path, ...]) -> None:
    """Read triplet FILES and list every fault with its line."""
    for file in files:
        found = triplets.read(file)
        imperatives = sum(bool(one.imperative) for one in found)
        authorised = sum(bool(one.authorised_task) for one in found)
        families = len({one.family for one in found})
        click.echo(
            f"{file}: {len(found)} sets, {families} families, {imperatives} with an imperative, "
            f"{authorised} with an authorised task"
        )


@command.command()
@click.argument("tested", type=click.Path(path_type=Path))
@click.option(
    "--against", required=True, type=click.Path(path_type=Path), help="The training split."
)
def check(tested: Path, against: Path) -> int:
    """Look for leaks: can the labels of TESTED be guessed without reading?

    Three detectors that understand nothing are fitted on the training split: which words occur
    (naive Bayes), length, and whether the text was seen before.  0.5 is chance.  Exit code 1 when
    one of them is more than 0.1 away from chance, or when the splits share a carrier, goal or
    template.
    """
    leak = leaks.check(triplets.read(against), triplets.read(tested))
    for line in leak_lines(leak):
        click.echo(line)
    far = [abs(value - 0.5) > _CHANCE for value in (leak.words, leak.length, leak.seen)]
    return console.NEGATIVE if any(far) or any(leak.shared.values()) else console.OK


def leak_lines(leak: leaks.Leak) -> list[str]:
    """Return the figures of a leak check as lines for a terminal."""
    lines = [
        f"texts looked at                    {leak.n_texts}",
        f"word-presence naive Bayes, AUROC   {leak.words:.3f}",
        f"length alone, AUROC                {leak.length:.3f}",
        f"seen before, AUROC                 {leak.seen:.3f}",
        f"near copies of training texts      {leak.copies:.1%}",
    ]
    for name, count in leak.shared.items():
        unknown = leak.unnamed[name]
        rest = f" (not looked for in {unknown} sets, which name none)" if unknown else ""
        lines.append(f"shared {name + 's':<27} {count}{rest}")
    for kind in leak.words_against:
        words, length = leak.words_against[kind], leak.length_against[kind]
        lines.append(f"injected against {kind:<17} words {words:.3f}  length {length:.3f}")
    return lines


@command.command("carriers")
@click.option("-n", "--number", default=2000, show_default=True, type=click.IntRange(1),
              help="Carriers to make for each split.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
def carriers_command(number: int, seed: int) -> None:
    """Make carriers for every split and count how many are no near copy of another.

    The count runs over all splits together (MinHash, word 3-grams, similarity 0.7), so a carrier
    counted for one split is no near copy of one counted for another.
    """
    index = Index()
    for split in engine.SPLITS:
        made = pool.distinct(number, seed=seed, split=split, index=index)
        kinds = len({carrier.kind for carrier in made.carriers})
        topics = len({carrier.topic for carrier in made.carriers})
        share = len(made.carriers) / made.made
        click.echo(
            f"{split:<12} {len(made.carriers)} distinct of {made.made} ({share:.1%}), "
            f"{kinds} kinds, {topics} topics"
        )
    click.echo(f"{'together':<12} {len(index)} distinct")


@command.command("families")
@click.option("--examples", default=0, type=click.IntRange(0), help="Print examples of each.")
def families_command(examples: int) -> None:
    """List the attack families: group, whether trained on, source."""
    for family in FAMILIES:
        state = "trained" if family.trained else "held out"
        click.echo(f"{family.group:<14} {family.name:<26} {state:<9} {family.source}")
        if examples:
            for one in engine.generate(examples, seed=0, split="audit", families=[family.name]):
                click.echo("    " + json.dumps(_span_text(one), ensure_ascii=False))


def _span_text(triplet: Triplet) -> str:
    return triplet.injected[triplet.span.start : triplet.span.end]


@command.command("import")
@click.argument("kind", type=click.Choice(["rows", "injecagent", "llmail", "hub"]))
@click.argument("origin")
@click.option("--license", "license_text", default="", help="Where the rows do not say.")
@click.option("--shippable", is_flag=True, help="Keep rows whose licence allows shipped weights.")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="New JSONL file."
)
def import_command(
    kind: str, origin: str, license_text: str, shippable: bool, output: Path
) -> None:
    """Convert a public set to rows that guard-train and guard-eval read.

    \b
    KIND and ORIGIN:
      rows        JSONL, JSON, YAML or CSV with a text and a label (PINT-style)
      injecagent  a test_cases_*.json of InjecAgent
      llmail      submissions of LLMail-Inject as JSONL
      hub         a data set by name, through the package datasets
    Rows of AgentDojo and NotInject are left out: they are for tests only.
    """
    _refuse(output)
    found = _load(kind, origin, license_text)
    kept = [
        one
        for one in found
        if not licenses.only_for_tests(one.source, one.license)
        and (not shippable or licenses.shippable(one.license))
    ]
    write_atomic(output, "".join(_example_line(one, at) for at, one in enumerate(kept)))
    click.echo(f"{output}: {len(kept)} of {len(found)} rows, {sum(one.y for one in kept)} injected")


def _load(kind: str, origin: str, license_text: str) -> Sequence[loaders.Example]:
    if kind == "hub":
        return loaders.load_hub(origin, license_text=license_text)
    path = Path(origin)
    if kind == "injecagent":
        return loaders.load_injecagent(path)
    if kind == "llmail":
        return loaders.load_llmail(path)
    return loaders.load_rows(path, license_text=license_text)


def _example_line(example: loaders.Example, number: int) -> str:
    row = {
        "id": f"{example.source}-{number:06d}",
        "text": example.text,
        "label": example.y,
        "spans": [[span.start, span.end] for span in example.spans],
        "tool": example.tool,
        "task": example.task,
        "system": example.system,
        "pair": example.set_id,
        "source": example.source,
        "license": example.license,
        "family": example.family,
    }
    return json.dumps(row, ensure_ascii=False) + "\n"


def main() -> None:
    """Run ``guard-data``."""
    console.run(command)


if __name__ == "__main__":
    main()
