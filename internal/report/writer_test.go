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

package report

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// counting is a client that counts what is written, and refuses it if told so.
type counting struct {
	client.Client
	applied, deleted int
	err              error
}

func (c *counting) Apply(_ context.Context, _ runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
	c.applied++
	return c.err
}

func (c *counting) Delete(context.Context, client.Object, ...client.DeleteOption) error {
	c.deleted++
	return c.err
}

// TestWriter follows one report from its first difference to its end.
func TestWriter(t *testing.T) {
	t.Parallel()
	c := &counting{}
	w := NewWriter(c, retention)
	key := types.NamespacedName{Namespace: "acme-dev", Name: "acme"}
	var live *v1alpha1.DriftReport
	clock := now
	type outcome struct {
		wait             time.Duration
		done             bool
		applied, deleted int
	}
	step := func(what string, open, closed []v1alpha1.DriftReportItem, want outcome) {
		t.Helper()
		wait, done, err := w.Write(t.Context(), key, live, Input{Open: open, Closed: closed, Now: clock})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		got := outcome{wait, done, c.applied, c.deleted}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	open := []v1alpha1.DriftReportItem{item("a", v1alpha1.DriftReported)}
	closed := []v1alpha1.DriftReportItem{item("a", v1alpha1.DriftCorrected)}
	stored := func(in Input) {
		in.Now, in.Retention = clock, retention
		if live != nil {
			in.Previous = &live.Report
		}
		content, _ := Compute(in)
		live = &v1alpha1.DriftReport{Report: content}
	}

	step("nothing differs", nil, nil, outcome{done: true})
	step("something does", open, nil, outcome{done: true, applied: 1})
	stored(Input{Open: open})
	step("the same again", open, nil, outcome{done: true, applied: 1})
	clock = clock.Add(interval / 3)
	step("corrected soon after: the report waits, and the correction is kept", nil, closed, outcome{wait: interval - interval/3, applied: 1})
	clock = clock.Add(interval)
	step("the report is due", nil, closed, outcome{wait: retention, done: true, applied: 2})
	stored(Input{Closed: closed})
	clock = clock.Add(retention)
	step("history is old enough", nil, nil, outcome{done: true, applied: 2, deleted: 1})
}

func TestWriterFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("the API server is broken")
	w := NewWriter(&counting{err: broken}, retention)
	_, done, err := w.Write(t.Context(), types.NamespacedName{Namespace: "a", Name: "b"}, nil,
		Input{Open: []v1alpha1.DriftReportItem{item("a", v1alpha1.DriftReported)}, Now: now})
	if !errors.Is(err, broken) || done {
		t.Errorf("error %v, done %v", err, done)
	}
}

// TestWriterIsBounded writes no more reports at a time than the API server should have to bear.
func TestWriterIsBounded(t *testing.T) {
	t.Parallel()
	c := &counting{}
	w := NewWriter(c, retention)
	later := 0
	for i := range 10 * burst {
		key := types.NamespacedName{Namespace: time.Duration(i).String(), Name: "b"}
		wait, _, err := w.Write(t.Context(), key, nil, Input{Open: []v1alpha1.DriftReportItem{item("a", v1alpha1.DriftReported)}, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if wait > 0 {
			later++
		}
	}
	if c.applied != burst || later != 9*burst {
		t.Errorf("%d written, %d told to come later", c.applied, later)
	}
}
