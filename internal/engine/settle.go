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
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/metrics"
)

// result is what became of one intent.
type result struct {
	intent *Intent
	// live is the object as the cache shows it, or nil.
	live client.Object
	// lagging says that the cache doesn't show our own last write yet.
	lagging bool
	// written says that the API server was told to change the object, and did.
	written bool
	// version is the resource version after the write.
	version string
	// drift is set if the object had drifted, or differs and is only observed.
	drift *v1alpha1.DriftReportItem
	// ignored is what differs and rules of the Tenant cover; nil if nothing.
	ignored *v1alpha1.DriftReportItem
	// retry is when to look again although nothing may change until then; zero for never.
	retry time.Duration
	// waits says on what the object waits before anything can be done about it; empty if on nothing.
	waits string
	// unchecked says that err is a failed comparison.
	unchecked bool
	err       error
}

// open reports whether the object still differs from its intent.
func (r *result) open() bool { return r.drift != nil && r.drift.Action != v1alpha1.DriftCorrected }

// stands reports whether the object is what it must be, as far as is known.
func (r *result) stands() bool { return r.err == nil && !r.open() && r.waits == "" }

// settle judges one object and, in mode Enforce, corrects it.
func (r *run) settle(ctx context.Context, intent *Intent) result {
	res := result{intent: intent, live: r.live[intent.id()]}
	if leaving(res.live) && intent.GVK != namespaceGVK {
		res.drift, res.retry = Stuck(intent.reference(), res.live.GetDeletionTimestamp(), r.engine.now())
		if !r.observing() {
			res.waits = "is being deleted, which waits for finalizers: " + strings.Join(res.live.GetFinalizers(), ", ")
			return res
		}
	}
	j, err := r.engine.judge(intent, res.live, r.pass)
	if err != nil {
		res.err = fmt.Errorf("comparing %s: %w", intent, err)
		res.unchecked = true
		return res
	}
	if !j.ignored.Empty() {
		res.ignored = judgement{difference: j.ignored, user: j.user}.describe(intent, res.live, r.engine.now())
		res.ignored.Action = v1alpha1.DriftIgnored
	}
	res.lagging = j.verdict == lagging
	if j.verdict == settled || j.verdict == lagging || j.verdict == tolerated {
		return res
	}
	r.act(ctx, &res, j)
	return res
}

// act does about a difference what the mode allows, and notes it in the result.
func (r *run) act(ctx context.Context, res *result, j judgement) {
	withdraws := j.verdict == outdated && !r.pass.DryRun && r.engine.narrows(res.intent, res.live)
	report := r.observing() && !withdraws
	if report || j.verdict == unmovable || j.verdict == drifted {
		res.drift = j.describe(res.intent, res.live, r.engine.now())
		res.drift.Action = v1alpha1.DriftReported
	}
	switch {
	case j.verdict == unmovable:
		res.drift.Action = v1alpha1.DriftFailed
	case report:
	case j.verdict == drifted && r.engine.backsOff(res, j):
	default:
		r.mend(ctx, res, j)
	}
}

// backsOff decides whether the correction of a drifted object must wait, because someone undoes each one.
func (e *Engine) backsOff(res *result, j judgement) bool {
	wait, contested := e.fights.Wait(fightOf(res, j), res.drift.Severity)
	if contested {
		res.drift.Type = v1alpha1.DriftContested
	}
	if wait <= 0 {
		return false
	}
	res.drift.Action, res.retry = v1alpha1.DriftBackoff, wait
	return true
}

// fightOf is over what, and with whom, a correction would be a fight.
func fightOf(res *result, j judgement) drift.FightKey {
	object := drift.FightObject{GVK: res.intent.GVK, Key: res.intent.Key}
	return drift.NewFightKey(object, j.difference, res.drift.Attribution.Manager)
}

// mend corrects what was judged and notes in the result what became of it.
func (r *run) mend(ctx context.Context, res *result, j judgement) {
	start := r.engine.now()
	written, err := r.engine.correct(ctx, res.intent, res.live, j)
	if errors.Is(err, errChangedMeanwhile) {
		res.drift, res.lagging = nil, true // the watch will bring the newer object, which is then judged
		return
	}
	res.err = err
	if err == nil {
		res.written, res.version = true, written.ResourceVersion
	}
	if res.drift == nil {
		return
	}
	metrics.DriftDetected(res.intent.GVK.Kind, res.drift.Type)
	metrics.DriftCorrected(res.intent.GVK.Kind, err, r.engine.now().Sub(start))
	res.drift.Action = v1alpha1.DriftCorrected
	if err != nil {
		res.drift.Action = v1alpha1.DriftFailed
		return
	}
	r.engine.fights.Corrected(fightOf(res, j))
}

