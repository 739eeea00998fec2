from pathlib import Path

import pytest
from click.testing import CliRunner

from causalguard.cli import command
from causalguard.errors import MissingError
from support.signing import sign_model_dir


def doctor(*arguments: object) -> tuple[int, str]:
    words = ["doctor", *(str(a) for a in arguments)]
    result = CliRunner().invoke(command, words, standalone_mode=False)
    assert result.exception is None
    return result.return_value, result.output


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAUSALGUARD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_missing_base_model_is_bad_and_names_its_remedy() -> None:
    code, text = doctor()
    assert code == 1
    assert "causalguard base install" in text


def test_a_whole_installation_is_fine_without_a_model(home: Path) -> None:
    from causalguard.guard.base import embedded_directory

    embedded_directory().mkdir(parents=True)
    (embedded_directory() / "base.json").write_text("{}")
    code, text = doctor()
    assert code == 0
    assert "no model given" in text


def test_a_model_that_would_be_refused_is_bad_and_says_why(tiny_model: Path) -> None:
    key = sign_model_dir(tiny_model)
    code, text = doctor("--model", tiny_model, "--key", key)
    assert code == 1
    assert "NotCertifiedError" in text
    assert "policy" in text


def test_a_missing_extra_is_named_with_its_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import causalguard.cli as module

    monkeypatch.setattr(module, "_has", lambda name: name != "gguf")
    result = CliRunner().invoke(command, ["base", "install"], standalone_mode=False)
    assert isinstance(result.exception, MissingError)
    assert "causalguard[guard]" in str(result.exception)


def test_a_model_that_cannot_be_looked_at_is_not_called_fine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import causalguard.cli as module

    monkeypatch.setattr(module, "_has", lambda name: name != "torch")
    code, text = doctor("--model", "default")
    assert code == 1
    assert "BAD  model default: not looked at" in text
