# foliod in a container: not root, nothing writable but /data. Build: docker build -t foliod .
# docs/operating/docker.md says how to run it. Configuration, bars and data are in /data, the kill
# file's folder is /control.
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/foliod
WORKDIR /src
COPY requirements.lock ./
RUN /opt/foliod/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE foliod.py ./
COPY adapters adapters
COPY config config
COPY daemon daemon
COPY state state
RUN /opt/foliod/bin/pip install --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN groupadd --gid 10001 foliod \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --no-log-init \
        --shell /usr/sbin/nologin foliod \
    && install -d -o foliod -g foliod -m 0700 /data \
    && install -d -m 0755 /control
COPY --from=build /opt/foliod /opt/foliod
ENV PATH=/opt/foliod/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1 \
    PYTHONFAULTHANDLER=1 FOLIOD_CONTROL__DIR=/control
USER foliod
WORKDIR /data
VOLUME ["/data", "/control"]
STOPSIGNAL SIGTERM
# 0: a daemon works, tells its status and needs nobody. A start recovers first, which may take long.
HEALTHCHECK --interval=30s --timeout=10s --start-period=5m --retries=2 \
    CMD ["foliod", "status", "--check"]
CMD ["foliod", "run"]
