#!/usr/bin/env bash
# Proves that the service binaries carry nothing of the laboratory: neither the embedded server nor the simulator nor test code, and no
# failpoint that ends a process.
set -euo pipefail
cd "$(dirname "$0")/.."

forbidden='^(github\.com/nats-io/nats-server/|github\.com/testcontainers/|testing($|/)|juliu/pkg/(embednats|jushuitan/sandbox|sink/sinktest)$)'
status=0
for service in extractor loader; do
	deps="$(go list -deps "./services/$service/cmd/$service")"
	if found="$(grep -E "$forbidden" <<<"$deps")"; then
		printf 'check-links: bin/%s must not link these:\n%s\n' "$service" "$found" >&2
		status=1
	else
		echo "check-links: bin/$service is clean ($(wc -l <<<"$deps") packages)"
	fi
done
# The writer of docs/commands and docs/man, and what tests run, are no part of the command either.
if found="$(go list -deps ./services/juliu/cmd/juliu | grep -E '^(github\.com/(cpuguy83/go-md2man|rogpeppe)/|github\.com/spf13/cobra/doc$|testing($|/))')"; then
	printf 'check-links: bin/juliu must not link these:\n%s\n' "$found" >&2
	status=1
else
	echo "check-links: bin/juliu is clean"
fi
# The tag might come from GOFLAGS; and what is built already says it by the name of the variable.
if go list -f '{{join .GoFiles "\n"}}' ./pkg/failpoint | grep -qx on.go; then
	echo 'check-links: the build tag failpoint is set: unset it in GOFLAGS' >&2
	status=1
fi
for binary in bin/*; do
	if [[ -f $binary ]] && grep -q 'name:action\[:n\]' "$binary"; then
		echo "check-links: $binary was built with the tag failpoint: make clean build" >&2
		status=1
	fi
done
exit "$status"
