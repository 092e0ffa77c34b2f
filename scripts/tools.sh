#!/usr/bin/env bash
# Installs the tools of scripts/versions.env into .tools/bin, each only when it is missing or of another version.
#   scripts/tools.sh [name...]     names: golangci-lint buf gofumpt protoc-gen-go; none means all
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/versions.env
source scripts/versions.env

bin="$PWD/.tools/bin"
go_version="$(go env GOVERSION)"

# install_tool NAME PACKAGE VERSION
install_tool() {
	local stamp=".tools/stamps/$1-$3-$go_version"
	if [[ -e $stamp && -x $bin/$1 ]]; then
		return
	fi
	echo "tools: building $1 $3" >&2
	# Not from inside the module: the tool's own go.mod decides its dependencies. GOFLAGS may name a -mod that install refuses.
	(cd / && GOFLAGS='' GOBIN="$bin" CGO_ENABLED=0 go install -trimpath "$2@$3")
	rm -f ".tools/stamps/$1-"*
	touch "$stamp"
}

mkdir -p "$bin" .tools/stamps
if [[ $# -eq 0 ]]; then
	set -- gofumpt protoc-gen-go buf golangci-lint
fi
for name in "$@"; do
	case $name in
	golangci-lint) install_tool "$name" github.com/golangci/golangci-lint/v2/cmd/golangci-lint "$GOLANGCI_LINT_VERSION" ;;
	buf) install_tool "$name" github.com/bufbuild/buf/cmd/buf "$BUF_VERSION" ;;
	gofumpt) install_tool "$name" mvdan.cc/gofumpt "$GOFUMPT_VERSION" ;;
	protoc-gen-go) install_tool "$name" google.golang.org/protobuf/cmd/protoc-gen-go "$PROTOC_GEN_GO_VERSION" ;;
	*)
		echo "tools: no such tool: $name" >&2
		exit 2
		;;
	esac
done
