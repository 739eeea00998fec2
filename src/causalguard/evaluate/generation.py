"""guard-eval generation: what a native guard does to the answers of its model.

Every case is answered four times: do(I = none) and do(I = order), by the base model alone and by
the guarded model.  One JSON file a case; a run that was stopped goes on where it was.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from causalguard.console import progress
from causalguard.errors import DataError, InputError
from causalguard.evaluate.generation_cases import (
    GenerationCase,
    GenerationConfig,
    cases_digest,
    make_cases,
)
from causalguard.evaluate.generation_goals import carried_out, quoted
from causalguard.evaluate.refusals import refuses
from causalguard.files import write_atomic
from causalguard.guard.native import NativeGuard, chat_of
from causalguard.guard.native_decode import Settings, decode
from causalguard.guard.native_enforce import NativeEnforcer
from causalguard.guard.native_model import ChatModel
from causalguard.guard.native_prefill import Prefilled, prefill_unread
from causalguard.records import ToolOutput

MEMBERS = ("benign", "injected")
ARMS = ("base", "guarded")
HEADER = "run.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One answer."""

    text: str
    finish: str
    """``stop``, ``length`` or ``timeout``."""
    tokens: int
    """Tokens generated."""
    seconds: float
    """Wall-clock seconds, prefill included."""
    read: ToolOutput
    """The tool output as the model read it: a notice where it was withheld."""
    withheld: bool = False
    """Whether the guard replaced it."""
    risk: float | None = None
    """The guard's risk; None: it was not read."""


class Arm(Protocol):
    """A model that answers."""

    def answer(self, output: ToolOutput, settings: Settings) -> Answered:
        """The answer to a chat with one tool output."""

    def surprise(self, output: ToolOutput, answer: str) -> float | None:
        """Nats a token of a given answer; None for an empty one."""


class BaseArm:
    """The base model's own weights, without a guard."""

    def __init__(self, model: ChatModel, end_ids: frozenset[int]) -> None:
        """Take the model and the tokens that end an answer."""
        self.model = model
        self.end_ids = end_ids

    def answer(self, output: ToolOutput, settings: Settings) -> Answered:
        """Answer what the tool returned, whatever it is."""
        begin = time.monotonic()
        return self._generate(prefill_unread(self.model, chat_of(output)), output, settings, begin)

    def _generate(
        self, prefilled: Prefilled, output: ToolOutput, settings: Settings, begin: float
    ) -> Answered:
        steps = list(
            decode(
                self.model,
                prefilled.logits,
                prefilled.cache,
                n_prompt=prefilled.n_tokens,
                end_ids=self.end_ids,
                settings=settings,
                started=prefilled.started,
            )
        )
        return Answered(
            text="".join(step.text for step in steps),
            finish=steps[-1].finish,
            tokens=steps[-1].tokens,
            seconds=time.monotonic() - begin,
            read=output,
        )

    def surprise(self, output: ToolOutput, answer: str) -> float | None:
        """Mean negative log-likelihood of an answer after a chat, nats a token."""
        ids = self.model.renderer.template.tokens(answer).ids
        if not len(ids):
            return None
        prompt = self.model.renderer.render(chat_of(output)).ids
        return self.model.surprise(prompt, ids)


class GuardedArm(BaseArm):
    """The generating model of a native MODEL_DIR, with its guard."""

    def __init__(self, guard: NativeGuard) -> None:
        """Take the guard; flagged outputs are withheld."""
        super().__init__(guard.model, guard.end_ids)
        self.guard = guard

    def answer(self, output: ToolOutput, settings: Settings) -> Answered:
        """Answer what the guard lets through."""
        begin = time.monotonic()
        # a fresh enforcer: no case knows of another
        prefilled = self.guard.prefill(chat_of(output), NativeEnforcer(self.guard))
        (ruling,) = prefilled.rulings
        shown = output if ruling.replacement is None else replace(output, text=ruling.replacement)
        answered = self._generate(prefilled, shown, settings, begin)
        withheld = ruling.replacement is not None
        return replace(answered, withheld=withheld, risk=ruling.decision.risk)


def run(
    config: GenerationConfig,
    arms: Callable[[], dict[str, Arm]],
    output: Path,
    *,
    identity: dict[str, str],
) -> list[dict[str, Any]]:
    """Answer every case that is not answered yet.

    Args:
        config: what to run.
        arms: makes the models, by name of ``ARMS``; called only when something is left to do.
        output: folder of the run; may hold a part of the same run.
        identity: what is evaluated; a folder of another guard is refused.

    Returns: the records of all cases, in order.

    Raises:
        InputError: the folder holds a run of another guard or configuration.
        DataError: a record there is damaged.
    """
    cases = make_cases(config)
    header = {"config": config.model_dump(mode="json"), "cases": cases_digest(cases), **identity}
    _check_header(output / HEADER, header)
    folder = output / "cases"
    todo = [case for case in cases if not (folder / f"{case.id}.json").is_file()]
    made = arms() if todo else {}
    for case in progress(todo, total=len(todo), label="cases"):
        record = run_case(case, made, config)
        write_atomic(folder / f"{case.id}.json", json.dumps(record, ensure_ascii=False, indent=1))
    return read_records(folder, cases)


def _check_header(path: Path, header: dict[str, Any]) -> None:
    text = json.dumps(header, indent=1, sort_keys=True) + "\n"
    if not path.is_file():
        write_atomic(path, text)
    elif path.read_text(encoding="utf-8") != text:
        raise InputError(
            f"{path.parent} holds a run of another guard, configuration or version; give another "
            "--output"
        )


def read_records(folder: Path, cases: Sequence[GenerationCase]) -> list[dict[str, Any]]:
    """The records of all cases, in order; DataError for one that is damaged."""
    found = []
    for case in cases:
        path = folder / f"{case.id}.json"
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path}:1: not JSON ({error}); remove it and run again") from None
        found.append(record)
    return found


def run_case(
    case: GenerationCase, arms: dict[str, Arm], config: GenerationConfig
) -> dict[str, Any]:
    """All answers to one case."""
    settings = Settings(
        max_tokens=config.max_tokens,
        temperature=config.temperature,
        top_p=config.top_p,
        seed=config.seed,
        time_limit_s=config.time_limit_s,
    )
    record: dict[str, Any] = {**case.to_json(), "answers": {}}
    reference = ""
    for member in MEMBERS:
        tool_output = case.benign if member == "benign" else case.injected
        for name, arm in arms.items():
            answered = arm.answer(tool_output, settings)
            row = outcome(answered, case)
            if member == "benign":
                reference = answered.text if name == ARMS[0] else reference
                # how likely the base's own answer is after what this arm reads
                row["surprise"] = arm.surprise(answered.read, reference)
            record["answers"][f"{member}/{name}"] = row
    return record


def outcome(answered: Answered, case: GenerationCase) -> dict[str, Any]:
    """An answer judged: ``carried_out``, ``timeout`` or ``not_carried_out``."""
    done = carried_out(answered.text, case.easy, case.order)
    stopped = "timeout" if answered.finish == "timeout" else "not_carried_out"
    return {
        "outcome": "carried_out" if done else stopped,
        "quoted": quoted(answered.text, case.easy, case.order),
        "refused": refuses(answered.text),
        "withheld": answered.withheld,
        "risk": answered.risk,
        "finish": answered.finish,
        "tokens": answered.tokens,
        "seconds": round(answered.seconds, 3),
        "text": answered.text,
    }
