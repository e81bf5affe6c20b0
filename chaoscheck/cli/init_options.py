"""What `chaoscheck init` can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Plan = Annotated[Path, typer.Argument(metavar="PLAN", help="The plan to write.")]
Image = Annotated[str | None, typer.Option(metavar="IMAGE", help="The service's image.")]
Build = Annotated[Path | None, typer.Option(metavar="FOLDER", help="A folder with its Dockerfile.")]
Command = Annotated[str | None, typer.Option(metavar="WORDS", help="A local command; it gets its port in $PORT.")]
Port = Annotated[int | None, typer.Option(metavar="PORT", min=1, max=65535, help="Where it listens.")]
Ready = Annotated[str | None, typer.Option(metavar="PATH", help="A path that answers 2xx once it serves.")]
Env = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="For every instance; several times.")]
Setup = Annotated[
    list[str] | None, typer.Option(metavar="COMMAND", help="Run once before, migrations say; several times.")
]
Auth = Annotated[
    str | None, typer.Option(metavar="USER:PASSWORD", help="HTTP Basic with each request: '$user:$password'.")
]
PublicUrl = Annotated[str | None, typer.Option(metavar="URL", help="The address that users type.")]
Login = Annotated[str | None, typer.Option(metavar="REQUEST", help="How users log in: 'POST /login user password'.")]
See = Annotated[str | None, typer.Option(metavar="REQUEST", help="What shows who is logged in: 'GET /me json:user'.")]
Logout = Annotated[str | None, typer.Option(metavar="REQUEST", help="How they leave: 'POST /logout'.")]
Write = Annotated[
    list[str] | None, typer.Option(metavar="REQUEST", help="What they write: 'PUT /note text'; several times.")
]
Read = Annotated[
    list[str] | None, typer.Option(metavar="REQUEST", help="What shows it: 'GET /note json:text'; one a --write.")
]
Compose = Annotated[Path | None, typer.Option(metavar="FILE", help="A compose file.")]
Service = Annotated[str, typer.Option(metavar="NAME", help="Which of its services.")]
Store = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=IMAGE", help="What keeps state; an image or a folder to build; several times."),
]
Openapi = Annotated[
    str | None, typer.Option(metavar="FILE|URL", help="An OpenAPI or Swagger file, or its address here.")
]
Har = Annotated[Path | None, typer.Option(metavar="FILE", help="A recording (HAR) of a browser: login, writes, reads.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a plan that is there.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Take the guesses; ask nothing.")]
Try = Annotated[bool, typer.Option("--try", help="Run `chaoscheck try` on it at once.")]
