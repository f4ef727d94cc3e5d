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

package drift_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/internal/drift"
)

const gateway = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: bulkhead-acme, namespace: infra, labels: {app: x}}
spec:
  gatewayClassName: edge
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS}
`

// custom reads an object of an optional API; numbers as JSON has them, not as an API object does.
func custom(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func customComparer(t *testing.T) *drift.Comparer {
	t.Helper()
	c, err := drift.NewComparer(clientgoscheme.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCompareCustom compares objects of which there is no Go type.
func TestCompareCustom(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(u map[string]any)
		want   []string
	}{
		"same": {func(map[string]any) {}, nil},
		"status doesn't count": {func(u map[string]any) {
			u["status"] = map[string]any{"addresses": []any{"192.0.2.1"}}
		}, nil},
		"labels of others don't count": {func(u map[string]any) {
			set(u, "x", "metadata", "labels", "other")
		}, nil},
		"a label of ours": {func(u map[string]any) { set(u, "y", "metadata", "labels", "app") }, []string{"FieldModified metadata.labels[app]"}},
		"a value":         {func(u map[string]any) { set(u, "other", "spec", "gatewayClassName") }, []string{"FieldModified spec.gatewayClassName"}},
		"a field that is injected": {func(u map[string]any) { set(u, map[string]any{"a": "b"}, "spec", "infrastructure") },
			[]string{"FieldInjected spec.infrastructure"}},
		"an empty one says nothing": {func(u map[string]any) { set(u, []any{}, "spec", "addresses") }, nil},
		"a field of its own":        {func(u map[string]any) { set(u, "x", "rules") }, []string{"FieldInjected rules"}},
		"a field that is gone":      {func(u map[string]any) { unstructured.RemoveNestedField(u, "spec", "gatewayClassName") }, []string{"FieldRemoved spec.gatewayClassName"}},
		"an item that is injected": {func(u map[string]any) {
			set(u, append(listeners(u), map[string]any{"name": "evil", "port": int64(8080)}), "spec", "listeners")
		}, []string{`FieldInjected spec.listeners[name="evil"]`}},
		"an item that is gone": {func(u map[string]any) { set(u, listeners(u)[:1], "spec", "listeners") }, []string{`FieldRemoved spec.listeners[name="https"]`}},
		"a field of an item": {func(u map[string]any) { first(u)["port"] = int64(81) },
			[]string{`FieldModified spec.listeners[name="http"].port`}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			live := custom(t, gateway)
			tc.change(live.Object)
			d, err := customComparer(t).Compare(custom(t, gateway), live)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, change := range d.Changes {
				got = append(got, string(change.Type)+" "+change.Path)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCustomDefaults leaves alone what only some releases of an API fill in.
func TestCustomDefaults(t *testing.T) {
	t.Parallel()
	const intent = "{apiVersion: k8s.ovn.org/v1, kind: EgressIP, metadata: {name: x}, spec: {egressIPs: [192.0.2.1]}}"
	for name, tc := range map[string]struct {
		selector map[string]any
		want     int
	}{
		"filled in":  {map[string]any{"matchExpressions": []any{map[string]any{"key": "k8s.ovn.org/egress-assignable", "operator": "Exists"}}}, 0},
		"other ones": {map[string]any{"matchLabels": map[string]any{"a": "b"}}, 1},
		"all nodes":  {map[string]any{}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			live := custom(t, intent)
			set(live.Object, tc.selector, "spec", "egressNodeSelector")
			d, err := customComparer(t).Compare(custom(t, intent), live)
			if err != nil || len(d.Changes) != tc.want {
				t.Errorf("changes %v, %v; want %d", d.Paths(), err, tc.want)
			}
		})
	}
}

func set(u map[string]any, value any, path ...string) {
	if err := unstructured.SetNestedField(u, value, path...); err != nil {
		panic(err)
	}
}

func first(u map[string]any) map[string]any {
	listener, ok := listeners(u)[0].(map[string]any)
	if !ok {
		panic("a listener is no object")
	}
	return listener
}

func listeners(u map[string]any) []any {
	list, _, err := unstructured.NestedSlice(u, "spec", "listeners")
	if err != nil {
		panic(err)
	}
	set(u, list, "spec", "listeners")
	found, _, err := unstructured.NestedFieldNoCopy(u, "spec", "listeners")
	if err != nil {
		panic(err)
	}
	list, _ = found.([]any)
	return list
}

// TestUnownedCustom finds what of an object of an optional API isn't ours, whatever the CRD says of its lists.
func TestUnownedCustom(t *testing.T) {
	t.Parallel()
	const policy = `
apiVersion: k8s.ovn.org/v1
kind: EgressIP
metadata: {name: bulkhead.acme, labels: {app: x}}
spec:
  egressIPs: [192.0.2.1]
  namespaceSelector: {matchLabels: {a: b}}
`
	tests := map[string]struct {
		intent, owned string
		want          []string
	}{
		"all of it":             {policy, `{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:egressIPs":{},"f:namespaceSelector":{"f:matchLabels":{"f:a":{}}}}}`, nil},
		"a selector as a whole": {policy, `{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:egressIPs":{},"f:namespaceSelector":{}}}`, nil},
		"a list by its items":   {policy, `{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:egressIPs":{"v:\"192.0.2.1\"":{}},"f:namespaceSelector":{}}}`, nil},
		"no label":              {policy, `{"f:metadata":{"f:labels":{".":{}}},"f:spec":{"f:egressIPs":{},"f:namespaceSelector":{}}}`, []string{"metadata.labels[app]"}},
		"no list":               {policy, `{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:namespaceSelector":{}}}`, []string{"spec.egressIPs"}},
		"nothing":               {policy, `{}`, []string{"metadata.labels[app]", "spec.egressIPs", "spec.namespaceSelector.matchLabels[a]"}},
		"a Gateway": {gateway, `{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:gatewayClassName":{},"f:listeners":{
			"k:{\"name\":\"http\"}":{".":{},"f:name":{},"f:port":{},"f:protocol":{}},"k:{\"name\":\"https\"}":{".":{},"f:name":{},"f:port":{},"f:protocol":{}}}}}`, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			live := custom(t, tc.intent)
			live.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "bulkhead", Operation: "Apply", FieldsType: "FieldsV1",
				FieldsV1: metav1.NewFieldsV1(tc.owned)}})
			lost, err := customComparer(t).Unowned(custom(t, tc.intent), live, "bulkhead")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, change := range lost {
				got = append(got, change.Path)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("lost (-want +got):\n%s", diff)
			}
		})
	}
}
