# syntax=docker/dockerfile:1

# The binary and the health check, static; then an image with nothing else in it: no shell, no package manager, no root.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ENV CGO_ENABLED=0 GOCACHE=/cache
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/cache \
    go build -trimpath -ldflags="-s -w" -o /out/millrace . && \
    go build -trimpath -ldflags="-s -w" -o /out/healthcheck ./deploy/healthcheck && \
    mkdir -m 700 /out/data

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/millrace /out/healthcheck /usr/local/bin/
COPY --from=build --chown=nonroot:nonroot /out/data /data
# Reachable from outside the container; the data folder is a volume where the embedded parts are used.
ENV MILLRACE_HTTP_ADDR=0.0.0.0:8080 MILLRACE_DATA_DIR=/data MILLRACE_LOG_FORMAT=json
VOLUME /data
EXPOSE 8080
USER nonroot:nonroot
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 CMD ["/usr/local/bin/healthcheck"]
# A drain takes at most 8 s behind MILLRACE_DRAIN_DELAY; give it both before SIGKILL (docker's default is 10 s).
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/millrace"]
