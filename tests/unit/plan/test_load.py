"""A plan becomes a frozen object, or one sentence with file, line and the nearest name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from chaoscheck.errors import PlanError
from chaoscheck.plan.load import OVERRIDES, load_plan
from chaoscheck.plan.plan import Plan
from chaoscheck.plan.schema import schema

SECRET = "tk-'5f0c\\2b9e71-and-so-on"
PLAN = """\
target: {build: ., port: 8000, ready: /healthz, env: {URL: "redis://redis"}}
stores: {redis: {image: "redis:7"}}
promises:
  login:
    kind: session
    do:   {post: /login, json: {user: $user, password: pw}, expect: 200, take: {token: "json:token"}}
    see:  {get: /me, headers: {Authorization: Bearer $token}, value: "json:user", expect: {status: 200, value: $user}}
    undo: {post: /logout, expect: 204}
  note:
    kind: kept
    do:   {submit: /notes/new, form: {title: $value}, expect: 302}
    see:  {get: "/notes?q=$value", expect: {match: ">$value<"}}
budget: {slo: 99.9% over 30d, deaths: 200/month, spend: 10%}
"""


@pytest.fixture
def write(tmp_path: Path):
    """Writes a plan, with one replacement, and gives its path."""

    def make(old: str = "", new: str = "") -> Path:
        assert old in PLAN
        path = tmp_path / "plan.yaml"
        path.write_text(PLAN.replace(old, new, 1) if old else PLAN)
        return path

    return make


def test_design_example_loads_with_shorthands_spelled_out(write) -> None:
    """A number is a status, a string a ready path, one step a list of one."""
    plan = load_plan(write(), environment={}).plan
    assert plan.target.ready.get == "/healthz"
    assert plan.promises["login"].do[0].expect.statuses == (200,)
    assert plan.promises["note"].do[0].method == "submit"
    assert plan.login == "login"


def test_budget_is_seconds_a_kill(write) -> None:
    """(1 - slo) x period / deaths x spend: 0.1 % of 30 days over 200 deaths, a tenth of it."""
    assert load_plan(write(), environment={}).plan.budget.bad_seconds_a_kill == pytest.approx(1.296)


@pytest.mark.parametrize(
    ("old", "new", "line", "words", "hint"),
    [
        ("promises:", "promisses:", 3, "unknown key 'promisses'", "promises"),
        ("undo: {post: /logout, expect: 204}", "undo: {post: /logout, expct: 204}", 8, "unknown key 'expct'", "expect"),
        ("    kind: session", "    knd: session", 5, "unknown key 'knd' in promises.login", "kind"),
        ("port: 8000", "port: 99999", 1, "target.port", ""),
        ("port: 8000", "port: 8000, volume: {a: /b}", 1, "unknown key 'volume' in target", "volumes"),
        ("99.9% over 30d", "99.9", 13, "99.9% over 30d", ""),
        ("200/month", "two", 13, "200/month", ""),
        ("{get: /me,", "{get: /me, post: /me,", 7, "exactly one of", ""),
        ("    kind: kept\n", "", 9, "missing key 'kind'", ""),
        ('"redis://redis"', '"${NOPE}"', 1, "${NOPE} is not set", "NOPE"),
        ("    kind: kept", "    kind: kept\n    kind: kept", 11, "stands twice", ""),
        ("ready: /healthz", "ready: {get: /healthz, tcp: 80}", 1, "exactly one of get, tcp, command", ""),
        ('{image: "redis:7"}', "{}", 2, "exactly one of image, build", ""),
        ("target:", "instances: 1\ntarget:", 1, "instances: 1", ""),
        ("target:", "instances: 21\ntarget:", 1, "instances", ""),
        ("target:", "accounts: [ann, 5]\ntarget:", 1, "accounts.1: must be a text, not 5", ""),
        ("target:", "accounts:\n- ann\n- [b]\ntarget:", 3, "accounts.1: must be a text", ""),
        (
            "    undo: {post: /logout, expect: 204}",
            "    undo:\n      post: /logout\n      expct: 204",
            10,
            "unknown key 'expct' in promises.login.undo",
            "expect",
        ),
        ("kind: kept", "kind: session", 1, "only one promise may be of kind session", ""),
    ],
)
def test_mistake_is_named_with_line_and_nearest_name(
    write, old: str, new: str, line: int, words: str, hint: str
) -> None:
    """One sentence, `file:line`, and what was probably meant."""
    with pytest.raises(PlanError) as caught:
        load_plan(write(old, new), environment={})
    assert caught.value.place == f"plan.yaml:{line}"
    assert words in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("text", ["", "[]", "a: [", "just words", "\x00"])
def test_file_that_is_no_plan_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    """Not YAML, or not a mapping."""
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(PlanError):
        load_plan(path, environment={})


def test_missing_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """The path is in the sentence."""
    with pytest.raises(PlanError, match=r"nowhere\.yaml"):
        load_plan(tmp_path / "nowhere.yaml", environment={})


def test_flags_win_over_environment_over_file(write) -> None:
    """CHAOSCHECK_* overrides the plan, and flags override both."""
    path = write()
    assert load_plan(path, environment={"CHAOSCHECK_SEED": "7"}).plan.seed == 7
    assert load_plan(path, environment={"CHAOSCHECK_SEED": "7"}, overrides={("seed",): 9}).plan.seed == 9


def test_image_from_outside_replaces_the_build(write) -> None:
    """The same plan runs the image that CI has just built."""
    target = load_plan(write(), environment={"CHAOSCHECK_IMAGE": "shop:42"}).plan.target
    assert (target.image, target.build) == ("shop:42", None)


def test_every_override_names_a_key_of_the_plan() -> None:
    """A renamed key would silently make its variable do nothing."""
    for keys in OVERRIDES.values():
        fields = Plan.model_fields
        for key in keys[:-1]:
            fields = fields[key].annotation.model_fields
        assert keys[-1] in fields


def test_environment_is_filled_in_where_it_is_allowed(write) -> None:
    """${NAME} and ${NAME:-default} in target, stores and accounts."""
    path = write('"redis://redis"', '"${WHERE:-here}/${DB}"')
    assert load_plan(path, environment={"DB": "7"}).plan.target.env["URL"] == "here/7"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("port: 8000", "port: '${API_TOKEN}'", "target.port: "),
        ("port: 8000", "port: 'http://x/${API_TOKEN}/and-much-more-than-a-message-has-room-for'", "target.port: "),
        ("ready: /healthz", "ready: {get: /, within: '${API_TOKEN}'}", "target.ready.within: "),
        ("port: 8000", "port: '${QUEUE}'", "target.port: "),
    ],
)
def test_mistake_is_told_without_the_secret_that_the_environment_filled_in(
    write, old: str, new: str, said: str
) -> None:
    """Named like one, or a URL's password; long texts are cut after it was taken out, or half of it would stay."""
    with pytest.raises(PlanError) as refused:
        load_plan(write(old, new), environment={"API_TOKEN": SECRET, "QUEUE": f"amqp://me:{SECRET}@q"})
    told = f"{refused.value.message} {refused.value.hint} {refused.value.details}"
    assert refused.value.message.startswith(said)
    assert "***" in told
    assert "tk-" not in told


