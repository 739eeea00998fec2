"""The training loop: transformers' Trainer, told our loss, our batches and our metric."""

import importlib.util
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler
from transformers import Trainer, TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from causalguard.errors import TrainingError
from causalguard.files import write_atomic
from causalguard.guard.windows import WindowSpec
from causalguard.train.batches import BatchSource
from causalguard.train.callbacks import in_order
from causalguard.train.callbacks.explosion import LossExplosion
from causalguard.train.callbacks.verified import WEIGHTS
from causalguard.train.config import TrainConfig
from causalguard.train.gather import gather_rows, many_processes
from causalguard.train.losses import LossWeights, guard_loss
from causalguard.train.memory import longest_row
from causalguard.train.model import TrainedModel
from causalguard.train.resume import CONFIG
from causalguard.train.selection import dev_metrics, document_risks
from causalguard.train.tokens import Corpus

log = logging.getLogger(__name__)
METRIC = "eval_worst_group_tpr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dev:
    """The dev split and how it is scored."""

    corpus: Corpus
    """Texts the checkpoint is chosen on."""
    windows: WindowSpec
    """The guard's grid."""


class FromBatch(Sampler[int]):
    """One rank's share of the batches from ``start`` on; as long as if nothing were skipped."""

    def __init__(self, n: int, *, start: int = 0, rank: int = 0, world: int = 1) -> None:
        self.n, self.start, self.rank, self.world = n, start, rank, world

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start * self.world + self.rank, self.n * self.world, self.world))

    def __len__(self) -> int:
        return self.n


class GuardTrainer(Trainer):  # type: ignore[misc]  # transformers is untyped here
    """Trainer over batches made by :class:`BatchSource`."""

    def __init__(
        self,
        model: TrainedModel,
        args: TrainingArguments,
        *,
        batches: BatchSource,
        config: TrainConfig,
        dev: Dev | None,
        say: Callable[[str], None] = log.info,
    ) -> None:
        """``config`` gives loss weights, exits, learning rates and what to watch."""
        gpu = args.device.type == "cuda"
        callbacks = in_order(config, Path(args.output_dir), gpu=gpu, say=say)
        # Trainer asks for a data set before it evaluates; ``evaluate`` below reads ``dev``.
        super().__init__(
            model=model,
            args=args,
            train_dataset=batches,
            eval_dataset=None if dev is None else batches,
            callbacks=callbacks,
        )
        self.optimizer: torch.optim.Optimizer | None
        self.control: Any
        self.remove_callback(ProgressCallback)
        self.remove_callback(PrinterCallback)
        self.config = config
        self.dev = dev
        # Our loss is a mean over the micro-batch: Trainer divides it by the accumulation steps.
        self.loss_is_scaled_for_ga = False
        self._weights = LossWeights(**config.loss.model_dump())
        self._exit_weights = {e.layer: e.weight for e in config.exits}
        self._terms: dict[str, Tensor] = {}
        self._counted, self._answered = 0, 0
        self._computed, self._since = 0, time.monotonic()
        self._explosion = next(c for c in callbacks if isinstance(c, LossExplosion))
        self._start = 0

    def train(self, resume_from_checkpoint: str | None = None, **kwargs: Any) -> Any:
        """Train; from a checkpoint on, batches continue where it stopped."""
        self._start, self._since = 0, time.monotonic()
        if resume_from_checkpoint:
            state = TrainerState.load_from_json(f"{resume_from_checkpoint}/trainer_state.json")
            self._start = state.global_step * self.args.gradient_accumulation_steps
        return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def get_train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Batches come whole from the data set; each rank takes every world-th one."""
        world, rank = self.args.world_size, self.args.process_index
        workers = self.args.dataloader_num_workers
        n = self.args.max_steps * self.args.gradient_accumulation_steps
        return DataLoader(
            self.train_dataset,
            sampler=FromBatch(n, start=self._start, rank=rank, world=world),
            batch_size=None,
            # Its own generator: drawing a seed from the global one would shift dropout on resume.
            generator=torch.Generator().manual_seed(self.args.seed),
            num_workers=workers,
            pin_memory=self.args.device.type == "cuda",
            prefetch_factor=8 if workers else None,
        )

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Two groups: the adapter, and the heads with their own learning rate and no decay."""
        made: torch.optim.Optimizer | None = self.optimizer
        if made is None:
            named = [(n, p) for n, p in (model or self.model).named_parameters() if p.requires_grad]
            lora = [p for n, p in named if ".lora_" in n]
            heads = [p for n, p in named if ".lora_" not in n]
            groups = [
                {"params": lora, "lr": self.args.learning_rate},
                {"params": heads, "lr": self.config.optimiser.head_lr, "weight_decay": 0.0},
            ]
            kind, kwargs = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            kwargs["weight_decay"] = self.args.weight_decay
            made = kind([g for g in groups if g["params"]], **kwargs)
            self.optimizer = made
        return made

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Sum over exits of the weighted terms, in float32; stops on NaN or explosion."""
        del num_items_in_batch
        packed = {name: v for name, v in inputs.items() if name.startswith("packed_")}
        task = {name: v for name, v in inputs.items() if name.startswith("task_")}
        made = model(inputs["input_ids"], packed or None, task or None)
        outputs, answers = made if task else (made, None)
        total = torch.zeros((), device=inputs["input_ids"].device)
        gather = gather_rows if self.model.training and many_processes() else None
        with torch.autocast(total.device.type, enabled=False):
            for layer, (r, logits) in outputs.items():
                loss, terms = guard_loss(r.float(), logits.float(), inputs, self._weights, gather)
                total = total + self._exit_weights[layer] * loss
                self._count(layer, terms)
        if answers is not None:
            total = total + self._weights.task * answers
            self._terms["task"] = self._terms.get("task", 0) + answers.detach()
            self._answered += 1
            self._computed += task["task_ids"].numel()
        self._counted += 1
        self._computed += (packed.get("packed_ids", inputs["input_ids"])).numel()
        if self.model.training:
            self._explosion.see(total, inputs, self.state.global_step)
        return (total, outputs) if return_outputs else total

    def _count(self, layer: int, terms: dict[str, Tensor]) -> None:
        for name, value in terms.items():
            key = name if len(self._exit_weights) == 1 else f"{name}_{layer}"
            self._terms[key] = self._terms.get(key, torch.zeros_like(value)) + value

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the mean of each loss term since the last log, and tokens a second."""
        if "loss" in logs and self._counted:
            # Not every batch holds a set with a response.
            of = {"task": self._answered}
            logs |= {n: float(v) / of.get(n, self._counted) for n, v in self._terms.items()}
            now = time.monotonic()
            each = self._computed * self.args.world_size
            logs["tokens_per_second"] = round(each / max(now - self._since, 1e-9), 1)
            self._terms, self._counted, self._answered = {}, 0, 0
            self._computed, self._since = 0, now
        super().log(logs, start_time)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Score the dev split; ``eval_worst_group_tpr`` picks the checkpoint."""
        metrics = {}
        if self.dev is not None:
            # A forward alone: with a step's tokens it needs less than the step did.
            tokens = self.config.batch * longest_row(self.config)
            risks = document_risks(
                self.model, self.dev.corpus, self.dev.windows, batch_tokens=tokens
            )
            metrics = {f"eval_{n}": v for n, v in dev_metrics(risks, self.dev.corpus).items()}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Save adapter and heads alone, then read them back and compare; and the configuration."""
        del state_dict
        directory = Path(output_dir or self.args.output_dir)
        directory.mkdir(parents=True, exist_ok=True)
        tensors = {n: p.detach().cpu().contiguous() for n, p in self.model.trainable().items()}
        save_file(tensors, directory / WEIGHTS)
        again = load_file(directory / WEIGHTS)
        if any(not torch.equal(again[n], t) for n, t in tensors.items()):
            raise TrainingError(
                f"{directory / WEIGHTS} does not read back as written; check the disk"
            )
        write_atomic(directory / CONFIG, self.config.to_yaml())

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        (model or self.model).load_trainable(read_weights(Path(resume_from_checkpoint)))

    def _load_best_model(self) -> None:
        best = self.state.best_model_checkpoint
        if best is not None:
            self.model.load_trainable(read_weights(Path(best)))


