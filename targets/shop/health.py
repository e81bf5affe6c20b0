"""Whether this instance can serve."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .instance import Instance


def routes(instance: Instance) -> Sequence[BaseRoute]:
    async def healthz(request: Request) -> Response:
        """Asks the shared stores, so that an instance that can't serve is taken out; creates no session."""
        await instance.stores.answer()
        return JSONResponse({"ready": True})

    return [Route("/healthz", healthz)]
