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
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/isolation"
)

// judged is the cluster in which isolation is judged: 3,000 namespaces.
var judged = size{1000, 3}

// judging is what was measured of judging isolation, in memory and without a control plane.
type judging struct {
	Size size `json:"size"`
	// P50 and P99 are of the time to judge a namespace again after one of its policies changed.
	P50 time.Duration `json:"p50Nanoseconds"`
	P99 time.Duration `json:"p99Nanoseconds"`
	// HeapPerNamespace is what the judge remembers, in bytes for each namespace.
	HeapPerNamespace int `json:"heapBytesPerNamespace"`
}

// judge measures how long it takes to judge a namespace again, in a cluster of many, after someone else's policy
// appeared in it.
func judge(corrections int) (*judging, error) {
	policies, err := policiesOf(tenants("team", judged))
	if err != nil {
		return nil, err
	}
	before := heap()
	directory := isolation.NewDirectory()
	names := make([]string, 0, len(policies))
	for _, tenant := range tenants("team", judged) {
		for _, namespace := range tenant.Spec.Namespaces {
			labels := map[string]string{"kubernetes.io/metadata.name": namespace.Name, v1alpha1.LabelTenant: tenant.Name}
			directory.Put(isolation.Namespace{Name: namespace.Name, Tenant: tenant.Name, Labels: labels, Intended: labels})
			in := isolation.NetworkInput{Tenant: tenant.Name, Namespace: namespace.Name, Spec: policies[namespace.Name], Live: policies[namespace.Name]}
			if found := isolation.Network(directory, in); len(found) > 0 {
				return nil, fmt.Errorf("judging %s, where nothing is open: %s", namespace.Name, found[0].Message)
			}
			names = append(names, namespace.Name)
		}
	}
	result := &judging{Size: judged, HeapPerNamespace: max(heap()-before, 0) / len(names)}
	open := &networkingv1.NetworkPolicy{Spec: networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{}}}}
	open.Name = "open"
	random := rand.New(rand.NewPCG(1, 2))
	var times []time.Duration
	for range max(corrections, 100) {
		name := names[random.IntN(len(names))]
		in := isolation.NetworkInput{Tenant: policies[name][0].Labels[v1alpha1.LabelTenant], Namespace: name, Spec: policies[name]}
		open.Namespace = name
		in.Live = append(append(in.Live, policies[name]...), open)
		start := time.Now()
		found := isolation.Network(directory, in)
		times = append(times, time.Since(start))
		if len(found) != 1 {
			return nil, fmt.Errorf("judging %s, which is open to everybody: %d findings", name, len(found))
		}
	}
	result.P50, result.P99 = percentile(times, 0.5), percentile(times, 0.99)
	runtime.KeepAlive(directory)
	return result, nil
}

func heap() int {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

// policiesOf are the policies that the tenants' namespaces are given, by namespace.
func policiesOf(all []*v1alpha1.Tenant) (map[string][]*networkingv1.NetworkPolicy, error) {
	made, err := intents(all, facts.Options{DNS: feature.DNS{
		Namespace: "kube-system", PodLabels: map[string]string{"k8s-app": "kube-dns"}, Ports: []int32{53},
	}})
	if err != nil {
		return nil, err
	}
	policies := map[string][]*networkingv1.NetworkPolicy{}
	for _, intent := range made {
		if intent.GVK.Kind != "NetworkPolicy" {
			continue
		}
		policy := &networkingv1.NetworkPolicy{}
		if err := k8sruntime.DefaultUnstructuredConverter.FromUnstructured(intent.Object.Object, policy); err != nil {
			return nil, fmt.Errorf("reading %s: %w", intent, err)
		}
		policies[intent.Key.Namespace] = append(policies[intent.Key.Namespace], policy)
	}
	return policies, nil
}
