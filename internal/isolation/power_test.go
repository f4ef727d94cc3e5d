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
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
)

func TestPower(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		rules []string
		// namespace is the power from a RoleBinding, cluster that from a ClusterRoleBinding.
		namespace, cluster Power
	}{
		"no rules":                          {nil, PowerNone, PowerNone},
		"a rule without verbs":              {[]string{`get,list pods`}, PowerRead, PowerRead},
		"everything":                        {[]string{`* * *`}, PowerEscalate, PowerEscalate},
		"everything in the core group":      {[]string{`* *`}, PowerEscalate, PowerEscalate},
		"everything under a name":           {[]string{`* * * named=x`}, PowerEscalate, PowerEscalate},
		"reading everything":                {[]string{`get,list,watch * *`}, PowerSecrets, PowerEscalate},
		"all verbs on own custom resources": {[]string{`* * example.com`}, PowerWrite, PowerWrite},
		"reading custom resources":          {[]string{`get * example.com`}, PowerRead, PowerRead},
		"reading pods":                      {[]string{`get,list,watch pods,pods/log,configmaps`}, PowerRead, PowerRead},
		"writing configmaps":                {[]string{`update configmaps`}, PowerWrite, PowerWrite},
		"a verb that nobody knows":          {[]string{`frobnicate configmaps`}, PowerWrite, PowerWrite},
		"secrets: get":                      {[]string{`get secrets`}, PowerSecrets, PowerSecrets},
		"secrets: list":                     {[]string{`list secrets`}, PowerSecrets, PowerSecrets},
		"secrets: watch":                    {[]string{`watch secrets`}, PowerSecrets, PowerSecrets},
		"secrets: one by name":              {[]string{`get secrets named=db`}, PowerSecrets, PowerSecrets},
		"secrets: patch answers with them":  {[]string{`patch secrets`}, PowerSecrets, PowerSecrets},
		"secrets: delete may, too":          {[]string{`delete secrets`}, PowerSecrets, PowerSecrets},
		"secrets: deletecollection":         {[]string{`deletecollection secrets`}, PowerSecrets, PowerSecrets},
		"secrets: create tells nothing":     {[]string{`create secrets`}, PowerWrite, PowerWrite},
		"secrets: update tells nothing":     {[]string{`update secrets`}, PowerWrite, PowerWrite},
		"secrets: a group that has none":    {[]string{`get secrets apps`}, PowerRead, PowerRead},
		"secrets: by any group":             {[]string{`get secrets *`}, PowerSecrets, PowerSecrets},
		"secrets: any verb":                 {[]string{`* secrets`}, PowerSecrets, PowerSecrets},
		"exec: create":                      {[]string{`create pods/exec`}, PowerSecrets, PowerSecrets},
		"exec: get":                         {[]string{`get pods/exec`}, PowerSecrets, PowerSecrets},
		"exec: of whatever":                 {[]string{`create */exec`}, PowerSecrets, PowerSecrets},
		"exec: pods/* is no wildcard":       {[]string{`get pods/*`}, PowerRead, PowerRead},
		"attach":                            {[]string{`create pods/attach`}, PowerSecrets, PowerSecrets},
		"ephemeral containers":              {[]string{`patch pods/ephemeralcontainers`}, PowerSecrets, PowerSecrets},
		"port-forward":                      {[]string{`create pods/portforward`}, PowerWrite, PowerWrite},
		"port-forward: get":                 {[]string{`get pods/portforward`}, PowerWrite, PowerWrite},
		"proxy to pods: get":                {[]string{`get pods/proxy`}, PowerWrite, PowerWrite},
		"proxy to services":                 {[]string{`create services/proxy`}, PowerWrite, PowerWrite},
		"pods: create":                      {[]string{`create pods`}, PowerSecrets, PowerSecrets},
		"pods: another image":               {[]string{`patch pods`}, PowerSecrets, PowerSecrets},
		"pods: delete":                      {[]string{`delete pods`}, PowerWrite, PowerWrite},
		"pods: evict":                       {[]string{`create pods/eviction`}, PowerWrite, PowerWrite},
		"deployments":                       {[]string{`create deployments apps`}, PowerSecrets, PowerSecrets},
		"cron jobs":                         {[]string{`patch cronjobs batch`}, PowerSecrets, PowerSecrets},
		"all of apps":                       {[]string{`* * apps`}, PowerSecrets, PowerSecrets},
		"scaling":                           {[]string{`patch */scale apps`}, PowerWrite, PowerWrite},
		"tokens of ServiceAccounts":         {[]string{`create serviceaccounts/token`}, PowerSecrets, PowerSecrets},
		"tokens by wildcard":                {[]string{`create */token`}, PowerSecrets, PowerSecrets},
		"acting as ServiceAccounts":         {[]string{`impersonate serviceaccounts`}, PowerSecrets, PowerSecrets},
		"acting as one ServiceAccount":      {[]string{`impersonate serviceaccounts named=ci`}, PowerSecrets, PowerSecrets},
		"acting as ServiceAccounts, the new way": {
			[]string{`impersonate:serviceaccount serviceaccounts authentication.k8s.io`}, PowerSecrets, PowerSecrets,
		},
		"acting as users":              {[]string{`impersonate users,groups`}, PowerNone, PowerEscalate},
		"acting as users, the new way": {[]string{`impersonate:user-info users authentication.k8s.io`}, PowerNone, PowerEscalate},
		"acting as nodes, the new way": {[]string{`impersonate:arbitrary-node nodes authentication.k8s.io`}, PowerNone, PowerEscalate},
		"on behalf of":                 {[]string{`impersonate-on:user-info:list configmaps`}, PowerWrite, PowerWrite},
		"roles":                        {[]string{`create roles rbac.authorization.k8s.io`}, PowerAdmin, PowerAdmin},
		"role bindings":                {[]string{`patch rolebindings rbac.authorization.k8s.io`}, PowerAdmin, PowerAdmin},
		"role bindings, reading":       {[]string{`get rolebindings rbac.authorization.k8s.io`}, PowerRead, PowerRead},
		"bind a ClusterRole":           {[]string{`bind clusterroles rbac.authorization.k8s.io named=admin`}, PowerEscalate, PowerEscalate},
		"bind a Role":                  {[]string{`bind roles rbac.authorization.k8s.io`}, PowerEscalate, PowerEscalate},
		"escalate":                     {[]string{`escalate roles rbac.authorization.k8s.io`}, PowerEscalate, PowerEscalate},
		"any verb on roles":            {[]string{`* roles rbac.authorization.k8s.io`}, PowerEscalate, PowerEscalate},
		"cluster roles":                {[]string{`update clusterroles rbac.authorization.k8s.io`}, PowerNone, PowerEscalate},
		"network policies":             {[]string{`delete networkpolicies networking.k8s.io`}, PowerAdmin, PowerAdmin},
		"network policies of Cilium":   {[]string{`create ciliumnetworkpolicies cilium.io`}, PowerAdmin, PowerAdmin},
		"network policies, long ago":   {[]string{`create networkpolicies extensions`}, PowerAdmin, PowerAdmin},
		"quotas":                       {[]string{`update resourcequotas`}, PowerAdmin, PowerAdmin},
		"quotas through their status":  {[]string{`patch resourcequotas/status`}, PowerAdmin, PowerAdmin},
		"quotas through any status":    {[]string{`patch */status`}, PowerEscalate, PowerEscalate},
		"limits":                       {[]string{`delete limitranges`}, PowerAdmin, PowerAdmin},
		"namespaces: labels":           {[]string{`patch namespaces`}, PowerEscalate, PowerEscalate},
		"namespaces: labels, one":      {[]string{`patch namespaces named=acme-prod`}, PowerEscalate, PowerEscalate},
		"namespaces: labels by status": {[]string{`patch namespaces/status`}, PowerEscalate, PowerEscalate},
		"namespaces: labels by end":    {[]string{`update namespaces/finalize`}, PowerEscalate, PowerEscalate},
		"namespaces: delete":           {[]string{`delete namespaces`}, PowerEscalate, PowerEscalate},
		"namespaces: list":             {[]string{`list namespaces`}, PowerNames, PowerNames},
		"namespaces: list, no name":    {[]string{`list namespaces named=""`}, PowerNames, PowerNames},
		"namespaces: get one's own":    {[]string{`get namespaces named=acme-prod`}, PowerNone, PowerNone},
		"the tenant: get one's own":    {[]string{`get tenants tenancy.bulkhead.dev named=acme`}, PowerNone, PowerNone},
		"tenants: all":                 {[]string{`get tenants tenancy.bulkhead.dev`}, PowerNone, PowerRead},
		"tenants: writing":             {[]string{`update tenants tenancy.bulkhead.dev`}, PowerNone, PowerEscalate},
		"tenant classes: reading":      {[]string{`get tenantclasses tenancy.bulkhead.dev`}, PowerNone, PowerNone},
		"drift reports: reading":       {[]string{`get driftreports tenancy.bulkhead.dev`}, PowerRead, PowerRead},
		"nodes: reading":               {[]string{`get,list,watch nodes`}, PowerNone, PowerNone},
		"nodes: writing":               {[]string{`patch nodes`}, PowerNone, PowerWrite},
		"nodes: proxy by get":          {[]string{`get nodes/proxy`}, PowerNone, PowerEscalate},
		"nodes: proxy by wildcard":     {[]string{`create */proxy`}, PowerWrite, PowerEscalate},
		"nodes: what runs on them":     {[]string{`get nodes/pods`}, PowerNone, PowerRead},
		"nodes: figures":               {[]string{`get nodes/metrics,nodes/stats`}, PowerNone, PowerNames},
		"volumes: reading":             {[]string{`list persistentvolumes`}, PowerNone, PowerNames},
		"volumes: writing":             {[]string{`create persistentvolumes`}, PowerNone, PowerEscalate},
		"webhooks":                     {[]string{`patch mutatingwebhookconfigurations admissionregistration.k8s.io`}, PowerNone, PowerEscalate},
		"admission policies":           {[]string{`delete validatingadmissionpolicybindings admissionregistration.k8s.io`}, PowerNone, PowerEscalate},
		"API definitions: reading":     {[]string{`list customresourcedefinitions apiextensions.k8s.io`}, PowerNone, PowerNone},
		"API definitions: writing":     {[]string{`delete customresourcedefinitions apiextensions.k8s.io`}, PowerNone, PowerEscalate},
		"aggregated APIs":              {[]string{`create apiservices apiregistration.k8s.io`}, PowerNone, PowerEscalate},
		"certificates: asking":         {[]string{`create,get,list certificatesigningrequests certificates.k8s.io`}, PowerNone, PowerNone},
		"certificates: approving":      {[]string{`update certificatesigningrequests/approval certificates.k8s.io`}, PowerNone, PowerEscalate},
		"certificates: signers":        {[]string{`approve signers certificates.k8s.io named=x`}, PowerNone, PowerEscalate},
		"certificates: of nodes":       {[]string{`create certificatesigningrequests/nodeclient certificates.k8s.io`}, PowerNone, PowerEscalate},
		"reviews of oneself": {
			[]string{`create selfsubjectaccessreviews,selfsubjectrulesreviews authorization.k8s.io`, `create selfsubjectreviews authentication.k8s.io`},
			PowerNone, PowerNone,
		},
		"reviews of others":     {[]string{`create tokenreviews authentication.k8s.io`, `create subjectaccessreviews authorization.k8s.io`}, PowerNone, PowerNone},
		"pod security policies": {[]string{`use podsecuritypolicies policy named=privileged`}, PowerNone, PowerNone},
		"the worst rule counts": {[]string{`get nodes`, `get secrets`, `list pods`}, PowerSecrets, PowerSecrets},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := rbacRules(t, tc.rules...)
			if got := NamespacePower(rules); got != tc.namespace {
				t.Errorf("in a namespace %s, want %s", got, tc.namespace)
			}
			if got := ClusterPower(rules); got != tc.cluster {
				t.Errorf("in the cluster %s, want %s", got, tc.cluster)
			}
		})
	}
}

