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

package mutation

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// What an API server accepts can't be told from a schema. Here is what helps to make changes that it doesn't refuse. A
// type that isn't here is tried with what its fields' Go types allow, and what is refused then shows up by name.

// words are the values of the types that are enumerations.
var words = map[reflect.Type][]string{
	reflect.TypeFor[corev1.Protocol]():              {"TCP", "UDP", "SCTP"},
	reflect.TypeFor[networkingv1.PolicyType]():      {"Ingress", "Egress"},
	reflect.TypeFor[metav1.LabelSelectorOperator](): {"In", "NotIn", "Exists", "DoesNotExist"},
	reflect.TypeFor[corev1.LimitType]():             {"Container", "Pod", "PersistentVolumeClaim", "example.com/mutant"},
	reflect.TypeFor[corev1.ResourceQuotaScope](): {
		"Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity",
	},
	reflect.TypeFor[corev1.ScopeSelectorOperator](): {"In", "NotIn", "Exists", "DoesNotExist"},
	reflect.TypeFor[types.UID]():                    {ownerUID},
}

// phrases are the values of strings that aren't free, by their generic paths.
var phrases = []struct {
	at     *regexp.Regexp
	values []string
}{
	{regexp.MustCompile(`\.ipBlock\.cidr$`), []string{"198.51.100.0/24", "0.0.0.0/0", "2001:db8::/32"}},
	{regexp.MustCompile(`\.ipBlock\.except\[\]$`), []string{"198.51.100.128/25", "10.20.77.0/24", "2001:db8:77::/48"}},
	{regexp.MustCompile(`(^|\.)subjects\[\]\.kind$`), []string{rbacv1.UserKind, rbacv1.GroupKind, rbacv1.ServiceAccountKind}},
	{regexp.MustCompile(`(^|\.)subjects\[\]\.apiGroup$`), []string{rbacv1.GroupName, ""}},
	{regexp.MustCompile(`^roleRef\.kind$`), []string{"ClusterRole", "Role"}},
	{regexp.MustCompile(`^roleRef\.apiGroup$`), []string{rbacv1.GroupName, ""}},
	{regexp.MustCompile(`\.apiGroups\[\]$`), []string{"*", "apps"}},
	{regexp.MustCompile(`\.resources\[\]$`), []string{"*", "secrets"}},
	{regexp.MustCompile(`\.verbs\[\]$`), []string{"*", "delete"}},
	{regexp.MustCompile(`\.nonResourceURLs\[\]$`), []string{"/metrics", "*"}},
	{regexp.MustCompile(`\.operator$`), []string{"In", "NotIn", "Exists", "DoesNotExist"}},
	{regexp.MustCompile(`^metadata\.ownerReferences\[\]\.apiVersion$`), []string{"v1"}},
	{regexp.MustCompile(`^metadata\.ownerReferences\[\]\.kind$`), []string{"Namespace"}},
	{regexp.MustCompile(`^metadata\.ownerReferences\[\]\.name$`), []string{ownerName}},
	{regexp.MustCompile(`^metadata\.finalizers\[\]$`), []string{"example.com/mutant"}},
}

// Owners are made up. WithOwner names one that exists.
const (
	ownerName = "mutant-owner"
	ownerUID  = "6d757461-6e74-6d75-7461-6e746d757461"
)

// WithOwner returns content in which a Namespace that exists is the owner that mutations inject. What names an owner
// that doesn't exist is collected as garbage.
func WithOwner(object map[string]any, name, uid string) map[string]any {
	metadata, _ := object["metadata"].(map[string]any)
	references, _ := metadata["ownerReferences"].([]any)
	if len(references) == 0 {
		return object
	}
	out, owned := maps.Clone(object), maps.Clone(metadata)
	owners := make([]any, 0, len(references))
	for _, reference := range references {
		fields, _ := reference.(map[string]any)
		fields = maps.Clone(fields)
		for field, value := range map[string][2]string{"name": {ownerName, name}, "uid": {ownerUID, uid}} {
			if fields[field] == value[0] {
				fields[field] = value[1]
			}
		}
		owners = append(owners, fields)
	}
	owned["ownerReferences"], out["metadata"] = owners, owned
	return out
}

// least is the least that a value of a struct must have.
var least = map[reflect.Type]map[string]any{
	reflect.TypeFor[networkingv1.IPBlock]():                     {"cidr": "198.51.100.0/24"},
	reflect.TypeFor[metav1.LabelSelectorRequirement]():          {"key": "example.com/mutant", "operator": "Exists"},
	reflect.TypeFor[rbacv1.Subject]():                           {"kind": "User", "apiGroup": rbacv1.GroupName, "name": "mutant"},
	reflect.TypeFor[rbacv1.PolicyRule]():                        {"verbs": []any{"get"}, "apiGroups": []any{""}, "resources": []any{"pods"}},
	reflect.TypeFor[rbacv1.AggregationRule]():                   {"clusterRoleSelectors": []any{map[string]any{"matchLabels": map[string]any{"example.com/mutant": "x"}}}},
	reflect.TypeFor[corev1.ScopedResourceSelectorRequirement](): {"scopeName": "PriorityClass", "operator": "Exists"},
	reflect.TypeFor[corev1.LimitRangeItem]():                    {"type": "example.com/mutant", "max": map[string]any{"example.com/mutant": "1"}},
	reflect.TypeFor[metav1.OwnerReference]():                    {"apiVersion": "v1", "kind": "Namespace", "name": ownerName, "uid": ownerUID},
}

