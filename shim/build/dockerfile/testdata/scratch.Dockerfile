#platform arm64
# escape=`
FROM scratch
ARG TARGETPLATFORM
ARG TARGETARCH
LABEL for=$TARGETPLATFORM
ADD rootfs-$TARGETARCH.tar.xz /
ADD --unpack=false a.tar /
ADD --checksum=sha256:0000000000000000000000000000000000000000000000000000000000000000 https://example.org/x/file.tgz /opt/
COPY --parents --exclude=*.md a/*/b /x/
COPY a .
COPY b sub/.
CMD ["/bin/sh"]
