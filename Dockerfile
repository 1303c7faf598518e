# One image for every process: `docker run livinglab services.assessment`.
# The base is pinned by its tag; pin it by digest where your registry shows you one.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
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
# The root file system is read-only when it runs, so nothing could be compiled then.
RUN mv gen/livinglab app/livinglab && /opt/livinglab/bin/python -m compileall -q app

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="livinglab" \
      org.opencontainers.image.description="Event-driven microservices that run a nation's living lab program for digital government"
RUN groupadd --gid 10001 livinglab && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin livinglab
COPY --from=build /opt/livinglab /opt/livinglab
COPY --from=build /build/app /app
ENV PATH=/opt/livinglab/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
USER 10001:10001
EXPOSE 50051 9464
ENTRYPOINT ["python", "-m"]
CMD ["services.assessment"]
