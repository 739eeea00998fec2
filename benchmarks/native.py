"""Native mode: what the guard's reading costs a generation, in one run.

    python benchmarks/native.py --output benchmarks/results/native.md

Each pair answers the same chat twice, without and with the guard reading in the prefill, in turn
order; so both halves see the same machine.  CPU seconds of the process are compared beside the wall
clock, for they do not count what other programs take.  The head is random (cost does not depend on
its weights) unless --model gives a native MODEL_DIR; its threshold is set so that nothing, or
everything, is flagged.  Answers have a fixed number of tokens.
"""

import argparse
import logging
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from causalguard.guard import base as bases
from causalguard.guard.encoder import Encoder, load_backbone
from causalguard.guard.head import RiskHead
from causalguard.guard.native import NativeGuard, chat_of
from causalguard.guard.native_chat import ChatRenderer, ChatTurn
from causalguard.guard.native_decode import Settings, decode
from causalguard.guard.native_enforce import NativeEnforcer
from causalguard.guard.native_model import NativeModel, graft, load_causal_lm, scored
from causalguard.guard.native_prefill import GuardedPrefill, Prefilled, prefill_unread
from causalguard.records import ToolOutput, Verdict

WORDS = "the report says that sales rose in May and fell again in June , while costs stayed "
RESAMPLES = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One answer."""

    wall: float
    cpu: float
    prefill_wall: float
    computed: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default=bases.EMBEDDED)
    parser.add_argument("--model", type=Path, help="Native MODEL_DIR; default: a random head.")
    parser.add_argument("--layer", type=int, default=20)
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--tokens", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--answer", type=int, default=32)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logging.getLogger("causalguard.decisions").setLevel(logging.ERROR)
    model = load(options)
    lines = head(options, model)
    for n in options.tokens:
        for flagged in (False, True):
            lines.append(row(model, n, options, flagged=flagged))
            print(lines[-1], flush=True)
    lines += ["", *reference(model, options)]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.output:
        options.output.write_text(text)


def load(options: argparse.Namespace) -> NativeModel:
    if options.model is not None:
        guard = NativeGuard.load(options.model, require_certified=False, dtype=options.dtype)
        return guard.model
    dtype = getattr(torch, options.dtype)
    base = bases.resolve(options.base)
    backbone, _ = load_backbone(base, options.layer, torch.float32)
    torch.manual_seed(0)
    hidden = int(backbone.config.hidden_size)
    encoder = Encoder(backbone.to(dtype), {options.layer: RiskHead(hidden)})
    whole, digest = load_causal_lm(base, dtype)
    renderer = ChatRenderer.from_directory(base.directory)
    return NativeModel(graft(whole, encoder, dtype), encoder, renderer, tensors_sha256=digest)


def head(options: argparse.Namespace, model: NativeModel) -> list[str]:
    about = (
        f"{options.base}, {options.dtype}, layer {model.layer} read; {platform.machine()}, "
        f"{options.threads} thread(s); torch {torch.__version__}.  {options.pairs} pairs a row, "
        f"answers of {options.answer} tokens.  Ratio: with the guard over without, median of "
        "the pairs [95 % bootstrap].  Target: at most 1.05 when nothing is flagged.  Made by "
        "`python benchmarks/native.py`."
    )
    names = (
        "| tool output, tokens | flagged | prompt, tokens | without, CPU s | with, CPU s "
        "| ratio, CPU time | ratio, wall clock | ratio, prefill wall | tokens computed and "
        "discarded |"
    )
    return ["# Cost of the guard in native mode", "", about, "", names, "|---" * 9 + "|"]


def row(model: NativeModel, n: int, options: argparse.Namespace, *, flagged: bool) -> str:
    chat = chat_with(model, n)
    read = reader(model, flagged=flagged)
    plain: list[Timing] = []
    guarded: list[Timing] = []
    timed(model, lambda: prefill_unread(model, chat), options.answer)  # warm up
    timed(model, lambda: read(chat), options.answer)
    for pair in range(options.pairs):
        halves: list[tuple[list[Timing], Callable[[], Prefilled]]] = [
            (plain, lambda: prefill_unread(model, chat)),
            (guarded, lambda: read(chat)),
        ]
        for kept, prefill in halves if pair % 2 else reversed(halves):
            kept.append(timed(model, prefill, options.answer))
    n_prompt = len(model.renderer.render(chat).ids)
    discarded = guarded[0].computed - read(chat).n_tokens
    cells = [str(n), "yes" if flagged else "no", str(n_prompt)]
    cells += [f"{np.median([t.cpu for t in side]):.2f}" for side in (plain, guarded)]
    cells += [ratio(plain, guarded, key) for key in ("cpu", "wall", "prefill_wall")]
    return "| " + " | ".join([*cells, str(discarded)]) + " |"


def ratio(plain: list[Timing], guarded: list[Timing], key: str) -> str:
    pairs = zip(plain, guarded, strict=True)
    ratios = np.array([getattr(b, key) / getattr(a, key) for a, b in pairs])
    rng = np.random.default_rng(0)
    drawn = np.median(ratios[rng.integers(len(ratios), size=(RESAMPLES, len(ratios)))], axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{np.median(ratios):.3f} [{low:.3f}, {high:.3f}]"


def chat_with(model: NativeModel, n: int) -> list[ChatTurn]:
    ids = model.renderer.template.tokens(WORDS * (n // 8 + 1)).ids[:n]
    text = model.renderer.decode(ids.tolist())
    return chat_of(ToolOutput(text=text, task="Sum up the report.", system="Be brief."))


class _Scanner:
    """An enforcer needs somebody to name in its records."""

    identity = "benchmark"

    def scan(self, outputs: Any) -> list[Verdict]:
        raise NotImplementedError


def reader(model: NativeModel, *, flagged: bool) -> Callable[[list[ChatTurn]], Prefilled]:
    def judge(item: Any, place: Any, reading: Any) -> Any:
        found = scored(place, reading, threshold=1e-9 if flagged else 1.0)
        verdict = Verdict(
            risk=found.risk, threshold=1e-9 if flagged else 1.0, flagged=found.flagged
        )
        return enforcer().rule(item, verdict)

    def enforcer() -> NativeEnforcer:
        return NativeEnforcer(_Scanner())

    return lambda chat: GuardedPrefill(model, chat, enforcer(), judge).run()


def timed(model: NativeModel, prefill: Callable[[], Prefilled], answer: int) -> Timing:
    wall, cpu = time.perf_counter(), time.process_time()
    done = prefill()
    middle = time.perf_counter()
    steps = decode(
        model,
        done.logits,
        done.cache,
        n_prompt=done.n_tokens,
        end_ids=frozenset(),
        settings=Settings(max_tokens=answer),
    )
    last = list(steps)[-1]
    assert last.tokens == answer
    return Timing(
        wall=time.perf_counter() - wall,
        cpu=time.process_time() - cpu,
        prefill_wall=middle - wall,
        computed=done.computed_tokens,
    )


def reference(model: NativeModel, options: argparse.Namespace) -> list[str]:
    """The same answer by transformers' own generate(): our loop must not hide a cost."""
    n = options.tokens[-1]
    chat = chat_with(model, n)
    ids = torch.from_numpy(model.renderer.render(chat).ids)[None]
    plain, theirs = [], []
    whole: Any = model.model
    for _ in range(max(2, options.pairs // 2)):
        plain.append(timed(model, lambda: prefill_unread(model, chat), options.answer))
        wall, cpu = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            whole.generate(
                ids,
                max_new_tokens=options.answer,
                min_new_tokens=options.answer,
                do_sample=False,
                pad_token_id=0,
            )
        taken = replace(plain[-1], wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)
        theirs.append(taken)
    text = (
        f"Our loop without the guard over transformers' `generate()`, {n} tokens of tool "
        f"output: CPU time {ratio(theirs, plain, 'cpu')}, wall clock "
        f"{ratio(theirs, plain, 'wall')}."
    )
    return [text]


if __name__ == "__main__":
    main()
