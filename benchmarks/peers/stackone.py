"""stackone-defender: rules and a MiniLM classifier over chunks; made for tool outputs."""

from common import Score, serve


def load():  # noqa: ANN201  # the peer has no types
    """Score: the classifier's highest chunk; a text that it blocks ranks above all others."""
    from stackone_defender import create_prompt_defense

    defense = create_prompt_defense(block_high_risk=True)
    defense.warmup_tier2()

    def score(text: str) -> Score:
        found = defense.defend_tool_result(text, "tool")
        blocked = not found.allowed
        return (found.tier2_score or 0.0) + float(blocked), blocked

    return score


if __name__ == "__main__":
    serve(load)
