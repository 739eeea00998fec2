"""What certified thresholds and bounds cost, how often they fail, beside MAPIE.

    python benchmarks/bounds.py [--quick] [--peers]

Writes results/bounds.json and results/bounds.md.  ``--peers`` needs ``pip install mapie``.
"""

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import peer_tests
from independence import RESULTS, hardware
from numpy.typing import NDArray
from scipy import special, stats

from causalguard.stats import bands, bounds, equivalence, families, thresholds

ALPHA, DELTA = 0.01, 0.05
Array = NDArray[np.float64]
Rng = np.random.Generator
SEPARATION = 4.6
"""Standard deviations between attacks and benign rows in the comparison with MAPIE."""


def naive(rng: Rng) -> bool:
    return bool(np.sort(rng.random(1000))[10] > ALPHA)


def miss(rng: Rng) -> bool:
    cut = thresholds.miss_threshold(rng.random(1000), alpha=ALPHA, delta=DELTA).threshold
    return cut is not None and cut > ALPHA


def miss_with_ties(rng: Rng) -> bool:
    risks = np.ceil(rng.random(1000) * 500) / 500
    cut = thresholds.miss_threshold(risks, alpha=ALPHA, delta=DELTA).threshold
    return cut is not None and cut - 1 / 500 > ALPHA + 1e-12


def false_positives(rng: Rng) -> bool:
    cut = thresholds.fpr_threshold(rng.random(1000), alpha=ALPHA, delta=DELTA).threshold
    return cut is not None and 1 - cut > ALPHA


def joint(rng: Rng) -> bool:
    attack, benign = 0.05 + rng.random(1000), -0.05 + rng.random(1000) * 0.1
    choice = thresholds.joint_threshold(
        attack, benign, alpha_miss=ALPHA, alpha_fpr=ALPHA, delta=DELTA, prefer="fpr"
    )
    low, high = choice.low, choice.high
    too_high = high is not None and high - 0.05 > ALPHA
    too_low = low is not None and (0.05 - low) / 0.1 > ALPHA
    return too_high or too_low


SHAPES = (0.8, 1.0, 1.25, 1.5)


def every_family(rng: Rng) -> bool:
    # P(risk < t) = t ** shape in each family
    risks = {f"f{s}": rng.random(400) ** (1 / s) for s in SHAPES}
    cut, _ = thresholds.family_threshold(risks, alpha=ALPHA, delta=DELTA)
    return cut is not None and max(cut**s for s in SHAPES) > ALPHA


def family_bounds(rng: Rng) -> bool:
    rates = np.array([0.002, 0.005, 0.01, 0.01, 0.02, 0.03, 0.05, 0.1])
    counts = {str(i): (int(k), 400) for i, k in enumerate(rng.binomial(400, rates))}
    table = families.family_table(counts, alpha=ALPHA, delta=DELTA)
    return any(row.bound < rate for row, rate in zip(table.rows, rates, strict=True))


def holm_families(rng: Rng) -> bool:
    # rates just above alpha: any family that passes is an error
    counts = {str(i): (int(k), 700) for i, k in enumerate(rng.binomial(700, 0.0101, 8))}
    return any(row.passes for row in families.family_table(counts, alpha=ALPHA, delta=DELTA).rows)


def band(rng: Rng) -> bool:
    cuts, upper = bands.miss_band(rng.random(1000), delta=DELTA)
    return bool((cuts > upper).any())


def split(rng: Rng) -> bool:
    risks = rng.random(1000)
    cut, upper = thresholds.split_threshold(risks[:500], risks[500:], target=0.005, delta=DELTA)
    return cut > upper


def pointwise_at_chosen(rng: Rng) -> bool:
    cuts = np.sort(rng.random(1000))[:200]
    return bool((cuts > bounds.upper_many(np.arange(200), 1000, delta=DELTA)).any())


def unseen(rng: Rng) -> bool:
    rates = rng.beta(1, 60, size=20)
    k = rng.binomial(300, rates[:-1])
    result = bounds.unseen_family(k, [300] * 19, delta_rank=0.05, delta_count=0.05)
    return result.bound is not None and rates[-1] > result.bound


def gap(rng: Rng) -> bool:
    rates, n = np.array([0.01, 0.02, 0.02, 0.05]), np.full(4, 400)
    found = equivalence._gap_bounds(  # noqa: SLF001 - without the power simulation
        rng.binomial(n, rates), n, DELTA
    )
    widest = equivalence._off_diagonal_max(found)  # noqa: SLF001
    return bool(widest < rates.max() - rates.min())


