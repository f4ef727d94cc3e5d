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

// Package membership decides whose a namespace is and what is to be done with it. It is pure: the same claims and
// the same namespace give the same decision, whatever order they come in.
package membership

import (
	"cmp"
	"slices"
	"time"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// Claim is a tenant's word on a namespace.
type Claim struct {
	// Tenant is the tenant's name.
	Tenant string
	// Created is when the tenant was created: the older tenant wins.
	Created time.Time
	// Adoption says whether the tenant may take over an existing namespace.
	Adoption v1alpha1.Adoption
}

// Tenant is what is known of a tenant that a namespace names.
type Tenant struct {
	// Name is the tenant's name.
	Name string
	// DeletionPolicy says what happens to a namespace that leaves it.
	DeletionPolicy v1alpha1.DeletionPolicy
}

// Namespace is what is known of a live namespace.
type Namespace struct {
	// Label is the value of the tenant label.
	Label string
	// LabelOurs says that Bulkhead itself set the tenant label: its field manager owns it. A label that someone
	// else wrote proves nothing.
	LabelOurs bool
	// ReleasedFrom is the former tenant, if Bulkhead released the namespace.
	ReleasedFrom string
	// Ours says that Bulkhead applied something to the Namespace itself once.
	Ours bool
	// Witness is the tenant for which Bulkhead built a wall that stands in the namespace. It is asked when the
	// Namespace itself no longer tells: one edit can strip it of all labels, and with them of our managed fields.
	Witness string
	// Terminating says that the namespace is being deleted.
	Terminating bool
}

// Action is what is to be done with a namespace.
type Action string

const (
	// None leaves the namespace alone.
	None Action = "None"
	// Ensure makes the namespace what the holder's spec says; it is created if missing, adopted if unclaimed.
	Ensure Action = "Ensure"
	// Wait waits until the namespace is gone; the holder wants it again.
	Wait Action = "Wait"
	// Release closes the doors and lets the namespace go.
	Release Action = "Release"
	// Delete closes the doors and deletes the namespace.
	Delete Action = "Delete"
)

// Decision is whose a namespace is and what is to be done with it.
type Decision struct {
	// Action is what is to be done.
	Action Action
	// Holder is the tenant for which it is done; empty for None.
	Holder string
	// Conflicts maps each tenant that claims the namespace and doesn't get it to the reason, a sentence that
	// starts with what is in the way.
	Conflicts map[string]string
}

// Holder is the tenant that the namespace itself shows to be its: by a genuine label, or else by the walls that stand
// in it. Empty if it shows none.
func (n *Namespace) Holder() string {
	switch {
	case n == nil:
		return ""
	case n.Label != "" && n.LabelOurs:
		return n.Label
	case n.ReleasedFrom != "":
		return ""
	default:
		return n.Witness
	}
}

// Decide decides on the namespace that has this name. live is nil if it doesn't exist; holder is the Tenant of
// live.Holder, nil if no such Tenant exists. Claims are those of tenants that are not being deleted.
//
// Who holds a namespace keeps it. Among tenants that both want a namespace which neither holds, the older one wins.
func Decide(live *Namespace, holder *Tenant, claims []Claim) Decision {
	claims = slices.Clone(claims)
	slices.SortFunc(claims, func(a, b Claim) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Tenant, b.Tenant))
	})
	if live == nil {
		return award(claims, oldest(claims), "")
	}
	// A label that was stripped or forged isn't believed; the walls are.
	if name := live.Holder(); name != "" && (live.LabelOurs || holder != nil || find(claims, name) >= 0) {
		return decideHeld(live, holder, claims)
	}
	if live.ReleasedFrom != "" {
		if find(claims, live.ReleasedFrom) >= 0 {
			return waitIfTerminating(live, award(claims, live.ReleasedFrom, ""))
		}
		return adopt(live, claims, "exists and was released from tenant "+live.ReleasedFrom)
	}
	if live.Ours && live.Witness == "" && len(claims) > 0 {
		// We were about to build the walls.
		return waitIfTerminating(live, award(claims, oldest(claims), ""))
	}
	return adopt(live, claims, "exists and is not held by the tenant")
}

// decideHeld decides on a namespace that shows whose it is.
func decideHeld(live *Namespace, holder *Tenant, claims []Claim) Decision {
	name := live.Holder()
	if find(claims, name) >= 0 {
		return waitIfTerminating(live, award(claims, name, ""))
	}
	if holder == nil {
		// The Tenant is gone without having released the namespace (its CRD was removed, say). Nothing is torn
		// down on such evidence; another tenant may adopt it.
		return adopt(live, claims, "exists and is labelled for tenant "+name+", which does not exist")
	}
	d := award(claims, name, "is about to leave tenant "+name)
	d.Action = Release
	if holder.DeletionPolicy == v1alpha1.DeletionDelete {
		d.Action = Delete
	}
	return d
}

// adopt lets the oldest claimant take over a namespace that nobody holds, if its spec says so.
func adopt(live *Namespace, claims []Claim, why string) Decision {
	if len(claims) == 0 {
		return Decision{Action: None}
	}
	if claims[0].Adoption == v1alpha1.AdoptionIfUnclaimed {
		return waitIfTerminating(live, award(claims, claims[0].Tenant, ""))
	}
	d := award(claims, "", "")
	d.Action, d.Holder = None, ""
	d.Conflicts[claims[0].Tenant] = why + "; set adoption: IfUnclaimed to take it over"
	for _, claim := range claims[1:] {
		d.Conflicts[claim.Tenant] = "is claimed by the older tenant " + claims[0].Tenant
	}
	return d
}

// award gives the namespace to the holder and tells the others why not.
func award(claims []Claim, holder, why string) Decision {
	d := Decision{Action: Ensure, Holder: holder, Conflicts: map[string]string{}}
	if holder == "" {
		d.Action = None
	}
	if why == "" {
		why = "is held by tenant " + holder
	}
	for _, claim := range claims {
		if claim.Tenant != holder {
			d.Conflicts[claim.Tenant] = why
		}
	}
	return d
}

func waitIfTerminating(live *Namespace, d Decision) Decision {
	if live.Terminating && d.Action == Ensure {
		d.Action = Wait
	}
	return d
}

func oldest(claims []Claim) string {
	if len(claims) == 0 {
		return ""
	}
	return claims[0].Tenant
}

func find(claims []Claim, tenant string) int {
	return slices.IndexFunc(claims, func(c Claim) bool { return c.Tenant == tenant })
}
