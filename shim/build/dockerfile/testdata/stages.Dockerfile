#target final
FROM golang AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY . .
RUN --mount=type=cache,target=/root/.cache go build -o /out/app
FROM build AS test
RUN go test ./...
FROM scratch AS unused
COPY x /
FROM --platform=$BUILDPLATFORM golang AS assets
RUN make assets
FROM debian AS base
FROM base AS Final
COPY --from=build --chown=1000:1000 --chmod=755 /out/app /usr/bin/
COPY --from=3 /assets /assets
COPY --from=busybox:musl /bin/busybox /bin/
RUN --mount=type=bind,from=build,source=/src,target=/src --network=none /src/install
ENTRYPOINT app
FROM final AS later
RUN never
