from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor

from causalguard.train.config import TrainConfig, parse_config
from causalguard.train.run import train
from causalguard.train.warm import mean, mean_change


def factors(seed: int, rank: int, inside: int = 7, outside: int = 9) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    a = torch.randn(4, inside, generator=draw)
    b = torch.randn(outside, 4, generator=draw)
    b[:, rank:] = 0
    return a, b


def test_the_mean_of_one_change_with_itself_is_that_change() -> None:
    a, b = factors(0, 4)
    new_a, new_b = mean_change([a, a, a], [b, b, b])
    assert torch.allclose(new_b @ new_a, b @ a, atol=1e-5)


@given(st.integers(0, 10_000))
def test_changes_that_fit_the_rank_together_are_averaged_exactly(seed: int) -> None:
    (a, b), (c, d) = factors(seed, 2), factors(seed + 1, 2)
    new_a, new_b = mean_change([a, c], [b, d])
    assert new_a.shape == a.shape
    assert torch.allclose(new_b @ new_a, (b @ a + d @ c) / 2, atol=1e-4)


def test_what_does_not_fit_is_the_nearest_product_of_that_rank() -> None:
    (a, b), (c, d) = factors(3, 4), factors(4, 4)
    new_a, new_b = mean_change([a, c], [b, d])
    wanted = (b @ a + d @ c) / 2
    left_out = torch.linalg.svdvals(wanted.double())[4:].square().sum().sqrt()
    assert float((new_b @ new_a - wanted).norm()) == pytest.approx(float(left_out), abs=1e-4)


def test_an_adapter_narrower_than_its_rank_keeps_its_shape() -> None:
    a, b = torch.ones(8, 3), torch.ones(2, 8)
    new_a, new_b = mean_change([a, a], [b, b])
    assert (new_a.shape, new_b.shape) == (a.shape, b.shape)
    assert torch.allclose(new_b @ new_a, b @ a, atol=1e-5)


def test_heads_are_averaged_weight_by_weight() -> None:
    one, two = {"exit2.risk.bias": torch.tensor([1.0])}, {"exit2.risk.bias": torch.tensor([4.0])}
    assert mean([one, two])["exit2.risk.bias"].tolist() == [2.5]


def test_a_run_of_no_steps_from_two_models_writes_their_mean(
    config: TrainConfig, tmp_path: Path
) -> None:
    raw = config.model_dump(mode="json")
    for seed in (0, 1):
        train(parse_config(raw | {"seed": seed}, where="t"), tmp_path / f"m{seed}", device="cpu")
    both = {"init": [str(tmp_path / "m0"), str(tmp_path / "m1")], "steps": 0}
    train(parse_config(raw | both, where="t"), tmp_path / "soup", device="cpu")
    heads = [load_file(tmp_path / n / "head.safetensors") for n in ("m0", "m1", "soup")]
    for name, found in heads[2].items():
        assert torch.allclose(found, (heads[0][name] + heads[1][name]) / 2, atol=1e-6)
