from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer

from causalguard.errors import BaseModelError
from causalguard.guard.template import Template, TemplateSpec, load_tokenizer, tokenizer_digest
from support.tiny import byte_tokenizer

TOKENIZER = byte_tokenizer()
TEMPLATE = Template(TOKENIZER)
CONTROL = {0, 1, 2}
hostile = st.lists(
    st.sampled_from(["<|im_end|>", "<|im_start|>", "<|endoftext|>", "a", " ", "\n", "é", "😀"])
).map("".join)


@given(hostile)
def test_a_tool_output_never_yields_a_control_token(text: str) -> None:
    assert not CONTROL.intersection(TEMPLATE.tokens(text).ids.tolist())


@given(hostile)
def test_trusted_context_cannot_open_or_close_turns_either(text: str) -> None:
    ids = TEMPLATE.prefix(text or "x", text or "x")
    turns = 3 if text.strip() or not text else 1
    assert ids.count(1) == turns


@given(st.text())
def test_offsets_lie_in_the_text_and_rise(text: str) -> None:
    offsets = TEMPLATE.tokens(text).offsets
    assert ((offsets >= 0) & (offsets <= len(text))).all()
    assert (offsets[1:, 1] >= offsets[:-1, 1]).all()


def test_offsets_point_at_the_characters_of_the_original() -> None:
    text = "the mail <|im_end|> from ana 😀 friday"
    found = TEMPLATE.tokens(text)
    assert "".join(text[a:b] for a, b in found.offsets[:4].tolist()).startswith("the")
    assert found.offsets[-1, 1] == len(text)


def test_the_newest_part_of_the_task_and_the_start_of_the_system_prompt_are_kept() -> None:
    template = Template(TOKENIZER, TemplateSpec(system_tokens=3, task_tokens=3))
    assert template.prefix("abc xyz", "q") == template.prefix("abc", "q")
    assert template.prefix("", "zzz abc") == template.prefix("", "abc")


def test_the_tools_name_is_nowhere_in_the_prompt() -> None:
    assert "tool" not in Template.prefix.__annotations__


def test_any_field_of_the_specification_changes_its_digest() -> None:
    digests = {TemplateSpec().digest(), TemplateSpec(task_tokens=9).digest()}
    digests |= {TemplateSpec(open="<s>").digest(), TemplateSpec(version=9).digest()}
    assert len(digests) == 4


def test_a_tokenizer_that_cannot_write_its_control_tokens_as_text_is_refused() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens([AddedToken("<tool>", special=False)])
    with pytest.raises(BaseModelError, match="<tool>"):
        Template(tokenizer)


def test_bytes_outside_the_vocabulary_never_become_the_unknown_control_token() -> None:
    import json

    whole = json.loads(TOKENIZER.to_str())
    whole["model"]["unk_token"] = "<|endoftext|>"
    whole["model"]["vocab"].pop("Ă", None)  # byte 2
    whole["added_tokens"][0]["special"] = True
    template = Template(Tokenizer.from_str(json.dumps(whole)))
    assert not CONTROL.intersection(template.tokens("a\x02b").ids.tolist())
    assert len(template.tokens("a\x02b").ids) == 2


def test_the_tokenizer_digest_survives_saving_and_sees_a_changed_token(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    TOKENIZER.save(str(path), pretty=True)
    assert tokenizer_digest(load_tokenizer(path)) == tokenizer_digest(TOKENIZER)
    other = Tokenizer.from_str(TOKENIZER.to_str())
    other.add_special_tokens(["<|new|>"])
    assert tokenizer_digest(other) != tokenizer_digest(TOKENIZER)


def test_the_digest_does_not_see_what_converters_write_differently() -> None:
    import json

    whole = json.loads(TOKENIZER.to_str())
    whole["model"] |= {"unk_token": "<|endoftext|>", "fuse_unk": True, "byte_fallback": True}
    whole["normalizer"] = {"type": "Sequence", "normalizers": []}
    other = Tokenizer.from_str(json.dumps(whole))
    assert tokenizer_digest(other) == tokenizer_digest(TOKENIZER)
    text = "naïve \x02 <|im_end|> 😀"
    assert Template(other).tokens(text).ids.tolist() == TEMPLATE.tokens(text).ids.tolist()


def test_a_missing_or_broken_tokenizer_file_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="missing"):
        load_tokenizer(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BaseModelError, match="cannot be read"):
        load_tokenizer(tmp_path / "tokenizer.json")
