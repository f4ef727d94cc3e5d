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

package gitops_test

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/status"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
)

const (
	dev  = "storefront-dev"
	prod = "storefront-prod"
)

var (
	// created is when the recorded Tenants were created, now when their status was computed.
	created = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	now     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// applied is the outcome of a pass after which everything is as it should be.
func applied(namespace string) *engine.Outcome {
	o := &engine.Outcome{Tenant: "storefront", Namespace: namespace}
	for _, conditionType := range []string{
		v1alpha1.ConditionNamespacesReady, v1alpha1.ConditionAccessReady, v1alpha1.ConditionNetworkReady,
		v1alpha1.ConditionQuotaReady, v1alpha1.ConditionLimitsReady, v1alpha1.ConditionPodSecurityReady,
	} {
		if namespace != "" || conditionType == v1alpha1.ConditionAccessReady {
			o.Conditions = append(o.Conditions, engine.Condition{
				Type: conditionType, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonApplied,
			})
		}
	}
	return o
}

// set changes a condition of the last pass over a namespace.
func set(r *status.Rollup, namespace string, condition engine.Condition) {
	conditions := r.Snapshot.Reports[namespace].Outcome.Conditions
	for i := range conditions {
		if conditions[i].Type == condition.Type {
			conditions[i] = condition
		}
	}
}

// scene is all that the operator knows of a Tenant of two namespaces when everything is done.
func scene() status.Rollup {
	tenant := MakeTenant("storefront").Namespaces(dev, prod).
		Member("leads", v1alpha1.RoleAdmin, Group("storefront-leads")).Obj()
	tenant.Generation, tenant.UID, tenant.ResourceVersion = 2, "7f1c8a52-0f5e-4c5b-9d0e-2b6a3b1c4d5e", "4711"
	tenant.CreationTimestamp, tenant.Finalizers = metav1.NewTime(created), []string{v1alpha1.Finalizer}
	r := status.Rollup{
		Tenant: tenant, Held: []string{dev, prod}, Conflicts: map[string]string{}, Now: now,
		Considered: []string{"networkpolicies.networking.k8s.io", "rolebindings.rbac.authorization.k8s.io"},
		Snapshot: status.Snapshot{
			Cluster: applied(""), Reports: map[string]status.Report{}, Shared: []v1alpha1.IsolationFinding{},
		},
	}
	for _, namespace := range r.Held {
		r.Snapshot.Reports[namespace] = status.Report{
			Generation: 2, State: status.Applied, Outcome: applied(namespace), Findings: []v1alpha1.IsolationFinding{},
		}
	}
	return r
}

// computed is the Tenant with the status that the operator computes when the scene is changed like this.
func computed(change func(*status.Rollup)) *v1alpha1.Tenant {
	r := scene()
	if change != nil {
		change(&r)
	}
	r.Tenant.Status = status.Compute(r)
	return r.Tenant
}

// openQuota is a quota that someone raised.
func openQuota() v1alpha1.DriftItem {
	return v1alpha1.DriftItem{
		Object: v1alpha1.ObjectReference{Kind: "ResourceQuota", Namespace: dev, Name: "bulkhead"},
		Type:   v1alpha1.DriftFieldModified, Severity: v1alpha1.SeverityHigh,
		Paths: []string{"spec.hard[pods]"}, PathCount: 1, Manager: "kubectl-edit",
		Action: v1alpha1.DriftReported, FirstSeen: metav1.NewTime(created.Add(time.Hour)),
	}
}

// unclaimed is a namespace that someone labelled into the tenant: it is reported in every drift mode.
func unclaimed() v1alpha1.DriftItem {
	return v1alpha1.DriftItem{
		Object: v1alpha1.ObjectReference{Kind: "Namespace", Name: "sandbox"},
		Type:   v1alpha1.DriftNamespaceUnclaimed, Severity: v1alpha1.SeverityCritical,
		Action: v1alpha1.DriftReported, FirstSeen: metav1.NewTime(created.Add(time.Hour)),
	}
}

func observing(r *status.Rollup) {
	r.Tenant.Spec.Drift = &v1alpha1.DriftSpec{Mode: v1alpha1.DriftObserve}
}

// contested is a wall that someone opens again each time the operator closes it.
func contested() v1alpha1.DriftItem {
	return v1alpha1.DriftItem{
		Object: v1alpha1.ObjectReference{
			Group: "networking.k8s.io", Kind: "NetworkPolicy", Namespace: dev, Name: "bulkhead-default-deny",
		},
		Type: v1alpha1.DriftContested, Severity: v1alpha1.SeverityCritical,
		Paths: []string{"spec.ingress"}, PathCount: 1, Manager: "argocd-controller",
		Action: v1alpha1.DriftBackoff, FirstSeen: metav1.NewTime(created.Add(time.Hour)),
	}
}

// expose adds a policy of somebody else that opens a namespace.
func expose(r *status.Rollup) {
	report := r.Snapshot.Reports[dev]
	report.Findings = append(report.Findings, v1alpha1.IsolationFinding{
		Type: v1alpha1.FindingNetworkExposure, Severity: v1alpha1.SeverityCritical, Namespace: dev, Since: metav1.NewTime(now),
		Object:  v1alpha1.ObjectReference{Group: "networking.k8s.io", Kind: "NetworkPolicy", Namespace: dev, Name: "allow-all"},
		Message: "NetworkPolicy storefront-dev/allow-all lets every pod of the cluster reach all pods of namespace storefront-dev",
	})
	r.Snapshot.Reports[dev] = report
}

// recorded are the Tenants of every state that has a status, by the name of their file in testdata.
func recorded() map[string]*v1alpha1.Tenant {
	all := underWay()
	maps.Copy(all, stalled())
	maps.Copy(all, ready())
	maps.Copy(all, isolation())
	return all
}

func underWay() map[string]*v1alpha1.Tenant {
	edited := computed(nil)
	edited.Generation++ // and the operator hasn't looked at it since
	return map[string]*v1alpha1.Tenant{
		"old-generation": edited,
		"progressing":    computed(func(r *status.Rollup) { r.Snapshot.Reports = nil }),
		"access-pending": computed(func(r *status.Rollup) {
			r.Unproven = "access of Group storefront-leads to namespace storefront-dev is not in force yet"
		}),
		"apply-failed": computed(func(r *status.Rollup) {
			set(r, prod, engine.Condition{
				Type: v1alpha1.ConditionQuotaReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonApplyFailed,
				Message: `ResourceQuota storefront-prod/bulkhead: admission webhook "policy.example.com" denied the request`,
			})
		}),
		"namespace-terminating": computed(func(r *status.Rollup) {
			r.Snapshot.Reports[prod] = status.Report{
				Generation: 2, State: status.Terminating, Reason: v1alpha1.ReasonTerminating, Message: "is being deleted",
				Findings: []v1alpha1.IsolationFinding{},
			}
		}),
		"terminating": computed(func(r *status.Rollup) {
			deleted := metav1.NewTime(now)
			r.Tenant.DeletionTimestamp, r.Tenant.DeletionGracePeriodSeconds = &deleted, new(int64(0))
			r.Tenant.Spec.DeletionPolicy = v1alpha1.DeletionDelete
			r.Held, r.Snapshot.Reports = nil, map[string]status.Report{prod: {
				Generation: 2, State: status.Terminating, Reason: v1alpha1.ReasonTerminating, Message: "is being deleted",
			}}
		}),
		"contested": computed(func(r *status.Rollup) {
			r.Snapshot.Reports[dev].Outcome.Open = []v1alpha1.DriftItem{contested()}
			set(r, dev, engine.Condition{
				Type: v1alpha1.ConditionNetworkReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonDriftContested,
				Message: "NetworkPolicy storefront-dev/bulkhead-default-deny is changed in spec.ingress again and again by " +
					`field manager "argocd-controller" (client-declared); the next correction waits`,
			})
		}),
	}
}

func stalled() map[string]*v1alpha1.Tenant {
	return map[string]*v1alpha1.Tenant{
		"namespace-conflict": computed(func(r *status.Rollup) {
			r.Held, r.Conflicts = []string{dev}, map[string]string{prod: "is held by tenant webshop"}
			r.Snapshot.Reports[prod] = status.Report{Generation: 2, State: status.Conflicting}
		}),
		"class-not-found": computed(func(r *status.Rollup) {
			r.Tenant.Spec.ClassName, r.Unclassed = "gold", "TenantClass gold doesn't exist"
			for _, name := range r.Held {
				r.Snapshot.Reports[name] = status.Report{
					Generation: 2, State: status.Unplanned, Reason: v1alpha1.ReasonClassNotFound,
					Message: "can't be planned: TenantClass gold doesn't exist",
				}
			}
		}),
		"invalid-policy": computed(func(r *status.Rollup) {
			set(r, dev, engine.Condition{
				Type: v1alpha1.ConditionQuotaReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonInvalidPolicy,
				Message: "ResourceQuota storefront-dev/bulkhead is invalid: spec.hard[pods]: must be an integer",
			})
		}),
		"bind-forbidden": computed(func(r *status.Rollup) {
			r.Tenant.Spec.Members = append(r.Tenant.Spec.Members, v1alpha1.Member{
				Name: "auditors", ClusterRoleName: "cluster-admin", Subjects: []rbacv1.Subject{Group("auditors")},
			})
			for _, name := range r.Held {
				set(r, name, engine.Condition{
					Type: v1alpha1.ConditionAccessReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonBindForbidden,
					Message: "RoleBinding " + name + `/bulkhead-auditors: the operator may not bind ClusterRole "cluster-admin"; ` +
						"name it in the ClusterRole bulkhead-bindable-roles, or ask for another role",
				})
			}
		}),
	}
}

func ready() map[string]*v1alpha1.Tenant {
	return map[string]*v1alpha1.Tenant{
		"ready": computed(nil),
		"ready-drift": computed(func(r *status.Rollup) {
			r.Snapshot.Cluster.Open = []v1alpha1.DriftItem{unclaimed()}
		}),
		"observe": computed(observing),
		"observe-until": computed(func(r *status.Rollup) {
			end := metav1.NewTime(now.Add(time.Hour))
			r.Tenant.Spec.Drift = &v1alpha1.DriftSpec{ObserveUntil: &end}
		}),
		"observe-drift": computed(func(r *status.Rollup) {
			observing(r)
			r.Snapshot.Reports[dev].Outcome.Open = []v1alpha1.DriftItem{openQuota()}
			set(r, dev, engine.Condition{
				Type: v1alpha1.ConditionQuotaReady, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonObserved,
				Message: "namespace storefront-dev: 1 to change, left as it is",
			})
		}),
		"check-failed": computed(func(r *status.Rollup) {
			r.Snapshot.Reports[dev].Outcome.CheckFailed = "ResourceQuota storefront-dev/bulkhead: quantities must match the regular expression"
		}),
	}
}

func isolation() map[string]*v1alpha1.Tenant {
	return map[string]*v1alpha1.Tenant{
		"open-by-spec": computed(func(r *status.Rollup) {
			r.Tenant.Spec.Network = &v1alpha1.Network{Boundary: v1alpha1.BoundaryCluster}
			for _, name := range r.Held {
				r.Snapshot.Reports[name].Outcome.OpenBySpec = []string{"network.boundary Cluster: no network wall"}
			}
		}),
		"isolation-unknown": computed(func(r *status.Rollup) { r.Snapshot.Shared = nil }),
		"network-exposure":  computed(expose),
		"network-exposure-progressing": computed(func(r *status.Rollup) {
			expose(r)
			set(r, prod, engine.Condition{
				Type: v1alpha1.ConditionNetworkReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonPending,
				Message: "NetworkPolicy storefront-prod/bulkhead-default-deny is written and not in force yet",
			})
		}),
	}
}

// records are the Tenants of every state as a client reads them.
func records(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	all := map[string]*unstructured.Unstructured{
		"no-status":      unserved(),
		"default-status": served(t, unserved()),
	}
	for name, tenant := range recorded() {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(tenant)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = &unstructured.Unstructured{Object: content}
	}
	return all
}

// TestRecords compares each Tenant with its file in testdata, so that another status of the operator's shows there.
func TestRecords(t *testing.T) {
	t.Parallel()
	for name, object := range records(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden.YAML(t, name, object.Object)
		})
	}
}

