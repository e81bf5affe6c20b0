"""The shop over HTTP: mounts the features. Where each keeps its state is its own module's business."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from . import (
    accounts,
    cart,
    contact,
    exports,
    health,
    identity,
    limiter,
    live,
    metrics,
    nightly,
    reviews,
    tokens,
    uploads,
    views,
)
from .defects import EveryNthFails
from .settings import Settings
from .stores import STORE_IS_AWAY
from .wiring import wire

# A request goes to the first that has its path: so what a defect puts in another's place comes first.
FEATURES = (
    identity,
    accounts,
    reviews,
    cart,
    uploads,
    exports,
    views,
    metrics,
    contact,
    limiter,
    live,
    nightly,
    tokens,
    health,
)


async def store_is_away(request: Request, error: Exception) -> Response:
    """503, not 500: another try may succeed, and nothing was acknowledged."""
    return JSONResponse({"error": f"the store does not answer: {type(error).__name__}"}, status_code=503)


async def refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)


def create_app(settings: Settings | None = None) -> Starlette:
    """One instance of the shop, wired by its settings (default: from the environment)."""
    settings = settings or Settings.from_environment()
    instance = wire(settings)
    middleware = [Middleware(metrics.CountRequests, counts=instance.counts)]
    if settings.fail_every:
        middleware.append(Middleware(EveryNthFails, every=settings.fail_every))
    return Starlette(
        routes=[route for feature in FEATURES for route in feature.routes(instance)],
        middleware=middleware,
        exception_handlers={HTTPException: refusal, **dict.fromkeys(STORE_IS_AWAY, store_is_away)},
        lifespan=instance.life,
    )
