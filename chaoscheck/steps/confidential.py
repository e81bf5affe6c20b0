"""What of a plan is secret, so that it can be kept out of all that a run writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from chaoscheck.model.secrecy import secrets_in
from chaoscheck.plan.plan import Plan, Store, Target
from chaoscheck.plan.steps import Promise
from chaoscheck.steps.mask import carries_credentials
from chaoscheck.steps.render import password_of
from chaoscheck.steps.template import Template

_SECRETS = "/run/secrets/"


def confidential(plan: Plan, filled: Mapping[str, str] = MappingProxyType({})) -> tuple[str, ...]:
    """What the plan lists under `secrets`, passwords, and settings that are named like a secret, each once, sorted.

    `filled` are the variables of the environment that it was filled in from, where they are known.
    """
    sections: list[Target | Store] = [plan.target, *plan.stores.values()]
    guessed = {text for section in sections for text in _settings(section)} | {*secrets_in(filled)}
    # `POSTGRES_PASSWORD: postgres` beside a store of that name: every log would be garbled, and no hint could name it.
    guessed -= plan.stores.keys()
    said = {*plan.secrets, plan.accounts.password, *literal_passwords(plan.promises, plan.target), *_sent(plan)}
    return tuple(sorted((said | guessed) - {""}))


def literal_passwords(promises: Mapping[str, Promise], target: Target) -> list[str]:
    """Passwords that stand in the plan's `auth` as they are."""
    auths = [step.auth for each in promises.values() for step in (*each.do, *each.see, *each.undo, *each.ledger)]
    texts = {password_of(auth) for auth in (target.auth, *auths)}
    return [literal for text in sorted(texts) if (literal := Template(text, lenient=True).literal)]


def _settings(section: Target | Store) -> Iterator[str]:
    yield from secrets_in(section.env)
    yield from secrets_in(section.build_args)
    for path, text in section.container.texts.items():
        if path.startswith(_SECRETS):
            yield text.strip()


def _sent(plan: Plan) -> Iterator[str]:
    """Credentials that go with every request, without their scheme."""
    for name, text in plan.target.headers.items():
        if carries_credentials(name):
            yield text.rpartition(" ")[2]
