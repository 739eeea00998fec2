"""Every error this package raises on purpose.

::

    CausalGuardError                 anything below; the message says what to do
    ├── InputError                   a file or value from outside is wrong
    │   ├── DataError                a row of a data file (carries path and line)
    │   ├── ConfigError              a configuration (carries every fault at once)
    │   └── OutputExistsError        the place to write to is taken
    ├── MissingError                 something that must be installed or given is not there
    ├── BaseModelError               the base model is absent or not the one that was meant
    ├── ModelDirError                MODEL_DIR has a wrong, missing, extra or damaged part
    ├── CertificateError             the model may not be used
    │   ├── UnsignedError            no signed report, or no key to check it with
    │   ├── SignatureError           the signature, the envelope or the key does not match
    │   ├── SubjectMismatchError     the files are not those that were certified
    │   └── NotCertifiedError        verified, but the result, policy or backend is refused
    ├── TrainingError                a training run had to stop (NaN, explosion, memory)
    ├── ScanError                    a scan could not be carried out (the caller fails closed)
    └── InjectionBlockedError        a policy asked to raise on a flagged tool output

A caller's bug stays a ``ValueError`` or ``TypeError``.  This module imports nothing.
"""


class CausalGuardError(Exception):
    """Root of the tree."""


class InputError(CausalGuardError):
    """A file or value from outside is wrong."""


class DataError(InputError):
    """A row of a data file is wrong.

    ``faults`` holds one line per fault, each beginning with ``path:line:``.
    """

    def __init__(self, faults: "list[str] | str") -> None:
        self.faults = [faults] if isinstance(faults, str) else list(faults)
        super().__init__("\n".join(self.faults))


class ConfigError(InputError):
    """A configuration is wrong; ``faults`` holds every fault found, not only the first."""

    def __init__(self, faults: "list[str] | str") -> None:
        self.faults = [faults] if isinstance(faults, str) else list(faults)
        super().__init__("\n".join(self.faults))


class OutputExistsError(InputError):
    """The output path exists already; nothing was written."""


class MissingError(CausalGuardError):
    """An optional part, tool or key that this action needs is not there."""


class BaseModelError(CausalGuardError):
    """The base model is absent, or its bytes are not those that were meant."""


class ModelDirError(CausalGuardError):
    """MODEL_DIR has a wrong, missing, extra or damaged part."""


class CertificateError(CausalGuardError):
    """The model may not be used: its certificate does not hold."""


class UnsignedError(CertificateError):
    """There is no signed report, or no key was given to check it with."""


class SignatureError(CertificateError):
    """The signature, the envelope around it, or the key does not match."""


class SubjectMismatchError(CertificateError):
    """The files at hand are not the files that were certified."""


class NotCertifiedError(CertificateError):
    """The report verifies, but its result, policy or list of backends refuses this use."""


class TrainingError(CausalGuardError):
    """A training run had to stop; the message names what was kept for inspection."""


class ScanError(CausalGuardError):
    """A scan could not be carried out; whoever asked must fail closed."""


class InjectionBlockedError(CausalGuardError):
    """A policy asked to raise when a tool output is flagged."""
