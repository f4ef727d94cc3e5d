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

package corpus

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// Copy returns facts that share no memory with the given ones.
func Copy(f feature.Facts) feature.Facts {
	f.Policy = *f.Policy.DeepCopy()
	f.Members, f.Siblings = copyMembers(f.Members), slices.Clone(f.Siblings)
	f.Cluster, f.Taken = copyCluster(f.Cluster), copyClaims(f.Taken)
	return f
}

// CopyTenant returns facts that share no memory with the given ones.
func CopyTenant(f feature.TenantFacts) feature.TenantFacts {
	f.Members, f.Namespaces = copyMembers(f.Members), slices.Clone(f.Namespaces)
	f.Policy = *f.Policy.DeepCopy()
	f.Overrides = maps.Clone(f.Overrides)
	for name, policy := range f.Overrides {
		f.Overrides[name] = *policy.DeepCopy()
	}
	f.Foreign = maps.Clone(f.Foreign)
	f.Cluster, f.Taken = copyCluster(f.Cluster), copyClaims(f.Taken)
	return f
}

func copyCluster(f feature.ClusterFacts) feature.ClusterFacts {
	f.APIServer, f.APIs = slices.Clone(f.APIServer), slices.Clone(f.APIs)
	f.DNS.Ports, f.DNS.PodLabels = slices.Clone(f.DNS.Ports), maps.Clone(f.DNS.PodLabels)
	return f
}

func copyClaims(f feature.Claims) feature.Claims {
	f.Hostnames, f.Addresses = maps.Clone(f.Hostnames), maps.Clone(f.Addresses)
	return f
}

func copyMembers(members []v1alpha1.Member) []v1alpha1.Member {
	out := slices.Clone(members)
	for i := range out {
		members[i].DeepCopyInto(&out[i])
	}
	return out
}

// Shuffle puts every list below the value, a pointer, into another order, in place. No list of the API has a meaning
// in its order yet; one that will have must be left out here.
func Shuffle(pointer any, random *rand.Rand) {
	walk(reflect.ValueOf(pointer), func(v reflect.Value) {
		if v.Kind() == reflect.Slice {
			random.Shuffle(v.Len(), reflect.Swapper(v.Interface()))
		}
	})
}

// Respell writes every quantity below the value, a pointer, in another way, in place. The amounts stay what they
// are once they are rounded up to milli.
func Respell(pointer any, random *rand.Rand) {
	walk(reflect.ValueOf(pointer), func(v reflect.Value) {
		q, ok := v.Interface().(resource.Quantity)
		if !ok {
			return
		}
		q = q.DeepCopy()
		q.RoundUp(resource.Milli)
		spellings := []string{q.AsDec().String()}
		if whole := q.Value(); whole < math.MaxInt64/1000 {
			spellings = append(spellings, fmt.Sprintf("%dm", q.MilliValue()), fmt.Sprintf("%de-3", q.MilliValue()))
		}
		v.Set(reflect.ValueOf(resource.MustParse(spellings[random.IntN(len(spellings))])))
	})
}

// walk visits everything below a value. What it visits can be set.
func walk(v reflect.Value, visit func(reflect.Value)) {
	if v.CanSet() {
		visit(v)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			walk(v.Elem(), visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), visit)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			value := reflect.New(v.Type().Elem()).Elem()
			value.Set(v.MapIndex(key))
			walk(value, visit)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		if _, ok := v.Interface().(resource.Quantity); ok {
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				walk(v.Field(i), visit)
			}
		}
	default:
	}
}

// Fields notes, in a set, the paths of all fields below a type ("Network.Allow.Name").
func Fields(t reflect.Type, path string, into map[string]bool) {
	leaf := true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		Fields(t.Elem(), path, into)
		return
	case reflect.Struct:
		if t.PkgPath() == reflect.TypeFor[v1alpha1.Tenant]().PkgPath() || t.Name() == "LabelSelector" ||
			t.Name() == "LabelSelectorRequirement" || t.Name() == "Subject" {
			leaf = false
			for i := range t.NumField() {
				Fields(t.Field(i).Type, path+"."+t.Field(i).Name, into)
			}
		}
	default:
	}
	if leaf {
		into[path] = true
	}
}

// Set notes, in a set, the paths of all fields below a value that are set.
func Set(v reflect.Value, path string, into map[string]bool) {
	if v.IsZero() {
		return
	}
	into[path] = true
	switch v.Kind() {
	case reflect.Pointer:
		Set(v.Elem(), path, into)
	case reflect.Slice:
		for i := range v.Len() {
			Set(v.Index(i), path, into)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			Set(v.MapIndex(key), path, into)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				Set(v.Field(i), path+"."+v.Type().Field(i).Name, into)
			}
		}
	default:
	}
}
