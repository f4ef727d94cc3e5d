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

package main

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// progress is how far the tenants have come.
type progress struct {
	ready   int
	waiting []string // "name (why)", sorted
}

// settled says whether no tenant is left to wait for.
func (p progress) settled() bool { return len(p.waiting) == 0 }

func (p progress) String() string {
	text := fmt.Sprintf("%d of %d tenants are ready", p.ready, p.ready+len(p.waiting))
	if !p.settled() {
		text += "; waiting for " + strings.Join(p.waiting, ", ")
	}
	return text
}

// progressOf looks at tenants. One that is being deleted counts for nothing.
func progressOf(tenants []v1alpha1.Tenant) progress {
	var p progress
	for i := range tenants {
		tenant := &tenants[i]
		if tenant.DeletionTimestamp != nil {
			continue
		}
		if why := notReady(tenant); why != "" {
			p.waiting = append(p.waiting, fmt.Sprintf("%s (%s)", tenant.Name, why))
		} else {
			p.ready++
		}
	}
	slices.Sort(p.waiting)
	return p
}

// notReady says why a tenant is not ready; "" when it is.
func notReady(tenant *v1alpha1.Tenant) string {
	condition := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case condition == nil:
		return "not looked at yet"
	case tenant.Status.ObservedGeneration < tenant.Generation:
		return "its latest spec is not looked at yet"
	case condition.Status == metav1.ConditionTrue:
		return ""
	case condition.Message == "":
		return condition.Reason
	default:
		return condition.Reason + ": " + condition.Message
	}
}

// hints are commands to try, for the first tenant that has a namespace.
func hints(kubectl string, tenants []v1alpha1.Tenant) []string {
	lines := []string{kubectl + " get tenants -o wide"}
	for i := range tenants {
		tenant := &tenants[i]
		if len(tenant.Spec.Namespaces) == 0 {
			continue
		}
		namespace := tenant.Spec.Namespaces[0].Name
		return append(lines,
			kubectl+" describe tenant "+tenant.Name,
			fmt.Sprintf("%s -n %s delete networkpolicy --all; sleep 1; %[1]s -n %[2]s get networkpolicy", kubectl, namespace))
	}
	return lines
}

// removal says how to take out of a cluster what this command put there.
func removal(kubectl string, opts options) string {
	var b strings.Builder
	b.WriteString("What was applied stays in the cluster. To remove it, first the tenants, while an operator runs to finish them:\n")
	if opts.samples != "" {
		fmt.Fprintf(&b, "  %s --kubeconfig=%s delete -k %s\n", kubectl, opts.kubeconfig, opts.samples)
	} else {
		fmt.Fprintf(&b, "  %s --kubeconfig=%s delete tenants --all\n", kubectl, opts.kubeconfig)
	}
	fmt.Fprintf(&b, "and then, without the operator:\n  %s --kubeconfig=%s delete -k %s", kubectl, opts.kubeconfig, opts.config)
	if opts.mutating != "" {
		fmt.Fprintf(&b, "\n  %s --kubeconfig=%s delete -k %s", kubectl, opts.kubeconfig, opts.mutating)
	}
	return b.String()
}
