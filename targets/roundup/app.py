"""The tracker in the folder that TRACKER_HOME names, as a WSGI application, with a health path."""

import os

from roundup.cgi.wsgi_handler import RequestDispatcher

tracker = RequestDispatcher(os.environ["TRACKER_HOME"])

# Whoever opens a tracker first makes the tables that are still missing. Two requests at once trip over each other there and
# are answered with 500, so it happens here, before the first request: ready means that the database was there.
db = tracker.tracker.open("admin")
db.getSessionManager()
db.getOTKManager()
db.close()


def app(environ, start_response):
    # Every page of the tracker, a style sheet too, opens the database anew (25 ms): too dear for five checks a second.
    if environ["PATH_INFO"] == "/healthz":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok\n"]
    return tracker(environ, start_response)
