"""Which guard a command works with: the same six options for every command that loads one."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from causalguard.errors import MissingError

Command = Callable[..., Any]


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

    def arguments(self) -> dict[str, Any]:
        """What ``Guard.load`` takes beside the model."""
        return {
            "trust": self.key,
            "require_certified": self.certified,
            "policies": list(self.policies) or None,
            "device": self.device,
            "dtype": self.dtype,
        }

    def load(self, *, extra: str = "guard", **more: Any) -> Any:
        """The guard.

        Args:
            extra: of the package, named when torch is missing.
            more: further arguments of ``Guard.load``.

        Raises:
            MissingError: torch or another package is not installed.
        """
        try:
            from causalguard.guard.api import Guard
        except ImportError as error:
            message = f"{error.name} is needed to scan; pip install 'causalguard[{extra}]'"
            raise MissingError(message) from None
        return Guard.load(self.model, **self.arguments(), **more)


def model_options(
    *, default: str | None = "default", required: bool = False, what: str = "MODEL_DIR of a guard."
) -> Callable[[Command], Command]:
    """Options of a click command that loads a guard; it gets them as ``chosen``: ModelChoice.

    Args:
        default: the model without ``--model``; None: ``chosen`` is None then.
        required: ``--model`` must be given.
        what: help of ``--model``.
    """
    shown: Any = "the shipped one" if default == "default" else default is not None
    options = (
        click.option("--model", default=None if required else default, required=required,
                     show_default=shown, help=what),
        click.option("--key", type=click.Path(path_type=Path),
                     help="Public key (PEM) that you trust for this model's report."),
        click.option("--policy", "policies", multiple=True,
                     help="Certification policy to accept (default: default)."),
        click.option("--uncertified", is_flag=True,
                     help="Load without checking a certificate: verdicts then carry no guarantee."),
        click.option("--device", default="cpu", show_default=True, help="A torch device."),
        click.option("--dtype", default="auto", show_default=True,
                     help="float32, bfloat16, float16; auto: the fastest that is certified."),
    )  # fmt: skip

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def inner(
            *, model: str | None, key: Path | None, policies: tuple[str, ...], uncertified: bool,
            device: str, dtype: str, **rest: Any,
        ) -> Any:  # fmt: skip
            chosen = model and ModelChoice(
                model=model,
                key=key,
                policies=policies,
                certified=not uncertified,
                device=device,
                dtype=dtype,
            )
            return function(chosen=chosen or None, **rest)

        wrapped: Command = inner
        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return decorate
