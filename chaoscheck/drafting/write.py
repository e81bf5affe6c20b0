"""A draft as a commented plan.yaml: each guess says where it comes from, what is missing is a block to fill in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from textwrap import wrap

import yaml

from chaoscheck.drafting.backing import ENV
from chaoscheck.drafting.draft import SAY_HERE, SOURCES, Draft, Json, Note, PromiseDraft, StepDraft, TargetDraft

WIDTH = 118

_LOGIN_BLOCK = """\
login:                                  # {say} how a user logs in, and how the service shows who is logged in
  kind: session
  do:   {{post: /login, json: {{user: $user, password: $password}}, expect: 200}}
  see:  {{get: /me, value: "json:user", expect: {{value: $user}}}}
  undo: {{post: /logout}}
"""
_WRITE_BLOCK = """\
profile:                                # {say} what a user writes and reads again (docs/kinds has all kinds)
  kind: register
  do:  {{put: /profile, json: {{nickname: $value}}}}
  see: {{get: /profile, value: "json:nickname"}}
"""


def write(draft: Draft, *, schema: str = "") -> str:
    """The text of plan.yaml. `schema` is where editors find the JSON Schema, from the plan's folder."""
    parts = []
    if schema:
        parts.append(f"# yaml-language-server: $schema={schema}\n")
    parts += _target(replace(draft.target, maybe=_maybe(draft)))
    if draft.stores:
        parts.append("stores:\n")
        parts += [f"  {name}: {flow(store)}\n" for name, store in draft.stores.items()]
    parts += _promises(draft.promises, login="auth" not in draft.target.keys)
    text = "".join(parts)
    masked = text
    for secret in draft.secrets:
        masked = masked.replace(secret, "HIDDEN")
    if masked != text:
        masked += f"# {SAY_HERE} what stands where HIDDEN is: credentials of the recording aren't copied\n"
    return masked


def _maybe(draft: Draft) -> tuple[str, ...]:
    """Where the stores are said, only what leads to them may still lack."""
    if not draft.stores:
        return draft.target.maybe
    env = draft.target.keys.get("env")
    told = set(env) if isinstance(env, dict) else set()
    lines = [line for line in draft.target.maybe if line.startswith(ENV)]
    return tuple(line for line in lines if not told & set(re.findall(r"(\w+): ", line.removeprefix(ENV))))


def flow(value: Json) -> str:
    """On one line, quoted where YAML needs it."""
    made = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, sort_keys=False, width=10**9, allow_unicode=True)
    return made.removesuffix("\n").removesuffix("\n...").strip()


class _Dumper(yaml.SafeDumper):
    """Double quotes, as the documentation writes them."""

    def analyze_scalar(self, scalar: str) -> yaml.emitter.ScalarAnalysis:
        analysis = super().analyze_scalar(scalar)
        analysis.allow_single_quoted = False
        if not re.fullmatch(r"[\w/$.@%+~ -]+", scalar) or scalar != scalar.strip():
            analysis.allow_flow_plain = analysis.allow_block_plain = False
        return analysis

    def ignore_aliases(self, data: object) -> bool:
        return True


def _target(target: TargetDraft) -> Iterator[str]:
    yield from _comments("", (note.line() for note in target.notes))
    if not SOURCES & set(target.keys):
        yield f"target:                                   # {SAY_HERE} what to run: an image, or a folder to build\n"
        yield "  # build: .\n"
        yield "  # image: service:latest\n"
    elif len(flow(target.keys)) <= WIDTH - 8:
        yield f"target: {flow(target.keys)}\n"
        target = TargetDraft(maybe=target.maybe)
    else:
        yield "target:\n"
    for key, value in target.keys.items():
        yield f"  {key}: {flow(value)}\n"
    yield from (f"# {_tame(line)}\n" for line in target.maybe)


def _promises(promises: tuple[PromiseDraft, ...], *, login: bool) -> Iterator[str]:
    whole = [promise for promise in promises if not promise.missing]
    missing = "" if whole else f"                                 # {SAY_HERE} what the service promises"
    yield f"promises:{missing}\n"
    for promise in promises:
        block = "".join(_promise(promise))
        yield block if not promise.missing else _commented(block)
    if login and not any(promise.kind == "session" for promise in promises):
        yield _commented(_indented(_LOGIN_BLOCK.format(say=SAY_HERE)))
    if not any(promise.kind != "session" for promise in promises):
        yield _commented(_indented(_WRITE_BLOCK.format(say=SAY_HERE)))


def _promise(promise: PromiseDraft) -> Iterator[str]:
    yield from _comments("  ", (note.line() for note in promise.notes))
    yield f"  {promise.name}:\n"
    yield f"    kind: {promise.kind}\n"
    if promise.of:
        yield f"    of: {promise.of}\n"
    for name, steps in (("do", promise.do), ("see", promise.see), ("undo", promise.undo)):
        if steps:
            yield from _action(name, steps)
    if promise.missing:
        yield from _comments("    ", [f"{SAY_HERE}: {promise.missing}"])


def _action(name: str, steps: tuple[StepDraft, ...]) -> Iterator[str]:
    if len(steps) > 1:
        yield f"    {name}:\n"
        for step in steps:
            yield f"      - {flow(step.plain())}\n"
        return
    line = f"    {name + ':':<5} {flow(steps[0].plain())}\n"
    if len(line) <= WIDTH:
        yield line
        return
    yield f"    {name}:\n"
    for key, value in steps[0].plain().items():
        yield f"      {key}: {flow(value)}\n"


def _comments(indent: str, lines: Iterable[str]) -> list[str]:
    return [
        f"{indent}# {piece}\n"
        for line in lines
        for piece in wrap(_tame(line), WIDTH - len(indent) - 2, break_on_hyphens=False, break_long_words=False)
    ]


def _commented(block: str) -> str:
    return "".join(f"  # {line[2:]}" if line.strip() else line for line in block.splitlines(keepends=True))


def _indented(block: str) -> str:
    return "".join(f"  {line}" for line in block.splitlines(keepends=True))


def _tame(text: str) -> str:
    """Nothing that a description says may end the comment or steer a terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def said_by(notes: Iterable[Note]) -> list[str]:
    """For the terminal."""
    return [_tame(note.line()) for note in notes]
