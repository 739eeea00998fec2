"""Start a run from the adapter and heads of trained models: the second stage of a longer one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import Tensor

from causalguard.errors import ConfigError
from causalguard.guard.bundle import AdapterInfo
from causalguard.guard.encoder import LORA_PREFIX
from causalguard.train.model import TrainedModel

Tensors = dict[str, Tensor]
_A, _B = ".lora_A.", ".lora_B."


def start_from(model: TrainedModel, directories: Sequence[Path]) -> None:
    """Copy adapter and heads of MODEL_DIRs into a fresh model of the same shape, in place.

    Of several the mean is taken: of the heads' weights, and of the changes that the adapters make
    to the weights of the base ("model soup", Wortsman et al. 2022, arXiv:2203.05482).  It makes
    sense for runs that began at the same model.

    Args:
        model: as built, before training.
        directories: MODEL_DIRs that ``guard-train`` wrote, at least one.

    Raises:
        ConfigError: the files are missing, or belong to a model of another shape, rank, alpha or
            head, or one that adapts or reads what this one does not.
    """
    own = dict(model.encoder.backbone.named_parameters())
    wanted = {name: p for name, p in own.items() if ".lora_" in name}
    for exit_layer in model.encoder.exits:
        for name, p in model.encoder.head(exit_layer).named_parameters():
            wanted[f"exit{exit_layer}.{name}"] = p
    alpha = model.adapter.config.alpha
    each = [_read(directory, wanted, alpha) for directory in directories]
    found = each[0] if len(each) == 1 else mean(each)
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(found[name])


def _read(directory: Path, wanted: Mapping[str, Tensor], alpha: float) -> Tensors:
    try:
        made = AdapterInfo.model_validate_json((directory / "adapter_config.json").read_bytes())
        adapter = load_file(directory / "adapter_model.safetensors")
        heads = load_file(directory / "head.safetensors")
    except FileNotFoundError as error:
        raise ConfigError(f"init: {error.filename} is missing; give a MODEL_DIR") from None
    except ValidationError as error:
        raise ConfigError(f"init: {directory}/adapter_config.json: {error}") from None
    if made.lora_alpha != alpha:
        message = (
            f"init: {directory} was trained with lora.alpha {made.lora_alpha:g}, not {alpha:g}"
        )
        raise ConfigError(message)
    found = {_peft_name(name): tensor for name, tensor in adapter.items()} | heads
    odd = [n for n, p in wanted.items() if n not in found or found[n].shape != p.shape]
    if odd:
        raise ConfigError(f"init: {directory} is a model of another shape, e.g. in {odd[0]}")
    # Adapters of layers that were left alone are zeros; A without B changes nothing either.
    lost = [n for n in sorted(found.keys() - wanted.keys()) if _A not in n and found[n].any()]
    if lost:
        raise ConfigError(
            f"init: {directory} has trained weights that this model has no place for, e.g. "
            f"{lost[0]}; give it the same exits, lora.targets and lora.first_layer"
        )
    return {name: found[name] for name in wanted}


def mean(each: Sequence[Tensors]) -> Tensors:
    """Mean of several models' tensors; of adapters, of the changes B A that they make.

    Args:
        each: tensors by name, the same names and shapes in all; adapters as pairs of
            ``*.lora_A.*`` (r, in) and ``*.lora_B.*`` (out, r).
    """
    made: Tensors = {}
    for name, first in each[0].items():
        if _B in name:
            continue
        if _A not in name:
            made[name] = torch.stack([one[name].float() for one in each]).mean(0).to(first.dtype)
            continue
        other = name.replace(_A, _B)
        made[name], made[other] = mean_change(
            [one[name] for one in each], [one[other] for one in each]
        )
    return made


def mean_change(a: Sequence[Tensor], b: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """A and B of the rank of the given ones whose product is nearest to the mean of B_k A_k.

    The truncated singular value decomposition of the mean: no other product of that rank is nearer
    in the Frobenius norm (Eckart & Young 1936).

    Args:
        a: (r, in) each.
        b: (out, r) each.
    """
    rank, kind = a[0].shape[0], a[0].dtype
    left, right = torch.cat(list(b), 1).double() / len(b), torch.cat(list(a), 0).double()
    q_left, r_left = torch.linalg.qr(left)
    q_right, r_right = torch.linalg.qr(right.T)
    u, s, v = torch.linalg.svd(r_left @ r_right.T)
    keep = min(rank, len(s))
    u, s, v = u[:, :keep], s[:keep].sqrt(), v[:keep]
    new_a, new_b = (s[:, None] * v) @ q_right.T, q_left @ (u * s)
    # Where a matrix is narrower than the rank (tiny models) the rest stays zero.
    short = rank - len(new_a)
    if short > 0:
        new_a = torch.cat([new_a, new_a.new_zeros(short, new_a.shape[1])], 0)
        new_b = torch.cat([new_b, new_b.new_zeros(new_b.shape[0], short)], 1)
    return new_a.to(kind).contiguous(), new_b.to(kind).contiguous()


def _peft_name(name: str) -> str:
    module, part, _ = name.removeprefix(LORA_PREFIX).rsplit(".", 2)
    return f"{module}.{part}.default.weight"
