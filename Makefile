# `make` prints what there is. Only Go, make, git, bash and a C compiler are assumed: the control plane that the
# tests run against and the tools are built from their Go modules, once, into BULKHEAD_CACHE (~/.cache/bulkhead).

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# A kubeconfig that merely happens to be exported must never make tests, or `make run`, touch a real cluster; nor
# must envtest's switch for one. Only what is written on the command line counts: make run KUBECONFIG=...
ENV_KUBECONFIG := $(KUBECONFIG)
unexport KUBECONFIG USE_EXISTING_CLUSTER

GO ?= go
IMG ?= bulkhead:dev
CONTAINER_TOOL ?= docker
KUBECTL ?= kubectl
TEST ?= ./...
TEST_FLAGS ?=
# What `make bench` measures: so many tenants of so many namespaces each, and one tenant of WIDE namespaces.
TENANTS ?= 100
NAMESPACES ?= 3
WIDE ?= 100
# And corrections of drift in these sizes too.
DRIFT ?= 1x300,300x3
# And requests with the guard-rails and without, in clusters of so many tenants.
GUARDS ?= 10,1000
BENCH_FLAGS ?=

# Sets KUBEBUILDER_ASSETS, where etcd, kube-apiserver, kube-controller-manager and kubectl are: what the caller says,
# or what is built from source. In steps, because `export A=$(b)` hides that b failed.
WITH_ASSETS = dir=$$(hack/controlplane/build.sh) && dir=$$(cd "$$dir" && pwd) && export KUBEBUILDER_ASSETS="$$dir" &&

##@ General

.PHONY: help
help: ## Print this help.
	@awk 'BEGIN {FS = ":.*##"; printf "Usage: make \033[36m<target>\033[0m\n"} \
		/^[a-zA-Z0-9_-]+:.*?##/ {printf "  \033[36m%-15s\033[0m %s\n", $$1, $$2} \
		/^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)}' $(MAKEFILE_LIST)

##@ Try it

.PHONY: run
run: build ## Run the operator on a control plane of its own, or on a cluster of yours: make run KUBECONFIG=<file>.
	@$(WITH_ASSETS) \
	$(GO) build -o bin/run ./hack/run && exec bin/run --operator=bin/bulkhead $(RUN_FLAGS)

# `origin` tells the command line from the environment.
ifeq ($(origin KUBECONFIG),command line)
run: RUN_FLAGS += --kubeconfig="$(KUBECONFIG)"
endif

##@ Develop

# Every test writes what the operator did with its rights; when all have run, what they did together is compared with
# what it is granted. Not if only a part of them was asked for.
ifeq ($(strip $(TEST))$(filter -run% -skip% -short% -ginkgo.% -list% -args%,$(TEST_FLAGS:--%=-%)),./...)
COMPARE_RIGHTS = BULKHEAD_RIGHTS_WHOLE=1 $(GO) test -count=1 -v -run '^TestWholeSuite$$' ./test/privilege
else
COMPARE_RIGHTS = : only a part of the tests has run: the rights of the operator are not compared with what they use
endif

# Modules of their own, so that what only a test needs isn't a dependency of the operator. Not if only a part of the
# tests was asked for.
ifeq ($(strip $(TEST)),./...)
TEST_MODULES = $(foreach module,test/cyclonus test/gitops,$(GO) -C $(module) test -race -shuffle=on -timeout 10m $(TEST_FLAGS) ./... &&) :
else
TEST_MODULES = :
endif

.PHONY: test
test: ## Run all tests, those on the embedded control plane included.
	@$(WITH_ASSETS) rights=$$(mktemp -d) && trap 'rm -rf "$$rights"' EXIT && export BULKHEAD_RIGHTS_DIR="$$rights" && set -x && \
	$(GO) test -race -shuffle=on -timeout 20m $(TEST_FLAGS) $(TEST) && \
	$(TEST_MODULES) && \
	$(COMPARE_RIGHTS)

.PHONY: test-unit
test-unit: ## Run the tests that need no control plane.
	$(GO) list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' $(TEST) \
		| awk '!/controller-runtime\/pkg\/envtest|\/test\/testkit\/controlplane|\/test\/testkit\/env/ {print $$1}' \
		| xargs $(GO) test -race -shuffle=on -short -timeout 5m $(TEST_FLAGS)

.PHONY: lint
lint: ## Check style, limits and imports.
	@tools=$$(hack/tools/build.sh golangci-lint) && set -x && "$$tools/golangci-lint" run

.PHONY: fmt
fmt: ## Format the code and sort its imports.
	@tools=$$(hack/tools/build.sh golangci-lint) && set -x && "$$tools/golangci-lint" fmt

.PHONY: generate
generate: ## Generate deep copies, apply-configurations, CRDs, RBAC and the API reference.
	hack/generate.sh

.PHONY: manifests
manifests: ## Generate CRDs and RBAC only.
	hack/generate.sh manifests

