import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from causalguard.train.batches import IGNORE
from causalguard.train.examples import ROLES
from causalguard.train.losses import (
    LossWeights,
    at_maximum,
    document_loss,
    guard_loss,
    matched_contrast,
    supervised_contrastive,
    token_loss,
    triplet_margin,
    window_max,
)


def unit(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    values: Tensor = torch.randn(*shape, generator=generator, dtype=dtype)
    return torch.nn.functional.normalize(values, dim=-1)


def test_token_loss_averages_the_classes_apart() -> None:
    logits = torch.tensor([[2.0, -1.0, 0.0, 9.0]])
    labels = torch.tensor([[1, 0, 0, IGNORE]])
    positive = math.log1p(math.exp(-2.0))
    negative = (math.log1p(math.exp(-1.0)) + math.log(2.0)) / 2
    assert token_loss(logits, labels, positive_share=0.3).item() == pytest.approx(
        0.3 * positive + 0.7 * negative, rel=1e-5
    )


def test_a_thousand_easy_benign_tokens_do_not_swamp_a_span() -> None:
    logits = torch.full((1, 1001), -9.0)
    labels = torch.zeros(1, 1001, dtype=torch.long)
    labels[0, 0] = 1
    assert token_loss(logits, labels).item() > 4.0


@pytest.mark.parametrize(("label", "expected"), [(1, math.log(2)), (0, math.log(2)), (IGNORE, 0.0)])
def test_token_loss_with_one_class_or_none(label: int, expected: float) -> None:
    loss = token_loss(torch.zeros(2, 3), torch.full((2, 3), label))
    assert loss.item() == pytest.approx(expected)


def test_the_focal_factor_silences_what_is_right_already() -> None:
    logits, labels = torch.tensor([[4.0, -4.0]]), torch.tensor([[1, 0]])
    assert token_loss(logits, labels, focal_gamma=2.0) < 0.01 * token_loss(logits, labels)


@given(st.floats(0.01, 1.0), st.integers(0, 1000))
def test_the_smooth_maximum_never_exceeds_the_maximum(smooth: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 7, generator=generator)
    mask = torch.rand(3, 7, generator=generator) < 0.6
    mask[:, 0] = True
    exact, soft = window_max(logits, mask), window_max(logits, mask, smooth=smooth)
    assert (soft <= exact + 1e-5).all()
    assert (soft >= exact - smooth * math.log(7) - 1e-5).all()


def test_document_loss_reads_the_maximum_inside_the_window_only() -> None:
    logits = torch.tensor([[50.0, 1.0, -1.0], [0.0, 3.0, 70.0]])
    mask = torch.tensor([[False, True, True], [True, True, False]])
    labels = torch.tensor([1, IGNORE])
    assert document_loss(logits, mask, labels).item() == pytest.approx(math.log1p(math.exp(-1.0)))


def test_a_row_of_padding_alone_costs_nothing_and_gives_finite_gradients() -> None:
    logits = torch.zeros(2, 4, requires_grad=True)
    mask = torch.zeros(2, 4, dtype=torch.bool)
    loss = document_loss(logits, mask, torch.tensor([1, 0]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0.0
    assert torch.isfinite(logits.grad if logits.grad is not None else torch.tensor(torch.nan)).all()


def test_a_collapsed_representation_is_no_minimiser_of_the_supervised_contrast() -> None:
    y = torch.tensor([0, 0, 1, 1])
    collapsed = unit(1, 4).expand(4, 4)
    pole = unit(1, 4)
    apart = torch.cat([pole, pole, -pole, -pole])
    assert supervised_contrastive(collapsed, y).item() == pytest.approx(math.log(3))
    assert supervised_contrastive(apart, y).item() < 0.01


def matched_batch() -> tuple[Tensor, Tensor, Tensor]:
    """Labels, roles and groups of three sets of three."""
    roles = torch.tensor([ROLES.index(k) for k in ("benign", "counterfactual", "injected")] * 3)
    groups = torch.arange(3).repeat_interleave(3)
    return (roles == ROLES.index("injected")).long(), roles, groups


def test_a_collapsed_representation_is_no_minimiser_of_the_matched_contrast() -> None:
    y, roles, groups = matched_batch()
    collapsed = unit(1, 4).expand(9, 4)
    pole = unit(1, 4)
    apart = torch.where((y == 1)[:, None], -pole, pole)
    at_collapse = matched_contrast(collapsed, y, roles, groups).item()
    assert at_collapse == pytest.approx(math.log(1 + 3))
    assert matched_contrast(apart, y, roles, groups).item() < 1e-6


def test_gradient_descent_on_the_matched_contrast_leaves_the_collapse() -> None:
    y, roles, groups = matched_batch()
    start = unit(1, 4).expand(9, 4) + 1e-3 * unit(9, 4, seed=1)
    free = start.clone().requires_grad_(True)
    optimiser = torch.optim.SGD([free], lr=0.5)
    for _ in range(200):
        r = free / free.norm(dim=-1, keepdim=True)
        loss = matched_contrast(r, y, roles, groups)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert loss.item() < 0.05


def test_the_matched_contrast_without_a_pair_or_an_attack_is_zero() -> None:
    y, roles, groups = matched_batch()
    nobody = torch.full_like(y, IGNORE)
    assert matched_contrast(unit(9, 4), nobody, roles, groups).item() == 0.0
    no_attack = torch.where(y == 1, IGNORE, y)
    assert matched_contrast(unit(9, 4), no_attack, roles, groups).item() == 0.0


def test_a_window_that_misses_the_instruction_is_not_pushed_away_from_its_like() -> None:
    y, roles, groups = matched_batch()
    pole = unit(1, 4)
    alike, pushed = pole.expand(9, 4), torch.where((y == 1)[:, None], -pole, pole)
    off_span = torch.zeros_like(y)
    for r in (alike, pushed):
        assert matched_contrast(r, off_span, roles, groups).item() == 0.0
    some = torch.where(groups == 0, off_span, y)
    wanted = matched_contrast(pushed[3:], y[3:], roles[3:], groups[3:])
    assert matched_contrast(pushed, some, roles, groups).item() == pytest.approx(wanted.item())


def test_the_triplet_margin_costs_the_whole_margin_at_a_collapse() -> None:
    v = unit(5, 4)
    assert triplet_margin(v, v, v, margin=0.3).item() == pytest.approx(0.3)
    assert triplet_margin(v, v, -v, margin=0.3).item() == 0.0


def test_rows_without_a_label_take_no_part_in_the_contrast() -> None:
    r, y = unit(6, 4), torch.tensor([0, 1, 0, 1, IGNORE, IGNORE])
    whole = supervised_contrastive(r, y)
    assert whole.item() == pytest.approx(supervised_contrastive(r[:4], y[:4]).item())


def test_r_is_taken_at_the_token_of_highest_risk_inside_the_window() -> None:
    r = unit(2, 3, 4)
    logits = torch.tensor([[9.0, 1.0, 2.0], [3.0, 1.0, 2.0]])
    mask = torch.tensor([[False, True, True], [True, True, True]])
    assert torch.equal(at_maximum(r, logits, mask), torch.stack([r[0, 2], r[1, 0]]))


def test_every_term_has_the_gradient_it_claims() -> None:
    y, roles, groups = matched_batch()
    r = unit(9, 4).requires_grad_(True)
    logits = torch.randn(3, 5, dtype=torch.float64).requires_grad_(True)
    labels, mask = torch.tensor([[1, 0, IGNORE, 1, 0]] * 3), torch.ones(3, 5, dtype=torch.bool)
    check = torch.autograd.gradcheck
    assert check(lambda v: supervised_contrastive(v, y), (r,))
    assert check(lambda v: matched_contrast(v, y, roles, groups), (r,))
    assert check(lambda v: token_loss(v, labels, focal_gamma=1.5), (logits,))
    assert check(lambda v: document_loss(v, mask, y[:3], smooth=0.5), (logits,))
    assert check(lambda v: triplet_margin(v[:3], v[3:6], v[6:]), (r,))


def test_supervised_contrast_agrees_with_pytorch_metric_learning() -> None:
    from pytorch_metric_learning import losses  # type: ignore[import-untyped]

    r, y = unit(12, 6, dtype=torch.float32), torch.arange(12) % 3 % 2
    theirs = losses.SupConLoss(temperature=0.2)(r, y)
    assert supervised_contrastive(r, y, temperature=0.2).item() == pytest.approx(
        theirs.item(), rel=1e-5
    )


def test_the_matched_contrast_agrees_with_pytorch_metric_learning() -> None:
    from pytorch_metric_learning import losses

    y, roles, groups = matched_batch()
    r = unit(9, 6, dtype=torch.float32)
    anchors = [i for i in range(9) if roles[i] == ROLES.index("benign")]
    enemies = [i for i in range(9) if roles[i] == ROLES.index("injected")]
    pairs = [(a, n) for a in anchors for n in enemies]
    tuples = (
        torch.tensor(anchors),
        torch.tensor([a + 1 for a in anchors]),
        torch.tensor([a for a, _ in pairs]),
        torch.tensor([n for _, n in pairs]),
    )
    theirs = losses.NTXentLoss(temperature=0.2)(r, indices_tuple=tuples)
    ours = matched_contrast(r, y, roles, groups, temperature=0.2)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)


def test_the_total_is_the_weighted_sum_of_its_terms() -> None:
    y, roles, groups = matched_batch()
    generator = torch.Generator().manual_seed(3)
    batch = {
        "window_mask": torch.ones(9, 5, dtype=torch.bool),
        "document_labels": y,
        "token_labels": torch.randint(0, 2, (9, 5), generator=generator),
        "roles": roles,
        "groups": groups,
    }
    weights = LossWeights(token=0.5, document=2.0, contrastive=0.25, matched=3.0)
    logits = torch.randn(9, 5, generator=generator)
    total, terms = guard_loss(unit(9, 5, 4).float(), logits, batch, weights)
    parts = {"token": 0.5, "document": 2.0, "contrastive": 0.25, "matched": 3.0}
    assert total.item() == pytest.approx(sum(parts[n] * v.item() for n, v in terms.items()))
