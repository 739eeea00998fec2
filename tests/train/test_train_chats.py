"""Chats of the task term: the prompt is native mode's own, and the answer alone is a target."""

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer

from causalguard.guard.base import BaseFiles, embedded_directory
from causalguard.guard.native import chat_of
from causalguard.guard.native_chat import ChatRenderer
from causalguard.records import ToolOutput
from causalguard.train.batches import collate_chats
from causalguard.train.chats import Chat, Chats, end_of_answer, make_chat

OUTPUT = ToolOutput(text="mail: the meeting is on friday", task="When is it?", system="You help.")
CORPUS = ["the mail from ana says the meeting is on friday", "You help. When is it? It is Friday."]


def spm_tokenizer() -> Tokenizer:
    """A tokenizer as Llama-2's: sentencepiece's blanks, bytes to fall back on, a BOS put first."""
    made = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    special = ["<unk>", "<s>", "</s>"]
    octets = [f"<0x{k:02X}>" for k in range(256)]
    trainer = BpeTrainer(vocab_size=600, special_tokens=special + octets, show_progress=False)
    made.train_from_iterator(CORPUS * 9, trainer)
    whole = json.loads(made.to_str())
    whole["added_tokens"] = [t for t in whole["added_tokens"] if t["content"] in special]
    made = Tokenizer.from_str(json.dumps(whole))
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", made.token_to_id("<s>"))]
    )
    return made


def bos_tokenizer() -> Tokenizer:
    """A byte-level tokenizer that puts a BOS before everything, as Llama-3's does."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = ["<|begin|>", "<|end|>", "<|eot|>", "<|head|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(CORPUS * 9, trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<|begin|> $A", special_tokens=[("<|begin|>", 0)]
    )
    return made


SPM_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'assistant' %}"
    "{{ ' ' + m['content'] + ' ' + eos_token }}{% else %}"
    "{{ '[INST] ' + m['content'] + ' [/INST]' }}{% endif %}{% endfor %}"
)
BOS_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|head|>' + m['role'] + '<|head|>\n' + m['content'] + '<|eot|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|head|>assistant<|head|>\n' }}{% endif %}"
)


@pytest.fixture
def spm(tmp_path: Path) -> Path:
    """Files of a base with a sentencepiece tokenizer."""
    spm_tokenizer().save(str(tmp_path / "tokenizer.json"))
    settings = {"chat_template": SPM_TEMPLATE, "bos_token": "<s>", "eos_token": "</s>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "eos_token_id": 2}))
    return tmp_path


@pytest.fixture
def bos(tmp_path: Path) -> Path:
    """Files of a base with a byte-level tokenizer and a BOS; two tokens end its answers."""
    bos_tokenizer().save(str(tmp_path / "tokenizer.json"))
    settings = {"chat_template": BOS_TEMPLATE, "bos_token": "<|begin|>", "eos_token": "<|end|>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    config = {"model_type": "llama", "eos_token_id": [1, 2]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def answered(directory: Path, response: str) -> tuple[ChatRenderer, Chat]:
    base = BaseFiles(name="test", directory=directory)
    renderer = ChatRenderer.from_directory(directory)
    end = end_of_answer(base, renderer)
    return renderer, make_chat(renderer, OUTPUT, response, end=end)


def counts(directory: Path, chat: Chat) -> dict[str, int]:
    """How often each control token stands in a chat."""
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    control = {k: t.content for k, t in tokenizer.get_added_tokens_decoder().items()}
    found = [control[int(i)] for i in chat.ids if int(i) in control]
    return {name: found.count(name) for name in found}


def check_mask(directory: Path, response: str = "It is Friday.") -> Chat:
    """The prompt is what native mode prefills; the answer and its end alone are targets."""
    renderer, chat = answered(directory, response)
    prompt = renderer.render(chat_of(OUTPUT)).ids
    assert chat.ids[: chat.prompt].tolist() == prompt.tolist()
    assert renderer.decode(chat.ids[chat.prompt :].tolist()).strip() == response
    batch = collate_chats([chat, Chat(ids=chat.ids[:-2], prompt=chat.prompt)])
    at, targets = batch["task_at"], batch["task_targets"]
    answer = chat.ids[chat.prompt :].tolist()
    assert targets.tolist() == answer + answer[:-2]
    assert batch["task_ids"].flatten()[at + 1].tolist() == targets.tolist()
    assert int(at[0]) == chat.prompt - 1
    return chat


@pytest.mark.model
def test_smollm2_masks_its_prompt_and_counts_the_templates_tokens_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()  # the real base lives in the user's own folder
    chat = check_mask(embedded_directory())
    # Four turns are opened (the last one the assistant's) and closed.
    assert counts(embedded_directory(), chat) == {"<|im_start|>": 4, "<|im_end|>": 4}


def test_a_sentencepiece_tokenizer_masks_its_prompt_and_has_one_bos(spm: Path) -> None:
    chat = check_mask(spm)
    assert counts(spm, chat) == {"<s>": 1, "</s>": 1}
    assert (chat.ids[0], chat.ids[-1]) == (1, 2)


def test_a_byte_level_tokenizer_with_a_bos_masks_its_prompt_and_has_one_bos(bos: Path) -> None:
    chat = check_mask(bos)
    assert counts(bos, chat) == {"<|begin|>": 1, "<|head|>": 8, "<|eot|>": 4}
    # Of the two tokens that end an answer, the one that the chat template closes turns with.
    assert (chat.ids[0], chat.ids[-1]) == (0, 2)


@pytest.mark.parametrize(("base", "text"), [("spm", "a </s> b"), ("bos", "a <|eot|> b")])
def test_an_answer_cannot_write_control_tokens(
    base: str, text: str, request: pytest.FixtureRequest
) -> None:
    directory = request.getfixturevalue(base)
    plain = counts(directory, answered(directory, "a b")[1])
    assert counts(directory, check_mask(directory, text)) == plain


def test_chats_stay_with_their_examples_when_some_are_dropped() -> None:
    chats = Chats(
        ids=np.arange(5, dtype=np.int32), starts=np.array([0, 3, 3, 5]), prompts=np.array([2, 0, 1])
    )
    kept = chats.take(np.array([2, 1]))
    first, second = kept.get(0), kept.get(1)
    assert first is not None
    assert (first.ids.tolist(), first.prompt, second) == ([3, 4], 1, None)
