#!/usr/bin/env bash
# Makes sure that the official base images of the Dockerfile and of the Compose files are there under their official names:
# those that this machine has are kept, the others are pulled, and where no registry can be reached a stand-in is made:
#   golang    this machine's Go toolchain, its CA bundle and a static busybox for the shell
#   nats      nats-server of the tag's version from its Go module, with the entry point and the paths of the official image
#   postgres  PostgreSQL of Debian's package, whatever its version, with the settings, paths and user number of the official image
# Usage: scripts/local-images.sh [name...]; none means all.
# A stand-in carries the label juliu.stand-in; `docker rmi` it to go back to the official image.
set -euo pipefail
cd "$(dirname "$0")/.."

go_image="${GO_IMAGE:-$(sed -n 's/^ARG GO_IMAGE=//p' deploy/docker/Dockerfile)}"
# shellcheck disable=SC2016 # the text of the file, not a variable
nats_image="${NATS_IMAGE:-$(sed -n 's/.*image: ${NATS_IMAGE:-\(.*\)}$/\1/p' docker-compose.yml)}"
# shellcheck disable=SC2016 # the text of the file, not a variable
postgres_image="${POSTGRES_IMAGE:-$(sed -n 's/.*image: ${POSTGRES_IMAGE:-\(.*\)}$/\1/p' deploy/compose/postgres.yml)}"
# A changed recipe or toolchain makes the stand-ins anew.
recipe="$(cat scripts/local-images.sh <(go env GOVERSION) | sha256sum | cut -c1-16)"
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

# debian_root DIR PACKAGE: a root with the package and what it needs, unpacked and not configured, but for what only its scripts need.
debian_root() {
	local root="$1" debs="$work/debs" file
	mkdir -p "$debs/partial"
	: >"$work/status" # nothing counts as installed: the root gets all of it
	local get=(apt-get install -qq -y --no-install-recommends --download-only -o APT::Sandbox::User=root
		-o Dir::State::status="$work/status" -o Dir::Cache::archives="$debs" "$2")
	{ "${get[@]}" || { apt-get update -qq && "${get[@]}"; }; } >&2
	for file in "$debs"/*.deb; do
		case "$(basename "$file")" in
		perl* | libperl* | *-perl_* | libllvm* | libz3* | locales* | dpkg_* | debconf_* | adduser_* | passwd_* | usrmerge_*) ;;
		*) dpkg-deb -x "$file" "$root" ;;
		esac
	done
}

postgres() {
	local root="$work/postgres"
	base_root "$root"
	debian_root "$root" postgresql
	# The user number of the official Alpine image.
	echo 'postgres:x:70:70::/var/lib/postgresql:/bin/sh' >>"$root/etc/passwd"
	echo 'postgres:x:70:' >>"$root/etc/group"
	mkdir -p "$root"/var/{lib/postgresql/data,run/postgresql} "$root/usr/local/bin"
	local bin
	bin="$(cd "$root" && echo usr/lib/postgresql/*/bin)"
	cat >"$root/usr/local/bin/docker-entrypoint.sh" <<-'SH'
		#!/bin/sh
		# What the official image's entry point does with POSTGRES_USER, POSTGRES_PASSWORD, their _FILE forms and POSTGRES_DB.
		set -eu
		case "${1:-}" in '' | -*) set -- postgres "$@" ;; esac
		[ "$1" = postgres ] || exec "$@"
		if [ "$(id -u)" = 0 ]; then
			mkdir -p "$PGDATA"
			chown -R postgres:postgres "$PGDATA" /var/run/postgresql
			exec su -s /bin/sh postgres -c 'exec "$0" "$@"' -- "$0" "$@"
		fi
		if [ ! -s "$PGDATA/PG_VERSION" ]; then
			user="${POSTGRES_USER:-postgres}"
			password="${POSTGRES_PASSWORD:-}"
			[ -z "${POSTGRES_PASSWORD_FILE:-}" ] || password="$(cat "$POSTGRES_PASSWORD_FILE")"
			[ -n "$password" ] || { echo 'Error: POSTGRES_PASSWORD is not set' >&2; exit 1; }
			mkdir -p "$PGDATA" && chmod 700 "$PGDATA"
			umask 077
			printf '%s\n' "$password" >/tmp/password
			initdb --username="$user" --pwfile=/tmp/password --encoding=UTF8 --locale=C.UTF-8 --pgdata="$PGDATA"
			rm /tmp/password
			printf 'host all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
			printf "listen_addresses = '*'\n" >>"$PGDATA/postgresql.conf"
			# The server runs twice, as in the official image: the first time without a port.
			pg_ctl --pgdata="$PGDATA" --options="-c listen_addresses=''" --wait start
			database="${POSTGRES_DB:-$user}"
			[ "$database" = postgres ] || psql --username="$user" --dbname=postgres --quiet --command="CREATE DATABASE \"$database\""
			pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
		fi
		exec "$@"
	SH
	chmod +x "$root/usr/local/bin/docker-entrypoint.sh"
	mkdir "$work/context"
	tar -c -C "$root" --owner=0 --group=0 -f "$work/context/root.tar" .
	# Built and not imported: an import of Docker 20.10 takes no STOPSIGNAL, and at SIGTERM the server waits for its clients.
	cat >"$work/context/Dockerfile" <<-EOF
		FROM scratch
		ADD root.tar /
		ENV PATH=/usr/local/bin:/$bin:/bin:/usr/bin PGDATA=/var/lib/postgresql/data LANG=C.UTF-8
		RUN chown -R postgres:postgres /var/lib/postgresql /var/run/postgresql
		VOLUME /var/lib/postgresql/data
		EXPOSE 5432
		STOPSIGNAL SIGINT
		ENTRYPOINT ["docker-entrypoint.sh"]
		CMD ["postgres"]
		LABEL juliu.stand-in=$recipe
	EOF
	docker build --quiet --tag "$1" "$work/context" >/dev/null
}

if [[ $# -eq 0 ]]; then
	set -- golang nats postgres
fi
for name in "$@"; do
	case $name in
	golang) ensure "$go_image" golang ;;
	nats) ensure "$nats_image" nats ;;
	postgres) ensure "$postgres_image" postgres ;;
	*)
		echo "local-images: no such image: $name" >&2
		exit 2
		;;
	esac
done
