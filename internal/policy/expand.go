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

package policy

import (
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// tenantToken is what a string value may hold in place of the tenant's name.
const tenantToken = "$(tenant)"

var (
	quantityType    = reflect.TypeFor[resource.Quantity]()
	requirementType = reflect.TypeFor[metav1.LabelSelectorRequirement]()
)

// expand replaces tenantToken in every string value under v, in place; v must be settable and share no memory with
// what others hold. Which fields may hold the token is the schema's business: patterns and enums refuse it where it
// has no place. Keys stay as they are: those of maps, and the label key of a selector's requirement.
func expand(v reflect.Value, tenant string) {
	switch v.Kind() {
	case reflect.String:
		if s := v.String(); strings.Contains(s, tenantToken) {
			v.SetString(strings.ReplaceAll(s, tenantToken, tenant))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			expand(v.Elem(), tenant)
		}
	case reflect.Slice:
		for i := range v.Len() {
			expand(v.Index(i), tenant)
		}
	case reflect.Map:
		expandMap(v, tenant)
	case reflect.Struct:
		if v.Type() == quantityType {
			return
		}
		for i := range v.NumField() {
			if v.Type() == requirementType && v.Type().Field(i).Name == "Key" {
				continue
			}
			if field := v.Field(i); field.CanSet() {
				expand(field, tenant)
			}
		}
	default:
	}
}

// expandMap expands the values of a map. The values of a map can't be set in place, so that each is copied.
func expandMap(v reflect.Value, tenant string) {
	elem := v.Type().Elem()
	if elem == quantityType {
		return
	}
	for _, key := range v.MapKeys() {
		value := reflect.New(elem).Elem()
		value.Set(v.MapIndex(key))
		expand(value, tenant)
		v.SetMapIndex(key, value)
	}
}
