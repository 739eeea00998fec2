"""AgentDojo with a model as the agent: every conversation held without and with the guard."""

import importlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from causalguard import console
from causalguard.errors import InputError, ScanError
from causalguard.evaluate import agentdojo as runs
from causalguard.evaluate.agentdojo import Settings
from causalguard.evaluate.agentdojo_page import Replay, Step
from causalguard.evaluate.agentdojo_plan import BENIGN, call_text
from causalguard.evaluate.agentdojo_results import Result, result_from, result_json
from causalguard.evaluate.agentdojo_suites import Case, Suite, attack_names, choose
from causalguard.evaluate.agentdojo_text import payload_grams, places
from causalguard.files import write_atomic
from causalguard.guard.enforce import Enforcer
from causalguard.records import Span


def run(settings: Settings, enforcer: Enforcer, llm: str, url: str | None) -> list[Result]:
    """Hold the conversations that the folder does not hold yet; one JSON each.

    Args:
        settings: what is run; ``limit`` also bounds the tasks without an attack.
        enforcer: the guard and what it does.
        llm: see :func:`load_llm`.
        url: likewise.

    Raises:
        InputError: the folder holds another model's or guard's conversations.
        ScanError: a scan failed; that conversation is not kept, those before it are.
    """
    chosen = choose(Suite.names(settings.version), settings.suites, "suite")
    attacks = choose(attack_names(), settings.attacks, "attack")
    marks = {s: runs.benign_texts(settings, s) for s in chosen}
    agent = load_llm(llm, url)
    _check(settings.output / "runs" / "facts.json", enforcer, llm, url)
    results = []
    for name in chosen:
        suite = Suite(name, version=settings.version, victim=settings.victim)
        for attack in ["", *attacks]:
            cases = suite.cases(attack, settings.limit)
            for case in console.progress(
                cases, total=len(cases), label=f"{name}/{attack or BENIGN}"
            ):
                path = _path(settings.output, case)
                if path.exists():
                    results.append(result_from(json.loads(path.read_text())["result"]))
                    continue
                made = hold(suite, case, marks[name].get(case.user, ()), enforcer, agent)
                write_atomic(path, json.dumps(made) + "\n")
                results.append(result_from(made["result"]))
    return results


def hold(
    suite: Suite, case: Case, benign: Sequence[str], enforcer: Enforcer, agent: Any
) -> dict[str, Any]:
    """Hold one conversation without and with the guard.

    Args:
        suite: where the case is from.
        case: what to hold.
        benign: texts of the outputs on the ground-truth path without an attack.
        enforcer: the guard and what it does.
        agent: pipeline element that answers as the agent.

    Returns:
        ``result``, ``payloads``, and both conversations with all messages and decisions.

    Raises:
        ScanError: a scan failed, whatever the policy does then: that says nothing of the guard.
    """
    from causalguard.agents.agentdojo import CausalGuardElement  # needs the package
    from causalguard.evaluate.agentdojo_agent import converse

    payloads = list(dict.fromkeys(suite.injections(case).values()))
    marks = payload_grams(payloads, benign)
    plain = converse(suite, case, marks, llm=agent)
    guard = CausalGuardElement(enforcer)
    guarded = converse(suite, case, marks, guard=guard, llm=agent)
    records: list[Mapping[str, Any]] = [seen.record or {} for seen in guarded.outputs]
    failed = [record["reason"] for record in records if record.get("outcome") == "error"]
    if failed:
        raise ScanError(f"a tool output {failed[0]}; run the same again once scans succeed")
    result = Result(
        case=case,
        placed=plain.reached,
        reached=guarded.reached,
        success=plain.security,
        success_guarded=guarded.security,
        utility=plain.utility,
        utility_guarded=guarded.utility,
        outputs=len(guarded.outputs),
        flagged=tuple(k for k, record in enumerate(records) if record.get("flagged")),
        lost=tuple(k for k, seen in enumerate(guarded.outputs) if seen.shown != seen.text),
    )
    return {
        "result": result_json(result),
        "payloads": payloads,
        "unguarded": asdict(plain),
        "guarded": asdict(guarded),
    }


def replay(output: Path, result: Result) -> Replay:
    """A kept conversation with the guard, for the page.

    Args:
        output: folder of the run.
        result: of the conversation.
    """
    kept = json.loads(_path(output, result.case).read_text())
    outputs = iter(kept["guarded"]["outputs"])
    steps = []
    for message in kept["guarded"]["messages"]:
        if message["role"] != "tool":
            said = "; ".join(filter(None, (message["text"], call_text(message))))
            steps.append(Step(title=message["role"], text=said))
            continue
        seen = next(outputs)
        record = seen["record"] or {}
        steps.append(
            Step(
                title=seen["tool"],
                text=seen["text"],
                marks=tuple(Span(start=a, end=b) for a, b in record.get("spans", ())),
                attack=tuple(places(kept["payloads"], seen["text"])),
                hidden=seen["shown"] != seen["text"],
                note=f"{record.get('action', '')}: {record.get('reason', '')}",
            )
        )
    return Replay(result=result, steps=tuple(steps))


def load_llm(llm: str, url: str | None) -> Any:
    """The agent's pipeline element.

    Args:
        llm: ``MODULE:OBJECT``, a LangChain chat model or a function that makes one;
            ``PROVIDER:NAME`` as LangChain's init_chat_model takes it; or, with a url, a name.
        url: an OpenAI-compatible endpoint; its key is read from OPENAI_API_KEY.

    Raises:
        InputError: nothing there is a chat model.
    """
    if url is not None:
        import openai
        from agentdojo.agent_pipeline import OpenAILLM

        client = openai.OpenAI(base_url=url, api_key=os.environ.get("OPENAI_API_KEY", "none"))
        return OpenAILLM(client, llm)
    from langchain.chat_models import init_chat_model
    from langchain_core.language_models import BaseChatModel

    from causalguard.agents.agentdojo_chat import ChatModelElement

    made = _object(llm)
    if callable(made) and not isinstance(made, BaseChatModel):
        made = made()
    try:
        model = made if made is not None else init_chat_model(llm)
    except (ImportError, ValueError) as error:
        raise InputError(f"--llm {llm}: {error}") from None
    if not isinstance(model, BaseChatModel):
        raise InputError(f"--llm {llm} is a {type(model).__name__}; give a LangChain chat model")
    return ChatModelElement(model)


def _object(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute, None) if attribute else None
    except ImportError:
        return None


def _path(output: Path, case: Case) -> Path:
    name = "-".join(filter(None, (case.user, case.injection)))
    return output / "runs" / case.suite / (case.attack or BENIGN) / f"{name}.json"


def _check(path: Path, enforcer: Enforcer, llm: str, url: str | None) -> None:
    facts = {
        "llm": llm,
        "url": url,
        "guard": enforcer.scanner.identity,
        "policy": enforcer.policy.digest,
    }
    if path.exists() and json.loads(path.read_text()) != facts:
        raise InputError(f"{path} says another model or guard; give another --output")
    write_atomic(path, json.dumps(facts) + "\n")
