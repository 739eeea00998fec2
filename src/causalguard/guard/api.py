"""Guard: text in, Verdict out; refuses to start unless its certificate verifies."""

import asyncio
import ctypes
import itertools
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import torch

from causalguard.attestation import certificate, keys
from causalguard.attestation.certificate import Certificate
from causalguard.attestation.digests import root_digest, sha256_bytes
from causalguard.errors import (
    BaseModelError,
    NotCertifiedError,
    ScanError,
    UnsignedError,
)
from causalguard.guard import base as bases
from causalguard.guard.bundle import (
    DEFAULT,
    MODELS,
    VIEWS_SINCE,
    ModelFiles,
    adapter_tensors,
    build_heads,
    read_model_dir,
)
from causalguard.guard.deadline import start
from causalguard.guard.encoder import Encoder, load_backbone, merge_lora
from causalguard.guard.fast_llama import able
from causalguard.guard.llama_shell import load_shell
from causalguard.guard.policies import accepted_policies
from causalguard.guard.scorer import Scored, Scorer
from causalguard.guard.spans import risky_spans, union
from causalguard.guard.template import Template, load_tokenizer, tokenizer_digest
from causalguard.records import Span, ToolOutput, Verdict

BUNDLE_NAME = "safety-report.sigstore.json"
"""The signed report inside MODEL_DIR."""

PINNED_KEY = "release-p256.pub.pem"
NATIVE_ONLY = (
    "{} is calibrated and certified for native mode, not for scanning in windows; load it with "
    "CausalGuardLLM.from_pretrained, or give the windowed MODEL_DIR it was made from"
)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
CPU_BATCH_TOKENS = 640
GPU_BATCH_TOKENS = 131_072
STALE_DAYS = 365
"""A certificate older than this draws a warning at load."""


