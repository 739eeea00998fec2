"""Our guard and the installable peers on the same texts, in one run.

    python benchmarks/detection.py --shared DATA --cache CACHE --model default

Models given with --half left some of the sets out of their training: together they make one more
row, in which every set is scored by a model that never saw it (benchmarks/heldout.py tells how such
models are made).

Each peer gets a virtual environment of its own under CACHE (made with pip when it is missing);
its scores are kept there by the digest of the texts, so that the run can be repeated for another
model.  Sample, sets and seed are fixed by the options; results go to benchmarks/results/.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
import numpy as np
import yaml

from causalguard import console
from causalguard.attestation.certificate import SUBJECT_FILES
from causalguard.attestation.digests import file_digests, root_digest
from causalguard.errors import InputError, MissingError
from causalguard.evaluate import report
from causalguard.evaluate.figures import SourceFigures, source_figures
from causalguard.evaluate.rows import Labelled, read_labelled, thin
from causalguard.files import write_atomic
from causalguard.guard.bundle import DEFAULT, MODELS

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A detector from a package index."""

    name: str
    """Package and version."""
    script: str
    """Wrapper in benchmarks/peers."""
    requirements: tuple[str, ...]
    """For pip."""
    seen: tuple[str, ...] = ()
    """Sets that its own documentation names as training data."""


PEERS = (
    Peer(
        name="stackone-defender-0.9.4",
        script="stackone.py",
        requirements=("stackone-defender[onnx]==0.9.4",),
        seen=("agentdojo", "injecagent"),
    ),
    Peer(
        name="prompt-guardrail-1.0.1",
        script="guardrail.py",
        requirements=("prompt-guardrail==1.0.1", "scikit-learn==1.7.2"),
    ),
    Peer(
        name="lightguard-agent-0.7.1",
        script="lightguard_rules.py",
        requirements=("lightguard-agent==0.7.1",),
    ),
)
SETS: Mapping[str, tuple[str, ...]] = {
    "agentdojo": ("agentdojo",),
    "injecagent": ("injecagent",),
    "bipia": ("bipia",),
    "asb": ("asb",),
    "purplellama + llmail_benign": ("purplellama_indirect", "llmail_benign"),
    "benign_docs": ("benign_docs",),
    "tau": ("tau",),
    "notinject": ("notinject",),
}
"""Sets of the table; the benign rows of the second file stand beside positives alone."""
NOT_RUN = (
    "Not run, because their weights are on a model hub; published figures on BIPIA (detection / "
    "false alarms, from toolwall's README): PIGuard .947 / .007, ProtectAI v2 .200 / .247, "
    "Prompt Guard 2 86M .013 / .007."
)
SEEN = "‡"
HELD_OUT = "CausalGuard (recipe, set left out)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A detector's answers, in the order of the rows."""

    risk: tuple[float, ...]
    """Higher is worse."""
    flagged: tuple[bool, ...]
    """At the detector's own default."""
    ms: float
    """Wall-clock milliseconds per text, loading left out."""
    failed: int
    """Texts on which it raised; they count as passed."""
    date: str
    """When it was scored."""


@click.command(help=__doc__, context_settings={"max_content_width": 100})
@click.option("--shared", required=True, type=click.Path(exists=True, path_type=Path),
              help="Folder of the labelled files.")  # fmt: skip
@click.option("--cache", required=True, type=click.Path(path_type=Path),
              help="Environments and scores of the peers.")  # fmt: skip
@click.option("--model", "models", multiple=True, metavar="[LABEL=]MODEL_DIR",
              help="Guards of ours; 'default' is the shipped one.")  # fmt: skip
@click.option("--half", "halves", multiple=True, metavar="MODEL_DIR",
              help="A model of the same recipe without some of the sets.")  # fmt: skip
@click.option("--key", type=click.Path(path_type=Path),
              help="Public key of the guards' reports; else uncertified.")  # fmt: skip
@click.option("--each", default=150, show_default=True, help="Rows per set and class.")
@click.option("--seed", default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True, help="For our guards.")
@click.option("--output", default=HERE / "results", type=click.Path(path_type=Path),
              show_default="benchmarks/results")  # fmt: skip
