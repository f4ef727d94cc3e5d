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
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// eyes see from outside, through watches of their own, what comes into being. They are open in every measurement, so
// that what they cost the API server is on both sides of a ratio.
type eyes struct {
	mu sync.Mutex
	// missing are the objects that are still to come, and unready the tenants that aren't Ready yet.
	missing map[string]bool
	unready map[string]bool
	// there and ready receive, once, when the last one came.
	there, ready chan time.Time
	fail         chan error
	close        context.CancelFunc
}

// open starts to watch. Close it.
func (w *world) open(ctx context.Context) (*eyes, error) {
	ctx, cancel := context.WithCancel(ctx)
	e := &eyes{missing: map[string]bool{}, unready: map[string]bool{}, close: cancel,
		there: make(chan time.Time, 1), ready: make(chan time.Time, 1), fail: make(chan error, 1)}
	kinds := map[schema.GroupVersionKind]bool{}
	for _, intent := range w.intents {
		kinds[intent.GVK] = true
		e.missing[intent.String()] = true
	}
	for _, tenant := range w.tenants {
		e.unready[tenant.Name] = true
	}
	for gvk := range kinds {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err := e.follow(ctx, w.Admin, list, func(o client.Object) { e.saw(gvk.Kind, o) }); err != nil {
			cancel()
			return nil, err
		}
	}
	if err := e.follow(ctx, w.Admin, &v1alpha1.TenantList{}, e.judged); err != nil {
		cancel()
		return nil, err
	}
	return e, nil
}

// follow calls back for every object of a kind that is made or changed. The API server ends the watch of a client that
// doesn't keep up, as it may in a burst: then follow looks at what is there and watches on.
func (e *eyes) follow(ctx context.Context, c client.WithWatch, list client.ObjectList, saw func(client.Object)) error {
	stream, err := watchFromNow(ctx, c, list)
	if err != nil {
		return err
	}
	go func() {
		for err == nil {
			drain(stream, saw)
			if ctx.Err() != nil {
				return
			}
			if stream, err = watchFromNow(ctx, c, list); err == nil {
				err = meta.EachListItem(list, func(item runtime.Object) error {
					if object, ok := item.(client.Object); ok {
						saw(object)
					}
					return nil
				})
			}
		}
		e.give(err)
	}()
	return nil
}

// drain calls back for what a watch shows until it ends.
func drain(stream watch.Interface, saw func(client.Object)) {
	defer stream.Stop()
	for event := range stream.ResultChan() {
		if object, ok := event.Object.(client.Object); ok && (event.Type == watch.Added || event.Type == watch.Modified) {
			saw(object)
		}
	}
}

// watchFromNow lists, and watches from there on.
func watchFromNow(ctx context.Context, c client.WithWatch, list client.ObjectList) (watch.Interface, error) {
	if err := c.List(ctx, list); err != nil {
		return nil, fmt.Errorf("listing %T: %w", list, err)
	}
	stream, err := c.Watch(ctx, list, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}})
	if err != nil {
		return nil, fmt.Errorf("watching %T: %w", list, err)
	}
	return stream, nil
}

func (e *eyes) give(err error) {
	select {
	case e.fail <- err:
	default:
	}
}

// saw notes an object.
func (e *eyes) saw(kind string, object client.Object) {
	name := kind + " " + object.GetName()
	if object.GetNamespace() != "" {
		name = kind + " " + object.GetNamespace() + "/" + object.GetName()
	}
	e.mark(e.missing, name, e.there)
}

// judged notes a Tenant that is Ready.
func (e *eyes) judged(object client.Object) {
	tenant, ok := object.(*v1alpha1.Tenant)
	if ok && tenant.Status.ObservedGeneration == tenant.Generation &&
		meta.IsStatusConditionTrue(tenant.Status.Conditions, v1alpha1.ConditionReady) {
		e.mark(e.unready, tenant.Name, e.ready)
	}
}

func (e *eyes) mark(awaited map[string]bool, name string, done chan<- time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !awaited[name] {
		return
	}
	if delete(awaited, name); len(awaited) == 0 {
		done <- time.Now()
	}
}

// until waits for one of the channels. The error says what is still missing.
func (e *eyes) until(ctx context.Context, done <-chan time.Time) (time.Time, error) {
	select {
	case at := <-done:
		return at, nil
	case err := <-e.fail:
		return time.Time{}, err
	case <-ctx.Done():
		e.mu.Lock()
		defer e.mu.Unlock()
		return time.Time{}, errors.Join(ctx.Err(), fmt.Errorf("%d objects are missing and %d tenants are not Ready, among them %v and %v",
			len(e.missing), len(e.unready), some(e.missing), some(e.unready)))
	}
}

func some(names map[string]bool) []string {
	var few []string
	for name := range names {
		if few = append(few, name); len(few) == 3 {
			break
		}
	}
	return few
}