class Guard:
    """A loaded guard.  Pure and thread-safe: the same text and context give the same verdict."""

    def __init__(
        self, files: ModelFiles, scorer: Scorer, *, certificate: Certificate | None, backend: str
    ) -> None:
        """Use :meth:`load`."""
        self.files = files
        self.certificate = certificate
        self.backend = backend
        self.threshold = files.info.threshold.value
        self._scorer = scorer

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
        """Load a MODEL_DIR whose signed report verifies.

        Args:
            model_dir: a MODEL_DIR from guard-train, or ``default``: the model that the package
                ships (a directory of that name comes first).
            trust: the public key (PEM, or its path) that the *caller* trusts; by default the
                project's, for the shipped model alone.
            require_certified: False loads without a certificate; verdicts then carry none.
            report: the signed report; by default the one inside ``model_dir``.
            policies: policies to accept: names of packaged ones, or name -> sha256; by default
                the packaged policy ``default`` alone.
            max_age_days: refuse older reports; by default an old one draws a warning.
            device: a torch device.
            dtype: float32, bfloat16 or float16, which must be a backend that the report lists;
                auto takes the fastest listed one for this machine.
            num_threads: torch threads (process-wide); None leaves them.

        Raises:
            ModelDirError: a part of MODEL_DIR is missing, extra or damaged.
            BaseModelError: the base model is absent or not the one trained on.
            CertificateError: unsigned, wrong key, tampered, not PASSED, unknown policy or backend.
        """
        if dtype != "auto" and dtype not in DTYPES:
            raise ValueError(f"dtype must be auto or one of {sorted(DTYPES)}, got {dtype!r}")
        if str(model_dir) == DEFAULT and not Path(model_dir).exists():
            model_dir, trust = MODELS / DEFAULT, trust or MODELS / PINNED_KEY
        files = read_model_dir(Path(model_dir))
        if files.info.native is not None:
            raise NotCertifiedError(NATIVE_ONLY.format(files.directory))
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
            dtype = choose_dtype(kind, granted.backends if granted else None)
        backend = f"torch-{kind}-{dtype}"
        if granted and backend not in granted.backends:
            listed = ", ".join(granted.backends)
            message = (
                f"backend {backend} is not in the report (listed: {listed}); load with a listed "
                "device and dtype, or certify this one"
            )
            raise NotCertifiedError(message)
        if num_threads is not None:
            torch.set_num_threads(num_threads)
        scorer = build_scorer(files, device=device, dtype=DTYPES[dtype], short=True)
        scorer.slim()
        files = replace(files, adapter_bytes=b"", head_bytes=b"")  # the scorer has what they hold
        return_free_memory()
        return cls(files, scorer, certificate=granted, backend=backend)

    @property
    def identity(self) -> str:
        """Digest that names weights, threshold, scoring and backend: keys caches and memories."""
        facts = [*sorted(self.files.digests.items()), self.backend]
        return sha256_bytes(repr(facts).encode())

    @property
    def model_sha256(self) -> str:
        """Root digest of the MODEL_DIR's files, as its certificate names it."""
        return root_digest(self.files.digests)

    @property
    def template_sha256(self) -> str:
        """Digest of the prompt template in use."""
        return self.files.info.template.sha256

    @property
    def at_once(self) -> int:
        """How many texts to give at a time, where there are many: more on a GPU."""
        return self._scorer.at_once

    def score(self, outputs: Sequence[ToolOutput]) -> list[Scored]:
        """Risks per token and representations; what certification reads."""
        return self._scorer.score(outputs)

    def scan(self, outputs: Sequence[ToolOutput]) -> list[Verdict]:
        """One verdict per tool output, in order.  Nothing that a tool returns is an error.

        Raises ScanError when the computation itself fails; the caller must fail closed.
        """
        try:
            scored = self.score(outputs)
        except (RuntimeError, MemoryError) as error:
            raise ScanError(f"the scan failed ({error}); treat the output as not scanned") from None
        return [self._verdict(o, s) for o, s in zip(outputs, scored, strict=True)]

    async def ascan(self, outputs: Sequence[ToolOutput]) -> list[Verdict]:
        """Like :meth:`scan`, for event loops, in threads of its own.

        The loop's default threads stay free for others.  A call that is cancelled while it waits
        for its turn is never scanned.
        """
        return await asyncio.wrap_future(start(lambda: self.scan(outputs)))

    def warmup(self) -> None:
        """Run a short and a long text, so that the first real scan is not the slow one."""
        long = "warm up " * self.files.info.windows.tokens
        for text in ("warm up", long):
            self.scan([ToolOutput(text=text, task="warm up")])

    def _verdict(self, output: ToolOutput, scored: Scored) -> Verdict:
        spans: tuple[Span, ...] = ()
        if scored.flagged:
            read = [(scored.token_risk, scored.offsets)]
            read += [(view.token_risk, view.offsets) for view in scored.views]
            found = [risky_spans(risk, where, self.threshold) for risk, where in read]
            # One view's spans are what they were; several views may point at the same place.
            spans = union(itertools.chain(*found)) if scored.views else found[0]
        return Verdict(
            risk=scored.risk,
            threshold=self.threshold,
            flagged=scored.flagged,
            spans=spans,
            coverage=scored.coverage,
            certificate_id=self.certificate.id if self.certificate else "",
            reason=self._reason(output, scored),
        )

    def _reason(self, output: ToolOutput, scored: Scored) -> str:
        if output.text and not scored.n_tokens:
            return "not one character is in the vocabulary: nothing scanned, failing closed"
        if scored.coverage < 1.0:
            limit = self.files.info.windows.max_tokens
            return f"longer than {limit} tokens: {scored.coverage:.1%} scanned, failing closed"
        if not output.text:
            return "empty text"
        sign = ">=" if scored.flagged else "<"
        raw = float(scored.token_risk.max(initial=0.0))
        where = " in a decoded view" if scored.risk > raw else ""
        return f"risk {scored.risk:.4f} {sign} threshold {self.threshold:.4f}{where}"


def choose_dtype(kind: str, listed: Sequence[str] | None) -> str:
    """The fastest dtype for a device that a report lists; any when there is no report.

    bfloat16 where the processor multiplies it in hardware (three times faster there, several
    times slower elsewhere), else float32.
    """
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    fast = kind != "cpu" or bool(capabilities.get("avx512_bf16", False))
    order = ["bfloat16", "float32"] if fast else ["float32", "bfloat16"]
    for dtype in order:
        if listed is None or f"torch-{kind}-{dtype}" in listed:
            return dtype
    return order[0]


