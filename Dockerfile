# foliod in a container: not root, nothing writable but /data. Build: docker build -t foliod .
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
RUN useradd --system --uid 10001 --user-group --home-dir /data --no-create-home foliod \
    && install -d -o foliod -g foliod -m 0700 /data
COPY --from=build /opt/foliod /opt/foliod
ENV PATH=/opt/foliod/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1
USER foliod
WORKDIR /data
VOLUME /data
STOPSIGNAL SIGTERM
CMD ["foliod", "replay"]
