"""How much a server takes on.  Every bound has a default that a small machine can carry."""

from dataclasses import dataclass, fields

from causalguard.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a server; whatever exceeds one is refused, never let through."""

    concurrency: int = 2
    """Scans that run at once, >= 1.  One scan already uses all of torch's threads."""
    queue: int = 64
    """Requests that may wait for a scan, >= 0; more are answered 429."""
    max_body_bytes: int = 16 * 1024 * 1024
    """Bytes of one request, >= 1; more are answered 413."""
    max_outputs: int = 1024
    """Tool outputs in one request, >= 1; more are answered 413."""
    body_timeout_s: float = 30.0
    """Seconds in which a request must have arrived, > 0; later ones are answered 408."""

    def __post_init__(self) -> None:
        floors = {"queue": 0, "body_timeout_s": 1e-3}
        faults = [
            f"{item.name} must be at least {floors.get(item.name, 1)}, "
            f"got {getattr(self, item.name)}"
            for item in fields(self)
            if not getattr(self, item.name) >= floors.get(item.name, 1)
        ]
        if faults:
            raise ConfigError(faults)
