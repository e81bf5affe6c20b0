"""A service for whole runs as local processes: its login is in the client's hands, its notes in a shared folder.

MODE makes it misbehave: crash, stubborn (wants the port TAKEN), deaf, ill (health is 500), sick (every fifth note is
refused with 500), forgetful (never has a note), open (everybody is ann), mortal (ends by itself after MORTAL_S),
storeless (has no place for notes: 503, and says why), frail (ends by itself at the first note, and says why).
"""

import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from urllib.parse import unquote

MODE = os.environ.get("MODE", "")
NOTES = Path(os.environ.get("NOTES", "."))
asked = count(1)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        name = unquote(self.path.rpartition("/")[2])
        if self.path == "/healthz":
            self.answer(500 if MODE == "ill" else 200, "the cellar is flooded" if MODE == "ill" else "ok")
        elif self.path == "/me":
            user = self.headers.get("Cookie", "").removeprefix("user=")
            self.answer(200 if user or MODE == "open" else 401, user or "ann")
        else:
            found = (NOTES / name).exists() and MODE != "forgetful"
            self.answer(200 if found else 404, name if found else "no such note")

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if MODE == "sick" and self.path == "/notes" and next(asked) % 5 == 0:
            self.answer(500, "not now")
            return
        if self.path == "/notes" and MODE in ("storeless", "frail"):
            print("no place for notes: could not translate host name db, token=s3cr3t", flush=True)
            if MODE == "frail":
                os._exit(7)
            self.answer(503, "")
            return
        if self.path == "/notes":
            (NOTES / said).touch()
        self.answer(201, said)

    def answer(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        if self.path == "/login":
            self.send_header("Set-Cookie", f"user={text}; Path=/")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def main() -> None:
    print(f"{os.environ.get('CHAOSCHECK_INSTANCE')} begins", flush=True)
    if MODE == "crash":
        raise SystemExit("no luck today")
    if MODE == "deaf":
        time.sleep(600)
    if MODE == "mortal":
        threading.Timer(float(os.environ["MORTAL_S"]), lambda: os._exit(7)).start()
    ThreadingHTTPServer.request_queue_size = 128
    port = os.environ["TAKEN" if MODE == "stubborn" else "PORT"]
    ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