RULES: tuple[tuple[str, Callable[[Rng], bool], float | None], ...] = (
    ("miss threshold (fixed-sequence LTT), n = 1000", miss, 0.05),
    ("the same with tied risks", miss_with_ties, 0.05),
    ("FPR threshold (fixed-sequence LTT), n = 1000", false_positives, 0.05),
    ("joint threshold, n = 1000 + 1000", joint, 0.05),
    ("every family (intersection-union), 4 x 400", every_family, 0.05),
    ("numeric bound per family at delta/m, 8 x 400, all together", family_bounds, 0.05),
    ("which families pass (Holm), 8 x 700, all just above alpha", holm_families, 0.05),
    ("whole curve (equal local levels), n = 1000", band, 0.05),
    ("split: choose on 500, bound on 500", split, 0.05),
    ("next unseen family, K = 19 (5 % for the draw, 5 % for the counts)", unseen, 0.10),
    ("largest gap between 4 levels, 400 each", gap, 0.05),
    ("not offered: empirical miss <= alpha", naive, None),
    ("not offered: pointwise bound at a threshold chosen by looking", pointwise_at_chosen, None),
)


def violations(sets: int) -> list[dict[str, Any]]:
    rows = []
    for name, rule, allowed in RULES:
        rng = np.random.default_rng(2026)
        started = time.process_time()
        broken = sum(rule(rng) for _ in range(sets))
        low, high = bounds.clopper_pearson(broken, sets, confidence=0.99)
        rows.append(
            {
                "rule": name,
                "violations": broken / sets,
                "low": low,
                "high": high,
                "allowed": allowed,
                "holds": None if allowed is None else low <= allowed,
                "ms": 1000 * (time.process_time() - started) / sets,
            }
        )
    return rows


def sample_sizes() -> list[dict[str, Any]]:
    levels = (0.05, 0.01, 0.005, 0.001)
    return [
        {
            "alpha": alpha,
            "delta": delta,
            **{f"k={k}": bounds.sample_size(alpha, delta, k) for k in (0, 1, 2, 5, 10)},
        }
        for alpha in levels
        for delta in (0.05, 0.01, 0.05 / 8)
    ]


def risks(n: int, rng: Rng) -> tuple[Array, Array]:
    """True posteriors of two unit normals ``SEPARATION`` apart: (attack, benign)."""
    half = SEPARATION / 2
    attack = special.expit(SEPARATION * (rng.standard_normal(n) + half))
    benign = special.expit(SEPARATION * (rng.standard_normal(n) - half))
    return attack, benign


def true_rates(cut: float | None) -> tuple[float, float]:
    """(miss, FPR) at a threshold; without one everything is flagged."""
    if cut is None or cut <= 0:
        return 0.0, 1.0
    z = float(special.logit(min(cut, 1 - 1e-12))) / SEPARATION
    return float(stats.norm.cdf(z - SEPARATION / 2)), float(stats.norm.sf(z + SEPARATION / 2))


def mapie_cut(attack: Array, benign: Array, method: str) -> float | None:
    """Its largest certified threshold for recall >= 99 % at 95 %."""
    from mapie.risk_control import BinaryClassificationController

    scores = np.concatenate([attack, benign])
    y = np.repeat([1, 0], [len(attack), len(benign)])
    controller = BinaryClassificationController(
        lambda X: np.stack([1 - X[:, 0], X[:, 0]], axis=1),
        "recall",
        target_level=1 - ALPHA,
        confidence_level=1 - DELTA,
        fwer_method=method,
    )
    controller.calibrate(scores[:, None], y)
    valid = np.atleast_1d(controller.valid_predict_params)
    return float(valid.max()) if valid.size else None


def our_cut(attack: Array, benign: Array) -> float | None:
    del benign
    return thresholds.miss_threshold(attack, alpha=ALPHA, delta=DELTA).threshold


def comparison(sets: int, *, peers: bool) -> list[dict[str, Any]]:
    methods: dict[str, Callable[[Array, Array], float | None]] = {"causalguard": our_cut}
    if peers:
        methods["MAPIE, default (Holm)"] = lambda a, b: mapie_cut(a, b, "bonferroni_holm")
        methods["MAPIE, fixed_sequence"] = lambda a, b: mapie_cut(a, b, "fixed_sequence")
    rows = []
    for n in (500, 1000, 3000):
        for name, method in methods.items():
            rng = np.random.default_rng(7)
            pairs = [true_rates(method(*risks(n, rng))) for _ in range(sets)]
            rows.append(
                {
                    "n": n,
                    "method": name,
                    "violations": float(np.mean([m > ALPHA for m, _ in pairs])),
                    "miss": float(np.mean([m for m, _ in pairs])),
                    "fpr": float(np.mean([f for _, f in pairs])),
                }
            )
    return rows


