"""What a folder tells: Dockerfile, routes, libraries, compose files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chaoscheck.drafting import composed, endpoints, folder, routes
from chaoscheck.drafting.gather import Given, gather
from chaoscheck.drafting.write import write
from chaoscheck.errors import PlanError

ROOT = Path(__file__).resolve().parents[3]


def plan(here: Path, **said: str) -> str:
    return write(gather(Given(here=here, base=here, said={**said})))


def test_node_s_own_source_is_enough() -> None:
    """Port, health, the secret it insists on, login and note, all from the folder."""
    text = plan(ROOT / "targets" / "node")
    for line in (
        "port: 8000",
        "ready: /healthz",
        "SESSION_SECRET: the-same-everywhere",
        "{post: /login, json: {user: $user, password: $password}, expect: 200}",
        'see:  {get: /me, value: "json:user", expect: {value: $user}}',
        "undo: {post: /logout}",
        "do:   {put: /note, json: {text: $value}, expect: 204}",
        'see:  {get: /note, value: "json:text"}',
        '# stores: {redis: {image: "redis:7"}}',
    ):
        assert line in text, line
    assert "login: POST /login in server.js:" in text


def test_store_comes_with_the_settings_that_lead_to_it(tmp_path: Path) -> None:
    """A store that the service isn't told of is started, waited for, and never asked."""
    env = '# and add to env of target: {REDIS_URL: "redis://redis:6379", SESSION_STORE: redis}'
    lines = plan(ROOT / "targets" / "node").splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("# stores: {redis:"))
    assert lines[at + 1].startswith(env)
    given = Given(here=ROOT / "targets" / "node", base=tmp_path, said={"env": {}}, stores={"redis": "redis:7"})
    assert env in write(gather(given))
    told = replace(given, said={"env": {"REDIS_URL": "redis://other", "SESSION_STORE": "redis"}})
    assert "and add to env" not in write(gather(told))


@pytest.mark.parametrize(
    ("library", "source", "settings"),
    [
        ("psycopg2", 'os.environ["DATABASE_URL"]',
         '{DATABASE_URL: "postgresql://postgres:pw@postgres:5432/postgres"}'),
        ("redis", 'os.getenv("REDIS_HOST"); os.environ.get("REDIS_PORT")', '{REDIS_HOST: redis, REDIS_PORT: "6379"}'),
        ("redis", 'os.getenv("HOST"); os.environ["DATABASE_URL"]', ""),
        ("pymongo", "", ""),
    ],
)  # fmt: skip
def test_settings_are_those_whose_names_tell_of_the_store(
    tmp_path: Path, library: str, source: str, settings: str
) -> None:
    """Others are somebody else's."""
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    (tmp_path / "requirements.txt").write_text(library + "\n")
    (tmp_path / "app.py").write_text(source)
    text = plan(tmp_path)
    assert "# stores: {" in text
    assert (settings in text) if settings else ("and add to env" not in text)


def test_flask_routes_are_read(tmp_path: Path) -> None:
    """Decorators with methods, forms, holes in paths; tests and libraries are not the service."""
    (tmp_path / "app.py").write_text(
        '@app.route("/login", methods=["POST"])\ndef login():\n    u = request.form["username"]\n'
        '    p = request.form["password"]\n    return redirect("/")\n'
        '@app.get("/whoami")\ndef who():\n    return {"username": session["u"]}\n'
        '@app.get("/items/<int:id>")\ndef item(id):\n    return jsonify(name="x")\n'
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "x.py").write_text('@app.get("/never")\n')
    found = routes.read(tmp_path)
    assert [(each.method, each.path) for each in found] == [
        ("post", "/login"),
        ("get", "/whoami"),
        ("get", "/items/{id}"),
    ]
    login = endpoints.promises(found)[0]
    assert login.do[0].keys["form"] == {"username": "$user", "password": "$password"}
    assert login.see[0].keys["value"] == "json:username"


def test_health_path_of_a_plain_wsgi_service_is_found() -> None:
    """No framework, no route: a path that is compared with is one that is answered."""
    text = plan(ROOT / "targets" / "roundup")
    assert "port: 8080, ready: /healthz" in text
    assert "ready: /healthz is compared with in app.py:" in text


def test_dockerfile_tells_port_and_health(tmp_path: Path) -> None:
    """The last EXPOSE counts, for stages before it are gone."""
    (tmp_path / "Dockerfile").write_text(
        "FROM a AS b\nEXPOSE 1\nFROM c\nexpose 9000/tcp\n"
        "HEALTHCHECK --interval=5s \\\n  CMD curl -f http://localhost:9000/up || exit 1\n"
    )
    found = folder.look(tmp_path, base=tmp_path).target
    assert found.keys == {"build": ".", "port": 9000, "ready": "/up"}


def test_folder_without_anything_says_what_is_missing(tmp_path: Path) -> None:
    """Blocks to fill in, each with its line."""
    text = plan(tmp_path)
    assert text.count("say here") == 4


def test_image_keeps_the_folder_out(tmp_path: Path) -> None:
    """Somebody else's image is not what lies here."""
    (tmp_path / "Dockerfile").write_text("FROM a\nEXPOSE 5\n")
    assert "5" not in plan(tmp_path, image="other")


def test_process_is_taken_where_nothing_builds(tmp_path: Path) -> None:
    """npm start."""
    (tmp_path / "package.json").write_text('{"scripts": {"start": "node x"}}')
    assert "target: {command: npm start}" in plan(tmp_path)


COMPOSE = """
services:
  db: {image: "postgres:16"}
  front: {image: "nginx:1", ports: ["80:80"]}
  web:
    build: .
    ports: ["127.0.0.1:8080:3000"]
    healthcheck: {test: [CMD, curl, -f, "http://localhost:3000/up"]}
"""


def test_compose_service_is_the_one_that_is_built(tmp_path: Path) -> None:
    """The plan names file and service and leaves the rest to it."""
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    text = plan(tmp_path)
    assert "target: {compose: compose.yaml, service: web, port: 3000, ready: /up}" in text
    assert "beside: db, front, also in compose.yaml" in text


def test_compose_service_s_own_source_is_read(tmp_path: Path) -> None:
    """Its routes and what it needs; what to run stays the compose file's to say."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "app.js").write_text('app.get("/healthz", ok);\napp.put("/bio", (q, s) => save(q.body.bio));\n'
                                             'app.get("/bio", (q, s) => s.json({bio: b}));\n')  # fmt: skip
    (tmp_path / "compose.yaml").write_text("services: {web: {build: {context: web}, expose: [80]}, q: {image: redis}}")
    text = plan(tmp_path)
    assert "target: {compose: compose.yaml, service: web, port: 80, ready: /healthz}" in text
    assert "do:   {put: /bio, json: {bio: $value}}" in text


def test_compose_file_that_leaves_a_choice_asks_for_it(tmp_path: Path) -> None:
    """Two that are built; a name that isn't there; no file at all."""
    path = tmp_path / "c.yml"
    path.write_text("services: {a: {build: a}, b: {build: b}}")
    with pytest.raises(PlanError, match="a, b") as error:
        composed.target(path, "", "c.yml")
    assert error.value.hint == "name it with --service"
    assert composed.target(path, "b", "c.yml").keys == {"compose": "c.yml", "service": "b"}
    with pytest.raises(PlanError, match="no service 'web'"):
        composed.target(path, "web", "c.yml")
    with pytest.raises(PlanError, match="can't read"):
        composed.target(tmp_path / "none", "", "c.yml")
