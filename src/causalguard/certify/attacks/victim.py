"""The guard under attack, with gradients: what a white-box attacker holds in his hands.

The loss is the guard's own: the smooth maximum of the token logits over every window that the
payload touches, at the exit that gives the verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalguard.attestation.digests import root_digest
from causalguard.certify.attacks.targets import Target
from causalguard.errors import ModelDirError
from causalguard.guard import base as bases
from causalguard.guard.api import DTYPES, build_scorer, choose_dtype
from causalguard.guard.bundle import read_model_dir
from causalguard.guard.scorer import Scored, Scorer
from causalguard.guard.template import Tokens, load_tokenizer
from causalguard.guard.windows import windows
from causalguard.records import ToolOutput

REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slopes:
    """What one backward pass says of the tokens that may change."""

    positions: NDArray[np.int64]
    """Token positions in the document, shape (f,)."""
    choices: NDArray[np.int64]
    """For each position the token ids that promise the lowest loss, best first, shape (f, k)."""
    tokens: Tokens
    """The document as tokens."""


class Victim:
    """A loaded MODEL_DIR that scores texts and gives gradients."""

    def __init__(self, scorer: Scorer, tokenizer: Any, *, backend: str, model_sha256: str) -> None:
        """Use :func:`load_victim`."""
        self.scorer = scorer
        self.threshold = scorer.threshold
        self.backend = backend
        self.model_sha256 = model_sha256
        self.tokenizer = tokenizer
        scorer.encoder.requires_grad_(requires_grad=False)

    def score(self, outputs: Sequence[ToolOutput]) -> list[Scored]:
        """What the guard itself computes."""
        return self.scorer.score(outputs)

    def n_tokens(self, text: str) -> int:
        """Length of a text in tokens."""
        return len(self.scorer.template.tokens(text).ids)

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """Text of every token id; empty where it is no whole, printable text by itself."""
        size = self.tokenizer.get_vocab_size()
        texts = self.tokenizer.decode_batch([[i] for i in range(size)], skip_special_tokens=False)
        control = self.tokenizer.get_added_tokens_decoder()
        return tuple(
            text if i not in control and text.isascii() and text.isprintable() else ""
            for i, text in enumerate(texts)
        )

    @cached_property
    def _legal(self) -> Tensor:
        """Tokens that a search may write, as a mask over the vocabulary."""
        rows = int(self._table.shape[0])
        mask = torch.zeros(rows, dtype=torch.bool)
        mask[: len(self.pieces)] = torch.tensor([bool(text) for text in self.pieces])[:rows]
        return mask.to(self.scorer.device)

    @property
    def _table(self) -> Tensor:
        weight: Tensor = self.scorer.encoder.backbone.get_input_embeddings().weight  # type: ignore[operator]
        return weight

    def slopes(
        self, target: Target, payload: str, free: Sequence[tuple[int, int]], *, top: int
    ) -> Slopes | None:
        """The most promising replacements of the tokens inside free stretches of a payload.

        Args:
            target: what is attacked.
            payload: the present text.
            free: character ranges of the payload whose tokens may change.
            top: replacements a position.

        Returns:
            None when no token lies wholly inside a free stretch.
        """
        output = target.output(payload)
        tokens = self.scorer.template.tokens(output.text)
        positions = _inside(tokens, free, shift=len(target.before))
        if len(positions) == 0:
            return None
        spec = self.scorer.spec
        spans = [
            (a, b)
            for a, b in windows(len(tokens.ids), spec)
            if ((positions >= a) & (positions < b)).any()
        ]
        gradient = self._gradient(output, tokens, spans)
        at = torch.from_numpy(positions).to(gradient.device)
        promise = gradient[at].float() @ self._table.float().T
        promise[:, ~self._legal] = torch.inf
        choices = promise.topk(top, dim=1, largest=False).indices.cpu().numpy()
        return Slopes(positions=positions, choices=choices, tokens=tokens)

    def _gradient(
        self, output: ToolOutput, tokens: Tokens, spans: Sequence[tuple[int, int]]
    ) -> Tensor:
        """Gradient of the loss with respect to the embedding of each token, shape (n, H)."""
        scorer = self.scorer
        prefix = scorer.template.prefix(output.system, output.task)
        total = torch.zeros(
            (len(tokens.ids), self._table.shape[1]), dtype=torch.float32, device=scorer.device
        )
        losses, inputs = [], []
        for a, b in spans:
            ids = torch.tensor([[*prefix, *tokens.ids[a:b].tolist()]], device=scorer.device)
            embedded = self._table[ids].detach().requires_grad_()
            mask = torch.ones_like(ids)
            states = scorer.encoder.hidden(None, mask, inputs_embeds=embedded)  # type: ignore[arg-type]
            _, logits = scorer.encoder.head(scorer.exit)(states[scorer.exit])
            losses.append(torch.logsumexp(logits[0, len(prefix) :].float(), dim=0))
            inputs.append(embedded)
        with torch.enable_grad():
            loss = torch.logsumexp(torch.stack(losses), dim=0)
        for (a, b), found in zip(spans, torch.autograd.grad(loss, inputs), strict=True):
            total[a:b] += found[0, len(prefix) :].float()
        return total


def _inside(tokens: Tokens, free: Sequence[tuple[int, int]], *, shift: int) -> NDArray[np.int64]:
    starts, ends = tokens.offsets[:, 0] - shift, tokens.offsets[:, 1] - shift
    inside = np.zeros(len(starts), dtype=bool)
    for a, b in free:
        inside |= (starts >= a) & (ends <= b) & (ends > starts)
    return np.flatnonzero(inside)


def load_victim(model_dir: Path, *, device: str = "cpu", dtype: str = "auto") -> Victim:
    """Load a MODEL_DIR to attack it.

    Args:
        model_dir: from guard-train; a certificate is not asked for.
        device: a torch device.
        dtype: float32, bfloat16, float16; auto: the fast one of this machine.

    Raises:
        ModelDirError: it is damaged, or calibrated for native mode.
        BaseModelError: its base model is not there.
    """
    kind = torch.device(device).type
    chosen = choose_dtype(kind, None) if dtype == "auto" else dtype
    files = read_model_dir(model_dir)
    if files.info.native is not None:
        raise ModelDirError(
            f"{model_dir} is calibrated for native mode; attacks and structural certificates speak "
            "of the guard that scans in windows: give such a MODEL_DIR"
        )
    scorer = build_scorer(files, device=device, dtype=DTYPES[chosen])
    directory = bases.resolve(files.info.base.name).directory
    return Victim(
        scorer,
        load_tokenizer(directory / "tokenizer.json"),
        backend=f"torch-{kind}-{chosen}",
        model_sha256=root_digest(files.digests),
    )
