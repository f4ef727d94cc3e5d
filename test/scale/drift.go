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
	"math/rand/v2"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// correctable bounds the wait for one correction.
const correctable = 30 * time.Second

// drifting is what was measured of the correction of foreign edits.
type drifting struct {
	Corrections int `json:"corrections"`
	// P50 and P99 are of the time from the answer to the edit until a watch from outside showed the correction.
	P50 time.Duration `json:"p50Nanoseconds"`
	P99 time.Duration `json:"p99Nanoseconds"`
	// Requests are those from the first edit until the operator was idle again.
	Requests tally `json:"requests"`
}

// sight is a NetworkPolicy as a watch showed it, and when.
type sight struct {
	at     time.Time
	policy *networkingv1.NetworkPolicy
}

// drift opens NetworkPolicies to everyone, one after another, and measures how long it takes until they are closed.
func (b *bench) drift(ctx context.Context, w *world, rec *recorder) (*drifting, error) {
	if b.corrections == 0 {
		return nil, nil
	}
	b.say("%s: making %d foreign edits", w.size, b.corrections)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	policies := &networkingv1.NetworkPolicyList{}
	stream, err := watchFromNow(ctx, w.Admin, policies)
	if err != nil {
		return nil, err
	}
	defer stream.Stop()
	sights := make(chan sight, 1024)
	go see(ctx, stream, sights)

	// The same objects in every run, and none twice while there are others: the same edit again and again is a fight.
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(policies.Items))
	mark := rec.mark()
	var times []time.Duration
	for i := range b.corrections {
		policy := &policies.Items[order[i%len(order)]]
		took, err := w.edit(ctx, policy, sights)
		if err != nil {
			return nil, err
		}
		times = append(times, took)
	}
	if _, err := idle(ctx, rec, 0); err != nil {
		return nil, err
	}
	return &drifting{Corrections: len(times), P50: percentile(times, 0.5), P99: percentile(times, 0.99), Requests: sum(rec.since(mark))}, nil
}

// see passes on what the watch shows. It ends, and closes the channel, with the watch.
func see(ctx context.Context, stream watch.Interface, sights chan<- sight) {
	defer close(sights)
	for event := range stream.ResultChan() {
		policy, ok := event.Object.(*networkingv1.NetworkPolicy)
		if !ok || event.Type != watch.Modified {
			continue
		}
		select {
		case sights <- sight{time.Now(), policy}:
		case <-ctx.Done():
			return
		}
	}
}

// edit lets everyone in where the policy stands, and waits until it is as it was.
func (w *world) edit(ctx context.Context, policy *networkingv1.NetworkPolicy, sights <-chan sight) (time.Duration, error) {
	key := client.ObjectKeyFromObject(policy)
	edited := &networkingv1.NetworkPolicy{}
	edited.Namespace, edited.Name = key.Namespace, key.Name
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"ingress":[{}]}}`))
	if err := w.Admin.Patch(ctx, edited, patch, client.FieldOwner("stranger")); err != nil {
		return 0, fmt.Errorf("editing NetworkPolicy %s: %w", key, err)
	}
	answered := time.Now()
	timer := time.NewTimer(correctable)
	defer timer.Stop()
	for {
		select {
		case s, ok := <-sights:
			if !ok {
				return 0, errors.New("watching NetworkPolicies: the watch ended")
			}
			if client.ObjectKeyFromObject(s.policy) == key && corrected(policy, edited, s.policy) {
				return max(s.at.Sub(answered), 0), nil
			}
		case <-timer.C:
			return 0, fmt.Errorf("NetworkPolicy %s was not corrected within %s", key, correctable)
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// corrected says whether what is seen is later than the edit and what was there before.
func corrected(before, edited, seen *networkingv1.NetworkPolicy) bool {
	order, err := resourceversion.CompareResourceVersion(seen.ResourceVersion, edited.ResourceVersion)
	return err == nil && order > 0 && equality.Semantic.DeepEqual(seen.Spec, before.Spec) &&
		seen.Annotations[v1alpha1.AnnotationIntent] == before.Annotations[v1alpha1.AnnotationIntent]
}
