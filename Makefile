# Targets for people and for CI; `make` alone lists them.
SHELL := bash
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
REVISION := $(shell git rev-parse HEAD 2>/dev/null)
BRANCH := $(shell git rev-parse --abbrev-ref HEAD 2>/dev/null)
# The commit's time, so that the same commit gives the same bytes.
commit_time = $(shell TZ=UTC git log -1 --date=format-local:$(1) --format=%cd 2>/dev/null)
BUILD_DATE := $(call commit_time,%Y%m%d-%H:%M:%S)
CREATED := $(call commit_time,%Y-%m-%dT%H:%M:%SZ)
INFO := github.com/prometheus/common/version
LDFLAGS := -s -w -X $(INFO).Version=$(VERSION) -X $(INFO).Revision=$(REVISION) -X $(INFO).Branch=$(BRANCH) -X $(INFO).BuildDate=$(BUILD_DATE)
BINARY := aliyun_cas_exporter
export VERSION REVISION CREATED LDFLAGS

.DEFAULT_GOAL := help
.PHONY: help build image packages release-snapshot ldflags demo quick test properties lint fmt check fuzz soak scale bench bench-check rules dashboards screenshots chart chart-cluster clean attack e2e stack

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the program
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o $(BINARY) .

image: ## build the image aliyun_cas_exporter:VERSION from a local build, with docker, podman or buildah (ENGINE)
	GOOS=linux $(MAKE) --no-print-directory build BINARY=dist/image/aliyun_cas_exporter
	.ci/image.sh dist/image/aliyun_cas_exporter aliyun_cas_exporter:$(VERSION)

packages: ## build the deb and the rpm of this architecture into dist/packages
	GOOS=linux $(MAKE) --no-print-directory build BINARY=dist/packages/aliyun_cas_exporter
	.ci/packages.sh dist/packages/aliyun_cas_exporter $$(go env GOARCH) dist/packages

release-snapshot: ## build a release of the committed files into dist/release, twice, and compare
	.ci/release.sh

ldflags: ## print the flags of the linker, for builds outside of make
	@echo "$(LDFLAGS)"

demo: ## run the program on the embedded simulator
	go run . --demo

quick: ## run the Go tests alone: seconds
	go test ./...

test: ## run everything that CI tests, installing what it needs
	.ci/test.sh

properties: ## test the main properties in thousands of cases, and what `make quick` leaves out
	.ci/test.sh properties

dashboards: ## test the dashboards in a real Prometheus
	.ci/test.sh dashboards

chart: ## test the Helm chart
	.ci/test.sh chart

chart-cluster: ## ask the cluster of KUBECONFIG what it thinks of the chart, by dry runs
	cd deploy/helm/test && PATH=$$(../../../.ci/tools.sh helm):$$PATH go test -count=1 -tags cluster -run '^TestCluster$$' .

e2e: ## run the program with Prometheus, Alertmanager and a webhook
	.ci/e2e.sh

attack: ## let clients do their worst to the HTTP side, for docs/reliability.md: three minutes
	go test -tags e2e,attack -run '^TestAttack' -count=1 -v ./internal/e2e

stack: ## try the demo with Prometheus and Alertmanager, until a key is pressed
	@.ci/stack.sh

lint: ## check style, layout and the module file
	.ci/lint.sh

fmt: ## format the code
	$$(.ci/tools.sh golangci-lint)/golangci-lint fmt

check: lint quick ## what a commit must pass

fuzz: ## fuzz each target for FUZZTIME (10s)
	FUZZTIME=$${FUZZTIME:-10s} .ci/test.sh fuzz

soak: ## repeat the main property under the race detector for SOAK (30m)
	SOAK=$${SOAK:-30m} go test -race -run '^TestSoak$$' -timeout 0 -v ./collector

scale: ## simulate up to 1,000 accounts of 100 jobs, for docs/scaling.md
	SCALE=1 go test -run '^TestScale$$' -timeout 0 -v ./collector

screenshots: ## take the pictures of the pages again
	SCREENSHOTS=$(CURDIR)/docs/screenshots .ci/test.sh browser
	pngquant --force --ext .png --speed 1 --strip docs/screenshots/*.png

bench: ## measure against the baselines and print the tables of docs/performance.md: an hour
	cd bench && go run .

bench-check: ## compare allocations with bench/figures.txt
	.ci/bench.sh check

rules: ## test the alerts, and that their tests see mistakes
	.ci/rules.sh

clean: ## remove what was built
	rm -rf aliyun_cas_exporter dist coverage.out
