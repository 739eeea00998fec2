"""What the user of guard-scan chose."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """Which guard, and how it runs."""

    model: str
    """MODEL_DIR, or ``default``; in a cluster every worker finds it under the same path."""
    key: Path | None = None
    """Public key that the user trusts."""
    policies: tuple[str, ...] = ()
    """Packaged policies to accept; none: ``default``."""
    certified: bool = True
    """False: loads without a certificate."""
    device: str = "cpu"
    """Torch device of each worker."""
    dtype: str = "auto"
    """float32, bfloat16, float16 or auto."""