def attacks_needed(peers: bool) -> dict[str, int]:
    """Smallest number of attacks, all ranked above every benign row, that certifies anything."""
    needed = {"causalguard": bounds.sample_size(ALPHA, DELTA, 0)}
    if peers:
        for method in ("bonferroni_holm", "fixed_sequence"):
            low, high = 100, 1500
            while high - low > 1:
                middle = (low + high) // 2
                cut = mapie_cut(np.full(middle, 0.995), np.full(50, 0.001), method)
                low, high = (low, middle) if cut is not None and cut > 0 else (middle, high)
            needed[f"MAPIE, {method}"] = high
    return needed


def markdown(results: dict[str, Any]) -> str:
    lines = [
        "# Bounds and certified thresholds",
        "",
        (
            f"`{results['command']}`, {results['date']}, {results['hardware']}; seed in the code; "
            f"versions {results['versions']}. Made from bounds.json by the same command."
        ),
        "",
        (
            f"## Violations in {results['sets']} simulated calibration sets "
            "(alpha 1 %, delta 5 %; interval: exact 99 %)"
        ),
        "",
        "`holds`: the interval does not lie above what is allowed.",
        "",
        "| rule | violations | interval | allowed | holds | ms per set |",
        "|---|---:|---|---:|---|---:|",
    ]
    for row in results["violations"]:
        holds = {None: "–", True: "yes", False: "NO"}[row["holds"]]
        allowed = "–" if row["allowed"] is None else f"{row['allowed']:.0%}"
        lines.append(
            f"| {row['rule']} | {row['violations']:.4f} | [{row['low']:.4f}, {row['high']:.4f}] "
            f"| {allowed} | {holds} | {row['ms']:.2f} |"
        )
    lines += ["", "## Attacks needed to certify recall >= 99 % at 95 %", ""]
    lines += [f"* {name}: {n}" for name, n in results["needed"].items()]
    lines += [
        "",
        (
            f"## Threshold chosen for recall >= 99 % at 95 %, {results['compared_sets']} sets "
            f"(two normals {SEPARATION} apart, risks are true posteriors)"
        ),
        "",
        "| attacks = benign | method | P(miss > 1 %) | mean miss | mean FPR paid |",
        "|---:|---|---:|---:|---:|",
    ]
    lines += [
        f"| {r['n']} | {r['method']} | {r['violations']:.3f} | {r['miss']:.2%} | {r['fpr']:.2%} |"
        for r in results["comparison"]
    ]
    lines += ["", "## Targets", ""]
    lines += [f"* {text}" for text in verdicts(results)]
    lines += ["", "## Smallest n with k errors allowed", ""]
    lines += ["| alpha | delta | k=0 | 1 | 2 | 5 | 10 |", "|---:|---:|---:|---:|---:|---:|---:|"]
    lines += [
        f"| {s['alpha']:.1%} | {s['delta']:.3%} | {s['k=0']} | {s['k=1']} | {s['k=2']} "
        f"| {s['k=5']} | {s['k=10']} |"
        for s in results["sizes"]
    ]
    return "\n".join(lines) + "\n"


def verdicts(results: dict[str, Any]) -> list[str]:
    bad = [row["rule"] for row in results["violations"] if row["holds"] is False]
    texts = [
        "violations <= delta for every rule offered: "
        + ("reached" if not bad else f"NOT reached by {', '.join(bad)}")
    ]
    holm = results["needed"].get("MAPIE, bonferroni_holm")
    if holm:
        ratio = results["needed"]["causalguard"] / holm
        texts.append(
            f"attacks needed <= 0.4 x MAPIE's default: {ratio:.3f}, "
            + ("reached" if ratio <= 0.4 else "NOT reached")
        )
        for n in (500, 1000, 3000):
            paid = {r["method"]: r["fpr"] for r in results["comparison"] if r["n"] == n}
            ratio = paid["causalguard"] / paid["MAPIE, default (Holm)"]
            texts.append(
                f"FPR <= 1/4 of MAPIE's default at n = {n}: {ratio:.3f}, "
                + ("reached" if ratio <= 0.25 else "NOT reached")
            )
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few sets; writes nothing")
    parser.add_argument("--peers", action="store_true", help="also run MAPIE")
    options = parser.parse_args()
    sets, compared = (500, 10) if options.quick else (20_000, 200)
    results = {
        "command": "OMP_NUM_THREADS=1 python benchmarks/bounds.py"
        + (" --peers" if options.peers else ""),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "hardware": hardware(),
        "versions": peer_tests.versions(peers=options.peers),
        "sets": sets,
        "compared_sets": compared,
        "violations": violations(sets),
        "needed": attacks_needed(options.peers),
        "comparison": comparison(compared, peers=options.peers),
        "sizes": sample_sizes(),
    }
    text = markdown(results)
    print(text)
    if not options.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "bounds.json").write_text(json.dumps(results, indent=1) + "\n")
        (RESULTS / "bounds.md").write_text(text)


if __name__ == "__main__":
    main()
