"""The generating model and the reading of its layer during the prefill.

The layers up to the one read are the very modules that the guard's encoder was built from, with
every digest checked there; the deeper layers are added on top.  One permanent hook reads; it does
nothing but in a thread that asked for it.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from causalguard.errors import BaseModelError, ScanError
from causalguard.guard.base import BaseFiles, load_config, load_tensors, quiet_transformers
from causalguard.guard.bundle import ModelFiles, adapter_tensors
from causalguard.guard.encoder import Encoder, find_layers, raw_bytes
from causalguard.guard.native_chat import ChatRenderer, Place
from causalguard.guard.scorer import Scored

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the guard's head gave for the tokens asked for, in their order."""

    r: Floats
    """R per token, shape (n, width)."""
    risk: Floats
    """Risk per token, shape (n,), [0, 1]."""


class ChatModel:
    """A causal LM that generates; nobody reads along.  Thread-safe."""

    def __init__(self, model: nn.Module, renderer: ChatRenderer) -> None:
        """Take a whole causal LM and the rendering of its chats."""
        self.model = model.eval()
        self.renderer = renderer
        config: Any = model.config
        self.max_tokens = int(getattr(config, "max_position_embeddings", 0)) or 1 << 20

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def new_cache(self) -> Any:
        """An empty cache of keys and values of the right kind."""
        from transformers import DynamicCache

        return DynamicCache(config=self.model.config)

    def forward(
        self, ids: NDArray[np.int64], cache: Any, read: NDArray[np.int64] | None = None
    ) -> tuple[Tensor, Reading | None]:
        """Put tokens behind those in the cache.

        Args:
            ids: token ids, shape (n,), n >= 1.
            cache: from :meth:`new_cache`; grows by n.
            read: positions in ``ids`` at which a guard reads; None: it does not.

        Returns: logits of the token after the last, shape (vocabulary,), and what was read.
        """
        tokens = self._tokens(ids)
        with torch.inference_mode():
            self._begin(read)
            try:
                out = self.model(
                    input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1
                )
            finally:
                reading = self._end()
        return out.logits[0, -1].float(), reading

    def surprise(self, prompt: NDArray[np.int64], answer: NDArray[np.int64]) -> float:
        """Mean negative log-likelihood of an answer's tokens after a prompt, in nats a token."""
        whole = self._tokens(np.concatenate([prompt, answer]))
        with torch.inference_mode():
            out = self.model(input_ids=whole, use_cache=False, logits_to_keep=len(answer) + 1)
            logits = out.logits[0, :-1].float()
            loss = torch.nn.functional.cross_entropy(logits, whole[0, len(prompt) :])
        return float(loss)

    def _tokens(self, ids: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(np.asarray(ids, dtype=np.int64))[None].to(self.device)

    def _begin(self, read: NDArray[np.int64] | None) -> None:
        """Before a forward."""

    def _end(self) -> Reading | None:
        """After a forward: what was read."""
        return None


class NativeModel(ChatModel):
    """A causal LM with the guard's head on one layer.  Thread-safe."""

    def __init__(
        self, model: nn.Module, encoder: Encoder, renderer: ChatRenderer, *, tensors_sha256: str
    ) -> None:
        """Take a whole causal LM with its digest, and the encoder whose layers it shares."""
        super().__init__(model, renderer)
        self.tensors_sha256 = tensors_sha256
        self.encoder = encoder.eval()
        self.layer = encoder.exits[-1]
        self.width = encoder.head(self.layer).risk.in_features
        self._wanted = threading.local()
        find_layers(encoder.backbone)[self.layer - 1].register_forward_hook(self._read)

    def read_only(self, ids: NDArray[np.int64], read: NDArray[np.int64]) -> Reading:
        """The reading alone: the layers above it are not computed."""
        tokens = self._tokens(ids)
        with torch.inference_mode():
            self._begin(read)
            try:
                self.encoder.backbone(input_ids=tokens, use_cache=False)
            finally:
                reading = self._end()
        if reading is None:
            raise ScanError("the layer that the guard reads was not computed; use another base")
        return reading

    def _begin(self, read: NDArray[np.int64] | None) -> None:
        self._wanted.at = None if read is None else torch.from_numpy(read).to(self.device)
        self._wanted.reading = None

    def _end(self) -> Reading | None:
        reading: Reading | None = self._wanted.reading
        self._wanted.at = self._wanted.reading = None
        return reading

    def _read(self, _module: nn.Module, _args: Any, output: Any) -> None:
        at = getattr(self._wanted, "at", None)
        if at is None:
            return
        states = output[0] if isinstance(output, tuple) else output
        r, logits = self.encoder.head(self.layer)(states[0].index_select(0, at))
        self._wanted.reading = Reading(
            r=r.float().cpu().numpy(), risk=torch.sigmoid(logits.double()).float().cpu().numpy()
        )


def crop(cache: Any, remove: int) -> bool:
    """Take the last tokens out of a cache; False when this kind of cache cannot give them up."""
    try:
        cache.crop(-remove)
    except (RuntimeError, ValueError, NotImplementedError, AttributeError):
        return False
    return True


def scored(place: Place, reading: Reading, *, threshold: float) -> Scored:
    """One untrusted text as scored: the maximum over its tokens.

    Args:
        place: where it stands.
        reading: of its tokens, or of its first ones: then coverage is below 1.
        threshold: the cut.

    Raises:
        ScanError: the model gave a risk that is no number.
    """
    n, whole = len(reading.risk), place.end - place.start
    if not np.isfinite(reading.risk).all():
        raise ScanError("the guard's head gave NaN; the model or this backend is damaged")
    best = int(reading.risk.argmax()) if n else 0
    risk = float(reading.risk[best]) if n else 0.0
    coverage = n / whole if whole else 1.0
    nothing = np.zeros(reading.r.shape[1], dtype=np.float32)
    return Scored(
        risk=risk,
        coverage=coverage,
        flagged=risk >= threshold or coverage < 1.0,
        n_tokens=whole,
        token_risk=reading.risk,
        offsets=place.offsets,
        representation=reading.r[best] if n else nothing,
        mean=reading.r.mean(axis=0) if n else nothing,
    )


def load_causal_lm(base: BaseFiles, dtype: torch.dtype) -> tuple[nn.Module, str]:
    """A whole causal LM from a base model's safetensors, and the digest of all its tensors.

    Raises:
        BaseModelError: tensors are missing or do not fit.
    """
    from transformers import AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    from causalguard.attestation.digests import tensors_digest

    config = load_config(base).get_text_config()
    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(config)
    own = {name for name, _ in empty.named_parameters()}  # tied weights once
    tied = {name for name, _ in empty.named_parameters(remove_duplicate=False)} - own
    on_disk = load_tensors(base, set(empty.state_dict()) - tied)
    digest = tensors_digest(
        (name, str(value.dtype).removeprefix("torch."), tuple(value.shape), raw_bytes(value))
        for name, value in on_disk.items()
    )
    with quiet_transformers(), no_init_weights():
        model: nn.Module = AutoModelForCausalLM.from_config(config, dtype=dtype)
    state = {name: value.to(dtype) for name, value in on_disk.items()}
    missing, unexpected = model.load_state_dict(state, strict=False, assign=True)
    if unexpected or set(missing) - tied:
        raise BaseModelError(f"{base.name}: tensors do not fit the architecture: {missing[:5]}")
    model.tie_weights()  # type: ignore[operator]
    return model, digest


def graft(model: nn.Module, encoder: Encoder, dtype: torch.dtype) -> nn.Module:
    """Put the encoder's layers in the place of a causal LM's first ones; they are then shared."""
    share_layers(model, encoder.backbone)
    return model.to(dtype).eval()


def share_layers(model: nn.Module, backbone: nn.Module) -> None:
    """Make a backbone's layers and embedding those of a causal LM, in place."""
    whole: Any = model
    body = getattr(whole, whole.base_model_prefix)
    ours, theirs = find_layers(backbone), find_layers(body)
    for index, layer in enumerate(ours):
        theirs[index] = layer
    below: Any = backbone
    body.set_input_embeddings(below.get_input_embeddings())
    whole.tie_weights()


def load_base(base: BaseFiles, dtype: torch.dtype) -> ChatModel:
    """A base model alone: what native mode is compared with."""
    model, _ = load_causal_lm(base, dtype)
    return ChatModel(model, ChatRenderer.from_directory(base.directory))


def is_adapted(files: ModelFiles, backbone: nn.Module) -> bool:
    """Whether the adapter changes any weight: an untouched one has B = 0 everywhere."""
    tensors = adapter_tensors(files, backbone)
    return any(bool(value.any()) for name, value in tensors.items() if ".lora_B." in name)


def positions(places: Sequence[Place], begin: int) -> NDArray[np.int64]:
    """Positions of the tokens of some places, counted from token ``begin`` of the chat."""
    ranges = [np.arange(p.start - begin, p.end - begin, dtype=np.int64) for p in places]
    return np.concatenate([*ranges, np.zeros(0, dtype=np.int64)])
