"""Reading what clients send."""

import json

from starlette.exceptions import HTTPException
from starlette.requests import Request

LONGEST_NAME = 100


async def text_fields(request: Request, *names: str, longest: int = LONGEST_NAME) -> list[str]:
    """The named fields of a JSON body, each a text of 1 to `longest` characters; 400 otherwise."""
    try:
        body = json.loads(await request.body())
        values = [body[name] for name in names]
        fits = all(isinstance(value, str) and value.encode() and len(value) <= longest for value in values)
    except (ValueError, KeyError, TypeError):
        raise HTTPException(400, f"the body must be a JSON object with {', '.join(names)}") from None
    if not fits:
        raise HTTPException(400, f"{', '.join(names)} must be texts of 1 to {longest} characters")
    return values
