"""Peak memory of a real run, in the parts of the plan."""

from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor

from causalguard.guard.base import BaseFiles
from causalguard.train.config import TrainConfig
from causalguard.train.memory import Meter, Plan, Shape, predict, tensor_bytes

if TYPE_CHECKING:
    from causalguard.train.trainer import GuardTrainer


class Measure:
    """A block in which a trainer trains: what its peak was, part by part.

    On a GPU the allocator's peak; on the CPU, which keeps no such book, the tensors alive.
    """

    def __init__(self, trainer: "GuardTrainer") -> None:
        """Take a trainer that has not trained yet."""
        self._trainer = trainer
        self._device = trainer.args.device
        self._stack = ExitStack()
        self._meter: Meter | None = None
        self._before = 0
        self._peak = 0

    def __enter__(self) -> Self:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return self
        self._meter = self._stack.enter_context(Meter())
        for tensor in _tensors(self._trainer.model):
            self._meter.see(tensor)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        if self._meter is not None:
            self._peak = self._meter.peak
        else:
            self._peak = torch.cuda.max_memory_allocated(self._device)

    def parts(self) -> dict[str, int]:
        """Bytes by part; what is no weight, gradient or state was an activation."""
        model = self._trainer.model
        adapter = sum(tensor_bytes(p) for p in model.trainable().values())
        states = optimiser_states(self._trainer.optimizer)
        weights = sum(tensor_bytes(t) for t in _tensors(model)) - adapter
        rest = self._peak - weights - 2 * adapter - states
        return {
            "weights": weights,
            "adapter": adapter,
            "gradients": adapter,
            "optimiser": states,
            "activations": rest,
            "total": self._peak,
        }

    def predicted(self, config: TrainConfig, base: BaseFiles) -> Plan:
        """The plan for the largest batch of the run."""
        source: Any = self._trainer.train_dataset
        shapes = [shape_of(source[i]) for i in range(config.steps * config.accumulation)]
        largest = max(shapes, key=lambda s: s.rows * s.length)
        bf16, gpu = bool(self._trainer.args.bf16), self._device.type == "cuda"
        return predict(config, base, bf16=bf16, gpu=gpu, shape=largest)


def shape_of(batch: dict[str, Tensor]) -> Shape:
    """A batch's shape, as the plan wants it."""
    rows, length = batch["input_ids"].shape
    packed = tuple(batch["packed_ids"].shape) if "packed_ids" in batch else None
    chats = (*batch["task_ids"].shape, len(batch["task_at"])) if "task_ids" in batch else None
    return Shape(rows=rows, length=length, packed=packed, chats=chats)  # type: ignore[arg-type]


def _tensors(model: torch.nn.Module) -> list[Tensor]:
    """Parameters and buffers, each once, and the scales of quantised weights."""
    found: dict[int, Tensor] = {}
    for tensor in [*model.parameters(), *model.buffers()]:
        found[id(tensor)] = tensor
        state = getattr(tensor, "quant_state", None)
        scales = [] if state is None else [state.absmax, getattr(state.state2, "absmax", None)]
        found |= {id(t): t for t in scales if t is not None}
    return list(found.values())


def optimiser_states(optimiser: Any) -> int:
    """Bytes of an optimiser's states as they are."""
    state = getattr(optimiser, "optimizer", optimiser).state if optimiser is not None else {}
    found = {
        value.untyped_storage().data_ptr(): tensor_bytes(value)
        for each in state.values()
        for value in each.values()
        if isinstance(value, Tensor) and value.dim() > 0
    }
    return sum(found.values())
