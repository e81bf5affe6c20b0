"""A finding's chain of requests as plain text."""

from __future__ import annotations

from chaoscheck.model.verdict import ChainLink, Finding
from chaoscheck.reporting.text import one_line


def is_request(link: ChainLink) -> bool:
    """Whether that link is something a client sent; a kill stands in a chain as a comment."""
    return bool(link.curl) and not link.curl.startswith("#")


def happened(link: ChainLink) -> str:
    """In words what a link that is no request tells: its comment and its note, each once."""
    comment = link.curl.removeprefix("#").strip()
    return link.note if not comment or comment.startswith("kill ") else f"{comment}: {link.note}".removesuffix(": ")


def finding_lines(finding: Finding) -> list[str]:
    """A finding as plain text, its chain of requests included."""
    blame = f" {finding.wording} strike #{finding.strike} of {finding.victim}" if finding.strike >= 0 else ""
    lines = [
        f"{finding.anomaly} {finding.promise}: {one_line(finding.summary)}",
        f"  cause: {finding.cause.value}{blame}",
    ]
    for link in finding.chain:
        what = link.curl if is_request(link) else happened(link)
        lines.append(f"  {link.at_ns / 1e9:9.3f} s  {one_line(what)}")
        if is_request(link):
            answer = f"-> {link.status or 'no answer'} from {link.instance or 'nobody'} {one_line(link.note, 200)}"
            lines.append(f"{'':15}{answer}")
    return [*lines, f"  fix: {one_line(finding.fix)}"]