def command(
    shared: Path,
    cache: Path,
    models: tuple[str, ...],
    halves: tuple[str, ...],
    key: Path | None,
    each: int,
    seed: int,
    device: str,
    output: Path,
) -> None:
    """See the module docstring."""
    rows = sample(shared, each, seed)
    scored: dict[str, Scored] = {}
    seen: dict[str, tuple[str, ...]] = {}
    thresholds: dict[str, str] = {}
    digests: list[str] = []
    for text in models:
        label, _, path = text.rpartition("=")
        name = f"CausalGuard ({label or Path(path).name})"
        if name in scored:
            raise InputError(f"two models are called {name}; give --model LABEL=MODEL_DIR")
        scored[name], seen[name], thresholds[name] = ours(path, rows, key, device)
        digests.append(root_digest(file_digests(directory_of(path), SUBJECT_FILES))[:16])
    if halves:
        first = next(((s, seen[name]) for name, s in scored.items()), None)
        scored[HELD_OUT], thresholds[HELD_OUT] = left_out(halves, rows, device, first)
        seen[HELD_OUT] = ()
    for peer in PEERS:
        scored[peer.name], seen[peer.name] = theirs(peer, rows, cache), peer.seen
    tables = {name: figures(rows, s, seed) for name, s in scored.items()}
    facts = {
        **({"model": digests[0]} if digests else {}),
        "command": f"python benchmarks/detection.py --shared DIR --cache DIR"
        f"{''.join(' --model ' + Path(m).name for m in models)}"
        f"{''.join(' --half ' + Path(m).name for m in halves)} --each {each} --seed {seed}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "hardware": hardware(device),
        "rows": len(rows),
        "texts sha256": digest(rows),
        "thresholds": thresholds,
        "ms per text": {name: round(s.ms, 1) for name, s in scored.items()},
        "texts that raised": {name: s.failed for name, s in scored.items()},
        "scored on": {name: s.date for name, s in scored.items()},
    }
    text = markdown(tables, seen, facts)
    write_atomic(output / "detection.md", text)
    body = {"facts": facts, "trained on": seen, "detectors": tables}
    write_atomic(output / "detection.json", report.as_json(body))
    click.echo(text)


def sample(shared: Path, each: int, seed: int) -> list[Labelled]:
    """At most ``each`` rows per set and class, twins together; ``source`` is the set's name."""
    made: list[Labelled] = []
    for name, files in SETS.items():
        rng = np.random.default_rng([seed, *name.encode()])
        rows = [r for f in files for r in read_labelled(shared / f"{f}.jsonl.gz")]
        kept = thin(rows, each, rng)
        made += [replace(r, case=replace(r.case, source=name)) for r in kept]
    return made


def digest(rows: Sequence[Labelled]) -> str:
    """Sha256 over the texts, in hex: scores are kept under it."""
    whole = sha256()
    for row in rows:
        whole.update(json.dumps([row.case.id, row.output.text]).encode())
    return whole.hexdigest()


def ours(
    path: str, rows: Sequence[Labelled], key: Path | None, device: str
) -> tuple[Scored, tuple[str, ...], str]:
    """Score with a guard; also the sets its training.yaml names, and its threshold."""
    from causalguard.evaluate.cli import score
    from causalguard.guard.api import Guard

    guard = Guard.load(path, trust=key, require_certified=key is not None, device=device)
    guard.warmup()
    begin = time.perf_counter()
    risks = score(guard, rows)
    ms = 1000 * (time.perf_counter() - begin) / len(rows)
    return (
        Scored(
            risk=tuple(risks.tolist()),
            flagged=tuple((risks >= guard.threshold).tolist()),
            ms=ms,
            failed=0,
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
        ),
        trained_on(guard.files.directory),
        f"{guard.threshold:.6f}",
    )


def left_out(
    paths: Sequence[str],
    rows: Sequence[Labelled],
    device: str,
    otherwise: tuple[Scored, Sequence[str]] | None,
) -> tuple[Scored, str]:
    """Every set scored by the first model that was not trained on it; also all thresholds.

    Sets that none was trained on (those for tests alone) keep the answers in ``otherwise``, which
    come with the sets that their model was trained on.

    Raises:
        InputError: every model was trained on some set, or there are no other answers.
    """
    if otherwise is None:
        raise InputError("--half needs a --model beside it")
    answers, known = otherwise
    trained = [set(trained_on(Path(path))) for path in paths]
    by_set = {}
    for name, files in SETS.items():
        if not set(files) & set(known).union(*trained):
            continue
        fresh = [k for k, half in enumerate(trained) if not half & set(files)]
        if not fresh:
            raise InputError(f"each --half was trained on {name}; give one that was not")
        by_set[name] = fresh[0]
    risk, flagged = np.array(answers.risk), np.array(answers.flagged)
    spent, count, thresholds = 0.0, 0, []
    for k, path in enumerate(paths):
        at = [i for i, row in enumerate(rows) if by_set.get(row.case.source) == k]
        if not at:
            raise InputError(f"{path} leaves out no set that another --half does not; drop it")
        one, _, threshold = ours(path, [rows[i] for i in at], None, device)
        risk[at], flagged[at] = one.risk, one.flagged
        spent, count = spent + one.ms * len(at), count + len(at)
        thresholds.append(threshold)
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    found = Scored(
        risk=tuple(risk.tolist()),
        flagged=tuple(flagged.tolist()),
        ms=spent / max(count, 1),
        failed=0,
        date=today,
    )
    return found, ", ".join(thresholds)


def directory_of(model: str) -> Path:
    """The MODEL_DIR that ``Guard.load`` takes for this name."""
    return MODELS / DEFAULT if model == DEFAULT and not Path(model).exists() else Path(model)


def trained_on(model: Path) -> tuple[str, ...]:
    """Names of the labelled files that a MODEL_DIR's training.yaml lists."""
    config = yaml.safe_load((model / "training.yaml").read_text())
    extra = (config.get("data") or {}).get("extra") or []
    return tuple(Path(e["path"]).name.split(".")[0] for e in extra)


