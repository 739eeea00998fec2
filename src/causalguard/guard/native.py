"""Native mode: the model that answers is the model that the guard reads, in one prefill.

See docs/adr/0005-native-mode.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch

from causalguard.attestation.certificate import Certificate
from causalguard.errors import BaseModelError, NotCertifiedError, ScanError
from causalguard.guard import base as bases
from causalguard.guard.api import DTYPES, Guard, build_scorer, choose_dtype, verify_files
from causalguard.guard.bundle import ModelFiles, NativeInfo, read_model_dir
from causalguard.guard.native_chat import (
    RENDERING,
    ChatRenderer,
    ChatTurn,
    Piece,
    Place,
)
from causalguard.guard.native_decode import Criterion, Settings, Step, decode
from causalguard.guard.native_enforce import NativeEnforcer
from causalguard.guard.native_model import (
    NativeModel,
    Reading,
    graft,
    is_adapted,
    load_causal_lm,
    positions,
    scored,
)
from causalguard.guard.native_prefill import LONGER, GuardedPrefill, Prefilled, prefill_unread
from causalguard.guard.policies import accepted_policies
from causalguard.guard.policy import Incoming, Ruling
from causalguard.guard.scorer import Scored, Scorer
from causalguard.records import ToolOutput


class NativeGuard(Guard):
    """A loaded native MODEL_DIR: scores, prefills and generates.  Thread-safe."""

    def __init__(
        self,
        files: ModelFiles,
        native: "NativeScorer",
        *,
        certificate: Certificate | None,
        backend: str,
    ) -> None:
        """Use :meth:`load`."""
        # Guard asks its scorer for score() alone
        super().__init__(files, cast("Scorer", native), certificate=certificate, backend=backend)
        self.model = native.model
        self.end_ids = native.end_ids
        self.adapted = native.adapted

    @classmethod
    def load(
        cls,
        model_dir: str | Path,
        *,
        trust: bytes | str | Path | None = None,
        require_certified: bool = True,
        report: Path | None = None,
        policies: Mapping[str, str] | Sequence[str] | None = None,
        max_age_days: float | None = None,
        device: str = "cpu",
        dtype: str = "auto",
        num_threads: int | None = None,
    ) -> Self:
        """Load a native MODEL_DIR; arguments and refusals are those of :meth:`Guard.load`.

        Raises:
            NotCertifiedError: also for a MODEL_DIR whose threshold, or report, is for the
                windowed guard.
        """
        if dtype != "auto" and dtype not in DTYPES:
            raise ValueError(f"dtype must be auto or one of {sorted(DTYPES)}, got {dtype!r}")
        files = read_model_dir(Path(model_dir))
        info = native_info(files)
        granted = None
        if require_certified:
            granted = verify_files(
                files,
                trust,
                report=report,
                policies=accepted_policies(policies),
                max_age_days=max_age_days,
            )
        kind = torch.device(device).type
        if dtype == "auto":
            names = granted.backends if granted else None
            dtype = choose_dtype(kind, names and [n.replace("native", "torch", 1) for n in names])
        backend = f"native-{kind}-{dtype}"
        if granted and backend not in granted.backends:
            raise NotCertifiedError(
                f"backend {backend} is not in the report (listed: {', '.join(granted.backends)}); "
                "certify this MODEL_DIR on this device and dtype: guard-certify --model DIR --key K"
            )
        if num_threads is not None:
            torch.set_num_threads(num_threads)
        native = build_native(files, device=device, dtype=DTYPES[dtype])
        check_native(info, native)
        return cls(files, native, certificate=granted, backend=backend)

    @property
    def facts(self) -> dict[str, str]:
        """What generates and what is read, for people and records."""
        return {
            "base": self.files.info.base.name,
            "generator": "base+adapter" if self.adapted else "base",
            "layer": str(self.model.layer),
            "backend": self.backend,
            "certificate": self.certificate.id if self.certificate else "",
        }

    def prefill(self, turns: Sequence[ChatTurn], enforcer: NativeEnforcer | None) -> Prefilled:
        """Put a chat into a fresh cache, ruling on every untrusted text as it is read.

        Args:
            turns: the chat in order.
            enforcer: policy; None reads nothing and shows everything: the model without a guard.

        Raises:
            ScanError: the chat is longer than the model can take, or its computation failed.
            BaseModelError: the base's chat template cannot render it.
        """
        try:
            if enforcer is None:
                return prefill_unread(self.model, turns)
            own = enforcer

            def judge(item: Incoming, place: Place, reading: Reading) -> Ruling:
                found = scored(place, reading, threshold=self.threshold)
                return own.rule(item, self._verdict(item.output, found))

            return GuardedPrefill(self.model, turns, own, judge).run()
        except (RuntimeError, MemoryError) as error:
            raise ScanError(f"the prefill failed ({error}); nothing was generated") from None

    def generate(
        self, prefilled: Prefilled, settings: Settings, criteria: Sequence[Criterion] = ()
    ) -> Iterator[Step]:
        """Answer a prefilled chat, token by token; its cache is used up."""
        return decode(
            self.model,
            prefilled.logits,
            prefilled.cache,
            n_prompt=prefilled.n_tokens,
            end_ids=self.end_ids,
            settings=settings,
            criteria=criteria,
            started=prefilled.started,
        )

    def _reason(self, output: ToolOutput, scored: Scored) -> str:
        if scored.coverage < 1.0:
            return f"{LONGER}: {scored.coverage:.1%} read, failing closed"
        return super()._reason(output, scored)


class NativeScorer:
    """Scores a tool output as the only one of a chat: what is calibrated and certified."""

    def __init__(
        self, model: NativeModel, *, threshold: float, end_ids: frozenset[int], adapted: bool
    ) -> None:
        """``adapted``: whether the generating weights differ from the base's."""
        self.model = model
        self.threshold = threshold
        self.end_ids = end_ids
        self.adapted = adapted

    def score(self, outputs: Sequence[ToolOutput]) -> list[Scored]:
        """Score tool outputs, each in a chat of system prompt, task and the output."""
        return [self._one(output) for output in outputs]

    def _one(self, output: ToolOutput) -> Scored:
        chat = self.model.renderer.render(chat_of(output), prompt=False)
        place = chat.places[0]
        end = max(place.start, min(place.end, self.model.max_tokens))
        if end == place.start:
            nothing = np.zeros((0, self.model.width), dtype=np.float32)
            reading = Reading(r=nothing, risk=nothing[:, 0])
        else:
            at = positions([replace(place, end=end)], 0)
            reading = self.model.read_only(chat.ids[:end], at)
        return scored(place, reading, threshold=self.threshold)


