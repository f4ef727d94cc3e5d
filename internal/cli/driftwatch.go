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

package cli

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

const (
	// settleTime is how long changes are collected before all is read again: one edit makes several.
	settleTime = 200 * time.Millisecond
	// watchAgain is how long to wait before a watch that ended is opened anew.
	watchAgain = time.Second
	// lookAgain is how often to look at what may be read and not watched, for each 100 namespaces.
	lookAgain = 5 * time.Second
	// maxWatches bounds the watches on single namespaces.
	maxWatches = 32
)

// follow reads what was reported, and reads it again whenever something changes, until the context ends. tell gets what
// can only be looked at now and then.
func (s *driftSource) follow(ctx context.Context, show func(*driftView) error, tell func(notes ...string)) error {
	view, err := s.read(ctx)
	if err != nil {
		return err
	}
	tell(view.notes...)
	if err := show(view); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changed := s.changes(ctx, view.namespaces, tell)
	settled := time.NewTimer(0)
	defer settled.Stop()
	<-settled.C
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
			settled.Reset(settleTime)
			continue
		case <-settled.C:
		}
		view, err := s.read(ctx)
		switch {
		case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
			return err
		case err != nil:
			tell(err.Error())
			settled.Reset(lookAgain)
		default:
			if err := show(view); err != nil {
				return err
			}
		}
	}
}

// changes opens the watches and returns a channel that tells when something changed.
func (s *driftSource) changes(ctx context.Context, namespaces []string, tell func(notes ...string)) <-chan struct{} {
	changed := make(chan struct{}, 1)
	var named []client.ListOption
	if s.tenant != "" {
		named = append(named, client.MatchingFields{metav1.ObjectNameField: s.tenant})
	}
	every := lookAgain * time.Duration(1+len(namespaces)/100)
	polls := !s.watch(ctx, changed, &v1alpha1.TenantList{}, named...)
	if !s.watch(ctx, changed, &v1alpha1.DriftReportList{}, named...) {
		polls = polls || len(namespaces) > maxWatches
		for _, namespace := range namespaces[:min(len(namespaces), maxWatches)] {
			if !s.watch(ctx, changed, &v1alpha1.DriftReportList{}, append([]client.ListOption{client.InNamespace(namespace)}, named...)...) {
				polls = true
			}
		}
	}
	if polls {
		tell(fmt.Sprintf("you may not watch all of it: it is looked at every %s", every))
		go wait.UntilWithContext(ctx, func(context.Context) { signal(changed) }, every)
	}
	return changed
}

// watch watches a kind until the context ends, and reports whether that is allowed.
func (s *driftSource) watch(ctx context.Context, changed chan<- struct{}, list client.ObjectList, opts ...client.ListOption) bool {
	first, err := s.client.Watch(ctx, list, opts...)
	if apierrors.IsForbidden(err) {
		return false
	}
	go func() {
		watching := first
		wait.UntilWithContext(ctx, func(ctx context.Context) {
			if watching == nil {
				again, err := s.client.Watch(ctx, list, opts...)
				if err != nil {
					return // the API server is away for a moment; what may have been missed is read once it is back
				}
				watching = again
				signal(changed)
			}
			drain(ctx, watching, changed)
			watching = nil
		}, watchAgain)
	}()
	return true
}

// drain tells of every event until the watch, or the context, ends.
func drain(ctx context.Context, watching watch.Interface, changed chan<- struct{}) {
	defer watching.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-watching.ResultChan():
			if !open {
				return
			}
			signal(changed)
		}
	}
}

// signal tells that something changed, unless that is known already.
func signal(changed chan<- struct{}) {
	select {
	case changed <- struct{}{}:
	default:
	}
}
