"""The tracker in the folder that TRACKER_HOME names, as a WSGI application, with a health path."""

import os
import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from roundup.cgi.wsgi_handler import RequestDispatcher

tracker = RequestDispatcher(os.environ["TRACKER_HOME"])

# Whoever opens a tracker first makes the tables that are still missing. Two requests at once trip over each other there
# and are answered with 500, so it happens here, before the first request: ready means that the database was there.
db = tracker.tracker.open("admin")
db.getSessionManager()
db.getOTKManager()
db.close()

# Roundup reads its session rows with ast.literal_eval, which Python 3.11 can't do in two threads at once: one request
# in a thousand was answered with 500 ("AST constructor recursion depth mismatch").
one_at_a_time = threading.Lock()


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    # Every page of the tracker, a style sheet too, opens the database anew (25 ms): too dear for five checks a second.
    if environ["PATH_INFO"] == "/healthz":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok\n"]
    with one_at_a_time:
        answer: Iterable[bytes] = tracker(environ, start_response)
        return answer