.PHONY: verify
verify: generate ## Check that what is generated is committed, then style, licence headers, go.mod files and CEL costs.
	hack/verify/generated.sh $$(hack/generate.sh paths)
	hack/verify/boilerplate.sh
	hack/verify/tidy.sh
	hack/verify/cel_costs.sh
	$(MAKE) --no-print-directory lint

# What is tested on every version of Kubernetes: the guard-rails, which it has to carry out. "newest" is the version that
# all other tests run on; each of the others has a directory. Only failures and what is skipped are listed.
KUBE_VERSIONS ?= newest $(notdir $(patsubst %/,%,$(wildcard hack/controlplane/versions/*/)))
MATRIX_TESTS ?= ./test/attack $(if $(wildcard test/guard/*_test.go),./test/guard)

.PHONY: test-matrix
test-matrix: ## Test the guard-rails on all supported versions of Kubernetes: make test-matrix KUBE_VERSIONS="newest 1.34".
	@status=0; for version in $(KUBE_VERSIONS); do \
		build=hack/controlplane/build.sh; \
		[ $$version = newest ] || build=hack/controlplane/versions/$$version/build.sh; \
		assets=$$(env -u KUBEBUILDER_ASSETS "$$build"); \
		"$$assets/kubectl" version --client | sed -n 's/^Client Version: /== Kubernetes /p'; \
		KUBEBUILDER_ASSETS="$$assets" $(GO) test -count=1 -v -timeout 20m $(TEST_FLAGS) $(MATRIX_TESTS) | \
			awk '/^ *--- PASS/ {n++; next} /^ *--- SKIP/ {k++; next} !/^ *=== / {print; fflush()} END {print n+0 " passed, " k+0 " skipped"}' || status=1; \
	done; exit $$status

# How many namespaces drift at once in `make test-storm`; make test lets 100 of them.
STORM ?= 1000

.PHONY: test-storm
test-storm: ## Let all namespaces of one tenant drift at once: make test-storm STORM=1000 (some five minutes).
	@$(WITH_ASSETS) set -x && BULKHEAD_STORM_NAMESPACES=$(STORM) $(GO) test -count=1 -v -timeout 40m ./test/storm

.PHONY: bench
bench: build ## Measure the operator beside a bare client: make bench TENANTS=100 NAMESPACES=3 (see docs/performance.md).
	@$(WITH_ASSETS) set -x && \
	$(GO) run ./test/scale --tenants=$(TENANTS) --namespaces=$(NAMESPACES) --wide=$(WIDE) --drift=$(DRIFT) --guards=$(GUARDS) --operator=bin/bulkhead $(BENCH_FLAGS)

.PHONY: bench-short
bench-short: ## The same, small (some 90 s). Fails if requests were made that need not be; never because of times.
	@$(WITH_ASSETS) set -x && \
	$(GO) run ./test/scale --check --tenants=15 --namespaces=3 --wide=20 --corrections=20 --steady=8s --patience=4s --guards=10 --guard-samples=50 $(BENCH_FLAGS)

##@ Build

.PHONY: build
build: ## Build the operator into bin/.
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/bulkhead .

.PHONY: plugin
plugin: build ## Build the kubectl plugin beside it: with bin/ on PATH, `kubectl bulkhead` is the same program.
	ln -sf bulkhead bin/kubectl-bulkhead

.PHONY: image
image: ## Build the container image (IMG, by CONTAINER_TOOL).
	$(CONTAINER_TOOL) build -t "$(IMG)" .

.PHONY: install-yaml
install-yaml: ## Write the whole installation into dist/install.yaml.
	@mkdir -p dist
	@$(WITH_ASSETS) "$$KUBEBUILDER_ASSETS/kubectl" kustomize config/default > dist/install.yaml

.PHONY: controlplane
controlplane: ## Build the embedded control plane (once; ten minutes or so) and print where it is.
	@hack/controlplane/build.sh

.PHONY: tools
tools: ## Build the pinned tools (once) and print where they are.
	@hack/tools/build.sh

.PHONY: clean
clean: ## Remove what was built in the work tree. What is cached outside it stays.
	rm -rf bin dist
	find . -name '*.test' -type f -not -path './.git/*' -delete

##@ Install, on the cluster that kubectl points to

# Here, and only here, an exported KUBECONFIG counts.
install deploy undeploy samples: export KUBECONFIG := $(ENV_KUBECONFIG)

.PHONY: install
install: ## Install the CRDs only.
	$(KUBECTL) apply --server-side -k config/crd

.PHONY: deploy
deploy: ## Install everything.
	$(KUBECTL) apply --server-side -k config/default

.PHONY: samples
samples: ## Apply the sample Tenants.
	$(KUBECTL) apply --server-side -k config/samples

.PHONY: undeploy
undeploy: ## Remove the operator. CRDs, Tenants and their walls stay.
	$(KUBECTL) delete --ignore-not-found -k config/manager
	$(KUBECTL) delete --ignore-not-found -k config/network-policy
	$(KUBECTL) delete --ignore-not-found -k config/rbac
