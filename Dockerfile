# syntax=docker/dockerfile:1
#
#   docker build --tag headgate .
#   docker run --publish 4000:4000 --env LITELLM_MASTER_KEY --volume headgate:/var/lib/headgate \
#       --volume "$PWD/config.yaml:/app/config.yaml:ro" headgate --port 4000 --num_workers 4 --config /app/config.yaml

ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
WORKDIR /source
# The hot path is compiled; without the next two lines the image does the same in pure Python.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
ENV HATCH_BUILD_HOOKS_ENABLE=1
# Without pip of its own, so that the finished environment holds nothing but what runs.
RUN python -m venv --without-pip /opt/headgate
COPY pyproject.toml README.md LICENSE hatch_build.py ./
COPY src ./src
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip --python /opt/headgate/bin/python install --disable-pip-version-check .

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Headgate" \
      org.opencontainers.image.description="An LLM gateway, compatible with LiteLLM" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# The user's number is fixed: Kubernetes checks runAsNonRoot by number, and volumes keep their owner across images.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip \
    && groupadd --system --gid 10001 headgate \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/headgate --no-create-home --shell /usr/sbin/nologin headgate \
    && install --directory --owner=headgate --group=headgate --mode=0700 /var/lib/headgate

COPY --from=build /opt/headgate /opt/headgate

# HOST other than loopback makes a master key compulsory: without one the gateway says so and exits.
ENV PATH="/opt/headgate/bin:${PATH}" \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=4000 \
    HEADGATE_DATA_DIR=/var/lib/headgate

WORKDIR /app
USER 10001:10001
VOLUME /var/lib/headgate
EXPOSE 4000
STOPSIGNAL SIGTERM

# Asks the port in PORT; whoever moves the gateway with --port sets PORT too. http.client takes no notice of HTTP_PROXY.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); c.request('GET', '/health/liveliness'); sys.exit(c.getresponse().status != 200)"]

# Exec form: the gateway is process 1 and gets SIGTERM itself. Options after the image's name are those of `serve`, as in
# LiteLLM's image; any other command works there too, such as `check /app/config.yaml`.
ENTRYPOINT ["headgate"]
CMD ["serve"]
