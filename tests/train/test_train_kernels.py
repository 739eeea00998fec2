import numpy as np
import pytest
import torch
from torch import nn

from causalguard.guard.encoder import find_layers
from causalguard.train.config import Attention, TrainConfig, parse_config
from causalguard.train.kernels import can_compile, choose_attention, compile_layers, mask_for
from causalguard.train.model import Build, build_model
from causalguard.train.run import Prepared, batch_source, build_of

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_auto_leaves_the_choice_to_transformers() -> None:
    assert choose_attention("auto", device=GPU, packed=True, precision="bf16") == (None, None)


@pytest.mark.parametrize(
    ("wanted", "device", "packed", "precision", "reason"),
    [
        ("flex", CPU, False, "fp32", "GPUs only"),
        ("flash_attention_2", CPU, False, "bf16", "GPUs only"),
        ("flash_attention_2", GPU, True, "bf16", "tree of attention"),
        ("flash_attention_2", GPU, False, "fp32", "bf16 or fp16"),
        ("flash_attention_2", GPU, False, "bf16", "not installed"),
    ],
)
def test_a_kernel_that_cannot_run_here_is_replaced_with_a_reason(
    wanted: Attention, device: torch.device, packed: bool, precision: str, reason: str
) -> None:
    name, told = choose_attention(wanted, device=device, packed=packed, precision=precision)
    assert name == "sdpa"
    assert told is not None
    assert reason in told
    assert told.startswith(f"attn: {wanted}")


def test_kernels_that_can_run_are_taken_at_their_word() -> None:
    assert choose_attention("eager", device=CPU, packed=True) == ("eager", None)
    assert choose_attention("sdpa", device=CPU, packed=True) == ("sdpa", None)
    assert choose_attention("flex", device=GPU, packed=True) == ("flex_attention", None)


@pytest.mark.parametrize("packed", [False, True])
def test_eager_and_sdpa_compute_the_same(
    config: TrainConfig, prepared: Prepared, packed: bool
) -> None:
    config = parse_config(config.model_dump(mode="json") | {"packed": packed}, where="test")
    batch = batch_source(config, prepared)[0]
    form = {n: v for n, v in batch.items() if n.startswith("packed_")} or None
    logits = []
    for name in ("sdpa", "eager"):
        how = Build(attention=name)
        model = build_model(prepared.base, config.exits, config.lora, how).eval()
        torch.manual_seed(0)
        for p in model.encoder.heads.parameters():
            nn.init.normal_(p, std=0.1)
        with torch.no_grad():
            logits.append(model(batch["input_ids"], form)[3][1][batch["window_mask"]])
    assert torch.allclose(logits[0], logits[1], atol=1e-5)


def test_a_block_mask_allows_what_the_dense_one_allows() -> None:
    allowed = torch.rand(2, 1, 160, 160, generator=torch.Generator().manual_seed(0)) < 0.5
    block = mask_for("flex_attention", allowed, torch.float32)
    b, q, k = (torch.tensor(np.random.default_rng(0).integers(0, n, 50)) for n in (2, 160, 160))
    found = block.mask_mod(b, torch.zeros_like(b), q, k)
    assert torch.equal(found, allowed[b, 0, q, k])


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_compiled_layers_compute_the_same_and_their_exits_are_still_read(
    config: TrainConfig, prepared: Prepared
) -> None:
    model = build_model(prepared.base, config.exits, config.lora)
    ids = torch.randint(5, 200, (2, 20), generator=torch.Generator().manual_seed(0))
    before = model.hidden(ids)[3]
    # The tracer without the code generator: what is compiled, not how fast it is.
    assert compile_layers(model.encoder.backbone, CPU, backend="eager")
    after = model.hidden(ids)[3]
    assert torch.allclose(before, after, atol=1e-6)
    after.square().mean().backward()  # type: ignore[no-untyped-call]
    assert all("forward" in vars(layer) for layer in find_layers(model.encoder.backbone))


def test_a_machine_without_a_compiler_trains_uncompiled_and_says_why(
    config: TrainConfig, prepared: Prepared, caplog: pytest.LogCaptureFixture
) -> None:
    model = build_model(prepared.base, config.exits, config.lora)
    reason = can_compile(CPU, backend="no-such-backend")
    assert reason is not None
    assert not compile_layers(model.encoder.backbone, CPU, backend="no-such-backend")
    assert "going on without" in caplog.text
    assert not any("forward" in vars(layer) for layer in find_layers(model.encoder.backbone))


def test_the_configuration_decides_how_a_model_is_built(config: TrainConfig) -> None:
    changes = {"attn": "flex", "compile": True, "quantisation": "nf4", "head_precision": "bf16"}
    changed = parse_config(config.model_dump(mode="json") | changes, where="test")
    said: list[str] = []
    how = build_of(changed, CPU, precision="bf16", say=said.append)
    assert (how.attention, how.compiled, how.nf4, how.bf16_heads) == ("sdpa", True, True, True)
    assert len(said) == 1
    assert build_of(config, CPU, precision="fp32") == Build()


def test_inputs_of_the_adapter_are_not_copied_to_float32_and_back(
    config: TrainConfig, prepared: Prepared
) -> None:
    ids = torch.randint(5, 200, (2, 20), generator=torch.Generator().manual_seed(0))
    model = build_model(prepared.base, config.exits, config.lora, Build(dtype=torch.bfloat16))
    for name, p in model.trainable().items():
        if ".lora_B" in name:
            nn.init.normal_(p, std=0.1)
    wrapped = [m for m in model.modules() if hasattr(m, "lora_A")]
    assert not any(m.cast_input_dtype_enabled for m in wrapped)
    found: list[list[torch.Tensor]] = []
    for cast in (False, True):
        for module in wrapped:
            module.cast_input_dtype_enabled = cast  # type: ignore[assignment]
        model.zero_grad()
        model(ids)[3][1].square().mean().backward()
        found.append([p.grad.clone() for p in model.trainable().values() if p.grad is not None])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
