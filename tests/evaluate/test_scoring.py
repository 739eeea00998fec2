from pathlib import Path

import numpy as np
import torch

from causalguard.evaluate import scoring
from causalguard.guard.api import Guard, build_scorer
from causalguard.guard.bundle import read_model_dir
from causalguard.guard.windows import WindowSpec
from causalguard.records import ToolOutput


def outputs() -> list[ToolOutput]:
    words = "the mail from ana says the meeting is on friday".split()  # noqa: SIM905
    rng = np.random.default_rng(0)
    return [
        ToolOutput(
            text=" ".join(rng.choice(words, size=int(rng.integers(0, 60)))),
            task=str(rng.choice(["read", "send the mail", ""])),
            system=str(rng.choice(["", "be brief"])),
        )
        for _ in range(25)
    ]


def test_batched_scores_are_the_guard_s_own(tiny_model: Path) -> None:
    guard = Guard.load(tiny_model, require_certified=False, dtype="float32")
    texts = [*outputs(), ToolOutput(text="")]
    scorer = build_scorer(read_model_dir(tiny_model), device="cpu", dtype=torch.float32)
    risks, counts = scoring.guard_risks(scorer, texts)
    scored = guard.score(texts)
    assert np.allclose(risks, [s.risk for s in scored], atol=1e-5)
    assert counts.tolist() == [s.n_tokens for s in scored]
    assert risks[-1] == 0.0


def test_texts_too_long_to_be_scanned_count_as_flagged(tiny_model: Path) -> None:
    scorer = build_scorer(read_model_dir(tiny_model), device="cpu", dtype=torch.float32)
    scorer.spec = WindowSpec(tokens=8, stride=8, max_tokens=16)
    risks, _ = scoring.guard_risks(scorer, [ToolOutput(text="ana " * 200)])
    assert risks[0] == 1.0


def test_pooling_looks_at_the_window_alone() -> None:
    hidden = torch.arange(12, dtype=torch.float32).reshape(1, 4, 3)
    mask = torch.tensor([[False, True, True, False]])
    pooled = scoring.pooled(hidden, mask)[0]
    assert pooled.tolist() == [4.5, 5.5, 6.5, 6.0, 7.0, 8.0]
