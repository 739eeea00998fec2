"""What all peer scripts share: texts in on stdin (JSONL), one JSON line per text out.

Each peer runs in an environment of its own, so these files import nothing but the standard
library and the peer.  A peer that raises on a text gives null: the caller counts it as missed.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

Score = tuple[float, bool]
"""Risk, higher is worse, and whether the peer's own default flags the text."""


def serve(load: Callable[[], Callable[[str], Score]]) -> None:
    """Load the peer, score every text on stdin, write ``[score, flagged, milliseconds]`` lines."""
    rows = [json.loads(line) for line in sys.stdin if line.strip()]
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # Whatever a peer prints must not get into our lines.
    with contextlib.redirect_stdout(sys.stderr):
        score = load()
        score("The meeting is on Friday.")  # the first call loads models
        for row in rows:
            begin = time.perf_counter()
            try:
                risk, flagged = score(row["text"])
                answer: list[float | bool | None] = [float(risk), bool(flagged)]
            except Exception as error:  # noqa: BLE001  # a peer may raise anything; it is counted
                print(f"{type(error).__name__}: {error}"[:200], file=sys.stderr)
                answer = [None, None]
            answer.append(1000 * (time.perf_counter() - begin))
            out.write(json.dumps(answer) + "\n")
    out.flush()
