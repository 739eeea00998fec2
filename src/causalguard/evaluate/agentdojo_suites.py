"""AgentDojo's suites, attacks and environments (Debenedetti et al., NeurIPS 2024).

For tests only: nothing of the guard may be trained, tuned or chosen on them.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version as installed
from types import ModuleType, SimpleNamespace
from typing import Any

import yaml

from causalguard.errors import InputError, MissingError

VERSION = "v1.2.2"
"""Version of the benchmark."""
VICTIM = "gpt-4o-2024-05-13"
"""Some attacks address the agent by name; AgentDojo's paper attacks this model ("GPT-4")."""
BY_HAND = frozenset({"manual"})
"""Attacks that ask a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One conversation to hold."""

    suite: str
    """Name of the suite."""
    attack: str
    """Name of the attack; empty: nothing is injected."""
    user: str
    """Identifier of the user task."""
    injection: str
    """Identifier of the injection task; empty without an attack."""

    @property
    def name(self) -> str:
        """For tables and anchors."""
        return "/".join(filter(None, (self.suite, self.attack, self.user, self.injection)))


def package(name: str) -> ModuleType:
    """A module of AgentDojo; MissingError when it is not installed."""
    try:
        return importlib.import_module(f"agentdojo.{name}")
    except ImportError as error:
        message = f"AgentDojo is needed ({error}); run: pip install 'causalguard[agentdojo]'"
        raise MissingError(message) from None


def package_version() -> str:
    """Version of the installed package."""
    package("task_suite")
    return installed("agentdojo")


def attack_names() -> list[str]:
    """The attacks that need neither a person nor a model."""
    package("attacks")
    return [n for n in package("attacks.attack_registry").ATTACKS if n not in BY_HAND]


def choose(known: Sequence[str], wanted: Sequence[str], what: str) -> list[str]:
    """The wanted names in the known order; all when none is named.

    Raises InputError for an unknown name.
    """
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise InputError(f"no {what} is called {', '.join(unknown)}; use some of {list(known)}")
    return [name for name in known if not wanted or name in wanted]


class Suite:
    """One suite of AgentDojo, with its environments loaded fast and its attacks made once."""

    def __init__(self, name: str, *, version: str = VERSION, victim: str = VICTIM) -> None:
        """Load a suite.

        Args:
            name: its name.
            version: version of the benchmark.
            victim: the model's name that attacks use.

        Raises:
            MissingError: AgentDojo is not installed.
            InputError: there is no such suite or victim.
        """
        suites: Mapping[str, Any] = package("task_suite").get_suites(version)
        if name not in suites:
            raise InputError(f"no suite {name!r} in {version}; use some of {list(suites)}")
        models = package("models").MODEL_NAMES
        if not any(full in victim for full in models):
            raise InputError(f"no model is called {victim!r}; use one of {list(models)}")
        self.name = name
        self.victim = victim
        self.suite = suites[name]
        self.user_tasks: Mapping[str, Any] = self.suite.user_tasks
        self.injection_tasks: Mapping[str, Any] = self.suite.injection_tasks
        self._candidates: dict[str, list[str]] = {}
        self.attack = cache(self._attack)

    @staticmethod
    def names(version: str = VERSION) -> list[str]:
        """Names of all suites."""
        return list(package("task_suite").get_suites(version))

    def environment(self, injections: Mapping[str, str]) -> Any:
        """A fresh environment; equals AgentDojo's own, whose YAML loader is 20 times slower."""
        module = package("task_suite.task_suite")
        defaults = self.suite.get_injection_vector_defaults()
        module.validate_injections(injections, defaults)
        text = module.read_suite_file(self.name, "environment.yaml", self.suite.data_path)
        loaded = yaml.load(text.format(**{**defaults, **injections}), _Loader)  # noqa: S506  # safe
        return self.suite.environment_type.model_validate(loaded)

    def injections(self, case: Case) -> dict[str, str]:
        """Place to message; empty without an attack."""
        if not case.attack:
            return {}
        user, goal = self.user_tasks[case.user], self.injection_tasks[case.injection]
        made: dict[str, str] = self.attack(case.attack).attack(user, goal)
        return made

    def stops_only(self, attack: str) -> bool:
        """Whether an attack only wants the agent to stop (denial of service)."""
        return bool(attack) and bool(self.attack(attack).is_dos_attack)

    def cases(self, attack: str, limit: int | None = None) -> list[Case]:
        """The conversations of one attack, or without one.

        Args:
            attack: name; empty: the user tasks alone.
            limit: at most so many, spread evenly; None: all.
        """
        goals = list(self.injection_tasks) if attack else [""]
        if self.stops_only(attack):
            goals = goals[:1]  # as AgentDojo does: the goal does not enter the message
        made = [
            Case(suite=self.name, attack=attack, user=user, injection=goal)
            for user in self.user_tasks
            for goal in goals
        ]
        if limit is None or limit >= len(made):
            return made
        return [made[i * len(made) // limit] for i in range(limit)]

    def _attack(self, name: str) -> Any:
        package("attacks")
        registry = package("attacks.attack_registry").ATTACKS
        made = registry[name](self.suite, SimpleNamespace(name=self.victim))
        places = type(made).get_injection_candidates

        def candidates(task: Any) -> list[str]:
            # The places depend on the task alone; AgentDojo works them out again per attack.
            if task.ID not in self._candidates:
                self._candidates[task.ID] = places(made, task)
            return self._candidates[task.ID]

        made.get_injection_candidates = candidates
        return made


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
