#!/bin/sh
# Builds the programs for one architecture, this machine's or $1, as
# libcontainer/stage/build.sh builds the stage, and of the same packages: static,
# against musl, from src/ into $2 or bin/.
set -eu
arch=${1:-$(go env GOARCH)}
cd "$(dirname "$0")"
out=${2:-bin}

case $arch in
amd64) triple=x86_64-linux-gnu options= ;;
arm64) triple=aarch64-linux-gnu options=-mno-outline-atomics ;;
*) echo "programs: no build for $arch" >&2; exit 1 ;;
esac
cc=$triple-gcc
musl=${triple%-gnu}-musl
include=/usr/include/$musl
lib=/usr/lib/$musl

for program in init hello; do
	$cc -nostdinc -isystem "$include" -isystem "$($cc -print-file-name=include)" \
		-idirafter "/usr/$triple/include" -idirafter "/usr/include/$triple" -idirafter /usr/include \
		-static -Os -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror $options \
		-ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-stack-protector \
		-fno-pie -no-pie -nostdlib -Wl,--gc-sections,--build-id=none,-z,noexecstack -s -o "$out/${program}_$arch" \
		"$lib/crt1.o" "$lib/crti.o" "src/$program.c" "$lib/libc.a" "$($cc -print-libgcc-file-name)" "$lib/crtn.o"
done

{
	$cc --version | sed -n 1p
	$($cc -print-prog-name=ld) --version | sed -n 1p
	cksum <"$lib/libc.a" | sed 's/^/musl libc.a /'
} >"$out/tools_$arch"
