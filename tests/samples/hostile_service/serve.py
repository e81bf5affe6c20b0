"""A service that keeps logins in its memory, and whose refusals, headers and log try to break whoever shows them."""

import os
import secrets
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

BAIT = os.environ["BAIT"]
SECRET = os.environ["SECRET"]
known: dict[str, str] = {}
refused = count()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        user = known.get(self.headers.get("Cookie", "").partition("=")[2])
        if self.path == "/healthz" or user:
            self.answer(200, f"user is {user}" if user else "ok")
        else:
            # The first refusal of each life is one of 10 MB.
            self.answer(401, f"{BAIT} password={SECRET} " + "x" * (0 if next(refused) else 10_000_000))

    def do_POST(self) -> None:
        user = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        token = secrets.token_hex(16)
        known[token] = user
        print(f"{BAIT} login of {user}, password={SECRET}", flush=True)
        self.answer(201, f"{BAIT} welcome", token)

    def answer(self, status: int, text: str, token: str = "") -> None:
        data = text.encode("utf-8", "surrogateescape")
        self.send_response(status)
        if token:
            self.send_header("Set-Cookie", f"sid={token}; Path=/")
        self.send_header("X-Auth-Token", SECRET)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Its own lines are enough."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