def theirs(peer: Peer, rows: Sequence[Labelled], cache: Path) -> Scored:
    """Scores of a peer, from the cache or by running it in its environment."""
    kept = cache / "scores" / peer.name / f"{digest(rows)}.json"
    if not kept.is_file():
        click.echo(f"{peer.name}: scoring {len(rows)} texts", err=True)
        answer = subprocess.run(
            [str(environment(peer, cache)), str(HERE / "peers" / peer.script)],
            input="".join(json.dumps({"text": r.output.text}) + "\n" for r in rows),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "2", "PYTHONPATH": ""},
        )
        if answer.returncode != 0:
            raise MissingError(f"{peer.name} failed; its last words: {answer.stderr[-500:]}")
        found = [json.loads(line) for line in answer.stdout.splitlines()]
        if len(found) != len(rows):
            raise MissingError(f"{peer.name} gave {len(found)} answers for {len(rows)} texts")
        scored = Scored(
            risk=tuple(0.0 if a[0] is None else a[0] for a in found),
            flagged=tuple(bool(a[1]) for a in found),
            ms=float(np.mean([a[2] for a in found])),
            failed=sum(a[0] is None for a in found),
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
        )
        write_atomic(kept, json.dumps(asdict(scored)))
    return Scored(**json.loads(kept.read_text()))


def environment(peer: Peer, cache: Path) -> Path:
    """Python of the peer's virtual environment; made and filled when it is missing."""
    python = (cache / peer.name / "bin" / "python").absolute()
    done = cache / peer.name / "installed.txt"
    wanted = "\n".join(peer.requirements)
    if not done.is_file() or done.read_text() != wanted:
        click.echo(f"{peer.name}: installing {', '.join(peer.requirements)}", err=True)
        subprocess.run([sys.executable, "-m", "venv", str(cache / peer.name)], check=True)
        pip = [str(python), "-m", "pip", "install", "-q", *peer.requirements]
        if subprocess.run(pip, check=False).returncode != 0:
            raise InputError(f"{peer.name} could not be installed; see the lines above")
        write_atomic(done, wanted)
    return python


def figures(rows: Sequence[Labelled], scored: Scored, seed: int) -> list[SourceFigures]:
    """Figures per set; the frozen threshold is the detector's own default."""
    rng = np.random.default_rng(seed)
    risk, flagged = np.array(scored.risk), np.array(scored.flagged)
    made = []
    for name in SETS:
        part = [i for i, r in enumerate(rows) if r.case.source == name]
        cases = [rows[i].case for i in part]
        ranked = source_figures(name, cases, risk[part], threshold=np.inf, rng=rng)
        rates = source_figures(
            name, cases, flagged[part].astype(float), threshold=0.5, rng=rng, draws=100
        )
        made.append(replace(ranked, tpr_frozen=rates.tpr_frozen, fpr_frozen=rates.fpr_frozen))
    return made


def hardware(device: str) -> str:
    """What the figures were made on."""
    name = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        models = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        name = models[0].split(":", 1)[1].strip() if models else name
    return f"{name}, {os.cpu_count()} cores; guards on {device}; Python {platform.python_version()}"


def markdown(
    tables: Mapping[str, Sequence[SourceFigures]],
    seen: Mapping[str, Sequence[str]],
    facts: Mapping[str, Any],
) -> str:
    """One row per detector and set, a compact table first."""
    lines = ["# Detection: ours and installable peers on the same texts", ""]
    lines += ["AUROC / TPR at 1 % FPR / TPR, FPR at the detector's own default, in per cent.", ""]
    lines += ["| detector | " + " | ".join(SETS) + " | ms a text |", "|---" * (len(SETS) + 2) + "|"]
    for name, table in tables.items():
        cells = [_cell(f) + _mark(f.source, seen[name]) for f in table]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {facts['ms per text'][name]} |")
    lines += ["", f"{SEEN} the detector was trained on this set, by its own account.", ""]
    lines += ["## With intervals (95 %)", "", report.tables_markdown(tables)]
    notes = [
        "The last two columns are at each detector's own default threshold, frozen beforehand.",
        f"{report.WEAK} fewer than 300 benign clusters (1 %) or 3,000 (0.1 %): read as weak.",
        "Peers see the text alone; our guard also sees the user's task where the set has one.",
        NOT_RUN,
        *(f"{key}: {value}" for key, value in facts.items()),
    ]
    return "\n".join(lines) + "\n" + report.notes_markdown(notes)


def _mark(name: str, trained_on: Sequence[str]) -> str:
    return SEEN if any(file in trained_on for file in SETS[name]) else ""


def _cell(f: SourceFigures) -> str:
    alarms = "-" if f.fpr_frozen is None else f"{100 * f.fpr_frozen.value:.0f}"
    if f.auroc is None or f.tpr_at_1 is None or f.tpr_frozen is None:
        return f"FPR {alarms}"
    return (
        f"{f.auroc.value:.3f} / {100 * f.tpr_at_1.value:.0f} / "
        f"{100 * f.tpr_frozen.value:.0f}, {alarms}"
    )


if __name__ == "__main__":
    console.run(command)
