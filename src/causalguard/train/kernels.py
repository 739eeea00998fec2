"""How the layers are run: the attention kernel and compilation, with a reason for each fallback."""

import importlib.util
import logging
from typing import Any

import torch
from torch import Tensor, nn

from causalguard.guard.encoder import find_layers
from causalguard.train.config import Attention

log = logging.getLogger(__name__)

NAMES = {"flex": "flex_attention"}
"""Our names in transformers' words, where they differ."""


def choose_attention(
    wanted: Attention, *, device: torch.device, packed: bool, precision: str = "fp32"
) -> tuple[str | None, str | None]:
    """The attention kernel to use here.

    Args:
        wanted: as configured.
        device: where the model will run.
        packed: batches are packed under a tree of attention.
        precision: fp32, bf16 or fp16.

    Returns: transformers' name of the kernel (None: leave its own choice) and, when it is not the
    one that was asked for, the reason.
    """
    if wanted == "auto":
        return None, None
    reason = _obstacle(wanted, device, packed=packed, precision=precision)
    if reason is None:
        return NAMES.get(wanted, wanted), None
    return "sdpa", f"attn: {wanted} {reason}; using sdpa"


def _obstacle(wanted: str, device: torch.device, *, packed: bool, precision: str) -> str | None:
    """Why a kernel cannot be used, or None."""
    if wanted in {"flex", "flash_attention_2"} and device.type != "cuda":
        return "trains on GPUs only"
    if wanted == "flash_attention_2":
        if packed:
            return "knows no tree of attention, which packed batches need"
        if precision == "fp32":
            return "computes in bf16 or fp16 only"
        if importlib.util.find_spec("flash_attn") is None:
            return "needs the package flash-attn, which is not installed"
    return None


def mask_for(kernel: str, allowed: Tensor, dtype: torch.dtype) -> Any:
    """A packed batch's mask as a kernel wants it.

    Args:
        kernel: transformers' name.
        allowed: (P, 1, T, T) bool: may the row's token attend to the column's?
        dtype: of the hidden states.

    Returns: the same tensor, an additive one, or FlexAttention's BlockMask.
    """
    if kernel == "eager":
        low = torch.finfo(dtype).min
        return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill(
            ~allowed, low
        )
    if kernel == "flex_attention":
        from torch.nn.attention.flex_attention import create_block_mask

        def visible(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
            del h
            return allowed[b, 0, q, k]

        rows, _, length, _ = allowed.shape
        return create_block_mask(visible, rows, None, length, length, device=str(allowed.device))
    return allowed


def can_compile(device: torch.device, *, backend: str = "inductor") -> str | None:
    """Why nothing can be compiled on this machine, or None: a one-line function is tried."""

    def double(x: Tensor) -> Tensor:
        return x * 2

    try:
        compiled = torch.compile(double, backend=backend)
        compiled(torch.ones(2, device=device))
    except Exception as error:  # noqa: BLE001  # compilers and drivers raise anything
        return str(error).strip().splitlines()[0][:200]
    return None


def compile_layers(backbone: nn.Module, device: torch.device, *, backend: str = "inductor") -> bool:
    """Compile each decoder layer's forward for any number of rows and tokens, in place.

    Layers of one kind share the compiled code.  The layer's own ``__call__`` stays as it is, for
    the hooks on it read the exits.

    Args:
        backbone: its layers are changed.
        device: where it will run.
        backend: of torch.compile.

    Returns: whether the layers are compiled; if not, the reason is logged as a warning.
    """
    reason = can_compile(device, backend=backend)
    if reason is not None:
        log.warning("compile: true cannot be had here (%s); going on without", reason)
        return False
    for layer in find_layers(backbone):
        layer.forward = torch.compile(layer.forward, dynamic=True, backend=backend)
    return True
