# The one image of Sluice: one bundled file on Node. Which process it is, the command says (`controller`, `poller`).
# Build: docker build -t sluice .
FROM node:26-trixie-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY scripts scripts
RUN node scripts/setup.mjs
COPY src src
RUN node scripts/build.mjs

FROM node:26-trixie-slim
LABEL org.opencontainers.image.title="sluice" \
      org.opencontainers.image.description="Event source mappings for Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=build /build/dist dist
# By number, so that Kubernetes can see that it is not root. Nothing is written to the image's file system.
USER 65532:65532
# A small nursery of objects: less memory under load, and less time spent collecting (docs/performance.md).
ENV NODE_ENV=production NODE_OPTIONS=--max-semi-space-size=4
ENTRYPOINT ["node", "/app/dist/cli/sluice.mjs"]
CMD ["--help"]
