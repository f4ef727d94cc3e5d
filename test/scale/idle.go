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
	"fmt"
	"time"

	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
)

// look is how often idle looks, and so how exact it is. Gathering metrics is not free.
const look = 100 * time.Millisecond

// idle waits until the operator in this process has made so many passes over namespaces (counted since the process
// began), its queues are empty, no worker is busy and no request was made for a while. It returns when the
// operator was last seen busy.
func idle(ctx context.Context, rec *recorder, namespacePasses int) (time.Time, error) {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	busyAt := time.Now()
	for {
		busy, err := busy(namespacePasses)
		if err != nil {
			return time.Time{}, err
		}
		if busy {
			busyAt = time.Now()
		}
		if last := rec.last(); last.After(busyAt) {
			busyAt = last
		}
		if time.Since(busyAt) >= quiet {
			return busyAt, nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("waiting until the operator is idle: %w", context.Cause(ctx))
		}
	}
}

// busy says whether the operator has something to do now, or has not done enough yet. What is queued for later isn't
// seen: that is what the quiet time is for.
func busy(namespacePasses int) (bool, error) {
	done, err := passes()
	if err != nil || done.namespaces < namespacePasses {
		return true, err
	}
	for _, name := range []string{"workqueue_depth", "controller_runtime_active_workers"} {
		if value, err := metric(name, ""); err != nil || value > 0 {
			return true, err
		}
	}
	return false, nil
}

// done is how many reconciliations each controller has made since the process began.
type done struct{ namespaces, tenants int }

func passes() (done, error) {
	namespaces, err := metric("controller_runtime_reconcile_total", "namespace")
	if err != nil {
		return done{}, err
	}
	tenants, err := metric("controller_runtime_reconcile_total", "tenant")
	return done{int(namespaces), int(tenants)}, err
}

// metric adds up a metric of this process, of one controller or (if it is "") of all.
func metric(name, controller string) (float64, error) {
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		return 0, fmt.Errorf("reading metrics: %w", err)
	}
	total := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			matches := controller == ""
			for _, label := range m.GetLabel() {
				matches = matches || label.GetName() == "controller" && label.GetValue() == controller
			}
			if matches {
				total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return total, nil
}
