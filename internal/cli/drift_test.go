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

package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/snapshot"
)

// reported is the time at which the recorded reports are read.
var reported = time.Date(2026, 3, 2, 9, 44, 0, 0, time.UTC)

func forbidden(what string) error {
	return apierrors.NewForbidden(schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: what}, "", nil)
}

// recordedReports is a cluster with what the operator reported, in which only what is allowed can be read: "get tenants",
// "list tenants", "watch driftreports" and so on, and reports in a namespace: "get driftreports acme-dev".
func recordedReports(t *testing.T, allowed func(what string) bool) client.WithWatch {
	t.Helper()
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	kinds := []schema.GroupVersionKind{v1alpha1.GroupVersion.WithKind("Tenant"), v1alpha1.GroupVersion.WithKind("DriftReport")}
	file, err := os.Open("testdata/drift.yaml")
	if err != nil {
		t.Fatal(err)
	}
	objects, err := snapshot.Read(scheme, kinds, file, "-")
	if err != nil {
		t.Fatal(err)
	}
	resource := func(object any) string {
		switch object.(type) {
		case *v1alpha1.Tenant, *v1alpha1.TenantList:
			return "tenants"
		default:
			return "driftreports"
		}
	}
	check := func(verb string, object any, namespace string) error {
		if what := strings.TrimSpace(verb + " " + resource(object) + " " + namespace); !allowed(what) {
			return forbidden(what)
		}
		return nil
	}
	inNamespace := func(opts []client.ListOption) string {
		options := client.ListOptions{}
		options.ApplyOptions(opts)
		return options.Namespace
	}
	return interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
			if err := check("get", into, key.Namespace); err != nil {
				return err
			}
			return c.Get(ctx, key, into, opts...)
		},
		List: func(ctx context.Context, c client.WithWatch, into client.ObjectList, opts ...client.ListOption) error {
			if err := check("list", into, inNamespace(opts)); err != nil {
				return err
			}
			return c.List(ctx, into, opts...)
		},
		Watch: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) (watch.Interface, error) {
			if err := check("watch", list, inNamespace(opts)); err != nil {
				return nil, err
			}
			return c.Watch(ctx, list, client.InNamespace(inNamespace(opts))) // the fake one knows no fields
		},
	})
}

func everything(string) bool { return true }

// only allows what is listed.
func only(what ...string) func(string) bool {
	return func(asked string) bool { return slices.Contains(what, asked) }
}

// member may do what a member of acme may who sees the namespaces acme-dev and acme-new.
func member(what string) bool {
	return only("get tenants", "get driftreports acme-dev", "get driftreports acme-new", "watch driftreports acme-dev", "watch driftreports acme-new")(what)
}

