"""The page and the tables of guard-eval agentdojo."""

from causalguard.evaluate.agentdojo_page import Replay, Step, choose, render
from causalguard.evaluate.agentdojo_report import as_json, markdown
from causalguard.evaluate.agentdojo_results import Result, lines_of, result_from, result_json
from causalguard.evaluate.agentdojo_suites import Case
from causalguard.records import Span


def result(
    user: str, *, attack: str = "", reached: bool = False, lost: tuple[int, ...] = ()
) -> Result:
    return Result(
        case=Case(suite="desk", attack=attack, user=user, injection="i" if attack else ""),
        placed=bool(attack),
        reached=reached,
        success=bool(attack),
        success_guarded=reached,
        utility=True,
        utility_guarded=not lost,
        outputs=4,
        flagged=lost,
        lost=lost,
    )


RESULTS = [
    *(result(f"u{k}", attack="direct", reached=k == 3) for k in range(10)),
    *(result(f"u{k}", lost=(1,) if k == 7 else ()) for k in range(10)),
]


def test_what_went_wrong_is_shown_first_and_no_more_than_asked() -> None:
    shown = choose(RESULTS, 3)
    assert [(r.case.user, r.case.attack) for r in shown[:2]] == [("u3", "direct"), ("u7", "")]
    assert len(choose(RESULTS, 40)) == 4
    assert choose(RESULTS, 0) == []


def test_every_text_on_the_page_is_escaped_and_marks_may_overlap() -> None:
    text = "<script>alert(1)</script> TODO"
    step = Step(
        title="read('<b>')",
        text=text,
        marks=(Span(start=20, end=30),),
        attack=(Span(start=26, end=30),),
        hidden=True,
    )
    replay = Replay(result=RESULTS[0], steps=(step,))
    page = render(lines_of(RESULTS), {"guard": "<i>"}, ["a < b"], [replay])
    assert "<script>alert" not in page
    assert "<b>'" not in page
    assert "<i>" not in page
    assert "<mark><u>TODO</u></mark>" in page
    assert 'class="step hidden"' in page


def test_rates_are_shares_with_exact_intervals() -> None:
    lines = lines_of(RESULTS)
    (attacked,) = [x for x in lines if (x.suite, x.attack) == ("desk", "direct")]
    reached = attacked.rates["reached"]
    assert (reached.k, reached.n, reached.value) == (1, 10, 0.1)
    assert round(reached.low, 4) == 0.0025
    assert round(reached.high, 4) == 0.4450
    assert "| desk | direct | 10 | 100.00%" in markdown(lines, {}, [])
    plain = next(x for x in as_json(lines, {})["lines"] if not x["attack"])
    assert plain["rates"]["alarms"]["value"] == 1 / 40


def test_results_survive_their_file() -> None:
    assert [result_from(result_json(r)) for r in RESULTS] == RESULTS
