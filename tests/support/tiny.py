"""A base model of a few thousand weights and MODEL_DIRs over it, built in a second."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from causalguard.guard import base as bases
from causalguard.guard.bundle import (
    BaseInfo,
    ExitInfo,
    GuardInfo,
    TemplateInfo,
    ThresholdInfo,
    WindowInfo,
    write_model_dir,
)
from causalguard.guard.encoder import expected_adapter_shapes, load_backbone
from causalguard.guard.head import RiskHead
from causalguard.guard.template import TemplateSpec, load_tokenizer, tokenizer_digest

LAYERS = 3
HIDDEN = 32
WINDOWS = WindowInfo(tokens=16, stride=12, max_tokens=512)
TARGETS = ["q_proj", "v_proj", "down_proj"]


def byte_tokenizer(vocabulary: int = 400) -> Tokenizer:
    """A byte-level BPE trained on a few sentences, with two control tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["the mail from ana says the meeting is on friday"] * 9, trainer)
    return tokenizer


def tiny_base(directory: Path, *, seed: int = 0, tokenizer: Tokenizer | None = None) -> Path:
    """Write a random three-layer Llama as a base-model directory, with its own tokenizer or one."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    tokenizer = tokenizer or byte_tokenizer()
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=HIDDEN,
        intermediate_size=48,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    with bases.quiet_transformers():
        model.save_pretrained(directory)
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "base.json").write_text(json.dumps({"source": "test"}))
    return directory


def tiny_model_dir(
    directory: Path,
    base: Path,
    *,
    layers: int = 2,
    threshold: float = 0.5,
    windows: WindowInfo = WINDOWS,
) -> Path:
    """Write a MODEL_DIR with a random adapter and head over ``base``."""
    generator = torch.Generator().manual_seed(1)
    backbone, digest = load_backbone(bases.resolve(str(base)), layers, torch.float32)
    shapes = expected_adapter_shapes(backbone, TARGETS, rank=2)
    adapter = {n: torch.randn(s, generator=generator) * 0.1 for n, s in shapes.items()}
    torch.manual_seed(2)
    head = RiskHead(HIDDEN, middle=16, width=8)
    spec = TemplateSpec(system_tokens=8, task_tokens=16)
    template = TemplateInfo(
        version=spec.version,
        open=spec.open,
        close=spec.close,
        system_tokens=spec.system_tokens,
        task_tokens=spec.task_tokens,
        sha256=spec.digest(),
    )
    tokenizer = load_tokenizer(base / "tokenizer.json")
    info = GuardInfo(
        name="tiny",
        base=BaseInfo(
            name=str(base),
            layers=layers,
            tensors_sha256=digest,
            tokenizer_sha256=tokenizer_digest(tokenizer),
        ),
        template=template,
        windows=windows,
        exits=(ExitInfo(layer=layers, middle=16, width=8),),
        threshold=ThresholdInfo(value=threshold, rule="test", benign_clusters=0, false_positives=0),
    )
    write_model_dir(
        directory,
        info=info,
        adapter_config={"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": TARGETS},
        adapter=adapter,
        heads={layers: head},
        training_yaml="seed: 0\n",
    )
    return directory
