from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from causalguard.errors import BaseModelError, NotCertifiedError, ScanError
from causalguard.guard.api import Guard
from causalguard.guard.bundle import read_model_dir
from causalguard.guard.enforce import FAILED, WITHHELD
from causalguard.guard.native import NativeGuard, build_native, check_native, info_of
from causalguard.guard.native_decode import Settings
from causalguard.guard.native_enforce import NativeEnforcer
from causalguard.guard.policy import Action, Policy
from causalguard.records import ToolOutput
from support.native import WordGuard, counted, freeze, native_dir, say, tool
from support.signing import POLICY, sign_model_dir

ASK = say("user", "the mail")
CLOSE = 1e-4


@pytest.fixture
def native(tiny_model: Path, tmp_path: Path) -> Path:
    return native_dir(tiny_model, tmp_path / "native")


@pytest.fixture
def guard(native: Path) -> WordGuard:
    return WordGuard.load(native, require_certified=False, dtype="float32")


def enforcer(guard: NativeGuard, action: Action = "withhold") -> NativeEnforcer:
    return NativeEnforcer(guard, Policy(action=action))


def test_without_an_adapter_the_base_s_own_weights_generate(
    tiny_model: Path, tiny_base: Path
) -> None:
    from transformers import AutoModelForCausalLM

    native = build_native(read_model_dir(freeze(tiny_model)), device="cpu", dtype=torch.float32)
    assert info_of(native).generator == "base"
    theirs = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32)
    ids = np.arange(5, 40)
    logits, _ = native.model.forward(ids, native.model.new_cache())
    with torch.no_grad():
        expected = theirs(input_ids=torch.from_numpy(ids)[None]).logits[0, -1]
    assert torch.allclose(logits, expected, atol=1e-5)


def test_with_an_adapter_the_adapted_weights_generate_and_that_is_said(guard: WordGuard) -> None:
    assert guard.facts["generator"] == "base+adapter"
    assert guard.files.info.native is not None
    assert guard.files.info.native.generator == "base+adapter"


def test_greedy_answers_are_those_of_transformers(tiny_model: Path, tiny_base: Path) -> None:
    from transformers import AutoModelForCausalLM

    frozen = native_dir(freeze(tiny_model), tiny_model.parent / "frozen")
    guard = NativeGuard.load(frozen, require_certified=False, dtype="float32")
    prefilled = guard.prefill([ASK], None)
    steps = list(guard.generate(prefilled, Settings(max_tokens=12)))
    theirs = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32)
    ids = torch.from_numpy(guard.model.renderer.render([ASK]).ids)[None]
    whole = theirs.generate(
        ids, max_new_tokens=12, do_sample=False, eos_token_id=sorted(guard.end_ids), pad_token_id=0
    )
    expected = guard.model.renderer.decode(whole[0, ids.shape[1] :].tolist())
    assert "".join(s.text for s in steps) == expected
    assert steps[-1].tokens == whole.shape[1] - ids.shape[1]


def test_the_prefill_reads_what_scoring_reads(guard: WordGuard) -> None:
    output = ToolOutput(text="from ana: the meeting", task="the mail", system="be kind")
    alone = guard.score([output])[0]
    chat = [say("system", "be kind"), ASK, tool(output.text), say("assistant", "ok"), ASK]
    guard.prefill(chat, enforcer(guard))
    assert [risk for _, risk in guard.seen] == pytest.approx([alone.risk], abs=CLOSE)
    assert alone.n_tokens == len(alone.token_risk) == len(alone.offsets)


def test_nothing_flagged_costs_one_forward_over_the_conversation(guard: WordGuard) -> None:
    chat = [ASK, tool("one"), tool("two"), say("assistant", "ok"), tool("three")]
    sizes = counted(guard)
    done = guard.prefill(chat, enforcer(guard))
    assert sizes() == [len(guard.model.renderer.render(chat).ids)]
    assert (done.repeats, done.discarded_tokens) == (0, 0)
    assert [r.decision.outcome for r in done.rulings] == ["clean"] * 3


def test_a_flagged_text_leaves_no_trace_in_the_cache(guard: WordGuard) -> None:
    chat = [ASK, tool("one"), tool("BAD: obey"), tool("three")]
    done = guard.prefill(chat, enforcer(guard))
    shown = [ASK, tool("one"), tool(WITHHELD), tool("three")]
    clean = guard.prefill(shown, None)
    assert done.n_tokens == clean.n_tokens
    assert torch.allclose(done.logits, clean.logits, atol=CLOSE)
    for ours, theirs in zip(done.cache.layers, clean.cache.layers, strict=True):
        assert torch.allclose(ours.keys, theirs.keys, atol=CLOSE)
        assert torch.allclose(ours.values, theirs.values, atol=CLOSE)


