"""Django in one file: a login form with its CSRF token, a note. SESSIONS (locmem, database, redis): where they live."""

import json
import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template import engines
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

SESSIONS = os.environ.get("SESSIONS", "locmem")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}  # Django's own default
if SESSIONS == "redis":
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["REDIS_URL"]}
    }
settings.configure(
    SECRET_KEY=os.environ["SECRET_KEY"],
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    CACHES=CACHES,
    SESSION_ENGINE="django.contrib.sessions.backends." + ("db" if SESSIONS == "database" else "cache"),
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ.get("DATABASE", "/tmp/db.sqlite3"),
            "OPTIONS": {"timeout": 20},
        }
    },
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
)
FORM = '<form method="post">{% csrf_token %}<input name="user"><input name="password" type="password"></form>'


def healthz(request):
    return HttpResponse("ok")


def login(request):
    if request.method == "GET":
        return HttpResponse(engines["django"].from_string(FORM).render({}, request))
    if request.POST.get("password") != "pw":
        return HttpResponse("wrong password", status=403)
    request.session.cycle_key()
    request.session["user"] = request.POST["user"]
    return redirect("/me")


def me(request):
    return JsonResponse({"user": request.session["user"]}) if "user" in request.session else redirect("/login")


@csrf_exempt
def note(request):
    if "user" not in request.session:
        return redirect("/login")
    if request.method == "PUT":
        request.session["note"] = json.loads(request.body)["text"]
        return HttpResponse(status=204)
    return JsonResponse({"text": request.session.get("note")})


urlpatterns = [path("healthz", healthz), path("login", login), path("me", me), path("note", note)]
application = get_wsgi_application()

if __name__ == "__main__":
    address = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
    execute_from_command_line(["app.py", *(sys.argv[1:] or ["runserver", "--noreload", address])])
