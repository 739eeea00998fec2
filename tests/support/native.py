"""Native MODEL_DIRs over the tiny base, and a guard that goes by words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from causalguard.guard.bundle import ThresholdInfo, read_model_dir
from causalguard.guard.native import NativeGuard, build_native, info_of
from causalguard.guard.native_chat import ChatTurn, Piece
from causalguard.guard.policy import Incoming
from causalguard.guard.scorer import Scored
from causalguard.records import Span, ToolOutput, Verdict
from causalguard.train.calibrate import write_with_threshold

BAD = "BAD"


class WordGuard(NativeGuard):
    """Reads like any native guard, but its verdict is whether the word BAD stands in the text."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: list[tuple[str, float]] = []

    def _verdict(self, output: ToolOutput, scored: Scored) -> Verdict:
        self.seen.append((output.text, scored.risk))
        at = output.text.find(BAD)
        return Verdict(
            risk=1.0 if at >= 0 else 0.0,
            threshold=self.threshold,
            flagged=at >= 0,
            spans=(Span(start=at, end=at + len(BAD)),) if at >= 0 else (),
            coverage=scored.coverage,
        )


def native_dir(windowed: Path, output: Path, *, threshold: float = 0.5) -> Path:
    """The native twin of a MODEL_DIR."""
    files = read_model_dir(windowed)
    info = info_of(build_native(files, device="cpu", dtype=torch.float32))
    chosen = ThresholdInfo(value=threshold, rule="test", benign_clusters=0, false_positives=0)
    write_with_threshold(files, chosen, output, native=info)
    return output


def freeze(windowed: Path) -> Path:
    """Make the adapter of a MODEL_DIR one that changes nothing, as heads-only training does."""
    from safetensors.torch import load_file, save_file

    path = windowed / "adapter_model.safetensors"
    tensors = {n: t.mul(0) if ".lora_B." in n else t for n, t in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})
    return windowed


def tool(text: str, name: str = "read") -> ChatTurn:
    """A tool's turn."""
    output = ToolOutput(text=text, tool=name, task="t")
    return ChatTurn(role="tool", pieces=(Piece(text=text, incoming=Incoming(output=output)),))


def say(role: str, text: str) -> ChatTurn:
    """A trusted turn."""
    return ChatTurn(role=role, pieces=(Piece(text=text),))


def counted(guard: NativeGuard) -> Callable[[], list[int]]:
    """Tokens of each forward from now on."""
    sizes: list[int] = []
    forward = guard.model.forward

    def counting(ids: Any, cache: Any, read: Any = None) -> Any:
        sizes.append(len(ids))
        return forward(ids, cache, read)

    guard.model.forward = counting  # type: ignore[method-assign]
    return lambda: sizes