def return_free_memory() -> None:
    """Give what loading freed back to the system, where the C library can (glibc: malloc_trim).

    It keeps a few hundred MB otherwise, in every worker.
    """
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def build_scorer(
    files: ModelFiles, *, device: str, dtype: torch.dtype, short: bool = False
) -> Scorer:
    """Base model, adapter and heads of a MODEL_DIR as one scorer; checks every digest.

    Args:
        files: the parts of the MODEL_DIR.
        device: a torch device.
        dtype: what the layers run in.
        short: leave transformers out where the short way needs none of it; only scoring works
            then.
    """
    info = files.info
    base = bases.resolve(info.base.name)
    tokenizer = load_tokenizer(base.directory / "tokenizer.json")
    found = tokenizer_digest(tokenizer)
    if found != info.base.tokenizer_sha256:
        raise BaseModelError(_other("tokenizer", found, info.base.tokenizer_sha256))
    template = Template(tokenizer, info.template.spec())
    if max(e.layer for e in info.exits) != info.base.layers:
        raise BaseModelError("guard.json: base.layers must be the deepest exit")
    short = short and able(dtype, torch.device(device))
    shell = load_shell(base, info.base.layers, dtype) if short else None
    backbone, digest = shell or load_backbone(base, info.base.layers, torch.float32)
    if digest != info.base.tensors_sha256:
        raise BaseModelError(_other("base model", digest, info.base.tensors_sha256))
    merge_lora(
        backbone,
        adapter_tensors(files, backbone),
        rank=files.adapter.r,
        alpha=files.adapter.lora_alpha,
        targets=files.adapter.target_modules,
    )
    hidden = int(backbone.config.hidden_size)  # type: ignore[union-attr,arg-type]
    heads = build_heads(files, hidden)
    encoder = Encoder(backbone.to(dtype), heads).to(device)
    return Scorer(
        encoder,
        template,
        info.windows.spec(),
        threshold=info.threshold.value,
        batch_tokens=GPU_BATCH_TOKENS if device.startswith("cuda") else CPU_BATCH_TOKENS,
        with_views=info.scoring_version >= VIEWS_SINCE,
    )


def _other(what: str, found: str, wanted: str) -> str:
    return (
        f"this {what} is not the one the guard was trained on "
        f"(sha256 {found[:16]}..., wanted {wanted[:16]}...); {bases.INSTALL_HINT}"
    )


def verify_files(
    files: ModelFiles,
    trust: bytes | str | Path | None,
    *,
    report: Path | None,
    policies: Mapping[str, str],
    max_age_days: float | None,
) -> Certificate:
    """Check the signed report against the bytes that were read.

    Raises CertificateError's family; the message says which check failed and the remedy.
    """
    if trust is None:
        message = (
            "no key was given: pass trust=PUBLIC_KEY, the key you received from whoever certified "
            "this model (or require_certified=False to use it without any guarantee)"
        )
        raise UnsignedError(message)
    path = report or files.directory / BUNDLE_NAME
    if not path.is_file():
        message = f"{path} is missing: the model is UNSIGNED; run guard-certify with --key"
        raise UnsignedError(message)
    granted = certificate.verify(
        path.read_bytes(),
        public_key=keys.load_public(trust),
        file_digests=files.digests,
        accepted_policies=policies,
        max_age_days=max_age_days,
        now=datetime.now(UTC) if max_age_days is not None else None,
    )
    info = files.info
    claims = {
        "threshold": (granted.threshold, info.threshold.value),
        "template": (granted.template_sha256, info.template.sha256),
        "base model": (granted.base_sha256, info.base.tensors_sha256),
        "tokenizer": (granted.tokenizer_sha256, info.base.tokenizer_sha256),
    }
    for what, (said, here) in claims.items():
        if said != here:
            raise NotCertifiedError(f"the report speaks of another {what}: {said} against {here}")
    _warn_if_stale(granted)
    return granted


def _warn_if_stale(granted: Certificate) -> None:
    issued = datetime.fromisoformat(granted.issued)
    days = (datetime.now(UTC) - issued).days
    if days > STALE_DAYS:
        warnings.warn(f"the certificate is {days} days old; certify again", stacklevel=3)
