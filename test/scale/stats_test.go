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
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 0, 100)
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i)) // 100, 99, … 1
	}
	for _, tt := range []struct {
		name      string
		durations []time.Duration
		p         float64
		want      time.Duration
	}{
		{"none", nil, 0.5, 0},
		{"one", []time.Duration{7}, 0.99, 7},
		{"median of three", []time.Duration{9, 1, 5}, 0.5, 5},
		{"median of four is the lower one", []time.Duration{9, 1, 5, 7}, 0.5, 5},
		{"p50 of a hundred", hundred, 0.5, 50},
		{"p99 of a hundred", hundred, 0.99, 99},
		{"p99 of few is the worst", []time.Duration{1, 2, 3}, 0.99, 3},
		{"all", hundred, 1, 100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.durations)
			if got := percentile(tt.durations, tt.p); got != tt.want {
				t.Errorf("percentile = %d, want %d", got, tt.want)
			}
			if !slices.Equal(before, tt.durations) {
				t.Error("percentile changed its argument")
			}
		})
	}
}

func TestRatio(t *testing.T) {
	if got := ratio(3, 2); got != 1.5 {
		t.Errorf("ratio(3, 2) = %v, want 1.5", got)
	}
	if got := ratio(time.Second, 0); got != 0 {
		t.Errorf("ratio by 0 = %v, want 0", got)
	}
}

func TestProc(t *testing.T) {
	status := []byte("Name:\tbulkhead\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n")
	if got, err := kibibytes(status, "VmRSS"); err != nil || got != 1024 {
		t.Errorf("VmRSS = %d, %v, want 1024", got, err)
	}
	if _, err := kibibytes(status, "VmSwap"); err == nil {
		t.Error("a line that isn't there is found")
	}
	stat := []byte("42 (a) b) c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 1000 1 1\n")
	if got, err := cpuTime(stat); err != nil || got != 3*time.Second {
		t.Errorf("CPU time = %v, %v, want 3s", got, err)
	}
	if _, err := cpuTime([]byte("42 (a) S 1")); err == nil {
		t.Error("a short line is understood")
	}
}

func TestEach(t *testing.T) {
	var sum atomic.Int64
	add := func(_ context.Context, n int) error { sum.Add(int64(n)); return nil }
	if err := each(t.Context(), 3, []int{1, 2, 3, 4, 5}, add); err != nil || sum.Load() != 15 {
		t.Errorf("each = %v with sum %d, want 15", err, sum.Load())
	}
	broken := errors.New("broken")
	err := each(t.Context(), 2, []int{1, 2, 3}, func(_ context.Context, n int) error {
		if n == 2 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("each = %v, want %v", err, broken)
	}
}

func TestValidate(t *testing.T) {
	good := options{tenants: 1, namespaces: 1, repeat: 1, writers: 1, guardSamples: 1}
	if err := good.validate(); err != nil {
		t.Errorf("validate = %v", err)
	}
	for name, change := range map[string]func(*options){
		"--tenants":       func(o *options) { o.tenants = 0 },
		"--namespaces":    func(o *options) { o.namespaces = 1001 },
		"--wide":          func(o *options) { o.wide = -1 },
		"--repeat":        func(o *options) { o.repeat = 0 },
		"--writers":       func(o *options) { o.writers = 0 },
		"--corrections":   func(o *options) { o.corrections = -1 },
		"--guards":        func(o *options) { o.guards = []int{10, 0} },
		"--guard-samples": func(o *options) { o.guardSamples = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			change(&o)
			if err := o.validate(); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("validate = %v, want an error that names %s", err, name)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	good := func() *operation {
		return &operation{Size: size{2, 1}, Objects: 10, Steady: &watched{}, Restart: &restart{}, Drift: &drifting{},
			Requests: sum(slices.Repeat([]request{{target: target{Verb: verbApply, Resource: "limitranges"}, Code: 201}}, 10))}
	}
	one := func(verb, resource string) tally {
		return sum([]request{{target: target{Verb: verb, Resource: resource}, Code: 200}})
	}
	if problems := (&report{Operator: good()}).problems(); len(problems) > 0 {
		t.Errorf("problems = %q, want none", problems)
	}
	for want, change := range map[string]func(*operation){
		"10 managed objects":  func(o *operation) { o.Requests = one(verbApply, "limitranges") },
		"nothing changed":     func(o *operation) { o.Steady.Requests = one("get", "pods") },
		"after a restart":     func(o *operation) { o.Restart.Requests = one("patch", "tenants.tenancy.bulkhead.dev/status") },
		"1 writes of managed": func(o *operation) { o.Drift.Requests = one(verbApply, "limitranges") },
		"a status of 32769":   func(o *operation) { o.StatusBytes = 32769 },
		"requests per tenant": func(o *operation) { o.Requests.Writes += 10 },
		"2 lists of pods":     func(o *operation) { o.Restart.Requests.Counts = []count{{Verb: "list", Resource: "pods", Requests: 2}} },
	} {
		t.Run(want, func(t *testing.T) {
			o := good()
			change(o)
			problems := strings.Join((&report{Operator: good(), Wide: o}).problems(), "; ")
			if !strings.Contains(problems, want) {
				t.Errorf("problems = %q, want %q", problems, want)
			}
		})
	}
}
