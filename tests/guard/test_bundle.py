import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from causalguard.errors import BaseModelError, ModelDirError, OutputExistsError
from causalguard.guard.api import Guard, build_scorer
from causalguard.guard.bundle import MODELS, read_model_dir, write_model_dir

Edit = Callable[[Path, Callable[[bytes], bytes]], None]


def load(directory: Path) -> Guard:
    return Guard.load(directory, require_certified=False, dtype="float32")


def tensors(path: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    content = load_file(path)
    change(content)
    save_file(content, path)


def drop_first(content: dict[str, torch.Tensor]) -> None:
    del content[min(content)]


def fill_nan(content: dict[str, torch.Tensor]) -> None:
    content[min(content)].fill_(float("nan"))


def test_a_fresh_model_dir_loads(tiny_model: Path) -> None:
    assert load(tiny_model).threshold == 0.5


@pytest.mark.parametrize("name", ["head.safetensors", "adapter_model.safetensors", "guard.json"])
def test_a_missing_file_is_named(tiny_model: Path, name: str) -> None:
    (tiny_model / name).unlink()
    with pytest.raises(ModelDirError, match=name.replace(".", r"\.")):
        load(tiny_model)


def test_an_unlisted_file_is_refused(tiny_model: Path) -> None:
    (tiny_model / "extra.bin").write_bytes(b"x")
    with pytest.raises(ModelDirError, match=r"extra\.bin"):
        load(tiny_model)


@pytest.mark.parametrize("name", ["head.safetensors", "adapter_model.safetensors"])
def test_a_missing_tensor_is_refused(tiny_model: Path, name: str) -> None:
    tensors(tiny_model / name, drop_first)
    with pytest.raises(ModelDirError, match="missing tensors"):
        load(tiny_model)


@pytest.mark.parametrize("name", ["head.safetensors", "adapter_model.safetensors"])
def test_an_extra_tensor_is_refused(tiny_model: Path, name: str) -> None:
    tensors(tiny_model / name, lambda t: t.update(more=torch.zeros(1)))
    with pytest.raises(ModelDirError, match="unknown tensors"):
        load(tiny_model)


@pytest.mark.parametrize("name", ["head.safetensors", "adapter_model.safetensors"])
def test_nan_weights_are_refused(tiny_model: Path, name: str) -> None:
    tensors(tiny_model / name, fill_nan)
    with pytest.raises(ModelDirError, match="NaN"):
        load(tiny_model)


def test_a_damaged_weight_file_is_refused(tiny_model: Path, edit: Edit) -> None:
    edit(tiny_model / "head.safetensors", lambda b: b[: len(b) // 2])
    with pytest.raises(ModelDirError, match="damaged"):
        load(tiny_model)


def test_every_fault_of_guard_json_is_reported(tiny_model: Path) -> None:
    path = tiny_model / "guard.json"
    content = json.loads(path.read_text())
    content["threshold"]["value"] = 2.0
    content["unknown"] = 1
    path.write_text(json.dumps(content))
    with pytest.raises(ModelDirError, match=r"threshold\.value(.|\n)*unknown"):
        load(tiny_model)


def test_another_base_model_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    from support.tiny import tiny_base

    other = tiny_base(tmp_path / "other", seed=5)
    path = tiny_model / "guard.json"
    content = json.loads(path.read_text())
    content["base"]["name"] = str(other)
    path.write_text(json.dumps(content))
    with pytest.raises(BaseModelError, match="not the one the guard was trained on"):
        load(tiny_model)


def test_nothing_is_written_over_an_existing_model(tiny_model: Path) -> None:
    info = read_model_dir(tiny_model).info
    with pytest.raises(OutputExistsError):
        write_model_dir(
            tiny_model, info=info, adapter_config={}, adapter={}, heads={}, training_yaml=""
        )


def test_a_failed_write_leaves_nothing(tiny_model: Path, tmp_path: Path) -> None:
    info = read_model_dir(tiny_model).info
    wrong = {"base_model.model.x": "not a tensor"}
    with pytest.raises(AttributeError):
        write_model_dir(
            tmp_path / "new",
            info=info,
            adapter_config={},
            adapter=wrong,  # type: ignore[arg-type]
            heads={},
            training_yaml="",
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model"]


def test_the_merged_adapter_equals_peft(tiny_model: Path, tiny_base: Path) -> None:
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

    from causalguard.guard import base as bases
    from causalguard.guard.encoder import load_backbone

    files = read_model_dir(tiny_model)
    backbone, _ = load_backbone(bases.resolve(str(tiny_base)), 2, torch.float32)
    config = LoraConfig(r=2, lora_alpha=4, target_modules=files.adapter.target_modules)
    model = get_peft_model(backbone, config)
    set_peft_model_state_dict(model, load_file(tiny_model / "adapter_model.safetensors"))
    ids = torch.arange(20)[None]
    with torch.inference_mode():
        theirs = model.eval()(input_ids=ids).last_hidden_state
        scorer = build_scorer(files, device="cpu", dtype=torch.float32)
        ours = scorer.encoder.backbone(input_ids=ids).last_hidden_state
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_default_is_the_shipped_model_unless_a_directory_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_model_dir(Path("default")).directory == MODELS / "default"
    Path("default").mkdir()
    with pytest.raises(ModelDirError, match="default"):
        read_model_dir(Path("default"))