// Nothing, as a companion, says that a field must be absent.
type nothing struct{}

// companions are the other fields of a struct that a field of it needs.
var companions = map[reflect.Type]map[string]map[string]any{
	reflect.TypeFor[metav1.LabelSelectorRequirement](): {"values": {"operator": "In"}, "operator": {"values": []any{"mutant"}}},
	reflect.TypeFor[networkingv1.NetworkPolicyPort]():  {"endPort": {"port": int64(5)}},
	reflect.TypeFor[rbacv1.Subject](): {
		"namespace": {"kind": rbacv1.ServiceAccountKind, "apiGroup": nothing{}},
	},
	reflect.TypeFor[rbacv1.PolicyRule](): {"nonResourceURLs": {"apiGroups": nothing{}, "resources": nothing{}}},
	reflect.TypeFor[corev1.ScopedResourceSelectorRequirement](): {
		"values": {"operator": "In"}, "operator": {"values": []any{"mutant"}},
	},
	reflect.TypeFor[corev1.LimitRangeItem](): {
		"default": {"type": "Container"}, "defaultRequest": {"type": "Container"},
	},
}

// keys are what a map of this type may have as another key, the first that isn't there.
var keys = map[reflect.Type][]string{
	reflect.TypeFor[corev1.ResourceList](): {"ephemeral-storage", "memory", "cpu", "storage", "count/mutants.example.com"},
}

// A sample is a value that someone could put where there is none, and which field it is about.
type sample struct {
	path  Path
	value any
}

// samples are values of a type at a path, such that each field that is anywhere in the type is in at least one of them.
func samples(t reflect.Type, path Path) []sample {
	t = deref(t)
	switch {
	case scalars[t] || t.Kind() != reflect.Struct && t.Kind() != reflect.Map && t.Kind() != reflect.Slice:
		return []sample{{path, others(t, path, nil)[0]}}
	case t.Kind() == reflect.Slice:
		var all []sample
		for _, s := range samples(t.Elem(), path.index(0)) {
			all = append(all, sample{s.path, []any{s.value}})
		}
		return all
	case t.Kind() == reflect.Map:
		var all []sample
		for _, s := range samples(t.Elem(), path.key(freeKey(t, nil))) {
			all = append(all, sample{s.path, map[string]any{s.path[len(path)].Key: s.value}})
		}
		return all
	default:
		return structSamples(t, path)
	}
}

func structSamples(t reflect.Type, path Path) []sample {
	all := []sample{{path, content(least[t])}}
	for _, f := range fieldsOf(t) {
		for _, s := range samples(f.goType, path.field(f.name)) {
			whole := content(least[t])
			for name, value := range companions[t][f.name] {
				whole[name] = value
				if value == (nothing{}) {
					delete(whole, name)
				}
			}
			whole[f.name] = s.value
			all = append(all, sample{s.path, whole})
		}
	}
	return all
}

// content is a copy that isn't nil.
func content(m map[string]any) map[string]any {
	out := map[string]any{}
	maps.Copy(out, m)
	return out
}

// freeKey is a key that a map of a type may have and doesn't.
func freeKey(t reflect.Type, taken map[string]any) string {
	for _, key := range keys[t] {
		if _, there := taken[key]; !there {
			return key
		}
	}
	return "example.com/mutant"
}

// others are values of a scalar type that differ from the present one, which is nil if there is none: at least one.
func others(t reflect.Type, path Path, present any) []any {
	var all []any
	switch {
	case t == quantityType:
		return otherQuantities(present)
	case t == intOrStringType:
		all = []any{int64(8081), "mutant"}
	case t == reflect.TypeFor[metav1.Time]():
		all = []any{"2001-02-03T04:05:06Z", "2002-02-03T04:05:06Z"}
	case t == reflect.TypeFor[metav1.FieldsV1]():
		all = []any{map[string]any{"f:spec": map[string]any{}}}
	case t.Kind() == reflect.Bool:
		all = []any{true, false}
	case t.Kind() == reflect.String:
		all = otherTexts(t, path, present)
	case strings.HasSuffix(path.Generic(), ".endPort"): // which is no less than the port
		all = []any{int64(65535), int64(65534)}
	default:
		all = []any{int64(7), int64(70)}
		if n, ok := present.(int64); ok {
			all = []any{n + 1, n - 1}
		}
	}
	return slices.DeleteFunc(all, func(v any) bool { return v == present })
}

func otherTexts(t reflect.Type, path Path, present any) []any {
	values := words[t]
	generic := path.Generic()
	for _, p := range phrases {
		if p.at.MatchString(generic) {
			values = p.values
		}
	}
	if values == nil {
		text, _ := present.(string)
		if values = []string{text + "-mutant", ""}; text == "" || len(text) > 50 {
			values = []string{"mutant", ""}
		}
		if present == nil {
			values = values[:1]
		}
	}
	all := make([]any, 0, len(values))
	for _, value := range values {
		all = append(all, value)
	}
	return all
}
