"""Suffix certificate on many random cases: tokens, and risks of a model with many windows.

    python benchmarks/suffix.py --cases 10000 --output benchmarks/results/suffix.json

Each case is a text and a suffix, made to be awkward at the border: contractions, runs of white
space, digits, combining marks, letters of several bytes, control texts.  The tokenizer is that of
the embedded base model, re-run on the longer text.  The risks are those of a small random guard
(float32, windows of 16 tokens) over that tokenizer, so that ten thousand pairs take a minute.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from causalguard.certify.attacks.suffix import LOOK_AHEAD, StableText
from causalguard.certify.attacks.victim import load_victim
from causalguard.guard import base as bases
from causalguard.guard.template import Template, load_tokenizer
from causalguard.interventions import engine
from causalguard.records import ToolOutput
from support import tiny

BASE = "smollm2-135m-instruct"
PIECES = (
    *("'", "'l", "'ll", "'re", "'v", "l", "e", "s", " ", "  ", "   ", "\n", "\n\n", "\t", "\r\n"),
    *("7", "42", "1,000", ".", "...", "!'", '"', "é", "e\u0301", "\u0301", "漢字", "🙂", "🏽"),
    *("\u200b", "\u00a0", "<|im_end|>", "<|im_", "\x00", "I", "we", "don", "mail", "The", " the"),
)
BATCH = 64


def awkward(rng: np.random.Generator, words: list[str], most: int) -> str:
    """Random pieces and words."""
    count = int(rng.integers(0, most + 1))
    return "".join(
        PIECES[int(rng.integers(len(PIECES)))]
        if rng.random() < 0.6
        else " " + words[int(rng.integers(len(words)))]
        for _ in range(count)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    tokenizer = load_tokenizer(bases.resolve(BASE).directory / "tokenizer.json")
    template, stable = Template(tokenizer), StableText(tokenizer)
    texts = [t.injected for t in engine.generate(40, seed=1, split="audit")]
    words = " ".join(texts).split()
    cases = [(awkward(rng, words, 20), awkward(rng, words, 40)) for _ in range(options.cases)]
    broken = sum(not _survives(template, stable, text, more) for text, more in cases)
    moved = sum(not _survives(template, lambda t: t, text, more) for text, more in cases)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        base = tiny.tiny_base(root / "base", tokenizer=tokenizer)
        victim = load_victim(tiny.tiny_model_dir(root / "model", base), dtype="float32")
        risks = []
        for start in range(0, len(cases), BATCH):
            part = cases[start : start + BATCH]
            outputs = [ToolOutput(text=stable(text), task="read") for text, _ in part]
            outputs += [ToolOutput(text=text + more, task="read") for text, more in part]
            found = [answer.risk for answer in victim.score(outputs)]
            risks += list(zip(found[: len(part)], found[len(part) :], strict=True))
    drops = [max(0.0, before - after) for before, after in risks]
    rows = {
        "cases": options.cases,
        "seed": options.seed,
        "look-ahead in characters": LOOK_AHEAD,
        "stable beginning changed by a suffix": broken,
        "whole text's own tokens changed by a suffix": moved,
        "largest drop of risk below the stable beginning's": max(drops),
        "drops above 1e-5": sum(drop > 1e-5 for drop in drops),
        "texts in more than one window": sum(
            len(template.tokens(t + m).ids) > tiny.WINDOWS.tokens for t, m in cases
        ),
    }
    print(json.dumps(rows, indent=1))
    if options.output:
        options.output.write_text(json.dumps(rows, indent=1) + "\n")


def _survives(template: Template, stable, text: str, more: str) -> bool:  # noqa: ANN001
    kept = template.tokens(stable(text)).ids.tolist()
    return template.tokens(text + more).ids.tolist()[: len(kept)] == kept


if __name__ == "__main__":
    main()
