package deps
import (
 _ "github.com/google/go-cmp/cmp"
 _ "github.com/onsi/ginkgo/v2"
 _ "github.com/onsi/gomega"
 _ "github.com/spf13/cobra"
 _ "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
 _ "sigs.k8s.io/controller-runtime"
 _ "sigs.k8s.io/controller-runtime/pkg/envtest"
 _ "sigs.k8s.io/controller-runtime/pkg/metrics/filters"
 _ "sigs.k8s.io/structured-merge-diff/v6/typed"
 _ "k8s.io/client-go/applyconfigurations"
 _ "k8s.io/client-go/metadata"
 _ "sigs.k8s.io/yaml"
 _ "github.com/fluxcd/cli-utils/pkg/kstatus/status"
)
