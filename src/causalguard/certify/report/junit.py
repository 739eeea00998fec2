"""JUnit XML: one test case a gate, so that every CI shows a certificate as it shows tests."""

from xml.sax.saxutils import escape, quoteattr

from causalguard.certify.report.model import GateOutcome, Report

_CONTROLS = {code: " " for code in range(32) if chr(code) not in "\t\n\r"}


def render(report: Report) -> str:
    """The report's gates as a JUnit test suite; failed ones first."""
    gates = report.results.gates
    required = [gate for gate in gates if gate.required]
    failures = sum(gate.outcome == "FAILED" for gate in required)
    skipped = sum(not gate.required for gate in gates)
    errors = sum(gate.outcome == "INCONCLUSIVE" for gate in required)
    head = (
        f'<testsuite name={_attribute("causalguard " + report.policy.name)} tests="{len(gates)}" '
        f'failures="{failures}" errors="{errors}" skipped="{skipped}" '
        f"timestamp={_attribute(report.time_created.removesuffix('Z'))}>"
    )
    properties = {
        "result": report.results.result,
        "signature": report.signature.state,
        "policy.sha256": report.policy.sha256,
        "model.rootSha256": report.model.root_sha256,
    }
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", head, "<properties>"]
    lines += [
        f"<property name={_attribute(name)} value={_attribute(value)}/>"
        for name, value in properties.items()
    ]
    lines.append("</properties>")
    lines += [_case(gate, report.policy.name) for gate in gates]
    lines += ["</testsuite>", "</testsuites>", ""]
    return "\n".join(lines)


def _case(gate: GateOutcome, policy: str) -> str:
    start = f"<testcase classname={_attribute('causalguard.' + policy)} name={_attribute(gate.id)}>"
    return f"{start}{_outcome(gate)}</testcase>"


def _outcome(gate: GateOutcome) -> str:
    text = escape(_clean(f"{gate.claim}\n{gate.reason}"))
    message = _attribute(gate.reason)
    if not gate.required:
        return (
            f"<skipped message={_attribute('report only: ' + gate.outcome + '; ' + gate.reason)}/>"
        )
    if gate.outcome == "FAILED":
        return f"<failure message={message}>{text}</failure>"
    if gate.outcome == "INCONCLUSIVE":
        return f"<error message={message}>{text}</error>"
    return f"<system-out>{text}</system-out>"


def _clean(text: str) -> str:
    return text.translate(_CONTROLS)


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))
