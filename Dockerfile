# The one image of Sluice: one bundled file on Node, without a shell, npm or a package manager. Which process it is, the
# command says (`controller`, `poller`).
# Build: docker build -t sluice .
# For both architectures: docker buildx build --platform linux/amd64,linux/arm64 -t sluice .

# The bundle is the same everywhere, so it is built on the machine's own architecture.
FROM --platform=$BUILDPLATFORM node:26-trixie-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY scripts scripts
RUN node scripts/setup.mjs
COPY src src
RUN node scripts/build.mjs

FROM gcr.io/distroless/nodejs26-debian13:nonroot
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sluice" \
      org.opencontainers.image.description="Event source mappings for Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/nodejs26-debian13:nonroot"
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=build /build/dist dist
# By number, so that Kubernetes can see that it is not root. Nothing is written to the image's file system.
USER 65532:65532
# A small nursery of objects and few arenas of the C library: less memory under load and at rest (docs/performance.md).
ENV NODE_ENV=production NODE_OPTIONS=--max-semi-space-size=8 MALLOC_ARENA_MAX=2
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/cli/sluice.mjs"]
CMD ["--help"]
