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
	"io"
	"text/tabwriter"
	"time"
)

// table is the one that is printed. Its first error stays.
type table struct {
	out *tabwriter.Writer
	err error
}

func (t *table) row(figure, measured, apply, create, reach string) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.out, "%s\t%s\t%s\t%s\t%s\n", figure, measured, apply, create, reach)
	}
}

// print writes the table.
func (r *report) print(out io.Writer) error {
	t := &table{out: tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)}
	t.row("FIGURE", "MEASURED", "÷ RAW-APPLY", "÷ RAW-CREATE", "TO REACH")
	t.row(fmt.Sprintf("%s: tenants × namespaces, %d objects, %d CPUs, median of %d", r.Size, r.Operator.Objects, r.CPUs, r.Repeat), "", "", "", "")
	r.times(t)
	t.operation(r.Operator)
	if r.Wide != nil {
		t.row(fmt.Sprintf("%s: one tenant, %d objects", r.Wide.Size, r.Wide.Objects), "", "", "", "")
		t.row("  operator, all objects exist", seconds(r.Wide.There), "", "", "")
		t.row("  operator, all Tenants Ready", seconds(r.Wide.Ready), "", "", "")
		t.operation(r.Wide)
	}
	for _, run := range r.Drifts {
		t.row(fmt.Sprintf("%s: drift, %d objects", run.Size, run.Objects), "", "", "", "")
		t.drift(run.Drift)
	}
	if j := r.Judging; j != nil {
		t.row(fmt.Sprintf("%s: isolation, in memory", j.Size), "", "", "", "")
		t.row("  a namespace judged again after one policy changed, p50", micros(j.P50), "", "", "")
		t.row("  the same, p99", micros(j.P99), "", "", "≤ 5000 µs")
		t.row("  heap per namespace", fmt.Sprintf("%d bytes", j.HeapPerNamespace), "", "", "")
	}
	t.guards(r.Guards)
	if p := r.Process; p != nil {
		t.row(fmt.Sprintf("%s: the operator as a process of its own", r.Size), "", "", "", "")
		t.row("  all objects exist", seconds(p.There), fraction(p.There, r.RawApply), fraction(p.There, r.RawCreate), "")
		t.row("  memory, at most", fmt.Sprintf("%d MiB", p.PeakKiB>>10), "", "", "")
		t.row("  memory, afterwards", fmt.Sprintf("%d MiB", p.ResidentKiB>>10), "", "", "≤ 150 MiB at 1000×3")
		t.row("  CPU time", seconds(p.CPU), "", "", "")
	}
	if t.err != nil {
		return t.err
	}
	return t.out.Flush()
}

// times are what was measured more than once.
func (r *report) times(t *table) {
	objects := r.Operator.Objects + r.Size.Tenants
	for _, line := range []struct {
		name string
		took time.Duration
		goal string
	}{
		{"  raw-create, Tenants included", r.RawCreate, ""},
		{"  raw-apply, Tenants included", r.RawApply, ""},
		{"  operator, all objects exist", r.There, fmt.Sprintf("≤ %.1f × raw-apply", mostTimes)},
		{"  operator, all Tenants Ready", r.Ready, ""},
	} {
		t.row(line.name, fmt.Sprintf("%s, %.0f/s", seconds(line.took), float64(objects)/line.took.Seconds()),
			fraction(line.took, r.RawApply), fraction(line.took, r.RawCreate), line.goal)
	}
}

// operation prints what was counted in one world.
func (t *table) operation(o *operation) {
	perObject := fmt.Sprintf("%.3f (%d)", ratio(o.Requests.all(), o.Objects), o.Requests.all())
	t.row("  requests per object, provisioning", perObject, "", "", fmt.Sprintf("≤ %.2f", mostPerObject))
	t.row("  writes per object", fmt.Sprintf("%.3f", ratio(o.Requests.managed(), o.Objects)), "", "", "1")
	t.row("  other requests per tenant", fmt.Sprintf("%.2f", o.perTenant()), "", "", "")
	t.tally(&o.Requests)
	t.row("  passes per namespace, per tenant", fmt.Sprintf("%.1f, %.1f",
		ratio(o.NamespacePasses, o.Size.Tenants*o.Size.Namespaces), ratio(o.TenantPasses, o.Size.Tenants)), "", "", "")
	t.row("  largest status", fmt.Sprintf("%d bytes", o.StatusBytes), "", "", fmt.Sprintf("≤ %d", mostStatus))
	if s := o.Steady; s != nil {
		n := s.Requests.all() + s.Requests.Reads + s.Requests.Discovery
		t.row(fmt.Sprintf("  requests in %s of nothing", s.For), fmt.Sprint(n), "", "", "0")
		t.tally(&s.Requests)
	}
	if s := o.Restart; s != nil {
		t.row("  restart, all namespaces judged", seconds(s.Judged), "", "", "")
		t.row("  restart, writes", fmt.Sprint(s.Requests.Writes), "", "", "0")
		t.row("  restart, reads", fmt.Sprint(s.Requests.Reads), "", "", "one list per kind")
		t.tally(&s.Requests)
	}
	t.drift(o.Drift)
}

