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

package exposure

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/internal/isolation"
)

// +kubebuilder:rbac:groups=policy.networking.k8s.io,resources=clusternetworkpolicies;adminnetworkpolicies;baselineadminnetworkpolicies,verbs=list;watch

// clusterPolicies are those of one kind that the directory was told of.
type clusterPolicies struct {
	// known are their names, unreadable those of objects that the directory didn't take.
	known, unreadable map[string]bool
	// read says that all that the cache holds has been read.
	read bool
}

// ClusterPolicyKinds are the kinds of cluster policies that a judge weighs where they are served, sorted by resource.
func ClusterPolicyKinds() []schema.GroupVersionKind {
	var kinds []schema.GroupVersionKind
	for _, api := range isolation.ClusterPolicyAPIs() {
		kinds = append(kinds, api.GroupVersionKind)
	}
	return kinds
}

// ClusterPolicy looks up a cluster policy that may have changed. It returns, sorted, the namespaces that are to be judged
// again, and reports whether what Considered says is news. A kind that the judge doesn't weigh is none of its business.
// Where a kind isn't served any more, its policies are gone.
func (j *Judge) ClusterPolicy(ctx context.Context, kind schema.GroupVersionKind, name string) (news bool, again []string, err error) {
	j.telling.Lock()
	defer j.telling.Unlock()
	if j.policies[kind] == nil {
		return false, nil, nil
	}
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(kind)
	there := slices.Contains(j.served(), kind)
	if there {
		switch err := j.cache.Get(ctx, client.ObjectKey{Name: name}, live, client.UnsafeDisableDeepCopy); {
		case apierrors.IsNotFound(err):
			there = false
		case err != nil:
			return false, nil, fmt.Errorf("reading %s %s: %w", kind.Kind, name, err)
		}
	}
	if there {
		again = j.putPolicy(kind, live)
	} else {
		again = j.dropPolicy(kind, name)
	}
	if !slices.Equal(j.weighed(), j.Considered()) {
		news, err = j.judgeAPIs(ctx)
	}
	return news, again, err
}

// readPolicies tells the directory of all cluster policies that there are, and forgets the others. One kind that can't be
// read keeps none of the others from being.
func (j *Judge) readPolicies(ctx context.Context) ([]string, error) {
	again := map[string]bool{}
	note := func(namespaces []string) {
		for _, name := range namespaces {
			again[name] = true
		}
	}
	served := j.served()
	var failed []error
	for _, kind := range ClusterPolicyKinds() {
		known := j.policies[kind]
		gone := maps.Clone(known.known)
		if slices.Contains(served, kind) {
			list := &unstructured.UnstructuredList{}
			list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
			if err := j.cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
				known.read = false
				failed = append(failed, fmt.Errorf("reading the objects of kind %s: %w", kind.Kind, err))
				continue // what was known of it stands
			}
			clear(known.unreadable)
			for i := range list.Items {
				delete(gone, list.Items[i].GetName())
				note(j.putPolicy(kind, &list.Items[i]))
			}
		}
		known.read = slices.Contains(served, kind)
		if !known.read {
			clear(known.unreadable)
		}
		for name := range gone {
			note(j.dropPolicy(kind, name))
		}
	}
	return slices.Sorted(maps.Keys(again)), errors.Join(failed...)
}

// putPolicy tells the directory of a policy. One that it doesn't take is not weighed, and so the kind isn't.
func (j *Judge) putPolicy(kind schema.GroupVersionKind, live *unstructured.Unstructured) []string {
	known, name := j.policies[kind], live.GetName()
	again, err := j.directory.PutClusterPolicy(live)
	if err != nil {
		again = j.dropPolicy(kind, name)
		known.unreadable[name] = true
		return again
	}
	delete(known.unreadable, name)
	known.known[name] = true
	return again
}

