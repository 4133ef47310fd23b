# Everything a developer or CI runs. `make help` lists it.
#
# One set of build flags for everything: with another set Go would compile
# Microsoft's models a second time (minutes, and up to 5 GB of memory).
export GOFLAGS := -buildvcs=false -trimpath -tags=lambda.norpc

# Where infra/tools/fetch puts the emulators and the SAM CLI, and where the
# tests look for them (package infra/local/emulator).
export SALLYPORT_TOOLS := $(CURDIR)/.tools
export SAM_CLI_TELEMETRY := 0

GO ?= go
MODELS := github.com/microsoftgraph/msgraph-sdk-go/models
GOLANGCI := $(SALLYPORT_TOOLS)/bin/golangci-lint-v2.15.0
# Where goroutines share something. Never what links Microsoft's models: with
# -race they would be compiled once more.
RACE := ./shared/archive ./shared/job ./shared/store ./functions/webhook
FUNCTIONS := Webhook Breakglass Audit Remind Notify Feedback Enforce Monitor Subscriptions

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

.PHONY: demo
demo: slow-build-notice ## rehearse a whole rollout on the sample tenant (needs Go alone)
	@$(GO) run ./infra/sallyport rehearse --tenant sample --days 60 --out out/demo

.PHONY: test
test: tools slow-build-notice ## run all tests (needs Go, Java 17 and Python 3)
	$(GO) test -shuffle=on -count=1 -timeout=30m ./...
	@[ "$$($(GO) env CGO_ENABLED)" = 1 ] || [ -n "$$CI" ] || { echo "Not looked for data races: that needs a C compiler"; exit 0; }; \
		set -x; $(GO) test -race -shuffle=on -count=1 $(RACE)

.PHONY: soak
soak: slow-build-notice ## rehearse 50 seeds with and without faults (a quarter of an hour)
	SALLYPORT_SEEDS=50 $(GO) test -count=1 -timeout=2h -run TestFaultsChangeNothing -v ./infra/local/rehearsal

.PHONY: bench
bench: tools slow-build-notice ## measure the audit against a bare loop, and the policy evaluator (a quarter of an hour)
	$(GO) test -run='^$$' -bench=Evaluator -benchtime=3x ./shared/rollout
	$(GO) test -run='^$$' -bench=Audit -benchtime=1x -timeout=2h ./infra/local/bench

.PHONY: tools
tools: ## fetch the test tools into .tools
	@infra/tools/fetch $(SALLYPORT_TOOLS)

.PHONY: lint
lint: $(GOLANGCI) ## check the source (vet, staticcheck, gofumpt and more: .golangci.yml)
	$(GOLANGCI) run --allow-serial-runners ./...

.PHONY: fmt
fmt: $(GOLANGCI) ## format the source
	@$(GOLANGCI) fmt

.PHONY: build
build: tools ## build all functions for deployment, with the SAM CLI
	@GOOS=linux GOARCH=arm64 $(MAKE) --no-print-directory slow-build-notice
	$(SALLYPORT_TOOLS)/python/bin/sam build

.PHONY: clean
clean: ## remove what was built, fetched and written
	rm -rf .aws-sam bin out .tools

# The SAM CLI calls build-<LogicalId> for each function and says in
# ARTIFACTS_DIR where the program goes. The folder is the id in lower case.
.PHONY: $(addprefix build-,$(FUNCTIONS))
$(addprefix build-,$(FUNCTIONS)): build-%:
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build -ldflags "-s -w -buildid=" \
		-o $(ARTIFACTS_DIR)/bootstrap ./functions/$(shell echo $* | tr '[:upper:]' '[:lower:]')/lambda

# golangci-lint comes through the Go module proxy, checked by Go's checksum
# database; the version stands in the file's name, so a new one is built.
$(GOLANGCI):
	@echo "Building golangci-lint (once: about a minute)"
	@GOBIN=$(@D) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(patsubst golangci-lint-%,%,$(@F))
	@mv $(@D)/golangci-lint $@

# Says why a build is slow, and only when it is going to be.
.PHONY: slow-build-notice
slow-build-notice:
	@$(GO) list -f '{{if .Stale}}The first build compiles the models of Microsoft Graph: about two minutes and up to 5 GB of memory. Later builds take seconds.{{end}}' $(MODELS)
