"""results/independence.md from results/independence.json."""

from typing import Any

Section = dict[str, Any]


def _head(title: str, section: Section) -> list[str]:
    versions = ", ".join(f"{k} {v}" for k, v in section["versions"].items())
    return [
        f"## {title}",
        "",
        (
            f"`{section['command']}`, {section['date']}, {section['hardware']}; {versions}; "
            f"{section['seed']}."
        ),
        "",
    ]


def _level(section: Section) -> list[str]:
    low, high = section["band"]
    cells = section["cells"]
    lines = _head("Level of the exact tests", section)
    lines += [
        (
            f"Share of p <= 0.05 over {section['sets']} data sets, P = {section['permutations']}. "
            f"Simultaneous 99 % Monte-Carlo band around 5 %: [{low:.4f}, {high:.4f}]; the discrete "
            "null (ties) only has to stay below its upper edge."
        ),
        "",
        "| null | n = 100 | n = 200 | n = 500 |",
        "|---|---:|---:|---:|",
    ]
    for design in dict.fromkeys(cell["design"] for cell in cells):
        row = [
            f"{c['rate']:.4f}{'' if c['inside'] else ' OUTSIDE'}"
            for c in cells
            if c["design"] == design
        ]
        lines.append(f"| {design} | {' | '.join(row)} |")
    return [*lines, ""]


def _rates(title: str, note: str, section: Section) -> list[str]:
    rows = section["rows"]
    columns = list(dict.fromkeys((r["design"], r["n"]) for r in rows))
    lines = [*_head(title, section), note, ""]
    lines.append("| test | " + " | ".join(f"{d}, n = {n}" for d, n in columns) + " |")
    lines.append("|---|" + "---:|" * len(columns))
    for test in dict.fromkeys(r["test"] for r in rows):
        found = {(r["design"], r["n"]): r for r in rows if r["test"] == test}
        cells = [
            f"{found[c]['rate']:.3f} ({found[c]['sets']}; {found[c]['cpu_s']:.3f} s)"
            if c in found
            else "–"
            for c in columns
        ]
        lines.append(f"| {test} | {' | '.join(cells)} |")
    return [*lines, ""]


def _times(section: Section) -> list[str]:
    lines = _head("CPU seconds and peak extra memory, 1,000 permutations", section)
    lines += [
        (
            "One process each, after a warm-up. hyppo is run with 20 permutations and scaled; "
            "causal-learn's tests draw none."
        ),
        "",
        "| test | n | CPU s | MiB |",
        "|---|---:|---:|---:|",
    ]
    lines += [
        f"| {r['test']} | {r['n']} | {r['cpu_s']:.3f} | {r['extra_mib']:.0f} |"
        for r in section["rows"]
    ]
    return [*lines, ""]


def _gpu(section: Section) -> list[str]:
    lines = _head("All kernels block by block on an accelerator", section)
    agreement = section["difference"]
    lines += [
        f"{section['device']}, torch {section['torch']}; wall seconds, 1,000 permutations.",
        (
            section["note"]
            if agreement is None
            else f"No kernel's statistic differs from the host's by more than {agreement:.1e} at "
            "n = 1000."
        ),
        "",
    ]
    return [*lines, *[f"* n = {r['n']}: {r['wall_s']:.2f} s" for r in section["rows"]], ""]


def _verdict(text: str, value: float, limit: float, *, at_least: bool) -> str:
    reached = value >= limit if at_least else value <= limit
    sign = ">=" if at_least else "<="
    return f"* {text}: {value:.3g} ({sign} {limit:g}: {'reached' if reached else 'NOT reached'})"


def _pick(section: Section, test: str, design: str, n: int) -> float | None:
    found = [
        r["rate"] for r in section["rows"] if (r["test"], r["design"], r["n"]) == (test, design, n)
    ]
    return found[0] if found else None


def _power_verdicts(section: Section) -> list[str]:
    lines = []
    limits = (("D32-mean", 500, 0.75), ("D32-flip", 500, 0.80), ("D32-scale", 500, 0.98))
    for design, n, limit in (*limits, ("U576-weak", 200, 0.45), ("U1-sine", 200, 0.9)):
        value = _pick(section, "causalguard", design, n)
        if value is None:
            continue
        lines.append(_verdict(f"power {design}, n = {n}", value, limit, at_least=True))
        peers = [
            r["rate"]
            for r in section["rows"]
            if r["design"] == design and r["test"].startswith(("causal-learn", "C2ST"))
        ]
        plain = _pick(section, "HSIC, median width", design, n)
        if design == "U576-weak" and plain:
            text = f"{design}: times plain HSIC at the median width"
            lines.append(_verdict(text, value / plain, 4.0, at_least=True))
        if peers:
            need = 1.3 if design == "U1-sine" else 4.0
            ratio = value / max([*peers, 1e-3])
            lines.append(_verdict(f"{design}: times the best peer", ratio, need, at_least=True))
    return lines


