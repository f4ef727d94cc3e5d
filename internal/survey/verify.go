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

package survey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/membership"
)

// Verification is what opens tenants, and who has access to them.
type Verification struct {
	// Tenants are the verdicts, in the order in which they were asked for.
	Tenants []Verdict `json:"tenants"`
	// Access is who has access to the tenants' namespaces, sorted by tenant, namespace and subject.
	Access []Access `json:"access"`
	// Considered are the APIs whose objects were weighed; NotConsidered are those that the cluster serves, that can change
	// who reaches whom, and that were not weighed.
	Considered    []string `json:"considered"`
	NotConsidered []string `json:"notConsidered"`
	// NotKnown says why NotConsidered can't be told; empty if it can.
	NotKnown string `json:"notKnown,omitempty"`
}

// Verdict says whether a tenant is isolated as its spec says.
type Verdict struct {
	// Tenant is the tenant's name.
	Tenant string `json:"tenant"`
	// Isolated says that nothing opens the tenant beyond its spec.
	Isolated bool `json:"isolated"`
	// Findings are what does, the gravest first. Their since is the time of the survey.
	Findings []v1alpha1.IsolationFinding `json:"findings"`
	// OpenBySpec are sentences that say which walls the spec itself turns off.
	OpenBySpec []string `json:"openBySpec,omitempty"`
	// Notes are sentences about namespaces that were not looked at.
	Notes []string `json:"notes,omitempty"`
}

// room is one namespace of a tenant, ready to be judged.
type room struct {
	tenant, name string
	live         *corev1.Namespace
	plan         *engine.Plan
}

// Verify judges the isolation of these tenants, by what all tenants of the cluster are meant to be. The error joins what
// could not be judged; what could is in the Verification all the same.
func (s *Survey) Verify(ctx context.Context, tenants []string) (*Verification, error) {
	judge := exposure.NewJudge(s.reader)
	if err := judge.Prime(ctx); err != nil {
		return nil, err
	}
	v := &Verification{Considered: exposure.Considered(), Access: []Access{}, NotConsidered: []string{}}
	if _, err := judge.APIs(ctx); err != nil {
		v.NotKnown = err.Error()
	}
	v.NotConsidered = append(v.NotConsidered, judge.NotConsidered()...)
	rooms, verdicts, problems, err := s.rooms(ctx, judge, tenants)
	if err != nil {
		return nil, err
	}
	for _, name := range tenants {
		verdict := verdicts[name]
		verdict.Findings = append(verdict.Findings, judge.Shared(name)...)
		for _, r := range rooms[name] {
			findings, err := judge.Judge(ctx, r.plan, r.live)
			if err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", place(name, r.name), err))
				continue
			}
			verdict.Findings = append(verdict.Findings, findings...)
			access, err := s.access(ctx, r)
			if err != nil {
				return nil, err
			}
			v.Access = append(v.Access, access...)
		}
		slices.SortStableFunc(verdict.Findings, compareFindings)
		verdict.Isolated = len(verdict.Findings) == 0
		v.Tenants = append(v.Tenants, *verdict)
	}
	return v, errors.Join(problems...)
}
