"""lightguard-agent: rules."""

from common import Score, serve


def load():  # noqa: ANN201  # the peer has no types
    """Score: its risk score; a text that it calls untrusted ranks above all others."""
    from lightguard import LightGuardAgent

    guard = LightGuardAgent()

    def score(text: str) -> Score:
        found = guard.process_observation(text)
        flagged = bool(found.get("is_untrusted"))
        return float(found.get("risk_score") or 0.0) + float(flagged), flagged

    return score


if __name__ == "__main__":
    serve(load)
