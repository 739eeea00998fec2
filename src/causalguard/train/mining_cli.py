"""``guard-mine``: the matched sets that a guard finds hardest."""

from collections.abc import Iterable
from pathlib import Path

import click

from causalguard import console
from causalguard.errors import ConfigError, OutputExistsError
from causalguard.interventions import parallel, triplets
from causalguard.interventions.scenes import LENGTHS
from causalguard.records import Triplet

HELP = """Write the matched sets that the guard in MODEL finds hardest, to go on training with.

A set is hard when a member without a foreign instruction is as risky as one with it, or
riskier.  With --spellings, sets are misspelt until their attacks look as safe as a few tries can
make them; harmless texts are misspelt alike.  The file is one more source of a training run
(data.files); MODEL need not be certified.  On CPUs it takes half a second a set, on a GPU much
less.

\b
  guard-mine runs/g -n 8000 --keep 2000 -o hard.jsonl
  guard-train --config default --set init=runs/g --set 'data.files=[{path: hard.jsonl}]' \\
      --output runs/g2
"""


@click.command(help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-n", "--sets", default=4000, show_default=True, type=click.IntRange(1),
              help="Matched sets of the training split to draw and score.")  # fmt: skip
@click.option("--keep", default=1000, show_default=True, type=click.IntRange(1),
              help="How many of the hardest to write.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--lengths", default="", metavar="LEVEL,...", help=f"Of: {', '.join(LENGTHS)}.")
@click.option(
    "--spellings",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    metavar="K",
    help="Try K careless spellings of each set; keep the one that looks safest.",
)
@click.option("--device", default="cpu", show_default=True, help="Where MODEL runs: cpu, cuda.")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="New JSONL file."
)
def command(
    model: Path,
    sets: int,
    keep: int,
    seed: int,
    lengths: str,
    spellings: int,
    device: str,
    output: Path,
) -> None:
    """See HELP."""
    if output.exists():
        raise OutputExistsError(f"{output} exists already; give another path or remove it first")
    from causalguard.guard.api import Guard
    from causalguard.train import mining

    guard = Guard.load(model, require_certified=False, device=device)
    levels = [word.strip() for word in lengths.split(",") if word.strip()]
    try:
        drawn = parallel.generate(sets, seed=seed, split="train", lengths=levels or None)
        fresh: Iterable[Triplet] = console.progress(drawn, total=sets, label="mining")
        if spellings:
            fresh = mining.misspelt(guard, fresh, tries=spellings, seed=seed)
        scored = mining.margins(guard, fresh)
        found = mining.hardest(scored, keep)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    count = triplets.write(output, (one for _, one in found))
    wrong = sum(value < 0 for value, _ in found)
    click.echo(
        f"{output}: {count} of {sets} matched sets, margins {found[0][0]:.3f} to "
        f"{found[-1][0]:.3f}, {wrong} ranked wrongly"
    )


def main() -> None:
    """Run ``guard-mine``."""
    console.run(command)


if __name__ == "__main__":
    main()
