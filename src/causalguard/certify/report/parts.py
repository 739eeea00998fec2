"""What all parts of the report are made of."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

DIGITS = 9


def rounded(value: float) -> float:
    """Round to nine significant digits; minus zero becomes zero."""
    return float(f"{value:.{DIGITS}g}") + 0.0


Number = Annotated[float, Field(allow_inf_nan=False), AfterValidator(rounded)]
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Part(BaseModel):
    """Base of the report's parts: frozen, camelCase in JSON, no unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )
