"""Suffix certificate and locality on many random cases: tokens, and risks over many windows.

    for seed in 0 1 2 3; do
        python benchmarks/suffix.py --cases 2560 --seed $seed --output suffix.jsonl
    done

Each case is a text and a suffix, made to be awkward at the border: contractions, runs of white
space, digits, combining marks, letters of several bytes, control texts.  The tokenizer is that of
the embedded base model, re-run on the longer text.  The risks are those of a small random guard
(float32, windows of 16 tokens) over that tokenizer, so that ten thousand pairs take a minute.
Locality: pairs of texts that agree in one window and nowhere else.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from causalguard.certify.attacks.suffix import LOOK_AHEAD, StableText
from causalguard.certify.attacks.victim import Victim, load_victim
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
            found = victim.score(outputs)
            # the beginning in its raw view, the longer text as the guard sees it
            before = [float(answer.token_risk.max(initial=0.0)) for answer in found[: len(part)]]
            after = [answer.risk for answer in found[len(part) :]]
            risks += list(zip(before, after, strict=True))
        locality = [_moved(victim, template, rng) for _ in range(-(-options.cases // BATCH))]
    drops = [max(0.0, before - after) for before, after in risks]
    rows = {
        "cases": options.cases,
        "seed": options.seed,
        "look-ahead in characters": LOOK_AHEAD,
        "stable beginning changed by a suffix": broken,
        "whole text's own tokens changed by a suffix": moved,
        "largest drop of risk below the stable beginning's": max(drops),
        "drops above 1e-5": sum(drop > 1e-5 for drop in drops),
        "locality cases": BATCH * len(locality),
        "largest change of a risk by text outside its window": max(locality),
        "texts in more than one window": sum(
            len(template.tokens(t + m).ids) > tiny.WINDOWS.tokens for t, m in cases
        ),
    }
    print(json.dumps(rows, indent=1))
    if options.output:
        with options.output.open("a") as stream:  # one line a run, so that runs may be short
            stream.write(json.dumps(rows) + "\n")


WORDS = (" the", " mail", " is", " on", " not", " we", " file", " to", " a", " of")


def _moved(victim: Victim, template: Template, rng: np.random.Generator) -> float:
    """Largest change of a risk in window 1 when the tokens around it are others; BATCH pairs."""
    stride, length = victim.scorer.spec.stride, victim.scorer.spec.tokens
    outputs = []
    for _ in range(BATCH):
        inside = [WORDS[k] for k in rng.integers(len(WORDS), size=length)]
        for _ in range(2):
            around = [WORDS[k] for k in rng.integers(len(WORDS), size=24)]
            words = [*around[:stride], *inside, *around[stride:]]
            assert len(template.tokens("".join(words)).ids) == len(words)
            outputs.append(ToolOutput(text="".join(words), task="read"))
    risks = [answer.token_risk[length : 2 * stride] for answer in victim.score(outputs)]
    return max(float(np.abs(a - b).max()) for a, b in zip(risks[::2], risks[1::2], strict=True))


def _survives(template: Template, stable, text: str, more: str) -> bool:  # noqa: ANN001
    kept = template.tokens(stable(text)).ids.tolist()
    return template.tokens(text + more).ids.tolist()[: len(kept)] == kept


if __name__ == "__main__":
    main()
