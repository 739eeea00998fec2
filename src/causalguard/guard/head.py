"""Projection head: hidden states in, a representation on the unit sphere and a risk out."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class RiskHead(nn.Module):
    """R_t = h(S, X up to t) on the unit sphere and risk_t = g(R_t), one per token.

    ``g`` is linear on the sphere, so risk is a function of R alone (DESIGN section 2).
    """

    def __init__(self, hidden: int, *, middle: int = 256, width: int = 128) -> None:
        """Sizes: of the hidden state, of the layer between, and of R."""
        super().__init__()
        self.norm = nn.LayerNorm(hidden)
        self.inner = nn.Linear(hidden, middle)
        self.outer = nn.Linear(middle, width)
        self.risk = nn.Linear(width, 1)
        with torch.no_grad():
            # Unit vectors have entries of size 1/sqrt(width): start with logits of order 1.
            self.risk.weight.mul_(4.0)
            self.risk.bias.zero_()

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states (..., H) of any dtype to R (..., width) and logits (...), in float32."""
        x = self.norm(hidden.float())
        r = functional.normalize(self.outer(functional.gelu(self.inner(x))), dim=-1, eps=1e-6)
        return r, self.risk(r).squeeze(-1)
