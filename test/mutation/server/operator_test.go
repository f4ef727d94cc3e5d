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

package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
	"github.com/bulkhead-dev/bulkhead/test/mutation"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// The operator has a control plane of its own: what the engine alone provisions on the other belongs to Tenants that
// don't exist.
var operators struct {
	once sync.Once
	site *site
	err  error
}

func operatorSite(t *testing.T) *site {
	t.Helper()
	operators.once.Do(func() { operators.site, operators.err = newSite(controlplane.Options{}, false) })
	if operators.err != nil {
		t.Fatal(operators.err)
	}
	operators.site.Facts = corpus.Options() // as package mutation renders
	return operators.site
}

func stopOperators() error {
	if operators.site == nil {
		return nil
	}
	return operators.site.stop()
}

// running is an operator that runs until the test ends, or until stopped, and what it wrote.
type running struct {
	*env.RunningOperator
	mu     sync.Mutex
	writes []string
}

// operate starts the operator.
func (s *site) operate(t *testing.T) *running {
	t.Helper()
	r := &running{}
	operator, err := s.StartOperator(func(cfg *rest.Config) {
		cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(request *http.Request) (*http.Response, error) {
				if request.Method != http.MethodGet {
					r.mu.Lock()
					r.writes = append(r.writes, request.Method+" "+request.Header.Get("Content-Type")+" "+request.URL.Path)
					r.mu.Unlock()
				}
				return next.RoundTrip(request)
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	r.RunningOperator = operator
	t.Cleanup(func() { r.end(t) })
	return r
}

func (r *running) end(t *testing.T) {
	t.Helper()
	if err := r.Stop(); err != nil {
		t.Error(err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// managed are the writes of an operator that concern objects of these tenants: no status, reports, or events.
func (r *running) managed(names ...string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []string
	for _, write := range r.writes {
		path := write[strings.LastIndex(write, " ")+1:]
		if strings.Contains(path, "/apis/"+v1alpha1.GroupVersion.Group+"/") || strings.Contains(path, "/events") {
			continue
		}
		for _, name := range names {
			if strings.Contains(path+"/", "/"+name+"/") || strings.HasSuffix(path, ":"+name) || strings.Contains(path, ":"+name+":") {
				found = append(found, write)
			}
		}
	}
	return found
}

// eventually waits until a function no longer says what is wrong.
func eventually(t *testing.T, what string, wrong func(ctx context.Context) string) {
	t.Helper()
	var last string
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, soon, true, func(ctx context.Context) (bool, error) {
		if now := wrong(ctx); ctx.Err() == nil {
			last = now
		}
		return last == "", nil
	})
	if err != nil {
		t.Fatalf("%s: %v: %s", what, err, last)
	}
}

// lasting fails if a function says that something is wrong at any time in a while.
func lasting(t *testing.T, what string, wrong func(ctx context.Context) string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 1500*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if now := wrong(ctx); now != "" {
			return false, fmt.Errorf("%s: %s", what, now)
		}
		return false, nil
	})
	if !wait.Interrupted(err) {
		t.Fatal(err)
	}
}

// tenant creates a Tenant and returns a rig of its objects.
func (s *site) tenant(t *testing.T, tenant *v1alpha1.Tenant, b *book) *rig {
	t.Helper()
	r := &rig{site: s, t: t, name: tenant.Name, book: b}
	r.aim(tenant)
	if err := s.Admin.Create(t.Context(), tenant.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	return r
}

// ready waits until the operator has provisioned the tenant.
func (r *rig) ready() {
	r.t.Helper()
	eventually(r.t, "provisioning "+r.name, func(ctx context.Context) string {
		live := &v1alpha1.Tenant{}
		if err := r.Admin.Get(ctx, client.ObjectKey{Name: r.name}, live); err != nil {
			return err.Error()
		}
		for _, condition := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionInSync} {
			c := meta.FindStatusCondition(live.Status.Conditions, condition)
			if c == nil || c.Status != "True" || c.ObservedGeneration != live.Generation {
				return fmt.Sprintf("%s is %+v", condition, c)
			}
		}
		return ""
	})
	for _, x := range r.targets {
		if live := r.stored(r.t, x.intent); live == nil || !comparedEqual(x.intent, live) {
			r.t.Fatalf("%s isn't what package mutation expects of the tenant", x.intent)
		}
	}
}

func comparedEqual(intent *engine.Intent, live client.Object) bool {
	difference, err := comparer.Compare(intent.Object, live)
	return err == nil && difference.Empty()
}

// undone waits until what was done is undone.
func (r *rig) undone(c *trial) {
	r.t.Helper()
	eventually(r.t, c.String()+" must be undone", func(context.Context) string {
		live := r.stored(r.t, c.intent)
		if live == nil {
			return "the object is gone"
		}
		left, err := mutation.Differences(kinds[c.intent.GVK], c.intent.Object.Object, live.Object)
		switch {
		case err != nil || len(left) > 0:
			return fmt.Sprintf("it differs in %v, %v", left, err)
		case ownedFields(live) != ownedFields(c.before):
			return "the operator doesn't own what it owned"
		}
		return ""
	})
	r.book.add(c.intent.GVK.Kind, "corrected")
}

// count reads a metric of all operators and engines of this process: the sum of all series with these labels.
func count(t *testing.T, name string, labels map[string]string) float64 {
	t.Helper()
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, series := range family.GetMetric() {
			matching := 0
			for _, label := range series.GetLabel() {
				if labels[label.GetName()] == label.GetValue() {
					matching++
				}
			}
			if matching == len(labels) {
				sum += series.GetCounter().GetValue() + float64(series.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}
