"""Carriers: what tools return before an intervention, the project's own and the user's."""

from causalguard.interventions.carriers.document import Block, Document, Field
from causalguard.interventions.carriers.files import FileCarrier, from_directory
from causalguard.interventions.carriers.generate import Carrier, counterfactual, generate, labels

__all__ = [
    "Block",
    "Carrier",
    "Document",
    "Field",
    "FileCarrier",
    "counterfactual",
    "from_directory",
    "generate",
    "labels",
]
