"""Which certification policies a loader accepts: by packaged name, or by pinned digest."""

from collections.abc import Mapping, Sequence
from importlib.resources import files

from causalguard.attestation.digests import sha256_bytes
from causalguard.errors import ConfigError


def packaged_policy(name: str) -> bytes:
    """The bytes of ``policy-NAME.yaml`` as shipped; ConfigError when there is none."""
    path = files("causalguard") / "configs" / f"policy-{name}.yaml"
    if not path.is_file():
        raise ConfigError(f"no packaged policy is called {name!r}; pin one by {{name: sha256}}")
    return path.read_bytes()


def accepted_policies(chosen: Mapping[str, str] | Sequence[str] | None) -> dict[str, str]:
    """Name -> sha256 of the policies a caller accepts; None means the packaged ``default``.

    Raises ConfigError for an unknown name.
    """
    if chosen is None:
        chosen = ["default"]
    if isinstance(chosen, Mapping):
        return dict(chosen)
    names = [chosen] if isinstance(chosen, str) else list(chosen)
    return {name: sha256_bytes(packaged_policy(name)) for name in names}