func TestDriftRows(t *testing.T) {
	t.Parallel()
	const (
		role    = "acme - Critical FieldModified ClusterRole/bulkhead:tenant:acme rules kubectl-edit Reported 104m -"
		binding = "acme acme-dev Critical FieldModified RoleBinding/bulkhead-owners subjects kubectl-edit Reported 14m -"
		quota   = "acme acme-dev High ObjectMissing ResourceQuota/bulkhead - - Reported 13m -"
		ignored = "acme acme-prod Medium FieldInjected Namespace/acme-prod metadata.labels[guard.bulkhead.dev/x] o?ps Ignored 30s -"
		healed  = "acme acme-prod High FieldModified ResourceQuota/bulkhead spec.hard[limits.cpu],spec.hard[pods],spec.hard[requests.cpu] +1 helm Corrected 23h 3"
	)
	tests := map[string]struct {
		allowed   func(string) bool
		source    driftSource
		options   driftOptions
		want      []string
		notes     []string
		forbidden bool
	}{
		"all":                         {allowed: everything, want: []string{role, binding, quota, ignored, healed}},
		"one tenant":                  {allowed: everything, source: driftSource{tenant: "acme"}, want: []string{role, binding, quota, ignored, healed}},
		"a tenant in sync":            {allowed: everything, source: driftSource{tenant: "globex"}},
		"a namespace":                 {allowed: everything, source: driftSource{tenant: "acme", namespaces: []string{"acme-prod"}}, want: []string{ignored, healed}},
		"a namespace of any tenant":   {allowed: everything, source: driftSource{namespaces: []string{"acme-dev"}}, want: []string{binding, quota}},
		"severities, in any spelling": {allowed: everything, options: driftOptions{severities: []string{"critical", "MEDIUM"}}, want: []string{role, binding, ignored}},
		"what differs now":            {allowed: everything, options: driftOptions{open: true}, want: []string{role, binding, quota, ignored}},
		"a member of some namespaces": {
			allowed: member, source: driftSource{tenant: "acme"}, want: []string{role, binding, quota, healed},
			notes: []string{"you may not read DriftReports in namespace acme-prod: what the Tenant's status tells of it is shown, without values"},
		},
		"tenants only": {
			allowed: only("list tenants"), want: []string{role, binding, quota, healed},
			notes: []string{"you may not list DriftReports: only what the status of the Tenants tells is shown, without values"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.source.client = recordedReports(t, tc.allowed)
			tc.options.output = asTable
			if err := tc.options.check(); err != nil {
				t.Fatal(err)
			}
			view, err := tc.source.read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := table(&out, driftCells(tc.options.wanted(view.rows), reported, false)); err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(out.String()) {
				got = append(got, strings.Join(strings.Fields(line), " "))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.notes, view.notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDriftRefused pins that an error says what to do.
func TestDriftRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		allowed func(string) bool
		tenant  string
		want    string
	}{
		"a member names nobody":        {member, "", "name your own (bulkhead drift TENANT)"},
		"somebody else's":              {only(), "acme", `you may not read Tenant "acme": its members may`},
		"a tenant that there isn't":    {everything, "none", `there is no Tenant "none"`},
		"a flag of severities":         {everything, "", `--severity="huge" is not known: allowed are Critical, High, Medium, Info`},
		"a flag of the form of output": {everything, "", `--output="wide" is not known: allowed are table, json, yaml`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := driftOptions{output: asTable}
			switch name {
			case "a flag of severities":
				options.severities = []string{"huge"}
			case "a flag of the form of output":
				options.output = "wide"
			}
			err := options.check()
			if err == nil {
				_, err = (&driftSource{client: recordedReports(t, tc.allowed), tenant: tc.tenant}).read(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

// TestDriftDocs pins that the example in the documentation is what the command prints.
func TestDriftDocs(t *testing.T) {
	t.Parallel()
	view, err := (&driftSource{client: recordedReports(t, everything), tenant: "acme"}).read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows := slices.DeleteFunc(view.rows, func(r driftRow) bool { return r.Action == v1alpha1.DriftIgnored })
	var out bytes.Buffer
	if err := table(&out, append([][]string{driftTitles(false)}, driftCells(rows, reported, false)...)); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), "```console\n$ bulkhead drift acme\n"+out.String()+"field managers are what clients call themselves, not users\n```\n") {
		t.Errorf("docs/cli.md has no block with\n%s", out.String())
	}
}

// TestDriftUsers checks that users have a column of their own, beside what clients call themselves, and only if one is known.
func TestDriftUsers(t *testing.T) {
	t.Parallel()
	tenant := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "acme"}}
	item := v1alpha1.DriftItem{Object: v1alpha1.ObjectReference{Kind: "RoleBinding", Name: "b"}, User: "brook", Manager: "x by alice"}
	for name, tc := range map[string]struct {
		user       string
		confidence v1alpha1.Confidence
		want       []string
	}{
		"known":   {user: "brook", confidence: v1alpha1.ConfidenceAuthenticated, want: []string{"brook", "x by alice"}},
		"unknown": {confidence: v1alpha1.ConfidenceClaimed, want: []string{"x by alice"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant, item := tenant.DeepCopy(), item
			item.User = tc.user
			tenant.Status.Drift.Top = []v1alpha1.DriftItem{item}
			view := &driftView{}
			(&driftSource{}).add(view, tenant, nil)
			users := namesUsers(view.rows)
			titles, cells := driftTitles(users), driftCells(view.rows, reported, users)[0]
			if len(titles) != len(cells) || users != (tc.user != "") {
				t.Fatalf("titles %q, cells %q", titles, cells)
			}
			var got []string
			for i, title := range titles {
				if title == "USER" || title == "MANAGER" {
					got = append(got, cells[i])
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("who (-want +got):\n%s", diff)
			}
			if got := view.rows[0].Attribution.Confidence; got != tc.confidence {
				t.Errorf("confidence %s", got)
			}
		})
	}
}

func TestDriftPrints(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]string{
		asTable: "TENANT", asJSON: `"tenant": "acme"`, asYAML: "tenant: acme",
	} {
		t.Run(output, func(t *testing.T) {
			t.Parallel()
			var out, problems bytes.Buffer
			cmd := &cobra.Command{}
			cmd.SetOut(&out)
			cmd.SetErr(&problems)
			for _, tenant := range []string{"acme", "globex"} {
				out.Reset()
				view, err := (&driftSource{client: recordedReports(t, everything), tenant: tenant}).read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if err := (&driftOptions{output: output}).show(cmd, view); err != nil {
					t.Fatal(err)
				}
				if got := out.String(); strings.Contains(got, want) != (tenant == "acme") {
					t.Errorf("%s: printed %q", tenant, got)
				}
			}
			if output == asTable != strings.Contains(problems.String(), "field managers are what clients call themselves, not users\nnothing differs") {
				t.Errorf("said %q", problems.String())
			}
		})
	}
}

func TestEnumerate(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 7 {
		names = append(names, fmt.Sprint("n", i))
	}
	for count, want := range map[int]string{1: "namespace n0", 3: "3 namespaces (n0, n1, n2)", 7: "7 namespaces (n0, n1, n2, n3, n4 and 2 more)"} {
		if got := enumerate("namespace", names[:count]); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
