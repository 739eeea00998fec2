import subprocess
import sys

import pytest

import causalguard
from causalguard import errors


def test_every_public_name_can_be_imported() -> None:
    for name in causalguard.__all__:
        assert getattr(causalguard, name) is not None
    assert dir(causalguard) == sorted(causalguard.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = causalguard.nothing


def test_the_error_tree_drawn_in_the_docstring_is_the_tree_there_is() -> None:
    assert errors.__doc__ is not None
    drawn = [w for w in errors.__doc__.replace("─", " ").split() if w.endswith("Error")]
    classes = {n for n, v in vars(errors).items() if isinstance(v, type)}
    assert classes <= set(drawn)
    assert all(issubclass(getattr(errors, n), errors.CausalGuardError) for n in classes)


def test_verifying_a_report_needs_no_torch() -> None:
    code = "import sys; import causalguard.certify.verify, causalguard.attestation.certificate; "
    code += "bad = {'torch', 'transformers', 'langchain_core', 'peft'} & set(sys.modules); "
    code += "sys.exit(repr(bad) if bad else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_is_light() -> None:
    code = "import sys, causalguard; sys.exit('numpy' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
