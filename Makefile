# Each target says what it does behind ##; `make` lists them. CI calls the same ones.

SHELL := /bin/bash
.DEFAULT_GOAL := help

GOLANGCI_VERSION := v2.15.0
GOVULNCHECK_VERSION := v1.8.0
OASDIFF_VERSION := v1.35.0
BIN := $(CURDIR)/.build/bin
LINT := $(BIN)/golangci-lint-$(GOLANGCI_VERSION)
GOVULNCHECK := $(BIN)/govulncheck-$(GOVULNCHECK_VERSION)
OASDIFF := $(BIN)/oasdiff-$(OASDIFF_VERSION)
# Tests that compare measured times.
TIMED := Broker|EmbeddedServer|ServerProcess|Drain|UnreadLog|ClosedLog|SignInTakes|Access|MetricsAreServed|PurgeReadsNoMore|HangingKey|WithoutItsPort|PauseOfTheServer|ClosingDoesNotWait|Stalls
NODE_MODULES := clients/node_modules/.package-lock.json

.PHONY: help
help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## builds the binary to .build/millrace
	go build -o .build/millrace .

.PHONY: run
run: ## all three services in one process on http://127.0.0.1:8080
	go run .

.PHONY: test
test: ## the tests that need nothing but Go
	go test ./...

.PHONY: test-all
test-all: ## every test, with the race detector, a private MariaDB and an external nats-server
	CI=true deploy/local/with.sh go test -race -shuffle=on -timeout 20m ./...

.PHONY: test-timing
## what compares measured times, one test after the other; on a machine that does nothing else
	CI=true MILLRACE_TEST_TIMING=1 deploy/local/with.sh go test -count=1 -p 1 -parallel 1 -timeout 20m -run '$(TIMED)' \
		./e2e ./adapters/jwks ./adapters/memory ./adapters/natsjs ./adapters/sqldb ./ports/rest

.PHONY: large-tables
large-tables: ## the plans of what runs by itself, and a relay, at five million rows; some minutes, without the race detector
	CI=true deploy/local/with.sh go test -count=1 -timeout 30m -run 'LargeTables|Positions' ./adapters/sqldb ./adapters/eventsql -scale 5000000

.PHONY: fuzz-short
fuzz-short: ## every fuzz target for a few seconds; FUZZTIME=1m for longer
	.ci/fuzz

.PHONY: vet
vet: ## go vet
	go vet ./...

.PHONY: lint
lint: $(LINT) ## golangci-lint with .golangci.yml
	$(LINT) run ./...

.PHONY: fmt
fmt: $(LINT) ## formats the code
	$(LINT) fmt ./...

.PHONY: wire
wire: ## writes wire_gen.go anew
	go tool wire ./...

.PHONY: wire-check
wire-check: ## fails where wire_gen.go is out of date
	go tool wire diff ./...

.PHONY: tidy
tidy: ## go mod tidy
	go mod tidy

.PHONY: tidy-check
tidy-check: ## fails where go.mod or go.sum is out of date
	go mod tidy -diff

.PHONY: vuln
vuln: $(GOVULNCHECK) ## known vulnerabilities that the code reaches; needs the vulnerability database
	$(GOVULNCHECK) ./...

.PHONY: contract
contract: contract-breaking $(NODE_MODULES) ## docs/api is what the program answers, valid, and breaks no client; the TypeScript client compiles
	go test -count=1 -run 'Document|Described|Collection|Route|Golden|Headers|Released|Losses' ./e2e ./ports/asyncapi
	npm --prefix clients run --silent check

.PHONY: contract-breaking
contract-breaking: $(OASDIFF) ## fails where docs/api breaks clients of docs/api/released
	$(OASDIFF) breaking --fail-on WARN --severity-levels .ci/oasdiff-levels.txt docs/api/released/openapi.json docs/api/openapi.json
	go test -count=1 -run Released ./ports/asyncapi

.PHONY: contract-update
contract-update: $(NODE_MODULES) ## writes docs/api anew after a change of routes, events or clients/postman
	go test -count=1 -run TestDocumentsAreTheCommittedOnes ./e2e -write-documents
	npm --prefix clients run --silent postman

.PHONY: contract-release
contract-release: ## makes docs/api what clients may rely on: docs/api/released
	.ci/contract-release

.PHONY: nats-conf
nats-conf: ## writes deploy/nats.conf anew after a change of services or consumers
	go run ./deploy/natsconf > .build/nats.conf && mv .build/nats.conf deploy/nats.conf

.PHONY: newman
newman: build $(NODE_MODULES) ## runs the Postman collection and the TypeScript example against a new server
	npm --prefix clients run --silent newman

.PHONY: bench
bench: ## measures and prints a table (real MariaDB with full fsync, external nats-server)
	go run ./bench

.PHONY: crash
crash: build nats-server ## kills and pauses real processes under load and counts what went wrong
	go run ./bench/crash
	go run ./bench/crash -sqlite

.PHONY: crash-short
crash-short: build nats-server ## the same for a few minutes, as CI runs it
	go run ./bench/crash -rounds 2 -duration 20s
	go run ./bench/crash -sqlite -rounds 2 -duration 10s

.PHONY: up
up: ## the split run without Docker: MariaDB, nats-server, three services
	deploy/local/up.sh

.PHONY: down
down: ## stops the split run; its data stays
	deploy/local/down.sh

.PHONY: mariadb-start
mariadb-start: ## a private MariaDB; prints the DSN for MILLRACE_TEST_MYSQL
	@deploy/local/mariadb.sh start && deploy/local/mariadb.sh dsn

.PHONY: mariadb-stop
mariadb-stop: ## stops it
	@deploy/local/mariadb.sh stop

.PHONY: nats-server
nats-server: ## builds nats-server from the module to .build/nats-server
	@deploy/local/nats.sh build

.PHONY: nats-start
nats-start: ## a private nats-server with deploy/nats.conf; prints its address
	@deploy/local/nats.sh start && deploy/local/nats.sh address

.PHONY: nats-stop
nats-stop: ## stops it
	@deploy/local/nats.sh stop

.PHONY: pin-images
pin-images: ## writes the digests of the images of others into docker-compose.yml and Dockerfile; needs docker
	deploy/pin-images.sh

.PHONY: ci
ci: ## what CI runs, with every check
	.ci/run

$(LINT):
	@mkdir -p $(BIN)
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(BIN)/golangci-lint $@

$(GOVULNCHECK):
	@mkdir -p $(BIN)
	GOBIN=$(BIN) go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
	@mv $(BIN)/govulncheck $@

$(OASDIFF):
	@mkdir -p $(BIN)
	GOBIN=$(BIN) go install github.com/oasdiff/oasdiff@$(OASDIFF_VERSION)
	@mv $(BIN)/oasdiff $@

$(NODE_MODULES): clients/package.json clients/package-lock.json
	npm --prefix clients ci --silent
	@touch $@
