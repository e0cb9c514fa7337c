#!/bin/sh
# Builds the stage for one architecture: static, against musl, from src/ into
# bin/. The result depends on nothing but the sources and the compiler.
set -eu
cd "$(dirname "$0")"
arch=${1:-$(go env GOARCH)}
case $arch in
amd64) triple=x86_64-linux-gnu ;;
arm64) triple=aarch64-linux-gnu ;;
*) echo "stage: no build for $arch" >&2; exit 1 ;;
esac
${CC:-musl-gcc} -static -Os -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror \
	-ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-stack-protector \
	-idirafter /usr/include -idirafter /usr/include/$triple \
	-Wl,--gc-sections,--build-id=none -s -o bin/stage_$arch src/*.c
