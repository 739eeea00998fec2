import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalguard.errors import ConfigError
from causalguard.guard.windows import WindowSpec, windows

sizes = st.tuples(st.integers(8, 64), st.integers(1, 64)).filter(lambda s: s[1] <= s[0])
specs = sizes.map(lambda s: WindowSpec(tokens=s[0], stride=s[1]))


@given(specs, st.integers(1, 2000))
def test_windows_cover_every_token_and_never_exceed_their_length(spec: WindowSpec, n: int) -> None:
    found = windows(n, spec)
    assert found[0][0] == 0
    assert found[-1][1] == n
    assert all(b - a <= spec.tokens for a, b in found)
    assert all(later[0] <= earlier[1] for earlier, later in itertools.pairwise(found))


@given(specs, st.integers(1, 500), st.integers(0, 500))
def test_appending_text_only_extends_the_last_windows(spec: WindowSpec, n: int, more: int) -> None:
    short, long = windows(n, spec), windows(n + more, spec)
    for (a, b), (c, d) in zip(short, long, strict=False):
        assert a == c
        assert d >= b


def test_an_empty_text_has_no_window() -> None:
    assert windows(0, WindowSpec()) == []


def test_a_stride_longer_than_the_window_is_refused_with_every_fault() -> None:
    with pytest.raises(ConfigError) as caught:
        WindowSpec(tokens=4, stride=9)
    assert len(caught.value.faults) == 2
