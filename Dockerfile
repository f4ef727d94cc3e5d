# syntax=docker/dockerfile:1

# Built on the builder's own platform and cross-compiled: Go needs no emulation for it.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src

# The modules are a layer of their own: they change less often than the code.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download

COPY main.go ./
COPY api/ api/
# What is embedded: the guard-rails, which the operator compares with what is installed.
COPY config/admission/ config/admission/
COPY controllers/ controllers/
COPY internal/ internal/
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -trimpath -ldflags="-s -w" -o /bulkhead .

# No shell, no package manager, no root.
FROM gcr.io/distroless/static:nonroot
COPY --from=build /bulkhead /bulkhead
# By number: a kubelet can't tell whether a name is root (runAsNonRoot).
USER 65532:65532
ENTRYPOINT ["/bulkhead"]
CMD ["manager"]
