import errno

import click
import pytest

from causalguard import console, errors


def code_of(error: BaseException | None, value: int | None = None) -> int:
    @click.command()
    def command() -> int | None:
        if error is not None:
            raise error
        return value

    import sys
    from unittest.mock import patch

    with patch.object(sys, "argv", ["x"]), pytest.raises(SystemExit) as caught:
        console.run(command)
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (errors.UnsignedError("x"), 1),
        (errors.SignatureError("x"), 1),
        (errors.ConfigError("x"), 2),
        (errors.DataError("x"), 2),
        (errors.OutputExistsError("x"), 2),
        (click.UsageError("x"), 2),
        (errors.TrainingError("x"), 3),
        (RuntimeError("a crash is no verdict"), 3),
        (BrokenPipeError(errno.EPIPE, "the reader has gone"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_error_has_its_exit_code(error: BaseException | None, code: int) -> None:
    assert code_of(error) == code


def test_what_the_system_refuses_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(OSError(errno.ENOSPC, "No space left on device", "/full/out.jsonl")) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "No space left on device: /full/out.jsonl" in said


def test_a_commands_own_code_is_passed_on() -> None:
    assert code_of(None, 1) == 1
