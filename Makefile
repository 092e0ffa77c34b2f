# Everything that a developer or CI does with this repository. CI calls these targets and nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

BIN     := bin
TOOLS   := .tools/bin
# The commit's own date: two builds of one commit are byte for byte the same.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
DATE    := $(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X juliu/pkg/process.version=$(VERSION) -X juliu/pkg/process.commit=$(COMMIT) -X juliu/pkg/process.date=$(DATE)
GO_BUILD = CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/
COMPOSE := $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
# The packages whose tests have a long form, which JULIU_LONG asks for.
LONG    := ./pkg/stream ./services/extractor ./services/loader
# make chaos SEED=7 SINK=webhook: the seed decides every fault, its time and its victim.
SEED    ?= $(shell date +%s)
SINK    ?= postgres
CHAOS   = $(BIN)/chaos run --seed $(SEED) --sink $(SINK) --dir data/chaos-$(SEED)
# What `make run` passes to `juliu up`, e.g. make run ARGS='--for 1m --sink jsonl'.
ARGS    ?=

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/extractor, bin/loader and bin/juliu: static, without paths of this machine
	$(GO_BUILD) ./services/extractor/cmd/extractor ./services/loader/cmd/loader ./services/juliu/cmd/juliu

.PHONY: run
run: ## Run everything in one process, against the sandbox unless JST_BASE_URL is set (ARGS='--for 1m')
	@$(GO_BUILD) ./services/juliu/cmd/juliu
	$(BIN)/juliu up $(ARGS)

.PHONY: test
test: ## Run every test with the race detector, the container tests too where Docker is there
	go test -race -shuffle=on -timeout 20m ./...

.PHONY: test-long
test-long: ## Run the long forms of the property, model and kill tests
	JULIU_LONG=1 go test -race -timeout 60m $(LONG)
	JULIU_LONG=1 go test -race -timeout 10m -tags failpoint ./pkg/failpoint ./pkg/stream ./pkg/sink -run '^(TestTheStepNamed|TestAProcessKilled)'

.PHONY: power
power: ## Cut the power of NATS 40 times with each of our settings, and with the server's default ones; needs FUSE
	JULIU_LONG=1 JULIU_REQUIRE_CONTAINERS=1 go test -count=1 -timeout 20m -v ./pkg/lossydisk ./pkg/embednats -run '(Power|Disk)'

.PHONY: lint
lint: ## Check the code against .golangci.yml
	scripts/tools.sh golangci-lint
	$(TOOLS)/golangci-lint run ./...

.PHONY: fmt
fmt: ## Format the code and order its imports
	scripts/tools.sh golangci-lint
	$(TOOLS)/golangci-lint fmt ./...

.PHONY: generate
generate: ## Generate the Go code of proto/, and docs/commands and docs/man from the commands
	scripts/tools.sh buf protoc-gen-go
	cd proto && PATH="$(CURDIR)/$(TOOLS):$$PATH" buf generate
	rm -rf docs/commands docs/man
	go run ./services/juliu/cmd/reference docs

.PHONY: generate-check
generate-check: ## Check that what is generated is current, and proto/: lint, nothing broken for older readers
	scripts/generate-check.sh

.PHONY: links-check
links-check: ## Check that the service binaries link no server, simulator or test code
	scripts/check-links.sh

.PHONY: tidy-check
tidy-check: ## Check that go.mod and go.sum are tidy
	go mod tidy -diff

.PHONY: compose-check
compose-check: ## Check docker-compose.yml and what deploy/compose adds to it
	$(COMPOSE) config --quiet
	$(COMPOSE) -f docker-compose.yml -f deploy/compose/postgres.yml config --quiet

.PHONY: images-base
images-base: ## Pull the official base images, or build stand-ins where no registry can be reached
	scripts/local-images.sh

.PHONY: images
images: images-base ## Build the images juliu/extractor, juliu/loader and juliu/juliu
	scripts/images.sh '$(VERSION)' '$(COMMIT)' '$(DATE)'

.PHONY: up
up: images ## Start the containers: NATS, sandbox, provision, extractor, loader
	$(COMPOSE) up -d --no-build
	@echo "watch: $(COMPOSE) logs -f extractor loader    scale: $(COMPOSE) up -d --no-build --scale loader=3    stop: make down"

.PHONY: down
down: ## Stop and remove the containers; the stream's volume stays (remove it with: docker volume rm juliu_nats)
	$(COMPOSE) down --remove-orphans

.PHONY: tools
tools: ## Build all pinned tools into .tools/bin, for an editor; the other targets build what they need
	scripts/tools.sh

.PHONY: chaos
chaos: build-chaos ## Disturb the shipped programs for four minutes and check that nothing is lost (SEED=, SINK=postgres|webhook)
	@mkdir -p data
	$(CHAOS) --orders 20000 --traffic 40 --faults 34 --span 80s

.PHONY: chaos-long
chaos-long: build-chaos ## The same with 300,000 orders and 240 faults, for 25 minutes
	@mkdir -p data
	$(CHAOS) --orders 300000 --traffic 100 --faults 240 --span 15m

.PHONY: build-chaos
build-chaos: build
	@$(if $(filter postgres,$(SINK)),scripts/local-images.sh postgres)
	CGO_ENABLED=0 go build -trimpath -o $(BIN)/chaos ./scripts/chaos/cmd/chaos

.PHONY: bench
bench: ## Run the benchmarks
	go test -run='^$$' -bench=. -benchmem ./...

.PHONY: fuzz
fuzz: ## Run each fuzz target for 20 seconds
	scripts/fuzz.sh 20s

.PHONY: clean
clean: ## Remove what building and running left: bin and data (tools stay; remove them with rm -r .tools)
	rm -rf $(BIN) data