def chat_of(output: ToolOutput) -> list[ChatTurn]:
    """The chat in which one tool output is scored on its own."""
    turns = []
    if output.system.strip():
        turns.append(ChatTurn(role="system", pieces=(Piece(text=output.system),)))
    if output.task.strip():
        turns.append(ChatTurn(role="user", pieces=(Piece(text=output.task),)))
    piece = Piece(text=output.text, incoming=Incoming(output=output))
    return [*turns, ChatTurn(role="tool", pieces=(piece,))]


def native_info(files: ModelFiles) -> NativeInfo:
    """The native part of guard.json; NotCertifiedError when the directory is for windows."""
    if files.info.native is None:
        raise NotCertifiedError(
            f"{files.directory} is calibrated and certified for the windowed guard; native mode "
            "reads whole conversations and needs a threshold and a certificate of its own. Run: "
            "guard-calibrate --native --model DIR --output NATIVE_DIR benign.jsonl, then "
            "guard-certify --model NATIVE_DIR --key KEY; or use CausalGuardLLM(inner=..., "
            "model_dir=...)"
        )
    return files.info.native


def build_native(files: ModelFiles, *, device: str, dtype: torch.dtype) -> NativeScorer:
    """The generating model with the guard's head on it; what build_scorer checks is checked."""
    scorer = build_scorer(files, device="cpu", dtype=dtype)
    base = bases.resolve(files.info.base.name)
    model, digest = load_causal_lm(base, dtype)
    info = files.info.native
    if info is not None and digest != info.tensors_sha256:
        raise BaseModelError(
            f"the base model is not the one this guard was calibrated on (sha256 {digest[:16]}..., "
            f"wanted {info.tensors_sha256[:16]}...); {bases.INSTALL_HINT}"
        )
    adapted = is_adapted(files, scorer.encoder.backbone)
    whole = graft(model, scorer.encoder, dtype).to(device)
    encoder = scorer.encoder.to(device)
    renderer = ChatRenderer.from_directory(base.directory)
    native = NativeModel(whole, encoder, renderer, tensors_sha256=digest)
    return NativeScorer(
        native,
        threshold=files.info.threshold.value,
        end_ids=end_ids(whole, renderer),
        adapted=adapted,
    )


def check_native(info: NativeInfo, native: NativeScorer) -> None:
    """Compare guard.json with what was loaded.

    Raises:
        BaseModelError: another rendering or chat template, or other generating weights.
    """
    here = info_of(native)
    faults = [
        f"{name} is {getattr(here, name)!r} here, {getattr(info, name)!r} in guard.json"
        for name in NativeInfo.model_fields
        if getattr(here, name) != getattr(info, name)
    ]
    if faults:
        raise BaseModelError(
            f"native mode: {'; '.join(faults)}; use the base model it was calibrated with, or "
            "calibrate and certify again"
        )


def info_of(native: NativeScorer) -> NativeInfo:
    """What guard.json says of a native guard."""
    return NativeInfo(
        rendering=RENDERING,
        chat_sha256=native.model.renderer.digest,
        tensors_sha256=native.model.tensors_sha256,
        generator="base+adapter" if native.adapted else "base",
    )


def end_ids(model: Any, renderer: ChatRenderer) -> frozenset[int]:
    """Tokens that end an answer: the model's own and the one that closes a turn."""
    found: set[int] = set()
    for source in (model.config, getattr(model, "generation_config", None)):
        known = getattr(source, "eos_token_id", None)
        found |= set(known if isinstance(known, list | tuple) else [known]) - {None}
    closing = renderer.end_of_turn
    return frozenset(found | ({closing} if closing is not None else set()))


def load_as_written(model_dir: Path, **options: Any) -> Guard:
    """The guard that a MODEL_DIR is for, windowed or native, without asking for a certificate."""
    native = read_model_dir(model_dir).info.native is not None
    kind: type[Guard] = NativeGuard if native else Guard
    return kind.load(model_dir, require_certified=False, **options)
