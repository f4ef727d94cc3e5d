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

package attack

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

const (
	tenancy = "/apis/tenancy.bulkhead.dev/v1alpha1/"
	reports = tenancy + "namespaces/acme-prod/driftreports"
	acme    = tenancy + "tenants/acme"
)

func report(name string) string {
	return `{apiVersion: tenancy.bulkhead.dev/v1alpha1, kind: DriftReport, metadata: {name: ` + name + `}}`
}

// tenantObjects are attempts on what Bulkhead says, and on Tenants themselves.
func tenantObjects() table {
	const evidence = "evidence is forged or gone"
	const spec = "a tenant decides on its own walls"
	refused := `rule tenant-objects: DriftReports must not be written by "`
	status := `tenant "acme", rule tenant-objects: the status must not be written by "`
	return table{
		"tenant: a forged DriftReport":             create(evidence, oscar, reports, report("acme"), `tenant "acme", `+refused+`oscar"`),
		"tenant: a DriftReport of another name":    create(evidence, oscar, reports, report("other"), `tenant "other", `+refused),
		"tenant: a DriftReport by apply":           force(evidence, oscar, reports+"/forged", report("forged"), refused),
		"tenant: a DriftReport of a cluster admin": create(evidence, paula, reports, report("acme"), refused+`paula"`),
		"tenant: a DriftReport where no tenant is": create(evidence, paula, tenancy+"namespaces/commons/driftreports", report("acme"), refused),
		"tenant: a DriftReport of an admin":        create(evidence, alice, reports, report("acme"), `cannot create resource`),
		"tenant: DriftReports are all deleted":     remove(evidence, alice, reports, `cannot deletecollection resource`),
		"tenant: admin changes the Tenant":         patch(spec, alice, acme, `{"spec":{"podSecurity":{"enforce":"Privileged"}}}`, `cannot patch resource`),
		"tenant: pipeline changes the Tenant":      force(spec, pipeline, acme, `{apiVersion: tenancy.bulkhead.dev/v1alpha1, kind: Tenant, metadata: {name: acme}, spec: {network: {boundary: Cluster}}}`, `cannot patch resource`),
		"tenant: outsider deletes the Tenant":      remove(spec, oscar, acme, `cannot delete resource`),
		"tenant: admin creates a Tenant":           create(spec, alice, tenancy+"tenants", `{apiVersion: tenancy.bulkhead.dev/v1alpha1, kind: Tenant, metadata: {name: worse}}`, `cannot create resource`),
		"tenant: admin creates a TenantClass":      create(spec, alice, tenancy+"tenantclasses", `{apiVersion: tenancy.bulkhead.dev/v1alpha1, kind: TenantClass, metadata: {name: worse}}`, `cannot create resource`),
		"tenant: admin reads another's Tenant":     {threat: "tenants know of each other", by: alice, method: "GET", path: tenancy + "tenants/beta", refused: `cannot get resource`},
		"tenant: a status by a cluster admin":      patch(evidence, paula, acme+"/status", `{"status":{"conditions":[]}}`, status+`paula"`),
		"tenant: a status by PUT":                  replace(evidence, paula, acme+"/status", func(u *unstructured.Unstructured) { unstructured.RemoveNestedField(u.Object, "status", "conditions") }, status),
		"tenant: a status by apply":                force(evidence, paula, acme+"/status", `{apiVersion: tenancy.bulkhead.dev/v1alpha1, kind: Tenant, metadata: {name: acme}, status: {className: forged}}`, status),
		"tenant: a status by an admin":             patch(evidence, alice, acme+"/status", `{"status":{"conditions":[]}}`, `cannot patch resource`),
		"tenant: the finalizer is removed": replace("RoleBindings stay when a Tenant goes", paula, acme, func(u *unstructured.Unstructured) { u.SetFinalizers(nil) },
			`rule tenant-objects: the finalizer `+v1alpha1.Finalizer+` must not be removed by "paula"`),
		"tenant: the platform changes a Tenant": patch("platforms change Tenants", paula, acme, `{"spec":{"description":"round $N"}}`, ""),
		"tenant: the platform applies a Tenant": force("GitOps", paula, tenancy+"tenants/delta-$N",
			`{apiVersion: tenancy.bulkhead.dev/v1alpha1, kind: Tenant, metadata: {name: delta-$N}, spec: {description: nothing yet}}`, ""),
		"tenant: the platform adds a finalizer":        patch("tools that wait for deletions", paula, acme, `{"metadata":{"finalizers":["`+v1alpha1.Finalizer+`","example.com/keep"]}}`, ""),
		"tenant: admin reads its own":                  read("tenants know themselves", alice, acme),
		"tenant: viewer reads drift":                   read("tenants see their drift", victor, reports),
		"tenant: break-glass writes a status":          patch("nobody could help in an emergency", brook, tenancy+"tenants/beta/status", `{"status":{"className":"emergency-$N"}}`, ""),
		"tenant: break-glass writes and deletes drift": remove("nobody could help in an emergency", brook, reports+"/emergency-$N", "").with(reports+"/emergency-$N", report("emergency-$N")),
	}
}

