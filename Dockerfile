# Builds the three programs and puts them alone into a small image.
#   docker build --build-arg POSTBACK_COMMIT="$(git rev-parse HEAD)" .

FROM rust:1.95-bookworm AS build
WORKDIR /src
# librdkafka is built from source, with TLS, compression and libcurl (tokens by OIDC).
RUN apt-get update \
 && apt-get install --yes --no-install-recommends cmake gcc g++ make pkg-config libssl-dev zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*
COPY . .
ARG POSTBACK_COMMIT=""
RUN cargo build --release --locked \
      --package postback-ingest --package postback-consumer --package postback-cli

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates libssl3 zlib1g \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --user-group --home-dir /nonexistent --shell /usr/sbin/nologin postback \
 && install --directory --owner postback --group postback /var/lib/postback
COPY --from=build /src/target/release/postback-ingest /src/target/release/postback-consumer \
     /src/target/release/postback /usr/local/bin/
USER postback
WORKDIR /etc/postback
# Ingest for the networks; the admin listeners stay inside.
EXPOSE 8080
CMD ["postback", "--help"]