// drift prints what was measured of corrections; nil is nothing.
func (t *table) drift(d *drifting) {
	if d != nil {
		t.row(fmt.Sprintf("  %d foreign edits, corrected, p50", d.Corrections), millis(d.P50), "", "", "≤ "+millis(mostP50))
		t.row("  the same, p99", millis(d.P99), "", "", "≤ "+millis(mostP99))
		t.row("  writes of managed objects per correction", fmt.Sprintf("%.2f", ratio(d.Requests.managed(), d.Corrections)), "", "", "1")
		t.row("  requests per correction", fmt.Sprintf("%.2f", ratio(d.Requests.all(), d.Corrections)), "", "", "")
		t.tally(&d.Requests)
	}
}

// tally prints counts by verb and resource.
func (t *table) tally(s *tally) {
	for _, c := range s.Counts {
		measured := fmt.Sprint(c.Requests)
		if c.Failed > 0 {
			measured += fmt.Sprintf(" (%d failed)", c.Failed)
		}
		t.row(fmt.Sprintf("    %s %s", c.Verb, c.Resource), measured, "", "", "")
	}
	if s.Rewritten > 0 {
		t.row("    objects written again", fmt.Sprint(s.Rewritten), "", "", "")
	}
}

// guards print what the guard-rails cost.
func (t *table) guards(all []*guarding) {
	for _, g := range all {
		t.row(fmt.Sprintf("%s: requests with %d rules, and with %d defaults too, ÷ without", g.Size, g.Rules, g.Defaults), "", "", "", "")
		for k, r := range g.Requests {
			base := r.Sides[without]
			t.row(fmt.Sprintf("  %s, without, p50, p99", r.Name), hundredths(base.P50)+", "+hundredths(base.P99), "", "", "")
			t.row("    without in another cluster", fraction(r.Again.P50, base.P50)+", "+fraction(r.Again.P99, base.P99), "", "", "")
			for l, side := range r.Sides[withRules:] {
				t.guarded(r, withRules+level(l), side, all[0].Requests[k].Sides[withRules+level(l)])
			}
		}
	}
}

// guarded prints one side of a request. few is the same in the smallest cluster.
func (t *table) guarded(r *guarded, at level, side, few *latency) {
	name, most := fmt.Sprintf("    with %d rules about it", len(r.Rules)), fmt.Sprintf("≤ %.2f", mostGuarded)
	if at == withDefaults {
		name = fmt.Sprintf("    and with %d defaults", len(r.Defaults))
	}
	// What sets something is a service, and not the price of the rules.
	if at == withDefaults && r.Filled {
		most = ""
	}
	base := r.Sides[without]
	t.row(name+", p50", fmt.Sprintf("%s (%s)", fraction(side.P50, base.P50), hundredths(side.P50)), "", "", most)
	t.row(name+", p99", fmt.Sprintf("%s (%s)", fraction(side.P99, base.P99), hundredths(side.P99)), "", "", most)
	measured := fmt.Sprintf("%s, without %s", micros(side.Policies), micros(base.Policies))
	if side != few {
		measured += fmt.Sprintf("; ÷ fewest tenants %s", fraction(side.Policies, few.Policies))
	}
	t.row(name+", in the API server's policies", measured, "", "", "")
	t.row(name+", CPU time of the API server", fmt.Sprintf("%s (%s)", fraction(side.CPU, base.CPU), hundredths(side.CPU)), "", "", "")
}

// hundredths of milliseconds.
func hundredths(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

func micros(d time.Duration) string {
	return fmt.Sprintf("%.0f µs", float64(d)/float64(time.Microsecond))
}

func fraction(a, b time.Duration) string { return fmt.Sprintf("%.2f", ratio(a, b)) }