// leaving reports whether an object is being deleted: it can't be mended any more, and its finalizers aren't ours to
// strip.
func leaving(live client.Object) bool { return live != nil && live.GetDeletionTimestamp() != nil }

// correct writes what differs, and no more.
func (e *Engine) correct(ctx context.Context, intent *Intent, live client.Object, j judgement) (*metav1.PartialObjectMetadata, error) {
	id := intent.id()
	e.journal.begin(id)
	defer e.journal.end(id)
	if live != nil && j.immutable() {
		if err := e.remove(ctx, id, live); err != nil {
			return nil, err
		}
		if len(live.GetFinalizers()) > 0 {
			return nil, errChangedMeanwhile // it is not gone yet
		}
		live = nil
	}
	judged := identityOf(live)
	if live != nil {
		if pointers := j.difference.InjectedPointers(); len(pointers) > 0 {
			patched, err := e.clear(ctx, intent, live, j, pointers)
			switch {
			case apierrors.IsForbidden(err) && intent.GVK.Group == rbacv1.GroupName:
				// What is left for a moment would grant more than we may grant: only a new object will do.
				if err := e.remove(ctx, id, live); err != nil {
					return nil, err
				}
				live, judged = nil, identity{}
			case err != nil:
				return nil, err
			case e.mustApply(intent, j):
				judged.version = patched.ResourceVersion
			default:
				e.journal.put(id, entry{uid: patched.UID, version: patched.ResourceVersion, hash: intent.Hash})
				return patched, nil
			}
		}
	}
	applied, err := e.applyOver(ctx, intent.leaving(j.ignored), protects(intent, j, judged))
	if err != nil {
		return nil, err
	}
	futile := live != nil && live.GetResourceVersion() == applied.ResourceVersion
	e.journal.put(id, entry{uid: applied.UID, version: applied.ResourceVersion, hash: intent.Hash, futile: futile})
	return applied, nil
}

// clear removes what was added to an object. Where that alone would leave what the API server refuses (a Gateway of which
// each listener was replaced has none then), the whole spec of an object of an optional kind becomes what it must be.
func (e *Engine) clear(
	ctx context.Context, intent *Intent, live client.Object, j judgement, pointers []string,
) (*metav1.PartialObjectMetadata, error) {
	version := live.GetResourceVersion()
	patched, err := e.writer.removePaths(ctx, intent.id(), version, pointers)
	if apierrors.IsInvalid(err) && Optional(e.scheme, intent.GVK) && j.ignored.Empty() {
		return e.writer.replaceSpec(ctx, intent, version)
	}
	return patched, err
}

// mustApply reports whether an object is still to be applied after what was added to it is gone. Of an optional kind it
// always is: whoever adds something to a map that the CRD calls atomic takes the ownership of all of it.
func (e *Engine) mustApply(intent *Intent, j judgement) bool {
	return !j.difference.OnlyInjected() || Optional(e.scheme, intent.GVK)
}

// protects is what of the judged object a correction must not be made over: what someone did since would be undone
// without having been seen. What isn't drift was to be written over anyway. Of a quota only the object itself counts,
// because it has a new version with every pod that is counted, of which the watches don't tell.
func protects(intent *Intent, j judgement, judged identity) identity {
	if j.verdict != drifted {
		return identity{}
	}
	if intent.GVK.Kind == "ResourceQuota" {
		judged.version = ""
	}
	return judged
}

// applyOver applies an intent to the object, and the version of it, that is to be protected. If there is a newer one, it
// is left to be judged; but only once, as whoever writes all the time must not keep us from ever correcting.
func (e *Engine) applyOver(ctx context.Context, intent *Intent, judged identity) (*metav1.PartialObjectMetadata, error) {
	id := intent.id()
	if judged != (identity{}) && !e.journal.raced(id, true) {
		applied, err := e.writer.apply(ctx, intent.at(judged))
		if apierrors.IsConflict(err) {
			return nil, errChangedMeanwhile
		}
		if err == nil {
			e.journal.raced(id, false)
		}
		return applied, err
	}
	applied, err := e.writer.apply(ctx, intent)
	if err == nil {
		e.journal.raced(id, false)
	}
	return applied, err
}
