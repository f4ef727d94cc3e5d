module github.com/bulkhead-dev/bulkhead/hack/crds

go 1.26.0
