"""API descriptions become promises: OpenAPI 3.0 and 3.1, Swagger 2; JSON and YAML; references and rings."""

from __future__ import annotations

from pathlib import Path

import pytest
from samples.drafts import SAMPLES, drafted, flat

from chaoscheck.drafting import openapi
from chaoscheck.drafting.endpoints import Endpoint, Field, promises
from chaoscheck.errors import PlanError

API = (SAMPLES / "token-api.yaml").read_text()


def test_token_api_gets_session_register_and_kept(tmp_path: Path) -> None:
    """By names, bodies and answers; the reset of a password is no login."""
    _, plan = drafted(tmp_path, api=API)
    login, setting, note = plan.promises["login"], plan.promises["setting"], plan.promises["note"]
    assert flat(login.do[0]) == {
        "post": "/v2/login",
        "json": {"username": "$user", "password": "$password"},
        "expect": {"status": 200},
        "take": {"token": "json:data.jwt"},
    }
    assert login.see[0].get == "/v2/users/me"
    assert login.see[0].headers == {"Authorization": "Bearer $token"}
    assert login.see[0].value == "json:username"
    assert login.undo[0].post == "/v2/logout"
    assert flat(setting.do[0]) == {"put": "/v2/settings", "json": {"motto": "$value"}, "expect": {"status": 204}}
    assert setting.see[0].value == "json:motto"
    assert note.kind == "kept"
    assert flat(note.do[0])["json"] == {"title": "$value", "colour": "red"}
    assert note.do[0].take == {"id": "json:id"}
    assert note.see[0].get == "/v2/notes/$id"
    assert plan.target.ready.get == "/v2/healthz"


def test_kinto_s_own_description_gets_plans_that_work(tmp_path: Path) -> None:
    """Swagger 2 with HTTP Basic: credentials in the target, two resources that can be read back."""
    text, plan = drafted(tmp_path, api=(SAMPLES / "kinto-api.json").read_text())
    assert plan.target.auth == "$user:$password"
    assert plan.target.ready.get == "/v1/__lbheartbeat__"
    assert flat(plan.promises["bucket"].do[0]) == {"put": "/v1/buckets/$session", "json": {"data": {"text": "$value"}}}
    assert plan.promises["bucket_made"].do[0].take == {"id": "json:data.id"}
    assert "kind: session" not in text


@pytest.mark.parametrize("whole", ["{type: array, items: {type: object}}", "{properties: {items: {type: array}}}"])
def test_post_to_a_list_makes_something_new(tmp_path: Path, whole: str) -> None:
    """Kept, not a register; and where nothing shows one alone, with the list's trap."""
    api = f"""
openapi: 3.0.0
paths:
  /notes:
    get: {{responses: {{"200": {{content: {{application/json: {{schema: {whole}}}}}}}}}}}
    post:
      requestBody:
        content: {{application/json: {{schema: {{required: [text], properties: {{text: {{type: string}}}}}}}}}}
      responses: {{"201": {{description: made}}}}
"""
    text, plan = drafted(tmp_path, api=api)
    assert plan.promises["note"].kind == "kept"
    assert "forgets its oldest" in text
    one = '  "/notes/{id}": {get: {responses: {"200": {description: one}}}}\n'
    text, plan = drafted(tmp_path, api=api + one)
    assert plan.promises["note"].see[0].get == "/notes/$id"
    assert "forgets its oldest" not in text


def test_form_login_and_cookies(tmp_path: Path) -> None:
    """FastAPI's password form; without a token in the answer cookies carry the session."""
    api = """
swagger: "2.0"
basePath: /api
paths:
  /session:
    post:
      consumes: [application/x-www-form-urlencoded]
      parameters:
        - {name: email, in: formData, type: string, required: true}
        - {name: passwd, in: formData, type: string, required: true}
      responses: {"302": {description: in}}
    get: {responses: {"200": {schema: {type: object, properties: {email: {type: string}}}}}}
    delete: {responses: {"204": {description: out}}}
"""
    _, plan = drafted(tmp_path, api=api)
    login = plan.promises["login"]
    assert flat(login.do[0]) == {
        "post": "/api/session",
        "form": {"email": "$user@example.org", "passwd": "$password"},
        "expect": {"status": 302},
    }  # fmt: skip
    assert login.see[0].get == "/api/session"
    assert login.undo[0].delete == "/api/session"


@pytest.mark.parametrize("path", ["/auth/refresh", "/login/reset", "/token/revoke", "/logout"])
def test_what_only_looks_like_a_login_is_none(path: str) -> None:
    """Each takes a password or a token, and logs nobody in."""
    body = Field(path="password", required=True)
    found = [Endpoint(method="post", path=path, where="here", body="json", fields=(body,))]
    assert promises(found) == ()


def test_nothing_to_find_leaves_blocks_to_fill_in(tmp_path: Path) -> None:
    """A description that only reads promises nothing, and says so."""
    api = 'openapi: "3.0.3"\npaths: {/things: {get: {responses: {"200": {description: all}}}}}\n'
    with pytest.raises(PlanError, match="promises"):
        drafted(tmp_path, api=api)
    text = (tmp_path / "plan.yaml").read_text()
    assert text.count("say here") >= 2


@pytest.mark.parametrize(
    "text", ["[", "a: 1", "openapi: 4.0.0\npaths: {}", "paths: {}", "- 1", "openapi: 3.0.0\npaths: 7"]
)
def test_what_is_no_description_is_refused(text: str) -> None:
    """In a sentence, with a hint."""
    with pytest.raises(PlanError) as error:
        openapi.read(text, "x")
    assert "--openapi" in error.value.hint


@pytest.mark.parametrize("text", [
    'openapi: 3.0.0\npaths: {/a: 3, /b: {get: 4}, /c: {post: {requestBody: {$ref: "#/x"}, responses: {200: 1}}}}',
    'openapi: 3.0.0\npaths: {/a: {post: {requestBody: {$ref: "other.yaml#/x"}, responses: []}}}',
    'openapi: 3.0.0\nx: {$ref: "#/x"}\npaths: {/a: {post: {requestBody: {$ref: "#/x"}}}}',
])  # fmt: skip
def test_crooked_descriptions_break_nothing(text: str) -> None:
    """References to nowhere, to other files, to themselves; numbers where mappings should be."""
    openapi.read(text, "x")
