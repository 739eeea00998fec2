"""The names of files in MODEL_DIR: which are signed, and which may lie beside them unsigned."""

from fnmatch import fnmatchcase

SUBJECT_FILES = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "guard.json",
    "head.safetensors",
    "training.yaml",
)
"""The files a certificate speaks about: all of them must be there, in every MODEL_DIR."""

NON_SUBJECT_NAMES = ("README.md", "safety-report.*", "trials.jsonl", "trials-R.safetensors")
"""Names (shell patterns) that may lie beside the subjects.  They are made from the report, or
hashed inside it; nothing loads them as a part of the model."""

ROOT_SUBJECT = "MODEL_DIR"
"""Name of the subject that carries the root digest of all others."""


def is_non_subject(name: str) -> bool:
    """Whether a file of this name may lie in MODEL_DIR without being signed."""
    return any(fnmatchcase(name, pattern) for pattern in NON_SUBJECT_NAMES)
