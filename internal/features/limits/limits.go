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

package limits

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// name is the name of the LimitRange.
const name = "bulkhead"

// Room renders a LimitRange.
type Room struct{}

var _ feature.Feature = Room{}

// Name implements feature.Feature.
func (Room) Name() string { return "limits" }

// Condition implements feature.Feature.
func (Room) Condition() string { return v1alpha1.ConditionLimitsReady }

// Field implements feature.Explained.
func (Room) Field() string { return "spec.limits" }

// Owns implements feature.Feature.
func (Room) Owns() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{corev1.SchemeGroupVersion.WithKind("LimitRange")}
}

// Render returns the LimitRange, its items sorted by type, or nothing without items. It never fails: whether
// min, default and max fit together is for the API server to say.
func (Room) Render(f feature.Facts) (feature.Result, error) {
	if len(f.Policy.Limits) == 0 {
		return feature.Result{}, nil
	}
	items := slices.Clone(f.Policy.Limits)
	slices.SortStableFunc(items, func(a, b v1alpha1.LimitItem) int { return cmp.Compare(a.Type, b.Type) })
	spec := corev1ac.LimitRangeSpec()
	for _, item := range items {
		spec.WithLimits(render(item))
	}
	return feature.Result{Walls: []feature.Object{corev1ac.LimitRange(name, f.Namespace).WithSpec(spec)}}, nil
}

// render returns the item as the API server stores it. An empty list of resources is left out, because the
// server doesn't store one.
func render(item v1alpha1.LimitItem) *corev1ac.LimitRangeItemApplyConfiguration {
	limits, requests := feature.Canonical(item.Default), feature.Canonical(item.DefaultRequest)
	maximum, minimum := feature.Canonical(item.Max), feature.Canonical(item.Min)
	if item.Type == corev1.LimitTypeContainer {
		// The order matters and is the server's (SetDefaults_LimitRangeItem):
		// https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/apis/core/v1/defaults.go#L402-L432
		fill(limits, maximum)
		fill(requests, limits)
		fill(requests, minimum)
	}
	out := corev1ac.LimitRangeItem().WithType(item.Type)
	for _, part := range []struct {
		list corev1.ResourceList
		set  func(corev1.ResourceList) *corev1ac.LimitRangeItemApplyConfiguration
	}{
		{maximum, out.WithMax},
		{minimum, out.WithMin},
		{limits, out.WithDefault},
		{requests, out.WithDefaultRequest},
		{feature.Canonical(item.MaxLimitRequestRatio), out.WithMaxLimitRequestRatio},
	} {
		if len(part.list) > 0 {
			part.set(part.list)
		}
	}
	return out
}

// fill adds to list what only from has.
func fill(list, from corev1.ResourceList) {
	for key, value := range from {
		if _, set := list[key]; !set {
			list[key] = value.DeepCopy()
		}
	}
}
