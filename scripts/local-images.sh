#!/usr/bin/env bash
# Makes sure that the official base images of the Dockerfile and of docker-compose.yml are there under their official names:
# those that this machine has are kept, the others are pulled, and where no registry can be reached a stand-in is made:
#   golang  this machine's Go toolchain, its CA bundle and a static busybox for the shell
#   nats    nats-server of the tag's version from its Go module, with the entry point and the paths of the official image
# A stand-in carries the label juliu.stand-in; `docker rmi` it to go back to the official image.
set -euo pipefail
cd "$(dirname "$0")/.."

go_image="${GO_IMAGE:-$(sed -n 's/^ARG GO_IMAGE=//p' deploy/docker/Dockerfile)}"
# shellcheck disable=SC2016 # the text of the file, not a variable
nats_image="${NATS_IMAGE:-$(sed -n 's/.*image: ${NATS_IMAGE:-\(.*\)}$/\1/p' docker-compose.yml)}"
# A changed recipe or toolchain makes the stand-ins anew.
recipe="$(cat "$0" <(go env GOVERSION) | sha256sum | cut -c1-16)"
pull_seconds=300 # for a slow line; a missing registry answers at once, an unreachable one within the engine's own 15 s
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

if ! docker info >/dev/null 2>&1; then
	echo "local-images: no Docker engine answers: start it, or set DOCKER_HOST" >&2
	exit 1
fi

# ensure IMAGE STAND_IN_FUNCTION
ensure() {
	local label
	if label="$(docker image inspect --format '{{index .Config.Labels "juliu.stand-in"}}' "$1" 2>/dev/null)"; then
		if [[ -z $label || $label == "$recipe" ]]; then
			echo "local-images: $1 is here"
			return
		fi
	elif timeout "$pull_seconds" docker pull --quiet "$1" >/dev/null 2>"$work/pull"; then
		echo "local-images: $1 pulled"
		return
	else
		echo "local-images: $1 cannot be pulled ($(tail -n 1 "$work/pull" | cut -c1-120)); making a stand-in" >&2
	fi
	"$2" "$1"
	echo "local-images: $1 is a stand-in made here"
}

# base_root DIR: a root with a shell, the CA bundle and the folders that programs expect.
base_root() {
	mkdir -p "$1"/{bin,etc/ssl/certs,root,tmp}
	chmod 1777 "$1/tmp"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
	cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
	cp "$(static_busybox)" "$1/bin/busybox"
	local applet
	for applet in $("$1/bin/busybox" --list); do
		[[ $applet == busybox ]] || ln -s busybox "$1/bin/$applet"
	done
}

# static_busybox prints the path of one: the machine's own, else the Debian package's, unpacked and not installed.
static_busybox() {
	local own
	if own="$(command -v busybox)" && ! ldd "$own" >/dev/null 2>&1; then
		echo "$own"
		return
	fi
	if [[ ! -x $work/busybox/bin/busybox ]]; then
		(
			mkdir -p "$work/busybox" && cd "$work/busybox"
			get="apt-get download -qq -o APT::Sandbox::User=root busybox-static"
			$get || { apt-get update -qq && $get; }
			dpkg-deb -x busybox-static_*.deb .
		) >&2
	fi
	echo "$work/busybox/bin/busybox"
}

golang() {
	local goroot
	goroot="$(go env GOROOT)"
	base_root "$work/golang"
	tar -c -C "$work/golang" . \
		-C "$(dirname "$goroot")" --exclude='./test' --transform "s|^$(basename "$goroot")|usr/local/go|" "$(basename "$goroot")" |
		docker import \
			--change 'ENV PATH=/go/bin:/usr/local/go/bin:/bin GOPATH=/go GOTOOLCHAIN=local HOME=/root' \
			--change 'WORKDIR /go' --change 'CMD ["sh"]' \
			--change "LABEL juliu.stand-in=$recipe" - "$1" >/dev/null
}

nats() {
	local version="${1#*:}"
	base_root "$work/nats"
	(cd / && GOFLAGS='' GOBIN="$work/nats/bin" CGO_ENABLED=0 \
		go install -trimpath -ldflags='-s -w' "github.com/nats-io/nats-server/v2@v${version%%-*}")
	# As the official image does: flags alone are flags of nats-server.
	cat >"$work/nats/bin/docker-entrypoint.sh" <<-'SH'
		#!/bin/sh
		case "$1" in -*) set -- nats-server "$@" ;; esac
		exec "$@"
	SH
	chmod +x "$work/nats/bin/docker-entrypoint.sh"
	tar -c -C "$work/nats" . |
		docker import \
			--change 'ENV PATH=/bin' --change 'EXPOSE 4222 8222 6222' \
			--change 'ENTRYPOINT ["docker-entrypoint.sh"]' \
			--change 'CMD ["nats-server", "--config", "/etc/nats/nats-server.conf"]' \
			--change "LABEL juliu.stand-in=$recipe" - "$1" >/dev/null
}

ensure "$go_image" golang
ensure "$nats_image" nats
