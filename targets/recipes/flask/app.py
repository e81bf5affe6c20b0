"""Flask: a login and a note, both in the session. SESSIONS says where sessions live: cookie, files or redis."""

import os
import secrets

from flask import Flask, jsonify, redirect, request, session

app = Flask(__name__)
# The defect of many deployments: without SECRET_KEY each process signs cookies with a key of its own.
app.secret_key = os.environ.get("SECRET_KEY") or secrets.token_bytes(32)

if os.environ.get("SESSIONS", "cookie") == "files":
    from cachelib import FileSystemCache
    from flask_session import Session

    app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache("/tmp/sessions", threshold=0))
    Session(app)
elif os.environ.get("SESSIONS") == "redis":
    from flask_session import Session
    from redis import Redis

    app.config.update(SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(os.environ["REDIS_URL"]))
    Session(app)


@app.get("/healthz")
def healthz():
    return "ok"


@app.post("/login")
def login():
    if request.form.get("password") != "pw":
        return "wrong password", 403
    session.clear()
    session["user"] = request.form["user"]
    return redirect("/me", 303)


@app.get("/login")
def login_form():
    return (
        '<form method="post"><input name="user"><input name="password" type="password"><button>Log in</button></form>'
    )


@app.get("/me")
def me():
    return jsonify(user=session["user"]) if "user" in session else redirect("/login")


@app.route("/note", methods=["GET", "PUT"])
def note():
    if "user" not in session:
        return redirect("/login")
    if request.method == "PUT":
        session["note"] = request.get_json()["text"]
        return "", 204
    return jsonify(text=session.get("note"))


if __name__ == "__main__":
    app.run(host=os.environ.get("HOST", "127.0.0.1"), port=int(os.environ.get("PORT", "8000")))
