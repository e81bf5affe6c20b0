# chaoscheck itself, to run beside an engine's socket or with DOCKER_HOST: docs/ci.md.
# Any Debian-like base will do: one without Python gets the distribution's.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS base
RUN if ! command -v python3 >/dev/null; then \
      apt-get update \
      && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
      && rm -rf /var/lib/apt/lists/*; \
    fi

FROM base AS build
COPY pyproject.toml README.md LICENSE /src/
COPY chaoscheck /src/chaoscheck
RUN python3 -m venv /opt/chaoscheck \
 && /opt/chaoscheck/bin/pip install --no-cache-dir --no-compile /src \
 && /opt/chaoscheck/bin/python -m compileall -q /opt/chaoscheck/lib

FROM base
COPY --from=build /opt/chaoscheck /opt/chaoscheck
# Whoever holds the engine's socket is root on its host, whatever the user in here is called; so root is the default, and
# `--user "$(id -u):$(id -g)" --group-add "$(stat -c %g /var/run/docker.sock)"` makes the report's files yours.
ENV PATH=/opt/chaoscheck/bin:$PATH PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
WORKDIR /work
ENTRYPOINT ["chaoscheck"]
CMD ["--help"]
