"""The model of a corpus scan: checked once by the driver, loaded by every worker."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from causalguard.attestation.digests import root_digest
from causalguard.errors import InputError, NotCertifiedError
from causalguard.guard.api import (
    NATIVE_ONLY,
    PINNED_KEY,
    Guard,
    choose_dtype,
    verify_files,
)
from causalguard.guard.bundle import DEFAULT, MODELS, read_model_dir
from causalguard.guard.options import ModelChoice
from causalguard.guard.policies import accepted_policies


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLoad:
    """Loads the very model that the driver checked; pickled to the workers."""

    choice: ModelChoice
    """Model, key, policies, device and dtype, all settled."""
    key: bytes | None
    """The public key itself: workers need no key file."""
    threads: int
    """Torch threads of a worker."""
    root: str
    """Root digest that the model must have there too."""

    def __call__(self) -> Guard:
        """Load and compare.

        Raises NotCertifiedError when the worker finds another model under that path, and what
        :meth:`Guard.load` raises.
        """
        choice = self.choice
        guard = Guard.load(
            choice.model,
            **choice.arguments() | {"trust": self.key},
            num_threads=self.threads,
        )
        found = root_digest(guard.files.digests)
        if found != self.root:
            message = f"{choice.model} on a worker is another model ({found[:16]}..., wanted "
            raise NotCertifiedError(message + f"{self.root[:16]}...); copy the same one everywhere")
        return guard


def check_model(choice: ModelChoice, *, threads: int) -> tuple[GuardLoad, dict[str, Any]]:
    """Verify a model without loading its weights.

    Args:
        choice: as the user named it.
        threads: torch threads of a worker.

    Returns:
        The loader for the workers, and the facts that verdicts depend on.

    Raises:
        ModelDirError: a part of the model is missing, extra or damaged.
        CertificateError: the certificate does not hold, or does not list the backend.
        InputError: the key cannot be read.
    """
    directory, trust = _place(choice)
    files = read_model_dir(directory)
    if files.info.native is not None:
        raise NotCertifiedError(NATIVE_ONLY.format(directory))
    granted = None
    policies = accepted_policies(choice.policies or None)
    if choice.certified:
        granted = verify_files(files, trust, report=None, policies=policies, max_age_days=None)
    kind = torch.device(choice.device).type
    dtype = choice.dtype
    if dtype == "auto":  # settled here, so that workers on unlike machines agree
        dtype = choose_dtype(kind, granted.backends if granted else None)
    settled = replace(choice, model=str(directory.resolve()), dtype=dtype)
    root = root_digest(files.digests)
    facts = {
        "model": root,
        "threshold": files.info.threshold.value,
        "certificate": granted.id if granted else None,
        "policies": policies if granted else None,
        "backend": f"torch-{kind}-{dtype}",
    }
    return GuardLoad(choice=settled, key=trust, threads=threads, root=root), facts


def _place(choice: ModelChoice) -> tuple[Path, bytes | None]:
    directory, key = Path(choice.model), choice.key
    if choice.model == DEFAULT and not directory.exists():
        directory, key = MODELS / DEFAULT, key or MODELS / PINNED_KEY
    try:
        return directory, key.read_bytes() if key else None
    except OSError as error:
        raise InputError(f"{key}: cannot be read ({error.strerror}); give a public key") from None
