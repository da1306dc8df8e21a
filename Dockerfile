# The image of Steadygate: one static binary, nothing else.
#
#   docker build .                      builds it from source
#   docker build --target prebuilt DIR  takes DIR/steadygate, a static binary; what `make image` does

FROM scratch AS runtime
USER 65532:65532
EXPOSE 80 443 9180
ENTRYPOINT ["/steadygate"]
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="Steadygate" \
      org.opencontainers.image.description="Kubernetes ingress controller and application gateway" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

FROM runtime AS prebuilt
COPY steadygate /steadygate

FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
# The target is named, though it is the machine's own: or build scripts and macros would be built static as well.
RUN target=$(rustc -vV | sed -n 's/^host: //p') && \
    RUSTFLAGS='-C target-feature=+crt-static' cargo build --locked --release --bin steadygate --target "$target" && \
    cp "target/$target/release/steadygate" /steadygate

FROM runtime
COPY --from=build /steadygate /steadygate
