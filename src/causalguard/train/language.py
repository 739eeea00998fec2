"""The generating model of native mode around the backbone that is trained: for the task term.

Its first layers and its embedding are the backbone's own modules, adapter included; the layers
above, the final norm and the LM head are the base's and stay frozen.  So the term asks that the
adapted layers still serve those that were never trained on what they give (docs/adr/0005).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from causalguard.errors import BaseModelError
from causalguard.guard.base import BaseFiles, load_config, load_tensors, quiet_transformers
from causalguard.guard.encoder import find_layers
from causalguard.train.losses import next_token_loss

SCALES = ("logit_scale", "logits_scaling", "lm_head_multiplier")
"""Settings of some architectures (Cohere, Granite) that scale logits in ways of their own."""


class LanguageModel(nn.Module):
    """A causal LM without its whole logits: token ids to the mean loss of the answers' tokens."""

    def __init__(self, whole: nn.Module, *, recompute: bool = False) -> None:
        """Take a causal LM.

        ``recompute``: save nothing of the forward pass and take it again in the backward pass, when
        the other terms' activations are gone: a forward more for the lower peak.
        """
        super().__init__()
        self.body: Any = getattr(whole, str(whole.base_model_prefix))
        self.head: Any = whole.get_output_embeddings()  # type: ignore[operator]
        self.recompute = recompute
        self._cap = getattr(self.body.config, "final_logit_softcapping", None)

    def forward(self, ids: Tensor, at: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of the answers.

        Args:
            ids: (C, T) chats, padded on the right.
            at: (N,) positions in the flattened (C * T,) that predict the answers' tokens.
            targets: (N,) these tokens.
        """
        if self.recompute and torch.is_grad_enabled():
            loss: Tensor = checkpoint(self._loss, ids, at, targets, use_reentrant=False)
            return loss
        return self._loss(ids, at, targets)

    def _loss(self, ids: Tensor, at: Tensor, targets: Tensor) -> Tensor:
        # No mask, as in the guard's own rows: padding on the right reaches no earlier token.
        states = self.body(input_ids=ids, use_cache=False).last_hidden_state
        return next_token_loss(states.flatten(0, 1)[at], targets, self.logits)

    def logits(self, states: Tensor) -> Tensor:
        """Logits of some hidden states, (N, H) to (N, vocabulary)."""
        made: Tensor = self.head(states)
        return made if self._cap is None else self._cap * torch.tanh(made / self._cap)


def empty_language(base: BaseFiles, dtype: torch.dtype) -> nn.Module:
    """A whole causal LM whose weights are not written yet: memory not written is not taken.

    Raises BaseModelError for an architecture whose logits are scaled in a way not known here.
    """
    from transformers import AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    config = load_config(base).get_text_config()
    scaled = [name for name in SCALES if getattr(config, name, None) not in (None, 1)]
    if scaled:
        raise BaseModelError(
            f"{base.name} scales its logits by {scaled[0]}, which the task term does not know; set "
            "loss.task: 0 or take another base"
        )
    with quiet_transformers(), no_init_weights():
        whole: nn.Module = AutoModelForCausalLM.from_config(config, dtype=dtype)
    return whole.eval().requires_grad_(False)


def own_modules(whole: nn.Module, backbone: nn.Module) -> nn.ModuleList:
    """Modules whose weights a causal LM does not share with the backbone."""
    shared = {id(p) for p in backbone.parameters()}
    found = []
    for module in whole.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(id(p) in shared for p in own):
            found.append(module)
    return nn.ModuleList(found)


def upper_layers(whole: nn.Module, backbone: nn.Module) -> nn.ModuleList:
    """The decoder layers above the backbone's deepest one."""
    body = getattr(whole, str(whole.base_model_prefix))
    return nn.ModuleList(list(find_layers(body))[len(find_layers(backbone)) :])


def load_rest(whole: nn.Module, backbone: nn.Module, base: BaseFiles, dtype: torch.dtype) -> None:
    """Read what a causal LM does not share with the backbone, in place.

    Raises BaseModelError when tensors are missing or do not fit.
    """
    shared = {id(p) for p in backbone.parameters()}
    names = {name for name, p in whole.named_parameters() if id(p) not in shared}
    state = {name: value.to(dtype) for name, value in load_tensors(base, names).items()}
    whole.load_state_dict(state, strict=False, assign=True)
