# One image for every service: `docker run roadwatch --help`, `docker run roadwatch process`, ...

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# The dependencies change seldom: a layer of their own. Wheels alone, so that no compiler is wanted.
RUN python -m venv --without-pip /opt/roadwatch
COPY requirements-runtime.lock ./
RUN python -m pip --python /opt/roadwatch/bin/python install \
      --require-hashes --no-deps --only-binary :all: -r requirements-runtime.lock \
 && find /opt/roadwatch -type d -name tests -prune -exec rm -rf {} +

COPY deploy/build.lock deploy/
RUN python -m venv /opt/backend \
 && /opt/backend/bin/pip install --require-hashes --only-binary :all: -r deploy/build.lock

COPY . .
RUN /opt/backend/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && python -m pip --python /opt/roadwatch/bin/python install --no-deps --no-index /wheels/*.whl


FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Roadwatch" \
      org.opencontainers.image.description="Classifies vehicles in road-camera pictures as they happen, on Kafka, and watches its own model." \
      org.opencontainers.image.licenses="Apache-2.0"

# /data is what a service keeps over restarts; /registry has the models and /archive the labelled pictures that services
# share. A volume takes on their owner.
# Nothing else is written but /tmp, so the root may be read-only.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data roadwatch \
 && install --directory --owner=roadwatch --group=roadwatch /data /registry /archive
COPY --from=builder /opt/roadwatch /opt/roadwatch

ENV PATH=/opt/roadwatch/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    ROADWATCH_SERVICE__HEARTBEAT_FILE=/tmp/roadwatch.alive \
    ROADWATCH_SERVICE__LOG_FORMAT=json \
    ROADWATCH_MONITOR__DATA_FOLDER=/data \
    ROADWATCH_MODELS__REGISTRY=/registry \
    ROADWATCH_ARCHIVE__ADDRESS=/archive
WORKDIR /etc/roadwatch
USER 10001:10001
STOPSIGNAL SIGTERM
# What `roadwatch health` says, for a thousandth of its cost: starting Python every few seconds would outdo the services.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=6 \
  CMD find "$ROADWATCH_SERVICE__HEARTBEAT_FILE" -newermt "-30 seconds" | grep -q .
ENTRYPOINT ["roadwatch"]
CMD ["--help"]
