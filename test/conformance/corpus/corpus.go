// Licensed under the Apache License, Version 2.0 (the "License");
// you may not use this file except in compliance with the License.
// You may obtain a copy of the License at
//
//     http://www.apache.org/licenses/LICENSE-2.0
//
// Unless required by applicable law or agreed to in writing, software
// distributed under the License is distributed on an "AS IS" BASIS,
// WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
// See the License for the specific language governing permissions and
// limitations under the License.

// Package corpus holds the Tenants that the laws of all rooms are tried on: the samples that users start from, and
// the Tenants in this directory, which together set every field of the API. For tests only.
package corpus

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/apis"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/internal/policy"
)

//go:embed tenants/*.yaml
var own embed.FS

// Now is the time at which facts are taken.
var Now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Options is a cluster of which everything is known, with addresses of both families.
func Options() facts.Options {
	return facts.Options{
		DNS: feature.DNS{
			Namespace: "kube-system", PodLabels: map[string]string{"k8s-app": "kube-dns", "tier": "dns"}, Ports: []int32{5353, 53},
		},
		APIServer: []netip.AddrPort{
			netip.MustParseAddrPort("192.0.2.2:6443"), netip.MustParseAddrPort("192.0.2.1:6443"),
			netip.MustParseAddrPort("[2001:db8::1]:443"),
		},
		OperatorNamespace: v1alpha1.DefaultOperatorNamespace,
		APIs:              APIs(),
	}
}

// APIs are all optional kinds that rooms render, but for the one that another one makes needless.
func APIs() []schema.GroupVersionKind {
	scheme, rooms := clientgoscheme.Scheme, features.All()
	return slices.DeleteFunc(append(apis.Optional(scheme, rooms, false), apis.Optional(scheme, rooms, true)...),
		func(kind schema.GroupVersionKind) bool { return kind.Kind == "AdminNetworkPolicy" })
}

// A Case is one Tenant, and the class that is in force for it.
type Case struct {
	// Name is the file's name and the Tenant's.
	Name string
	// Sample says that it is one of config/samples.
	Sample bool
	Tenant *v1alpha1.Tenant
	// Class may be nil.
	Class *v1alpha1.TenantClass
}

// Facts are those of each of the case's namespaces, in the order of the spec.
func (c Case) Facts() ([]feature.Facts, error) {
	all := make([]feature.Facts, 0, len(c.Tenant.Spec.Namespaces))
	for i := range c.Tenant.Spec.Namespaces {
		f, _, err := Options().Build(c.Tenant, c.Class, c.Tenant.Spec.Namespaces[i].Name, Now)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		all = append(all, f)
	}
	return all, nil
}

// TenantFacts are those of the case's tenant as a whole.
func (c Case) TenantFacts() feature.TenantFacts {
	var names []string
	for i := range c.Tenant.Spec.Namespaces {
		names = append(names, c.Tenant.Spec.Namespaces[i].Name)
	}
	slices.Sort(names)
	f, _ := Options().Tenant(c.Tenant, c.Class, names, Now)
	return f
}

// Cases are all Tenants, sorted by name.
func Cases() ([]Case, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	samples, err := read(os.DirFS(filepath.Join(root, "config", "samples")), ".")
	if err != nil {
		return nil, err
	}
	for i := range samples {
		samples[i].Sample = true
	}
	more, err := read(own, "tenants")
	if err != nil {
		return nil, err
	}
	cases := append(samples, more...)
	slices.SortFunc(cases, func(a, b Case) int { return strings.Compare(a.Name, b.Name) })
	return cases, nil
}

// read takes all Tenants of a directory, each with the class that the same directory has for it.
func read(files fs.FS, dir string) ([]Case, error) {
	names, err := fs.Glob(files, filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var cases []Case
	var classes []v1alpha1.TenantClass
	for _, name := range names {
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		for document := range bytes.SplitSeq(raw, []byte("\n---\n")) {
			var kind metav1.TypeMeta
			if err := yaml.Unmarshal(document, &kind); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			tenant, class := &v1alpha1.Tenant{}, v1alpha1.TenantClass{}
			switch kind.Kind {
			case "Tenant":
				err = yaml.UnmarshalStrict(document, tenant)
				file := strings.TrimSuffix(filepath.Base(name), ".yaml")
				cases = append(cases, Case{Name: file + "/" + tenant.Name, Tenant: tenant})
			case "TenantClass":
				err = yaml.UnmarshalStrict(document, &class)
				classes = append(classes, class)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	for i := range cases {
		if cases[i].Class, err = policy.Class(cases[i].Tenant, classes); err != nil {
			return nil, fmt.Errorf("%s: %w", cases[i].Name, err)
		}
	}
	return cases, nil
}

// Root is the root of the project: the nearest directory, from the working directory upwards, with a PROJECT file.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "PROJECT")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no directory above holds a PROJECT file")
		}
		dir = parent
	}
}
