"""The part of a text whose tokens no suffix can change: what the suffix certificate rests on.

A byte-level tokenizer first cuts a text into pre-tokens by a regular expression, reading from the
left, and then merges inside each of them.  Where a pre-token ends is decided by what it holds and
by at most ``LOOK_AHEAD`` characters after it (two: an apostrophe waits for "ll", "re" or "ve", and
the last white space before a word goes with the word).  So every pre-token that ends at least that
many characters before the end of the text is the same whatever is appended.  The cut is never made
after white space, for a run of it is cut up only when a word follows.  docs/proofs.md has the
argument; the tests re-tokenise thousands of texts.
"""

import json
from typing import Any

from causalguard.errors import BaseModelError
from causalguard.guard.template import canonical_tokenizer

LOOK_AHEAD = 2
"""Characters after a pre-token that may decide where it ends."""
REASON = (
    "byte-level BPE: pre-tokens are cut from the left, each end decided by at most "
    f"{LOOK_AHEAD} characters after it, and merges stay inside pre-tokens"
)


class StableText:
    """Cuts a text after its last pre-token that no suffix can change."""

    def __init__(self, tokenizer: Any) -> None:
        """Take a ``tokenizers.Tokenizer``.

        Raises:
            BaseModelError: a tokenizer whose look-back is not bounded as the proof needs it.
        """
        whole = canonical_tokenizer(tokenizer.to_str())
        if not _bounded(whole):
            raise BaseModelError(
                "the suffix certificate is proved for byte-level BPE tokenizers with the GPT-2 "
                "pattern and without a normaliser; this tokenizer is another kind"
            )
        self._cut = tokenizer.pre_tokenizer

    def __call__(self, text: str) -> str:
        """The longest beginning of ``text`` that is tokenised alike whatever follows ``text``."""
        ends = [end for _, (_, end) in self._cut.pre_tokenize_str(text)]
        stable = [
            end for end in ends if end + LOOK_AHEAD <= len(text) and not text[end - 1].isspace()
        ]
        return text[: stable[-1]] if stable else ""


def _bounded(whole: dict[str, Any]) -> bool:
    before = whole.get("pre_tokenizer") or {}
    parts = before.get("pretokenizers", [before])
    kinds = {part.get("type") for part in parts}
    bytes_of = [part for part in parts if part.get("type") == "ByteLevel"]
    single = [part.get("individual_digits") for part in parts if part.get("type") == "Digits"]
    return (
        kinds <= {"ByteLevel", "Digits"}
        and len(bytes_of) == 1
        and bool(bytes_of[0].get("use_regex", True))
        and not bytes_of[0].get("add_prefix_space", False)
        and all(single)
        and whole.get("normalizer") is None
        and whole["model"].get("type", "BPE") == "BPE"
        and not whole["model"].get("dropout")
        and json.dumps(whole["model"].get("ignore_merges", False)) == "false"
    )
