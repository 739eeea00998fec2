"""NF4: the frozen linear maps of the layers in four bits, double quantised (QLoRA).

The base is read, digested and checked as always; then each linear map inside a decoder layer is
replaced.  Embeddings, norms, adapter and heads stay as they are.  The digest in guard.json is
therefore that of the unquantised tensors as they stand on disk, and the guard that is written
runs on the unquantised base: its threshold is chosen there.

Source: Dettmers et al. 2023, "QLoRA", section 3.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from causalguard.errors import BaseModelError, MissingError
from causalguard.guard.encoder import find_layers

BLOCK = 64
"""Weights that share one scale."""
OUTER = 256
"""Scales that share one scale of their own: double quantisation."""
BITS = 4 + 8 / BLOCK + 32 / (BLOCK * OUTER)
"""Bits of a weight in memory, its share of both scales included: 4.127."""


def library() -> Any:
    """The bitsandbytes package; MissingError naming the extra when it is not installed."""
    try:
        import bitsandbytes
    except ImportError:
        message = "bitsandbytes is needed for quantisation: nf4; pip install 'causalguard[qlora]'"
        raise MissingError(message) from None
    return bitsandbytes


def to_nf4(
    backbone: nn.Module,
    device: torch.device,
    *,
    dtype: torch.dtype,
    storage: torch.dtype = torch.uint8,
    weight: Callable[[nn.Linear], Tensor] = lambda linear: linear.weight.data,
    layers: Iterable[nn.Module] | None = None,
) -> int:
    """Replace the linear maps of the decoder layers, one after the other; in place.

    Args:
        backbone: unquantised.
        device: where each map goes: one unquantised map at a time is there.
        dtype: what the maps compute in.
        storage: type that holds the packed weights; FSDP wants that of the other parameters.
        weight: gives a map's unquantised weights (random ones for a base without a download).
        layers: those to quantise; None: all of the backbone.

    Returns: how many maps were replaced.

    Raises:
        MissingError: bitsandbytes is not installed.
        BaseModelError: the layers hold no ordinary linear map (GPT-2 stores its own kind).
    """
    bitsandbytes = library()
    count = 0
    for layer in find_layers(backbone) if layers is None else layers:
        for parent in list(layer.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is nn.Linear:
                    made = _nf4(bitsandbytes, child, weight(child), dtype, storage)
                    setattr(parent, name, made.to(device))
                    count += 1
    if count == 0:
        name = type(backbone).__name__
        raise BaseModelError(f"{name} has no linear maps that NF4 knows; use quantisation: none")
    return count


def _nf4(
    bitsandbytes: Any, linear: nn.Linear, weight: Tensor, dtype: torch.dtype, storage: torch.dtype
) -> nn.Module:
    made: nn.Module = bitsandbytes.nn.Linear4bit(
        linear.in_features,
        linear.out_features,
        bias=linear.bias is not None,
        compute_dtype=dtype,
        compress_statistics=True,
        quant_type="nf4",
        quant_storage=storage,
        device="meta",
    )
    made.weight = bitsandbytes.nn.Params4bit(
        weight,
        requires_grad=False,
        compress_statistics=True,
        quant_type="nf4",
        quant_storage=storage,
        module=made,
    )
    if linear.bias is not None:
        made.bias = nn.Parameter(linear.bias.data, requires_grad=False)
    # Evaluating on a CPU would otherwise re-pack the weights for a kernel without gradients.
    made.support_avx512bf16_for_cpu = False  # type: ignore[assignment]
    return made.train(linear.training)