def test_the_prefill_goes_on_from_the_last_token_before_the_flagged_text(guard: WordGuard) -> None:
    chat = [ASK, tool("one"), tool("BAD: obey"), tool("three")]
    rendered = guard.model.renderer.render(chat)
    sizes = counted(guard)
    done = guard.prefill(chat, enforcer(guard))
    begin = rendered.places[1].start
    assert sizes() == [len(rendered.ids), done.n_tokens - begin]
    assert done.discarded_tokens == len(rendered.ids) - begin
    assert done.to_record()["discarded_tokens"] == done.discarded_tokens


def test_what_follows_a_withheld_text_is_read_again_in_its_new_context(guard: WordGuard) -> None:
    guard.prefill([ASK, tool("BAD: obey"), tool("three")], enforcer(guard))
    guard.prefill([ASK, tool(WITHHELD), tool("three")], enforcer(guard))
    assert [text for text, _ in guard.seen] == ["BAD: obey", "three", "three"]
    assert guard.seen[1][1] == pytest.approx(guard.seen[2][1], abs=CLOSE)


def test_a_cache_that_cannot_be_cut_is_made_anew(
    guard: WordGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("causalguard.guard.native_prefill.crop", lambda _cache, _n: False)
    done = guard.prefill([ASK, tool("BAD"), tool("three")], enforcer(guard))
    clean = guard.prefill([ASK, tool(WITHHELD), tool("three")], None)
    assert torch.allclose(done.logits, clean.logits, atol=CLOSE)


def test_shadow_mode_shows_and_records(guard: WordGuard) -> None:
    done = guard.prefill([ASK, tool("BAD")], enforcer(guard, "flag"))
    assert done.repeats == 0
    assert [(r.decision.action, r.replacement) for r in done.rulings] == [("flag", None)]


def test_sanitise_shows_what_is_left_and_reads_it_again(guard: WordGuard) -> None:
    done = guard.prefill([ASK, tool("keep BAD this")], enforcer(guard, "sanitise"))
    clean = guard.prefill([ASK, tool("keep  this")], None)
    assert torch.allclose(done.logits, clean.logits, atol=CLOSE)
    assert done.rulings[0].decision.action == "sanitise"


def test_sanitise_withholds_what_is_risky_after_one_cut(guard: WordGuard) -> None:
    done = guard.prefill([ASK, tool("keep BAD this BAD")], enforcer(guard, "sanitise"))
    assert (done.repeats, done.rulings[0].replacement) == (2, WITHHELD)
    assert done.rulings[0].decision.action == "withhold"


def test_trusted_tools_empty_texts_and_notices_are_not_read(guard: WordGuard) -> None:
    policy = NativeEnforcer(guard, Policy(trusted_tools=frozenset({"own"})))
    done = guard.prefill([ASK, tool("BAD", "own"), tool(""), tool(WITHHELD)], policy)
    assert [r.decision.outcome for r in done.rulings] == ["trusted", "empty", "notice"]
    assert done.repeats == 0


def test_work_is_bounded_however_many_texts_are_flagged(guard: WordGuard) -> None:
    chat = [ASK, *(tool(f"BAD {k}") for k in range(20)), tool("good")]
    sizes = counted(guard)
    done = guard.prefill(chat, enforcer(guard))
    assert len(sizes()) == 10
    assert {r.replacement for r in done.rulings[:9]} == {WITHHELD}
    assert {r.replacement for r in done.rulings[9:]} == {FAILED}


def test_what_was_flagged_once_is_not_read_again(guard: WordGuard) -> None:
    rules = enforcer(guard)
    chat = [ASK, tool("BAD"), tool("good")]
    guard.prefill(chat, rules)
    again = guard.prefill([*chat, say("assistant", "ok"), ASK], rules)
    assert again.repeats == 0
    assert [r.decision.remembered for r in again.rulings] == [True, False]


def test_a_text_longer_than_the_model_s_context_is_withheld_unread(guard: WordGuard) -> None:
    guard.model.max_tokens = 300
    done = guard.prefill([ASK, tool("ab " * 400), tool("good")], enforcer(guard))
    assert [r.decision.outcome for r in done.rulings] == ["error", "clean"]
    assert done.rulings[0].replacement == FAILED
    with pytest.raises(ScanError, match="shorten"):
        guard.prefill([say("user", "ab " * 400)], enforcer(guard))


def test_on_error_raise_raises_for_a_text_that_is_not_read(guard: WordGuard) -> None:
    guard.model.max_tokens = 300
    with pytest.raises(ScanError, match="not read"):
        guard.prefill([ASK, tool("ab " * 400)], NativeEnforcer(guard, Policy(on_error="raise")))


def test_a_text_scored_in_part_is_flagged(guard: WordGuard) -> None:
    guard.model.max_tokens = 100
    found = guard.score([ToolOutput(text="ab " * 400)])[0]
    assert found.flagged
    assert 0 < found.coverage < 1
    assert len(found.token_risk) < found.n_tokens


def test_an_empty_text_has_no_risk(guard: WordGuard) -> None:
    found = guard.score([ToolOutput(text="", task="t")])[0]
    assert (found.risk, found.flagged, found.coverage) == (0.0, False, 1.0)


def test_a_time_limit_stops_the_generation(guard: WordGuard) -> None:
    prefilled = replace(guard.prefill([ASK], None), started=-1e9)  # long ago
    last = list(guard.generate(prefilled, Settings(time_limit_s=1.0)))[-1]
    assert (last.finish, last.tokens) == ("timeout", 0)


def test_a_stopping_criterion_of_transformers_stops_the_generation(guard: WordGuard) -> None:
    from transformers import MaxLengthCriteria

    steps = list(
        guard.generate(guard.prefill([ASK], None), Settings(), [MaxLengthCriteria(max_length=3)])
    )
    assert (steps[-1].finish, steps[-1].tokens) in {("stopped", 3), ("stop", steps[-1].tokens)}


def test_the_reader_of_one_thread_never_sees_another_s_forward(guard: WordGuard) -> None:
    from concurrent.futures import ThreadPoolExecutor

    texts = [f"from ana {k}" for k in range(8)]
    alone = [guard.score([ToolOutput(text=t, task="t")])[0].risk for t in texts]
    with ThreadPoolExecutor(4) as pool:
        both = list(pool.map(lambda t: guard.score([ToolOutput(text=t, task="t")])[0].risk, texts))
    assert both == pytest.approx(alone, abs=1e-6)


# --- loading -----------------------------------------------------------------------------------


def test_a_model_certified_for_windows_refuses_native_mode(tiny_model: Path) -> None:
    key = sign_model_dir(tiny_model)
    with pytest.raises(NotCertifiedError, match="guard-calibrate --native"):
        NativeGuard.load(tiny_model, trust=key, policies=POLICY)
    with pytest.raises(NotCertifiedError, match="windowed guard"):
        NativeGuard.load(tiny_model, require_certified=False)


def test_a_native_model_refuses_the_windowed_guard(native: Path) -> None:
    with pytest.raises(NotCertifiedError, match="from_pretrained"):
        Guard.load(native, require_certified=False)


def test_a_report_without_a_native_backend_is_refused(native: Path) -> None:
    key = sign_model_dir(native, backends=[{"name": "torch-cpu-float32"}])
    with pytest.raises(NotCertifiedError, match="backend native-cpu-"):
        NativeGuard.load(native, trust=key, policies=POLICY)


def test_a_native_certificate_loads_and_its_verdicts_name_it(native: Path) -> None:
    key = sign_model_dir(native, backends=[{"name": "native-cpu-float32"}])
    guard = NativeGuard.load(native, trust=key, policies=POLICY)
    assert guard.backend == "native-cpu-float32"
    assert guard.certificate is not None
    assert guard.scan([ToolOutput(text="x")])[0].certificate_id == guard.certificate.id


def test_another_chat_template_is_refused(native: Path, tmp_path: Path) -> None:
    files = read_model_dir(native)
    loaded = build_native(files, device="cpu", dtype=torch.float32)
    assert files.info.native is not None
    loaded.model.renderer.chat_template += "{# changed #}"
    with pytest.raises(BaseModelError, match="chat_sha256"):
        check_native(files.info.native, loaded)


def test_the_windowed_guard_json_does_not_mention_native_mode(tiny_model: Path) -> None:
    assert b"native" not in read_model_dir(tiny_model).info.to_bytes()
