"""Which data may go into weights that are shipped, decided on the words of a row's licence."""

import re

_SHIPPABLE = re.compile(
    r"\b(?:mit|mit-0|apache|psf|psfl|bsd|isc|0bsd|unlicense|cc0|public domain|zlib)\b",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"\b(?:a?l?gpl|mixed|cc-by(?:-[a-z]+)*|by-sa|nc|nd|unknown|proprietary|see package"
    r"|free licence of|file of a free package|mpl|eula|non-?commercial|llama|research only)\b",
    re.IGNORECASE,
)
_TEST_ONLY = re.compile(r"agent[\s_-]?dojo|not[\s_-]?inject", re.IGNORECASE)


def shippable(license_text: str) -> bool:
    """Return True if data under this licence may go into weights that are shipped.

    MIT, Apache-2.0, BSD, ISC, PSF-2.0 and public-domain parts may; anything that mentions a
    share-alike or copyleft licence, or does not say, may not.

    Args:
        license_text: SPDX identifier or words, as recorded beside the row.

    """
    words = re.sub(r"(?<=[a-z])-(?=\d)", " ", license_text, flags=re.IGNORECASE)
    return bool(_SHIPPABLE.search(words)) and not _REFUSED.search(words)


def only_for_tests(*labels: str) -> bool:
    """Return True if any label names a set that this project only ever tests on.

    AgentDojo and NotInject, and parts of other sets that were taken from them, must not touch
    training, model choice or thresholds.

    Args:
        labels: source names, licences, remarks.

    """
    return any(_TEST_ONLY.search(label) for label in labels)
