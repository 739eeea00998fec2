"""How much of ordinary text is read again in views, by kind of view, and what finding them costs.

    python benchmarks/views.py --shared DIR --rows 400

Benign rows of labelled files, as they are; the time is beside that of tokenising the same texts.
Writes benchmarks/results/views.md.
"""

import argparse
import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from causalguard.evaluate.rows import read_labelled
from causalguard.guard.base import resolve
from causalguard.guard.template import Template
from causalguard.guard.views import views

RESULTS = Path(__file__).parent / "results"
NAMES = ("benign_docs", "agent_logs", "llmail_benign", "tau", "apibank")


def measure(texts: list[str], template: Template) -> list[str]:
    """Shares of texts and characters with a view, without and with spelling; the cost."""
    spelling = template.spelling()
    total = sum(map(len, texts))
    cells = []
    for known in (None, spelling):
        found = [views(text, known) for text in texts]
        again = sum(len(view.text) for each in found for view in each)
        share = sum(map(bool, found)) / len(texts)
        cells += [f"{share:.1%}", f"{again / total:.1%}"]
    spelling.mended.cache_clear()
    started = time.process_time()
    for text in texts:
        views(text, spelling)
    middle = time.process_time()
    for text in texts:
        template.tokens(text)
    done = time.process_time()
    return [*cells, f"{(middle - started) / (done - middle):.2f}"]


def main() -> None:
    """Measure every file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--base", default="smollm2-135m-instruct", help="whose tokenizer")
    given = parser.parse_args()
    template = Template.from_directory(resolve(given.base).directory)
    lines = [
        "# What is read again in views",
        "",
        (
            f"`python {shlex.join(sys.argv)}`, {datetime.now(UTC).date().isoformat()}; benign rows "
            "of sources that the model was trained on."
        ),
        "",
        (
            "| source | texts | decoded: texts, characters | with spelling: texts, characters | "
            "processor time of finding them, over tokenising |"
        ),
        "|---|---|---|---|---|",
    ]
    for name in NAMES:
        rows = read_labelled(given.shared / f"{name}.jsonl.gz", source=name)
        texts = [row.output.text for row in rows if row.case.y == 0][: given.rows]
        a, b, c, d, cost = measure(texts, template)
        lines.append(f"| {name} | {len(texts)} | {a}, {b} | {c}, {d} | {cost} |")
    page = "\n".join(lines) + "\n"
    (RESULTS / "views.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