func TestPowerOfURLs(t *testing.T) {
	t.Parallel()
	if got := ClusterPower([]rbacv1.PolicyRule{{NonResourceURLs: []string{"*"}, Verbs: []string{"*"}}}); got != PowerNone {
		t.Errorf("%s, want none: URLs aren't a tenant's", got)
	}
}

// What Kubernetes ships for users keeps its order, and so do the powers.
func TestPowerOfUserFacingRoles(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Power{
		"view": PowerRead, "edit": PowerAdmin, "admin": PowerAdmin, "cluster-admin": PowerEscalate,
		"system:basic-user": PowerNone, "system:discovery": PowerNone, "system:public-info-viewer": PowerNone,
		"system:auth-delegator": PowerNone, "system:node-bootstrapper": PowerNone, "system:kube-controller-manager": PowerSecrets,
	} {
		role := rbacClusterRoles(t)(name)
		if role == nil {
			t.Fatalf("no role %s was recorded", name)
		}
		if got := NamespacePower(role.Rules); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestPowerString(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for p := PowerNone; p <= PowerEscalate; p++ {
		seen[p.String()] = true
	}
	if len(seen) != int(PowerEscalate)+1 || seen["invalid"] {
		t.Errorf("names of powers: %v", seen)
	}
	for _, p := range []Power{-1, PowerEscalate + 1} {
		if p.String() != "invalid" {
			t.Errorf("%d is %s", int(p), p)
		}
	}
}

// The table of capabilities must fit into the bits of a reach, be ordered by power, and say something of each.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	all := slices.Concat(accessCapabilities, accessFloors)
	if len(all) > 64 {
		t.Fatalf("%d capabilities in 64 bits", len(all))
	}
	for i := range all {
		c := &all[i]
		if c.phrase == "" || c.power <= PowerNone || i > 0 && c.power > all[i-1].power {
			t.Errorf("capability %d: phrase %q, power %s", i, c.phrase, c.power)
		}
		if i < len(accessCapabilities) && !c.everything && (len(c.groups) == 0 || len(c.resources) == 0 || len(c.verbs) == 0) {
			t.Errorf("nothing reaches %q", c.phrase)
		}
		// A floor is left out for a rule that reaches a capability.
		if i < len(accessCapabilities) && c.power < PowerWrite {
			t.Errorf("%q is less than a floor", c.phrase)
		}
	}
	got := accessPhrases(accessReachOf(rbacRules(t, "* *"), false))
	if !slices.Contains(got, "read secrets") || slices.Contains(got, "do everything") {
		t.Errorf("all of the core group: %v", got)
	}
	if diff := cmp.Diff([]string{"do everything"}, accessPhrases(accessReachOf(rbacRules(t, "* * *", "get pods"), false))); diff != "" {
		t.Errorf("everything (-want +got):\n%s", diff)
	}
	if got := accessPhrases(accessReachOf(rbacRules(t, "* * * named=x"), false)); slices.Contains(got, "do everything") {
		t.Errorf("everything under a name: %v", got)
	}
}

// A role as large as the API server takes it is judged in time that doesn't explode, and for the worst.
func TestPowerOfHugeRules(t *testing.T) {
	t.Parallel()
	many := func(prefix string) []string {
		out := make([]string, 20_000)
		for i := range out {
			out[i] = prefix + strings.Repeat("x", i%7)
		}
		return out
	}
	same := func(s string) []string { return slices.Repeat([]string{s}, 20_000) }
	harmless := rbacv1.PolicyRule{Verbs: same("get"), APIGroups: same(""), Resources: same("nodes")}
	if got := ClusterPower([]rbacv1.PolicyRule{harmless}); got != PowerRead {
		t.Errorf("reading: %s", got)
	}
	huge := rbacv1.PolicyRule{Verbs: many("v"), APIGroups: many("g"), Resources: many("r"), ResourceNames: many("n")}
	if got := NamespacePower([]rbacv1.PolicyRule{huge}); got != PowerWrite {
		t.Errorf("writing: %s", got)
	}
	if got := accessUncovered([]rbacv1.PolicyRule{huge, harmless}, []rbacv1.PolicyRule{huge}); len(got) != 0 {
		t.Errorf("a rule doesn't cover itself")
	}
	if got := accessUncovered([]rbacv1.PolicyRule{harmless}, []rbacv1.PolicyRule{huge}); len(got) != 1 {
		t.Errorf("%d rules uncovered, want the one as a whole", len(got))
	}
}
