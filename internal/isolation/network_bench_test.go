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

package isolation

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// A town is tenants × namespaces, each with what the spec renders, and analysed once.
type town struct {
	dir    *Directory
	inputs []NetworkInput
}

// townNamespace has the labels that a managed namespace has: the platform's and Bulkhead's.
func townNamespace(tenant, name string) Namespace {
	labels := map[string]string{
		"kubernetes.io/metadata.name": name, v1alpha1.LabelTenant: tenant, v1alpha1.LabelManagedBy: v1alpha1.ManagedByBulkhead,
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest",
		"pod-security.kubernetes.io/audit": "restricted", "pod-security.kubernetes.io/warn": "restricted",
		"team.example.com/name": "team-" + tenant, "env": []string{"dev", "qa", "prod"}[len(name)%3],
	}
	return Namespace{Name: name, Tenant: tenant, Labels: labels, Intended: labels}
}

func townNames(tenant, namespace int) (string, string) {
	t := fmt.Sprintf("tenant-%d", tenant)
	return t, fmt.Sprintf("%s-%d", t, namespace)
}

func newTown(tb testing.TB, tenants, namespaces int) town {
	tb.Helper()
	out := town{dir: NewDirectory()}
	out.dir.Put(Namespace{Name: "kube-system"})
	for i := range tenants {
		for j := range namespaces {
			tenant, name := townNames(i, j)
			out.dir.Put(townNamespace(tenant, name))
			spec := renderedWalls(tb, tenant, name, `{allow: [
				{name: metrics, direction: Ingress, peers: [{tenant: tenant-0}], ports: [{port: 9090}]},
				{name: db, direction: Egress, peers: [{cidr: 10.20.0.0/16}], ports: [{port: 5432}]}]}`)
			out.inputs = append(out.inputs, NetworkInput{Tenant: tenant, Namespace: name, Spec: spec, Live: spec})
		}
	}
	for _, in := range out.inputs {
		if found := Network(out.dir, in); len(found) > 0 {
			tb.Fatalf("%s: %v", in.Namespace, found)
		}
	}
	return out
}

// BenchmarkNetworkOneChange is what one changed policy costs in a cluster of 3,000 namespaces: nothing changed but a
// managed policy's metadata, someone opened everything, or someone opened what takes looking at every namespace.
func BenchmarkNetworkOneChange(b *testing.B) {
	t := newTown(b, 1000, 3)
	for name, spec := range map[string]string{
		"managed":   "",
		"open":      `{policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}`,
		"selectors": `{ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: env, operator: In, values: [qa, prod]}, {key: team.example.com/name, operator: NotIn, values: [team-tenant-7]}]}}], ports: [{port: http}, {port: 80, endPort: 90}]}]}`,
	} {
		b.Run(name, func(b *testing.B) {
			in := t.inputs[1500]
			if spec != "" {
				in.Live = append(slices.Clone(in.Live), netpol(in.Namespace, "foreign", spec))
			}
			for b.Loop() {
				if found := Network(t.dir, in); (len(found) > 0) != (spec != "") {
					b.Fatal(found)
				}
			}
		})
	}
}

// BenchmarkDirectoryOneLabel is what one namespace's changed label costs there.
func BenchmarkDirectoryOneLabel(b *testing.B) {
	t := newTown(b, 1000, 3)
	tenant, name := townNames(500, 1)
	before, after := townNamespace(tenant, name), townNamespace(tenant, name).with("env", "stage")
	for b.Loop() {
		t.dir.Put(after)
		t.dir.Put(before)
	}
}

// BenchmarkDirectoryHeap says what the directory keeps for each namespace: of the namespace alone, and with what its
// analysis looked at. Labels are made for it and dropped, as a cache's are not: the real figure is less by the strings.
func BenchmarkDirectoryHeap(b *testing.B) {
	const tenants, namespaces = 1000, 3
	for b.Loop() {
		start := heap()
		dir := NewDirectory()
		for i := range tenants {
			for j := range namespaces {
				tenant, name := townNames(i, j)
				dir.Put(townNamespace(tenant, name))
			}
		}
		b.ReportMetric(float64(heap()-start)/(tenants*namespaces), "B/namespace")
		start = heap()
		t := newTown(b, tenants, namespaces)
		t.inputs = nil
		b.ReportMetric(float64(heap()-start)/(tenants*namespaces), "B/namespace-analysed")
		runtime.KeepAlive(dir)
		runtime.KeepAlive(t.dir)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkReachability is the matrix of 100 tenants of 3 namespaces: as the specs say, and without any policy.
func BenchmarkReachability(b *testing.B) {
	t := newTown(b, 100, 3)
	walled := map[string][]*networkingv1.NetworkPolicy{}
	for _, in := range t.inputs {
		walled[in.Namespace] = in.Live
	}
	for name, live := range map[string]map[string][]*networkingv1.NetworkPolicy{"walled": walled, "open": nil} {
		b.Run(name, func(b *testing.B) {
			rows := 0
			for b.Loop() {
				rows = len(Reachability(t.dir, live, nil).Rows)
			}
			b.ReportMetric(float64(rows), "rows")
		})
	}
}
