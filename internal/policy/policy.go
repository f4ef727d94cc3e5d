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

// Package policy says which policy is in force: it finds a tenant's class and merges class ← tenant ← namespace.
// It is pure and does no I/O.
package policy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/applyconfig"
)

// Effective merges layers of policy, the general one first (class, tenant, namespace), as server-side apply would
// merge them: structs by field, keyed lists by key, maps by key, sets united, and atomic values (the peers and the
// ports of an opening, label selectors) replaced as a whole. A nil layer counts as an empty one.
//
// In the result "$(tenant)" in a string value stands replaced by the tenant's name, unless that is empty. Keys are
// never expanded. The order of keyed lists has no meaning.
//
// The result shares no memory with the layers. An error means that a layer doesn't fit the API's schema, which an
// object that came from the API server can't do: two items of a keyed list with the same key, for instance.
func Effective(tenant string, layers ...*v1alpha1.PolicyBlocks) (v1alpha1.PolicyBlocks, error) {
	set := make([]*v1alpha1.PolicyBlocks, 0, len(layers))
	for _, layer := range layers {
		if layer != nil && !reflect.ValueOf(layer).Elem().IsZero() {
			set = append(set, layer)
		}
	}

	alone, shared := split(set)
	out, err := merge(shared)
	if err != nil {
		return v1alpha1.PolicyBlocks{}, err
	}
	to := reflect.ValueOf(&out).Elem()
	from := reflect.ValueOf(alone.DeepCopy()).Elem()
	for i := range from.NumField() {
		if !from.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
	if tenant != "" {
		expand(to, tenant)
	}
	return out, nil
}

// converter knows the schema of the API. Parsing it takes milliseconds, so that it is done once and when needed.
var converter = sync.OnceValues(func() (managedfields.TypeConverter, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("registering the API's kinds: %w", err)
	}
	return applyconfig.NewTypeConverter(scheme), nil
})

// split parts the blocks that only one layer sets, which need no merge, from the others. What it returns shares
// memory with the layers. This is but a short cut: merging the former would give the same, for many times the
// price, and most blocks are set once.
func split(layers []*v1alpha1.PolicyBlocks) (alone v1alpha1.PolicyBlocks, shared []v1alpha1.PolicyBlocks) {
	shared = make([]v1alpha1.PolicyBlocks, len(layers))
	for i := range reflect.TypeFor[v1alpha1.PolicyBlocks]().NumField() {
		var setBy []int
		for j := range layers {
			if !reflect.ValueOf(layers[j]).Elem().Field(i).IsZero() {
				setBy = append(setBy, j)
			}
		}
		for _, j := range setBy {
			to := reflect.ValueOf(&alone)
			if len(setBy) > 1 {
				to = reflect.ValueOf(&shared[j])
			}
			to.Elem().Field(i).Set(reflect.ValueOf(layers[j]).Elem().Field(i))
		}
	}
	return alone, slices.DeleteFunc(shared, func(p v1alpha1.PolicyBlocks) bool { return reflect.ValueOf(p).IsZero() })
}

// merge merges layers, driven by nothing but the generated schema. A block that the schema doesn't have
// is an error, never dropped.
func merge(layers []v1alpha1.PolicyBlocks) (v1alpha1.PolicyBlocks, error) {
	var out v1alpha1.PolicyBlocks
	if len(layers) == 0 {
		return out, nil
	}
	conv, err := converter()
	if err != nil {
		return out, err
	}
	var merged *typed.TypedValue
	for _, layer := range layers {
		// A policy has no kind of its own, and the converter wants one: a TenantClass is nothing but policy.
		value, err := conv.ObjectToTyped(&v1alpha1.TenantClass{
			TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TenantClass"},
			Spec:     layer,
		})
		if err != nil {
			return out, fmt.Errorf("reading a policy: %w", err)
		}
		if merged == nil {
			merged = value
			continue
		}
		if merged, err = merged.Merge(value); err != nil {
			return out, fmt.Errorf("merging policies: %w", err)
		}
	}
	object, ok := merged.AsValue().Unstructured().(map[string]any)
	if !ok {
		return out, errors.New("merging policies: the result is not an object")
	}
	spec, ok := object["spec"].(map[string]any)
	if !ok {
		// Only layers without a single value: structured-merge-diff leaves out a map that has become empty.
		return out, nil
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(spec, &out, true); err != nil {
		return v1alpha1.PolicyBlocks{}, fmt.Errorf("reading the merged policy: %w", err)
	}
	return out, nil
}
