"""prompt-guardrail: TF-IDF and logistic regression."""

from common import Score, serve


def load():  # noqa: ANN201  # the peer has no types
    """Score: the probability of the label injection."""
    import guardify

    def score(text: str) -> Score:
        found = guardify.detect(text)
        flagged = found["label"] == "injection"
        risk = found["score"] if flagged else 1.0 - found["score"]
        return risk, flagged

    return score


if __name__ == "__main__":
    serve(load)