def read_weights(checkpoint: Path) -> dict[str, Tensor]:
    """Adapter and heads of a checkpoint; TrainingError when it is not a whole checkpoint."""
    path = checkpoint / WEIGHTS
    if not path.is_file():
        raise TrainingError(f"{checkpoint} holds no {WEIGHTS}; give a checkpoint-N directory")
    tensors: dict[str, Tensor] = load_file(path)
    return tensors


def trackers(wanted: Sequence[str]) -> list[str]:
    """The trackers whose packages are installed; the others are warned about, once each."""
    packages = {"tensorboard": ("tensorboard", "tensorboardX")}
    found = []
    for name in dict.fromkeys(wanted):
        if any(importlib.util.find_spec(p) for p in packages.get(name, (name,))):
            found.append(name)
        else:
            log.warning("report_to: %s is not installed; going on without it", name)
    return found


def training_arguments(
    config: TrainConfig, output: Path, *, precision: str, cpu: bool, log_every: int = 10
) -> TrainingArguments:
    """Our configuration in Trainer's words.

    Args:
        config: the run.
        output: where checkpoints go.
        precision: fp32, bf16 or fp16.
        cpu: stay on the CPU even if there is a GPU.
        log_every: steps between log entries.
    """
    o, watch = config.optimiser, config.watch
    looks = watch.every > 0
    return TrainingArguments(
        output_dir=str(output),
        max_steps=max(1, config.steps),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=config.accumulation,
        optim=o.name,
        learning_rate=o.lr,
        weight_decay=o.weight_decay,
        warmup_steps=round(o.warmup * config.steps),
        lr_scheduler_type=o.schedule,
        max_grad_norm=o.clip,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=cpu,
        seed=config.seed,
        data_seed=config.seed,
        full_determinism=config.deterministic,
        logging_steps=log_every,
        logging_nan_inf_filter=False,
        eval_strategy="steps" if looks else "no",
        eval_steps=watch.every if looks else None,
        save_strategy="steps" if looks else "no",
        save_steps=watch.every if looks else config.steps,
        save_total_limit=watch.keep,
        load_best_model_at_end=looks,
        metric_for_best_model=METRIC if looks else None,
        greater_is_better=True if looks else None,
        dataloader_num_workers=config.data.workers,
        # Every trained weight takes part in every step.
        ddp_find_unused_parameters=False,
        remove_unused_columns=False,
        label_names=[],
        report_to=trackers(config.report_to) or "none",
        # Our sampler starts at the right batch itself.
        ignore_data_skip=True,
        disable_tqdm=True,
        log_level="error",
    )