// unserved is a Tenant as it is in Git.
func unserved() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(),
		"kind":       "Tenant",
		"metadata":   map[string]any{"name": "storefront"},
		"spec": map[string]any{"namespaces": []any{
			map[string]any{"name": dev}, map[string]any{"name": prod},
		}},
	}}
}

// served is what the API server makes of a new Tenant: metadata, and the defaults of the CRD.
func served(t *testing.T, object *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	out := object.DeepCopy()
	out.SetGeneration(1)
	out.SetUID("7f1c8a52-0f5e-4c5b-9d0e-2b6a3b1c4d5e")
	out.SetResourceVersion("4700")
	out.SetCreationTimestamp(metav1.NewTime(created))
	structural, err := structuralschema.NewStructural(tenantSchema(t))
	if err != nil {
		t.Fatal(err)
	}
	defaulting.Default(out.Object, structural)
	return out
}

// tenantSchema is that of the CRD of Tenants.
func tenantSchema(t *testing.T) *apiextensions.JSONSchemaProps {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "config", "crd", "bases", "tenancy.bulkhead.dev_tenants.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(data, &crd); err != nil {
		t.Fatal(err)
	}
	out := &apiextensions.JSONSchemaProps{}
	in := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(in, out, nil); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRecordsAreTenants checks that the API server could serve each recorded Tenant.
func TestRecordsAreTenants(t *testing.T) {
	t.Parallel()
	validator, _, err := validation.NewSchemaValidator(tenantSchema(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, object := range records(t) {
		if errs := validation.ValidateCustomResource(field.NewPath(""), object.Object, validator); len(errs) > 0 {
			t.Errorf("%s: %v", name, errs.ToAggregate())
		}
		data, err := object.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(data, &v1alpha1.Tenant{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
