"""Recordings made by hand, and plans as they come out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chaoscheck import plugins
from chaoscheck.drafting.gather import Given, Source, gather
from chaoscheck.drafting.write import write
from chaoscheck.phases.validate import validate
from chaoscheck.plan.load import load_plan
from chaoscheck.plan.plan import Plan

SAMPLES = Path(__file__).resolve().parent / "recordings"
ORIGIN = "http://localhost:8000"


def asked(
    method: str, path: str, answer: Any = "", *, status: int = 200, send: Any = None, **headers: str
) -> dict[str, Any]:
    """One entry: `send` is a JSON body (or a form's, as text), `answer` a JSON body or HTML. Headers that begin with
    `got_` are the answer's; "_" stands for "-"."""
    html = isinstance(answer, str)
    sent = [{"name": name.replace("_", "-"), "value": text} for name, text in headers.items() if name[:4] != "got_"]
    got = [{"name": name[4:].replace("_", "-"), "value": text} for name, text in headers.items() if name[:4] == "got_"]
    request: dict[str, Any] = {"method": method, "url": path if "://" in path else ORIGIN + path, "headers": sent}
    if send is not None:
        form = isinstance(send, str)
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        request["postData"] = {"mimeType": kind, "text": send if form else json.dumps(send)}
    content = {"mimeType": "text/html" if html else "application/json", "text": answer if html else json.dumps(answer)}
    return {"request": request, "response": {"status": status, "headers": got, "content": content, "redirectURL": ""}}


def har(*entries: dict[str, Any]) -> str:
    return json.dumps({"log": {"version": "1.2", "entries": list(entries)}})


def drafted(folder: Path, *, recording: str = "", api: str = "", **said: Any) -> tuple[str, Plan]:
    """The plan's text, and the plan: it must load and fit the kinds."""
    given = Given(
        here=folder,
        base=folder,
        said={"image": "service", **said},
        har=Source(text=recording, name="rec.har") if recording else None,
        openapi=Source(text=api, name="api.yaml") if api else None,
    )
    text = write(gather(given), schema=".chaoscheck/plan.schema.json")
    path = folder / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    plugins.load()
    loaded = load_plan(path, environment={})
    validate(loaded)
    return text, loaded.plan


def flat(step: Any) -> dict[str, Any]:
    """A step of a plan without what it doesn't say."""
    said: dict[str, Any] = step.model_dump(by_alias=True, exclude_defaults=True, exclude_none=True)
    return said