// knownHoles are the published vulnerabilities of the field's leader, as far as they have a counterpart here: each is
// named by its number (its list is that of projectcapsule/capsule).
func knownHoles() table {
	strip := `{"metadata":{"ownerReferences":null,"labels":{"tenancy.bulkhead.dev/tenant":null}}}`
	return table{
		"CVE-2022-46167: a member's account with patch on its namespace takes it out of the tenant": patch("enforcement is gone", serviceAccount("acme-prod", "insider"), prod, strip, metadata),
		"CVE-2024-39690: an owner puts his tenant on kube-system": patch("a tenant takes the control plane", nadia, namespaces+"/kube-system",
			`{"metadata":{"labels":{"tenancy.bulkhead.dev/tenant":"acme"}}}`, ownership+`kube-system"`),
		"CVE-2025-55205: labels injected into a namespace of the system": patch("selectors reach another's objects", nadia, namespaces+"/bulkhead-system",
			`{"metadata":{"labels":{"tenancy.bulkhead.dev/tenant":"beta"}}}`, ownership+`bulkhead-system"`),
		"CVE-2026-30963: hijack through namespaces/status": patch("a subresource writes labels too", nadia, namespaces+"/default/status",
			`{"metadata":{"labels":{"tenancy.bulkhead.dev/tenant":"acme"}}}`, ownership+`default"`),
		"GHSA-gwxr-7h77-7777: hijack through namespaces/finalize": replace("a rule for a resource that doesn't exist matches nothing", nadia, namespaces+"/default/finalize",
			having(v1alpha1.LabelTenant, "acme"), ownership+`default"`),
		"CVE-2026-22872: cluster-scoped objects through a Tenant": force("the operator's rights serve a tenant", paula, tenancy+"tenants/deputy",
			`{apiVersion: tenancy.bulkhead.dev/v1alpha1, kind: Tenant, metadata: {name: deputy}, spec: {namespaces: [{name: kube-system}]}}`, "").refusedAsInvalid(),
		"CVE-2026-65835: the same, past the first fix": create("raw objects in a Tenant", paula, tenancy+"tenants?fieldValidation=Strict",
			`{apiVersion: tenancy.bulkhead.dev/v1alpha1, kind: Tenant, metadata: {name: deputy}, spec: {rawItems: [{}]}}`, "").refusedAsInvalid(),
		"GHSA-gjw4-3v3v-rqxg: forbidden labels past the list, in another spelling": patch("pods take over their node", oscar, prod,
			`[{"op":"replace","path":"/metadata/labels/pod-security.kubernetes.io~1enforce","value":"privileged"}]`, metadata),
		"CVE-2023-46254: an account of the same name in another tenant": create("namespaces of service accounts are left out", alice, bindings,
			bound("name: stranger", account("beta-prod", "pipeline")), `ServiceAccount "beta-prod/pipeline"`),
	}
}
