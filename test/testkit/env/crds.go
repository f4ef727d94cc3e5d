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

package env

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/test/testkit/crds"
)

const (
	// crdPatience bounds how long the API server may take to serve CRDs or to forget them.
	crdPatience = 2 * time.Minute
	// crdInterval is how often it is asked. One question reads all of discovery.
	crdInterval = 100 * time.Millisecond
)

// InstallCRDs installs the CRDs of projects (see package crds) over those that are there already, and waits until the API
// server serves each version of each: by discovery and by answering a list.
func (e *Env) InstallCRDs(ctx context.Context, projects ...string) error {
	c, err := e.crdClient()
	if err != nil {
		return err
	}
	all, err := loadCRDs(projects)
	if err != nil {
		return err
	}
	for _, crd := range all {
		if err := putCRD(ctx, c, crd); err != nil {
			return fmt.Errorf("installing the CRD %s: %w", crd.Name, err)
		}
	}
	return e.pollCRDs(ctx, "to be served", func(ctx context.Context, d discovery.DiscoveryInterface) error {
		for _, crd := range all {
			if err := established(ctx, c, crd.Name); err != nil {
				return err
			}
		}
		discovered, err := discoverAll(d)
		if err != nil {
			return err
		}
		for _, gvk := range servedKinds(all) {
			if !discovered[gvk] {
				return fmt.Errorf("%s is not in discovery", gvk)
			}
			if err := listOne(ctx, c, gvk); err != nil {
				return fmt.Errorf("listing %s: %w", gvk, err)
			}
		}
		return nil
	})
}

// RemoveCRDs removes the CRDs of projects and, with them, all their objects, and waits until the API server has
// forgotten them. What isn't there is no error.
func (e *Env) RemoveCRDs(ctx context.Context, projects ...string) error {
	c, err := e.crdClient()
	if err != nil {
		return err
	}
	all, err := loadCRDs(projects)
	if err != nil {
		return err
	}
	for _, crd := range all {
		if err := client.IgnoreNotFound(c.Delete(ctx, crd)); err != nil {
			return fmt.Errorf("removing the CRD %s: %w", crd.Name, err)
		}
	}
	return e.pollCRDs(ctx, "to be forgotten", func(ctx context.Context, d discovery.DiscoveryInterface) error {
		for _, crd := range all {
			err := c.Get(ctx, client.ObjectKeyFromObject(crd), &apiextensionsv1.CustomResourceDefinition{})
			if err == nil {
				return fmt.Errorf("the CRD %s is still there", crd.Name)
			}
			if !apierrors.IsNotFound(err) {
				return err
			}
		}
		discovered, err := discoverAll(d)
		if err != nil {
			return err
		}
		for _, gvk := range servedKinds(all) {
			if discovered[gvk] {
				return fmt.Errorf("%s is still in discovery", gvk)
			}
		}
		return nil
	})
}

// crdClient is a client of the cluster admin that knows CRDs. It has no cache.
func (e *Env) crdClient() (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("building the scheme of CRDs: %w", err)
	}
	c, err := client.New(e.Config(), client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("making a client for CRDs: %w", err)
	}
	return c, nil
}

func loadCRDs(projects []string) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	var all []*apiextensionsv1.CustomResourceDefinition
	for _, project := range projects {
		loaded, err := crds.Load(project)
		if err != nil {
			return nil, err
		}
		all = append(all, loaded...)
	}
	return all, nil
}

// putCRD creates a CRD or, if there is one, replaces what it says.
func putCRD(ctx context.Context, c client.Client, crd *apiextensionsv1.CustomResourceDefinition) error {
	err := c.Create(ctx, crd.DeepCopy())
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	there := &apiextensionsv1.CustomResourceDefinition{}
	if err := c.Get(ctx, client.ObjectKeyFromObject(crd), there); err != nil {
		return err
	}
	there.Labels, there.Annotations, there.Spec = crd.Labels, crd.Annotations, crd.Spec
	return c.Update(ctx, there)
}

// established says why a CRD isn't established yet.
func established(ctx context.Context, c client.Client, name string) error {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := c.Get(ctx, client.ObjectKey{Name: name}, crd); err != nil {
		return err
	}
	if slices.ContainsFunc(crd.Status.Conditions, func(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
		return c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue
	}) {
		return nil
	}
	return fmt.Errorf("the CRD %s is not established: %v", name, crd.Status.Conditions)
}

// servedKinds are the kinds that CRDs serve, in all versions.
func servedKinds(all []*apiextensionsv1.CustomResourceDefinition) []schema.GroupVersionKind {
	var kinds []schema.GroupVersionKind
	for _, crd := range all {
		for _, version := range crd.Spec.Versions {
			if version.Served {
				kinds = append(kinds, schema.GroupVersionKind{
					Group: crd.Spec.Group, Version: version.Name, Kind: crd.Spec.Names.Kind,
				})
			}
		}
	}
	return kinds
}

// discoverAll is all that the API server says it serves.
func discoverAll(d discovery.DiscoveryInterface) (map[schema.GroupVersionKind]bool, error) {
	_, lists, err := d.ServerGroupsAndResources()
	if err != nil {
		return nil, fmt.Errorf("asking what is served: %w", err)
	}
	found := map[schema.GroupVersionKind]bool{}
	for _, list := range lists {
		for _, resource := range list.APIResources {
			found[schema.FromAPIVersionAndKind(list.GroupVersion, resource.Kind)] = true
		}
	}
	return found, nil
}

// listOne asks for the first object of a kind: a CRD may be established and its handler not there yet.
func listOne(ctx context.Context, c client.Client, gvk schema.GroupVersionKind) error {
	list := &metav1.PartialObjectMetadataList{}
	gvk.Kind += "List"
	list.SetGroupVersionKind(gvk)
	return c.List(ctx, list, client.Limit(1))
}

// pollCRDs asks until check has no objection. The error is the last one.
func (e *Env) pollCRDs(
	ctx context.Context, what string, check func(context.Context, discovery.DiscoveryInterface) error,
) error {
	d, err := discovery.NewDiscoveryClientForConfig(e.Config())
	if err != nil {
		return fmt.Errorf("making a discovery client: %w", err)
	}
	var last error
	err = wait.PollUntilContextTimeout(ctx, crdInterval, crdPatience, true, func(ctx context.Context) (bool, error) {
		err := check(ctx, d)
		// A check cut short by the deadline has nothing to say about the CRDs.
		if ctx.Err() == nil {
			last = err
		}
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for CRDs %s: %w", what, errors.Join(err, last))
	}
	return nil
}
