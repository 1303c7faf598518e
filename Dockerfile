# One image for every process: `docker run livinglab services.assessment`; `make image` builds it so that two builds of one
# commit are one digest. The base is pinned by its tag; pin it by digest where your registry shows you one, or build on one
# of your own (`make image BASE=own`).
ARG BASE=python:3.11-slim-bookworm
# hadolint ignore=DL3006
FROM ${BASE} AS build
WORKDIR /build
# Without a seed of hashes, and with the time of a source in what is compiled, two builds would differ.
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
COPY requirements.runtime.lock requirements.lock ./
RUN python -m venv /opt/livinglab \
    && /opt/livinglab/bin/pip install --require-hashes -r requirements.runtime.lock
# Of the tools only the compiler of the protos, in the locked version; it does not enter the image.
RUN awk '/^(grpcio-tools|setuptools)==/ {on = 1} on {print} on && !/\\$/ {on = 0}' requirements.lock > tools.lock \
    && /opt/livinglab/bin/pip install --require-hashes --no-deps --target /build/tools -r tools.lock
COPY protos protos
RUN mkdir gen \
    && find protos -name '*.proto' -exec env PYTHONPATH=/build/tools /opt/livinglab/bin/python -m grpc_tools.protoc \
        -Iprotos --python_out=gen --grpc_python_out=gen {} +
COPY chassis app/chassis
COPY directory app/directory
COPY instruments app/instruments
COPY programs app/programs
COPY services app/services
# The root file system is read-only when it runs, so nothing could be compiled then; and what installs is not needed then.
RUN mv gen/livinglab app/livinglab && /opt/livinglab/bin/pip uninstall --quiet --yes setuptools pip \
    && find /opt/livinglab /build/app -name __pycache__ -prune -exec rm -r {} + \
    && /opt/livinglab/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/livinglab/lib \
    && /opt/livinglab/bin/python -m compileall -q --invalidation-mode unchecked-hash -s /build -p / /build/app

# hadolint ignore=DL3006
FROM ${BASE}
LABEL org.opencontainers.image.title="livinglab" \
      org.opencontainers.image.description="Event-driven microservices that run a nation's living lab program for digital government"
# By hand: useradd writes the day into the image.
RUN echo 'livinglab:x:10001:' >> /etc/group \
    && echo 'livinglab:x:10001:10001::/nonexistent:/usr/sbin/nologin' >> /etc/passwd
COPY --from=build /opt/livinglab /opt/livinglab
COPY --from=build /build/app /app
ENV PATH=/opt/livinglab/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
USER 10001:10001
EXPOSE 50051 9464
ENTRYPOINT ["python", "-m"]
CMD ["services.assessment"]
