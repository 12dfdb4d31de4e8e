# One image for all of Fencepost's processes; the argument is the module that a container runs: registry, sender, auditor, notifier,
# frontend, simulator or docker.set_up. Builds with BuildKit and with the classic builder alike.

# -- what the pages load in the browser --------------------------------------------------------------------------------
FROM node:22-bookworm-slim AS packages
WORKDIR /build
COPY frontend/package.json frontend/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

FROM python:3.11-slim-bookworm AS pages
WORKDIR /build
COPY frontend frontend
COPY --from=packages /build/node_modules frontend/node_modules
RUN python -c "from frontend import assets; assets.copy()"

# -- what the processes import: pinned, checked against hashes, no compiler, no servers --------------------------------
FROM python:3.11-slim-bookworm AS libraries
WORKDIR /build
COPY requirements/registry.txt requirements/sender.txt requirements/auditor.txt requirements/notifier.txt requirements/frontend.txt requirements/simulator.txt requirements/
RUN python -m venv --without-pip /venv \
 && python -m pip --python /venv/bin/python install --no-cache-dir --only-binary=:all: --require-hashes \
    -r requirements/registry.txt -r requirements/sender.txt -r requirements/auditor.txt -r requirements/notifier.txt -r requirements/frontend.txt -r requirements/simulator.txt

# -- the image ---------------------------------------------------------------------------------------------------------
FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="Fencepost" \
      org.opencontainers.image.description="A distributed scheduler that sends mail once" \
      org.opencontainers.image.licenses="Apache-2.0"
# An empty PYTHONTZPATH: time zones come from the pinned package tzdata, not from what the base image has.
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONTZPATH=
RUN groupadd --gid 10001 fencepost \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin fencepost \
 && install --directory --owner=10001 --group=10001 /var/lib/fencepost \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/fencepost-keys
WORKDIR /app
COPY --from=libraries /venv /venv
COPY LICENSE NOTICE ./
COPY config config
COPY docker docker
# The fault report, where one was made; the guarantees beside it are always there.
COPY docs docs
COPY fencepost fencepost
COPY registry registry
COPY sender sender
COPY auditor auditor
COPY notifier notifier
COPY simulator simulator
COPY frontend frontend
COPY --from=pages /build/frontend/static/vendor frontend/static/vendor
RUN python -m compileall -q fencepost registry sender auditor notifier simulator frontend docker
USER 10001:10001
ENTRYPOINT ["python", "-m", "docker.entrypoint"]