@pytest.mark.parametrize(
    "url", ["https://al:pw-1@shop.test", "https://shop.test/api", "https://shop.test?x=1", "shop.test", "ftp://shop.test",
            "https://shop.test:99999", "https://[::1", "https://.shop.test", "https://a b"],
)  # fmt: skip
@pytest.mark.parametrize("key", ["url", "public_url"])
def test_url_that_is_more_than_an_origin_is_refused_and_not_shown(write, key: str, url: str) -> None:
    """User and password would go out as Host; a path would be lost."""
    with pytest.raises(PlanError, match="a path goes into the steps, user and password into") as refused:
        load_plan(write("port: 8000", f"{key}: '{url}'"), environment={})
    assert "pw-1" not in f"{refused.value.message} {refused.value.hint}"
    assert refused.value.message.startswith(f"target.{key}: ")


def test_url_that_ends_in_a_slash_is_an_origin(write) -> None:
    plan = load_plan(write("port: 8000", "public_url: https://shop.test:8443/"), environment={}).plan
    assert plan.target.public_url == "https://shop.test:8443"


@pytest.mark.parametrize(
    ("balancer", "target", "said"),
    [
        ("{kind: haproxy, url: 'http://shop.test'}", "port: 8000", "balancer.url is for kind external"),
        ("{url: 'https://shop.test'}", "public_url: http://shop.test", "target.public_url has to be https"),
    ],
)
def test_url_that_contradicts_is_refused(write, balancer: str, target: str, said: str) -> None:
    path = write("port: 8000", target)
    path.write_text(path.read_text() + f"\nbalancer: {balancer}\n")
    with pytest.raises(PlanError, match=said):
        load_plan(path, environment={})


def test_mistake_is_told_with_what_no_secret_is(write) -> None:
    with pytest.raises(PlanError, match="not 'eighty'"):
        load_plan(write("port: 8000", "port: '${PORT_NO}'"), environment={"PORT_NO": "eighty"})


def test_plan_is_frozen(write) -> None:
    """What was run is what was loaded."""
    with pytest.raises(ValidationError):
        load_plan(write(), environment={}).plan.seed = 3


def test_schema_is_draft_07_without_newer_words() -> None:
    """YAML editors read draft-07: no $defs, no prefixItems."""
    text = json.dumps(schema())
    assert "draft-07" in text
    assert "$defs" not in text
    assert "prefixItems" not in text


def test_plan_as_run_loads_again_to_the_same(write) -> None:
    """plan.json in a run's folder is the whole plan."""
    plan = load_plan(write(), environment={}).plan
    assert Plan.model_validate_json(plan.model_dump_json(by_alias=True)) == plan


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        ), "larger than"),
        ("target: &t\n  me: *t\n", "larger than"),
        ("target: " + "[" * 5000, "nested too deeply"),
    ],
)  # fmt: skip
def test_yaml_that_blows_up_is_refused_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    """Not by minutes of work, nor by a traceback that calls it a defect of chaoscheck."""
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(PlanError, match=said):
        load_plan(path, environment={})