// dropPolicy tells the directory that a policy is gone.
func (j *Judge) dropPolicy(kind schema.GroupVersionKind, name string) []string {
	delete(j.policies[kind].unreadable, name)
	delete(j.policies[kind].known, name)
	return j.directory.DeleteClusterPolicy(kind.GroupKind(), name)
}

// weighed are the APIs whose objects are weighed, sorted: a kind of cluster policies only while it is served, as it is
// understood, and all of its objects could be read.
func (j *Judge) weighed() []string {
	all := []string{
		"clusterrolebindings.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io", "namespaces",
		"networkpolicies.networking.k8s.io", "rolebindings.rbac.authorization.k8s.io",
	}
	for _, api := range isolation.ClusterPolicyAPIs() {
		if known := j.policies[api.GroupVersionKind]; known.read && len(known.unreadable) == 0 {
			all = append(all, api.Resource)
		}
	}
	slices.Sort(all)
	return all
}

// DefinitionKind is the kind of the definitions of custom resources, of which only metadata is read.
var DefinitionKind = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}

// beside are custom resources that can change who reaches whom. Those of isolation.ClusterPolicyAPIs are weighed where they
// are served in the version that is understood; the others never are.
func beside() []string {
	all := []string{
		"ciliumnetworkpolicies.cilium.io", "ciliumclusterwidenetworkpolicies.cilium.io",
		"networkpolicies.crd.projectcalico.org", "globalnetworkpolicies.crd.projectcalico.org",
		"networkpolicies.crd.antrea.io", "clusternetworkpolicies.crd.antrea.io",
		"egressfirewalls.k8s.ovn.org",
	}
	for _, api := range isolation.ClusterPolicyAPIs() {
		all = append(all, api.Resource)
	}
	slices.Sort(all)
	return all
}

// APIs looks up which APIs the cluster serves: it reads all cluster policies anew, and looks which APIs aren't weighed, by
// the definitions of custom resources. It reports whether that is news for everybody, and the namespaces that are to be
// judged again, sorted, whatever the error.
func (j *Judge) APIs(ctx context.Context) (news bool, again []string, err error) {
	j.telling.Lock()
	defer j.telling.Unlock()
	again, unread := j.readPolicies(ctx)
	news, err = j.judgeAPIs(ctx)
	if err == nil {
		err = unread
	}
	return news, again, err
}

// judgeAPIs says which APIs are weighed and which aren't, and reports whether that is news. If the latter can't be told,
// what was known of them stands.
func (j *Judge) judgeAPIs(ctx context.Context) (bool, error) {
	weighed := j.weighed()
	served, err := j.definedBeside(ctx, weighed)
	j.mu.Lock()
	defer j.mu.Unlock()
	news := !slices.Equal(weighed, j.considered)
	j.considered = weighed
	if err == nil {
		news = news || !slices.Equal(served, j.notConsidered)
		j.notConsidered = served
	}
	return news, err
}

// definedBeside are the APIs of beside that the cluster has definitions of and that aren't weighed.
func (j *Judge) definedBeside(ctx context.Context, weighed []string) ([]string, error) {
	var served []string
	for _, name := range beside() {
		if slices.Contains(weighed, name) {
			continue
		}
		definition := &metav1.PartialObjectMetadata{}
		definition.SetGroupVersionKind(DefinitionKind)
		switch err := j.cache.Get(ctx, client.ObjectKey{Name: name}, definition); {
		case err == nil:
			served = append(served, name)
		case !apierrors.IsNotFound(err):
			return nil, fmt.Errorf("reading the definition of %s: %w", name, err)
		}
	}
	return served, nil
}

// Considered are the APIs whose objects are weighed, sorted.
func (j *Judge) Considered() []string {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return slices.Clone(j.considered)
}

// NotConsidered are the APIs that the cluster serves, that can change who reaches whom, and that aren't weighed, sorted.
func (j *Judge) NotConsidered() []string {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return slices.Clone(j.notConsidered)
}
