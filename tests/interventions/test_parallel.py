from causalguard.interventions import engine, parallel


def test_several_processes_make_the_sets_that_one_makes() -> None:
    alone = list(engine.generate(520, seed=3, split="train"))
    together = list(parallel.generate(520, seed=3, split="train", processes=2))
    assert together == alone


def test_few_sets_start_no_process() -> None:
    alone = list(engine.generate(3, seed=3, split="dev"))
    assert list(parallel.generate(3, seed=3, split="dev", processes=8)) == alone
