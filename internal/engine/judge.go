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

package engine

import (
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/metrics"
)

// verdict says how a live object stands to its intent.
type verdict int

const (
	// settled: the object meets the intent.
	settled verdict = iota
	// lagging: we wrote the intent and the cache doesn't show it yet. Judging now would find phantom drift.
	lagging
	// outdated: the object is missing or differs because the intent is newer (a new spec, a new operator).
	outdated
	// drifted: the object met this very intent once and doesn't any more.
	drifted
	// unmovable: the intent was applied and the API server changed nothing, yet they differ.
	unmovable
	// tolerated: all that differs is covered by rules of the Tenant.
	tolerated
)

// judgement is the verdict on one object and what it rests on.
type judgement struct {
	verdict verdict
	// missing says that there is no live object.
	missing bool
	// difference is empty if missing. What rules of the Tenant cover is not in it, but in ignored.
	difference, ignored drift.Difference
	// user is who made both, as the API server authenticated the request; empty if that isn't known.
	user string
}

// judge compares an intent with the live object from the cache; live is nil if there is none. known says that
// the object was in place before this process started, so that its absence is drift and not yet-to-do.
func (e *Engine) judge(intent *Intent, live client.Object, pass Pass) (judgement, error) {
	past, written := e.journal.get(intent.id())
	if live == nil {
		return judgeMissing(intent, past, written, pass.Known), nil
	}
	if j, told := recall(intent, live, past); told {
		return j, nil
	}
	start := time.Now()
	difference, err := e.compare(intent, live)
	metrics.Compared(intent.GVK.Kind, time.Since(start))
	if err != nil {
		return judgement{}, err
	}
	j := judgement{}
	j.difference, j.ignored = pass.Ignore.Split(intent.GVK, intent.Key, difference)
	if !difference.Empty() {
		j.user = e.culprit(intent, live, past, difference)
	}
	switch {
	case difference.Empty():
		e.journal.put(intent.id(), entry{uid: live.GetUID(), version: live.GetResourceVersion(), hash: intent.Hash, settled: true})
	case j.difference.Empty():
		j.verdict = tolerated
	case past.futile && past.is(live, intent):
		j.verdict = unmovable
	case isDrift(intent, live, written || pass.Known):
		j.verdict = drifted
	default:
		j.verdict = outdated
	}
	return j, nil
}

// compare finds what differs. If no value does, it finds what of the object our field manager lost: what is ours by
// value only would not be pruned when the spec no longer has it.
func (e *Engine) compare(intent *Intent, live client.Object) (drift.Difference, error) {
	difference, err := e.comparer.Compare(intent.Object, live)
	if err != nil || !difference.Empty() {
		return difference, err
	}
	lost, err := e.comparer.Unowned(intent.Object, live, v1alpha1.FieldManager)
	return drift.Difference{Changes: lost}, err
}

// recall judges from memory alone, if memory is enough: what the cache doesn't show yet, and what was judged before.
func recall(intent *Intent, live client.Object, past entry) (judgement, bool) {
	switch {
	case past.deleted && past.uid == live.GetUID():
		return judgement{verdict: lagging}, true // the cache doesn't show our own deletion yet
	case past.version != "" && older(live.GetResourceVersion(), past.version):
		if past.hash == intent.Hash {
			return judgement{verdict: lagging}, true
		}
		return judgement{verdict: outdated}, true
	case past.settled && past.is(live, intent):
		return judgement{verdict: settled}, true
	default:
		return judgement{}, false
	}
}

func judgeMissing(intent *Intent, past entry, written, known bool) judgement {
	switch {
	case written && past.version != "" && !past.deleted && !past.settled: // settled: the cache had shown it
		if past.hash == intent.Hash {
			return judgement{verdict: lagging, missing: true}
		}
		return judgement{verdict: outdated, missing: true}
	case past.deleted:
		return judgement{verdict: outdated, missing: true} // we deleted it ourselves, to replace it
	case written || known:
		return judgement{verdict: drifted, missing: true}
	default:
		return judgement{verdict: outdated, missing: true}
	}
}

// isDrift tells drift from spec lag. An object that carries the hash of this very intent met it once. One with
// another hash is of an older spec or operator, if the annotation is still ours; if it isn't, someone changed it.
// An object that never was ours is drift only where ours had been.
func isDrift(intent *Intent, live client.Object, known bool) bool {
	hash := live.GetAnnotations()[v1alpha1.AnnotationIntent]
	if hash == intent.Hash {
		return true
	}
	if !drift.AppliedBy(live, v1alpha1.FieldManager) {
		return known
	}
	return hash == "" || !drift.OwnsAnnotation(live, v1alpha1.FieldManager, v1alpha1.AnnotationIntent)
}

// immutable reports whether the difference can't be applied to the existing object: the role of a binding, and the
// scopes of a quota, can only change by deleting it.
func (j judgement) immutable() bool {
	for _, change := range j.difference.Changes {
		if change.Type == v1alpha1.DriftOwnershipLost {
			continue
		}
		if path := change.Path; path == "roleRef" || strings.HasPrefix(path, "roleRef.") || strings.HasPrefix(path, "spec.scopes") {
			return true
		}
	}
	return false
}
