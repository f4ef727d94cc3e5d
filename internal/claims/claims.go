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

// Package claims decides who has what only one tenant can have: hostnames and source addresses. Of two tenants that claim
// the same, the older one has it. It is pure: it knows what it is told.
package claims

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// Claimant is what a tenant claims.
type Claimant struct {
	// Tenant is the tenant's name.
	Tenant string
	// Created is when the Tenant was created. Of two that are of the same second, the one whose name comes first is the
	// older one.
	Created time.Time
	// Hostnames are exact names and wildcards ("*.example.com"), which stand for all names below.
	Hostnames []string
	// Addresses are IP addresses. What is none is claimed as it is written.
	Addresses []string
}

func (c *Claimant) older(than *Claimant) bool {
	return cmp.Or(c.Created.Compare(than.Created), strings.Compare(c.Tenant, than.Tenant)) < 0
}

// Book holds the claims of all tenants. The work of a change is that of the claims that overlap with it. It is safe for
// concurrent use.
type Book struct {
	mu        sync.RWMutex
	claimants map[string]*Claimant
	// by finds the tenants that made a claim, by the key of the claim.
	by map[string]map[string]bool
	// below finds the hostnames that are claimed below a domain.
	below map[string]map[string]bool
}

// NewBook makes an empty book.
func NewBook() *Book {
	return &Book{claimants: map[string]*Claimant{}, by: map[string]map[string]bool{}, below: map[string]map[string]bool{}}
}

// Put takes a tenant's claims in place of those that it had, and returns the other tenants that have to do with either,
// sorted.
func (b *Book) Put(c Claimant) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	rivals := b.drop(c.Tenant)
	if len(c.Hostnames)+len(c.Addresses) > 0 {
		c.Hostnames, c.Addresses = slices.Clone(c.Hostnames), slices.Clone(c.Addresses)
		b.claimants[c.Tenant] = &c
		for key := range c.keys() {
			insert(b.by, key, c.Tenant)
		}
		for _, hostname := range c.Hostnames {
			for domain := range parents(hostname) {
				insert(b.below, domain, hostname)
			}
		}
		maps.Copy(rivals, b.rivals(&c))
	}
	return slices.Sorted(maps.Keys(rivals))
}

// Delete forgets a tenant and returns the other tenants that had to do with its claims, sorted.
func (b *Book) Delete(tenant string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.drop(tenant)))
}

// drop removes a tenant's claims and returns its rivals.
func (b *Book) drop(tenant string) map[string]bool {
	c, ok := b.claimants[tenant]
	if !ok {
		return map[string]bool{}
	}
	rivals := b.rivals(c)
	delete(b.claimants, tenant)
	for key := range c.keys() {
		remove(b.by, key, tenant)
	}
	for _, hostname := range c.Hostnames {
		if len(b.by[hostname]) > 0 {
			continue // someone else claims it, too
		}
		for domain := range parents(hostname) {
			remove(b.below, domain, hostname)
		}
	}
	return rivals
}

// Taken is what of a tenant's claims an older tenant has.
func (b *Book) Taken(tenant string) feature.Claims {
	b.mu.RLock()
	defer b.mu.RUnlock()
	c, ok := b.claimants[tenant]
	if !ok {
		return feature.Claims{}
	}
	taken, has := feature.Claims{Hostnames: map[string]string{}, Addresses: map[string]string{}}, map[claim]bool{}
	for _, hostname := range c.Hostnames {
		if holder := b.holder(c, hostname, has); holder != "" {
			taken.Hostnames[hostname] = holder
		}
	}
	for _, address := range c.Addresses {
		if holder := b.holder(c, addressKey(address), has); holder != "" {
			taken.Addresses[address] = holder
		}
	}
	return taken
}

// claim is what one tenant claims.
type claim struct{ tenant, key string }

// holder is the oldest of the older tenants that has something that overlaps with a claim; empty if there is none. What a
// tenant claims and doesn't have itself keeps nobody from having it. has remembers who has what.
func (b *Book) holder(c *Claimant, key string, has map[claim]bool) string {
	var holder *Claimant
	for _, other := range b.overlapping(key) {
		for tenant := range b.by[other] {
			rival := b.claimants[tenant]
			if !rival.older(c) || holder != nil && !rival.older(holder) {
				continue
			}
			id := claim{tenant, other}
			if _, known := has[id]; !known {
				has[id] = b.holder(rival, other, has) == ""
			}
			if has[id] {
				holder = rival
			}
		}
	}
	if holder == nil {
		return ""
	}
	return holder.Tenant
}

// rivals are the other tenants that have to do with a tenant's claims: those that claim something that overlaps with them,
// and in turn those that have to do with theirs, because what one of them gets may be what another one loses.
func (b *Book) rivals(c *Claimant) map[string]bool {
	rivals := map[string]bool{c.Tenant: true}
	for next := []*Claimant{c}; len(next) > 0; next = next[1:] {
		for key := range next[0].keys() {
			for _, other := range b.overlapping(key) {
				for tenant := range b.by[other] {
					if !rivals[tenant] {
						rivals[tenant] = true
						next = append(next, b.claimants[tenant])
					}
				}
			}
		}
	}
	delete(rivals, c.Tenant)
	return rivals
}

// overlapping are the keys of the claims that can't be had beside one, itself among them.
func (b *Book) overlapping(key string) []string {
	keys := []string{key}
	if strings.HasPrefix(key, addressPrefix) {
		return keys
	}
	for domain := range parents(key) {
		if wildcard := "*." + domain; wildcard != key {
			keys = append(keys, wildcard)
		}
	}
	if domain, isWildcard := strings.CutPrefix(key, "*."); isWildcard {
		for hostname := range b.below[domain] {
			if hostname != key {
				keys = append(keys, hostname)
			}
		}
	}
	return keys
}

// addressPrefix starts the key of an address; no hostname has a slash.
const addressPrefix = "address/"

// addressKey is the same for all spellings of an address.
func addressKey(address string) string {
	parsed, err := netip.ParseAddr(address)
	if err != nil {
		return addressPrefix + address
	}
	return addressPrefix + parsed.Unmap().String()
}

// keys are the keys of all claims.
func (c *Claimant) keys() map[string]bool {
	keys := map[string]bool{}
	for _, hostname := range c.Hostnames {
		keys[hostname] = true
	}
	for _, address := range c.Addresses {
		keys[addressKey(address)] = true
	}
	return keys
}

// parents are the domains that a hostname is below of: example.com and com for a.example.com, and for *.example.com.
func parents(hostname string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for {
			_, domain, found := strings.Cut(hostname, ".")
			if !found || !yield(domain) {
				return
			}
			hostname = domain
		}
	}
}

func insert(in map[string]map[string]bool, key, value string) {
	if in[key] == nil {
		in[key] = map[string]bool{}
	}
	in[key][value] = true
}

func remove(in map[string]map[string]bool, key, value string) {
	delete(in[key], value)
	if len(in[key]) == 0 {
		delete(in, key)
	}
}
