#!/usr/bin/env bash
# Proves that the service binaries carry nothing of the laboratory: neither the embedded server nor the simulator nor test code.
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
exit "$status"
