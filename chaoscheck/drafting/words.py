"""What names and paths usually mean: logins, passwords, tokens, health."""

from __future__ import annotations

import re

LOGIN = re.compile(r"log[-_ ]?in|sign[-_ ]?in|authenticat|(^|/)(auth|sessions?|tokens?)(/|\s|$)", re.IGNORECASE)
LOGOUT = re.compile(r"log[-_ ]?(out|off)|sign[-_ ]?out", re.IGNORECASE)
SIGNUP = re.compile(r"sign[-_ ]?up|regist(er|ration)|create[-_ ]?(user|account)", re.IGNORECASE)
NOT_LOGIN = re.compile(r"refresh|reset|forgot|change|verif|revoke|confirm|two|2fa|otp|introspect", re.IGNORECASE)
IDENTITY = re.compile(
    r"(^|/)(me|whoami|who-am-i|self|profile|account|userinfo|current[-_]?user|user|session)/?$", re.IGNORECASE
)
HEALTH = re.compile(
    r"(^|/)_*(healthz?|healthcheck|livez?|ready|readyz|ping|up|status|lbheartbeat|heartbeat)_*/?$", re.IGNORECASE
)
PASSWORD = re.compile(r"pass(word|wd|phrase|code)?\b|pwd|passwo|(^|[^a-z])pw($|[^a-z])", re.IGNORECASE)
USER = re.compile(
    r"^(user(name|_name|id)?|login(_?name)?|e?mail(_address)?|account(_name)?|name|handle|nick(name)?|identifier)$",
    re.IGNORECASE,
)
MAIL = re.compile(r"e-?mail|address", re.IGNORECASE)
TOKEN = re.compile(r"^(access_?token|id_?token|auth_?token|token|jwt|bearer|session_?token|api_?key)$", re.IGNORECASE)
CSRF = re.compile(r"csrf|xsrf|authenticity|nonce|__requestverification|viewstate|^@?_?token$", re.IGNORECASE)
DULL = re.compile(
    r"^(title|name|text|body|content|note|message|description|comment|label|subject|summary|value|nickname|bio|motto"
    r"|realname)$",
    re.IGNORECASE,
)
"""Fields that take any text."""


NAMELESS = "thing"


def named(path: str) -> str:
    """A name for a promise from its path: the last word of it that is no parameter, no version and no id."""
    words = re.findall(r"[A-Za-z][A-Za-z_-]*", re.sub(r"\{[^}]*\}|\$\w+|\?.*", "", path))
    plain = [word.strip("-_").lower().replace("-", "_") for word in words if not re.fullmatch(r"v|api|rest", word)]
    word = plain[-1] if plain else NAMELESS
    return word[:-3] + "y" if word.endswith("ies") else word[:-1] if re.search(r"[^su]s$", word) else word


def is_id(text: str) -> bool:
    """Whether a segment of a path names one object rather than a sort of them."""
    return bool(re.search(r"\d", text)) and not re.fullmatch(r"v\d+(\.\d+)?", text)