def _time_verdicts(section: Section) -> list[str]:
    took = {(r["test"], r["n"]): r for r in section["rows"]}
    lines = [
        _verdict(f"CPU s at n = {n}", took["ours", n]["cpu_s"], limit, at_least=False)
        for n, limit in ((2000, 0.5), (5000, 2.0), (50_000, 5.0))
        if ("ours", n) in took
    ]
    lines += [
        _verdict(f"MiB at n = {n}", took["ours", n]["extra_mib"], limit, at_least=False)
        for n, limit in ((5000, 150), (50_000, 400))
        if ("ours", n) in took
    ]
    ratios = (
        ("hyppo.Hsic", 2000, "ours", 500),
        ("causal-learn KCI", 2000, "ours", 15),
        ("causal-learn KCI residual", 2000, "ours residual", 18),
    )
    for peer, n, own, limit in ratios:
        if (peer, n) in took and (own, n) in took:
            ratio = took[peer, n]["cpu_s"] / took[own, n]["cpu_s"]
            lines.append(_verdict(f"n = {n}: {peer} / {own}", ratio, limit, at_least=True))
    if ("causal-learn KCI-U", 5000) in took:
        ratio = took["causal-learn KCI-U", 5000]["extra_mib"] / took["ours", 5000]["extra_mib"]
        lines.append(_verdict("n = 5000: memory of KCI-U / ours", ratio, 7, at_least=True))
    return lines


def _conditional_verdicts(section: Section) -> list[str]:
    rows = [r for r in section["rows"] if r["test"] == "causalguard"]
    lines = [
        _verdict(f"level {r['design']}, n = {r['n']}", r["rate"], 0.065, at_least=False)
        for r in rows
        if r["design"].endswith("null")
    ]
    gcm = _pick(section, "GCM, forest (ours)", "Z1-alt", 200)
    own = _pick(section, "causalguard", "Z1-alt", 200)
    if gcm is not None and own is not None:
        lines.append(_verdict("power Z1-alt less that of GCM", own - gcm, -0.05, at_least=True))
    return lines


NOTES = (
    (
        "* How the kernels were chosen: some 15 subsets and 5 ways of fusing were compared by "
        "power on 300 data sets each of D32-mean, -flip, -scale, U576-weak and U1-sine (other "
        "seeds and rotations than below). The power figures are therefore for designs of a "
        "kind that the test was tuned on; no design was held out. Levels are not affected."
    ),
    (
        "* The same holds for continuous Z: two of its three parts (one smooth function per "
        "coordinate, normal scores) were added after looking at Z1 and Z3."
    ),
    (
        "* Peers were run on 200 data sets, ours on 500: a ratio near its limit is not settled. "
        "Times of the time section were taken shortly before the last changes to the code."
    ),
)


def markdown(results: dict[str, Section]) -> str:
    """The whole page: targets first, then each section's table."""
    lines = ["# Tests of independence: level, power, time", "", "## Targets", ""]
    body: list[str] = []
    if "level" in results:
        cells = results["level"]["cells"]
        outside = sum(not cell["inside"] for cell in cells)
        lines.append(
            f"* level: {len(cells) - outside} of {len(cells)} cells inside "
            f"({'reached' if not outside and len(cells) == 24 else 'NOT reached'})"
        )
        body += _level(results["level"])
    if "power" in results:
        lines += _power_verdicts(results["power"])
        note = "Share of p <= 0.05 (data sets; CPU seconds per test). D32-null is the level."
        body += _rates("Power beside the peers", note, results["power"])
    if "time" in results:
        lines += _time_verdicts(results["time"])
        body += _times(results["time"])
    if "conditional" in results:
        section = results["conditional"]
        simulated = section.get("simulated_level_Z3_200", "not run")
        lines += _conditional_verdicts(section)
        note = (
            "Share of p <= 0.05 (data sets; CPU seconds per test), asymptotic; simulated level "
            f"printed beside Z3-null at n = 200: {simulated}."
        )
        body += _rates("Continuous Z", note, section)
    if "gpu" in results:
        body += _gpu(results["gpu"])
    else:
        lines.append("* n = 50,000 with all kernels on an H200: not measured here (--only gpu)")
    notes = ["", "## What to keep in mind", "", *NOTES, ""]
    return "\n".join([*lines, *notes, *body]).rstrip() + "\n"
