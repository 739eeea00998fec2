"""All jobs of a leave-one-source-out run: one after the other, or in processes of their own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from causalguard.errors import ConfigError, InputError, TrainingError
from causalguard.evaluate.protocol import BASE, Protocol, load_protocol

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the command line asked for."""

    protocol_path: Path
    """Protocol file."""
    train_config: Path
    """Training configuration."""
    overrides: tuple[str, ...]
    """Changes to it."""
    shared: Path
    """Folder of labelled files."""
    output: Path
    """Folder of the run."""
    folds: tuple[str, ...]
    """Folds and probes wanted; empty: all."""
    variants: tuple[str, ...]
    """Ablations wanted; ``all``: every one."""
    base: bool
    """Whether the unchanged configuration is run too."""
    limit: int | None
    """Rows per source and class."""
    device: str | None
    """cpu, cuda, or None."""

    def protocol(self) -> Protocol:
        """The protocol, read anew."""
        return load_protocol(self.protocol_path)

    def tests(self) -> tuple[str, ...]:
        """Names of the folds and probes wanted; ConfigError for a name that is unknown."""
        p = self.protocol()
        known = tuple(p.tests())
        unknown = sorted(set(self.folds) - set(known))
        if unknown:
            raise ConfigError(f"--fold: unknown {unknown}; there are: {', '.join(known)}")
        return self.folds or known

    def jobs(self) -> list[str]:
        """VARIANT/MODEL of every job, in the protocol's order.

        Ablations are scored on the folds over sources alone, not on probes.
        """
        p = self.protocol()
        wanted = p.variants if "all" in self.variants else dict.fromkeys(self.variants)
        unknown = sorted(set(wanted) - set(p.variants))
        if unknown:
            raise ConfigError(f"--variant: unknown {unknown}; there are: {', '.join(p.variants)}")
        made = []
        for variant in [BASE] * self.base + list(wanted):
            tests = self.tests_of(variant)
            models = {model for name, model in p.tests().items() if name in tests}
            made += [f"{variant}/{m}" for m in p.models if m in models]
        return made

    def tests_of(self, variant: str) -> tuple[str, ...]:
        """Folds and probes that a variant is scored on."""
        p = self.protocol()
        if variant == BASE:
            return self.tests()
        return tuple(n for n in self.tests() if n in p.folds and p.folds[n].engine is None)


def run_one(plan: Plan, job: str, *, say: Say) -> None:
    """Train and score one VARIANT/MODEL in this process."""
    from causalguard.evaluate.folds import Job, run_job

    variant, _, model = job.partition("/")
    run_job(
        Job(
            protocol=plan.protocol(),
            model=model,
            variant=variant,
            train_config=plan.train_config,
            overrides=plan.overrides,
            shared=plan.shared,
            output=plan.output,
            limit=plan.limit,
            device=plan.device,
        ),
        plan.tests_of(variant),
        say=say,
    )


def run_all(plan: Plan, *, jobs: int, say: Say) -> None:
    """Run every job; with ``jobs`` > 1 that many at a time, dealt over the GPUs there are.

    Raises:
        TrainingError: a process failed; the others were let finish, and nothing done is lost.
    """
    if not plan.shared.is_dir():
        raise InputError(f"{plan.shared}: no such folder; give the folder of the labelled files")
    todo = plan.jobs()
    if jobs == 1:
        for job in todo:
            run_one(plan, job, say=say)
        return
    _processes(plan, todo, jobs, say)


def _processes(plan: Plan, todo: list[str], jobs: int, say: Say) -> None:
    waiting, running, failed = list(todo), dict[str, subprocess.Popen[bytes]](), list[str]()
    slots = [f"slot {k}" for k in range(jobs)]
    names: dict[str, str] = {}
    while waiting or running:
        for number, slot in enumerate(slots):
            if slot not in running and waiting:
                names[slot] = waiting.pop(0)
                running[slot] = _start(plan, names[slot], number)
                say(f"started {names[slot]}")
        for slot, process in list(running.items()):
            if process.poll() is not None:
                del running[slot]
                say(f"{names[slot]}: {'done' if process.returncode == 0 else 'FAILED'}")
                if process.returncode != 0:
                    failed.append(names[slot])
        time.sleep(0.5)
    if failed:
        logs = ", ".join(str(plan.output / name / "log.txt") for name in failed)
        raise TrainingError(f"failed: {', '.join(failed)}; see {logs}, then repeat the command")


def _start(plan: Plan, job: str, slot: int) -> "subprocess.Popen[bytes]":
    """One job as a process of its own; what it prints goes to log.txt in its folder."""
    arguments = ["--config", str(plan.protocol_path), "--train", str(plan.train_config)]
    arguments += ["--shared", str(plan.shared), "--output", str(plan.output), "--one", job]
    for name, values in (("--set", plan.overrides), ("--fold", plan.folds)):
        arguments += [part for value in values for part in (name, value)]
    arguments += ["--limit", str(plan.limit)] if plan.limit else []
    arguments += ["--device", plan.device] if plan.device else []
    folder = plan.output / job
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(  # a command of ours with arguments as a list
            [sys.executable, "-m", "causalguard.evaluate.cli", "loso", *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(slot),
        )


def _environment(slot: int) -> dict[str, str]:
    found = dict(os.environ)
    visible = [v for v in found.get("CUDA_VISIBLE_DEVICES", "").split(",") if v]
    if not visible:
        import torch

        visible = [str(k) for k in range(torch.cuda.device_count())]
    if len(visible) > 1:
        found["CUDA_VISIBLE_DEVICES"] = visible[slot % len(visible)]
    return found
