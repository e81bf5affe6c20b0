"""How often pages were looked at, counted by each instance for itself: an estimate, and promised as no more.

A plan that knows says `survives: []`. Nothing else in the shop depends on these numbers.
"""

from collections import Counter
from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .bodies import LONGEST_NAME
from .instance import Instance

MOST = 10_000


def routes(instance: Instance) -> Sequence[BaseRoute]:
    views: Counter[str] = Counter()

    async def count(request: Request) -> Response:
        name = request.path_params["view"]
        if len(name) > LONGEST_NAME:
            raise HTTPException(400, f"a view's name has at most {LONGEST_NAME} characters")
        if name not in views and len(views) >= MOST:
            del views[next(iter(views))]
        views[name] += 1
        return Response(status_code=204)

    async def estimate(request: Request) -> Response:
        wanted = request.query_params.get("v")
        return JSONResponse(
            {"items": [{"view": name, "count": n} for name, n in views.items() if wanted in (None, name)]}
        )

    return [Route("/views", estimate), Route("/views/{view}", count, methods=["POST"])]
