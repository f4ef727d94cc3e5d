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

// Package snapshot is what a cluster holds at one time, in memory and read-only: read from a cluster by one list for each
// kind, or from files. It answers as the operator's watch cache does, so that facts, engine and exposure work on it as
// they are.
package snapshot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/index"
)

// Snapshot is a client.Reader of objects that never change. It is safe for concurrent use. Lists are sorted by namespace
// and name. Only the kinds that it was made of can be read: to ask for another one, or for one that could not be read, is
// an error, because "there are none" would be a guess.
type Snapshot struct {
	scheme *runtime.Scheme
	tables map[schema.GroupVersionKind]*table
	unread map[schema.GroupVersionKind]error
}

var _ client.Reader = &Snapshot{}

// New makes a snapshot that knows these kinds and holds these objects, which must not be changed any more. Objects are
// typed, or metav1.PartialObjectMetadata of a kind. Of two objects of the same kind and name the later one counts. It
// fails if an object is of none of the kinds.
func New(scheme *runtime.Scheme, kinds []schema.GroupVersionKind, objects ...client.Object) (*Snapshot, error) {
	s := &Snapshot{scheme: scheme, tables: map[schema.GroupVersionKind]*table{}, unread: map[schema.GroupVersionKind]error{}}
	for _, gvk := range kinds {
		s.tables[gvk] = &table{}
	}
	return s.With(objects...)
}

// With returns a snapshot in which these objects are, too, in place of those of the same kind and name. It fails as New.
func (s *Snapshot) With(objects ...client.Object) (*Snapshot, error) {
	added := map[schema.GroupVersionKind][]client.Object{}
	for _, object := range objects {
		gvk, err := apiutil.GVKForObject(object, s.scheme)
		if err != nil {
			return nil, fmt.Errorf("finding the kind of %s: %w", object.GetName(), err)
		}
		if s.tables[gvk] == nil {
			return nil, fmt.Errorf("%s %s is of a kind that this snapshot isn't made of", gvk.Kind, client.ObjectKeyFromObject(object))
		}
		added[gvk] = append(added[gvk], object)
	}
	next := &Snapshot{scheme: s.scheme, tables: maps.Clone(s.tables), unread: maps.Clone(s.unread)}
	for gvk, more := range added {
		next.tables[gvk] = newTable(slices.Concat(s.tables[gvk].objects, more))
		delete(next.unread, gvk)
	}
	return next, nil
}

// withUnread notes that a kind could not be read: whoever asks for it gets the error.
func (s *Snapshot) withUnread(gvk schema.GroupVersionKind, err error) { s.unread[gvk] = err }

// Len is the number of objects of a kind; zero for a kind that could not be read.
func (s *Snapshot) Len(gvk schema.GroupVersionKind) int {
	t := s.tables[gvk]
	if t == nil {
		return 0
	}
	return len(t.objects)
}

// Unread says why a kind could not be read; nil if it could.
func (s *Snapshot) Unread(gvk schema.GroupVersionKind) error { return s.unread[gvk] }

// Served are the kinds of optional APIs that could be read, sorted: those that the cluster serves.
func (s *Snapshot) Served() []schema.GroupVersionKind {
	var served []schema.GroupVersionKind
	for gvk := range s.tables {
		if !s.scheme.Recognizes(gvk) && gvk != exposure.DefinitionKind && s.unread[gvk] == nil {
			served = append(served, gvk)
		}
	}
	slices.SortFunc(served, func(a, b schema.GroupVersionKind) int { return strings.Compare(a.String(), b.String()) })
	return served
}

// Get implements client.Reader. With client.UnsafeDisableDeepCopy the object is shared with the snapshot.
func (s *Snapshot) Get(ctx context.Context, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	gvk, t, err := s.find(ctx, into)
	if err != nil {
		return err
	}
	found, ok := t.get(key)
	if !ok {
		// As in the cache, the kind stands for the resource.
		return apierrors.NewNotFound(schema.GroupResource{Group: gvk.Group, Resource: gvk.Kind}, key.Name)
	}
	options := client.GetOptions{}
	options.ApplyOptions(opts)
	_, partial := into.(*metav1.PartialObjectMetadata)
	out := present(found, gvk, partial, isTrue(options.UnsafeDisableDeepCopy))
	from, to := reflect.ValueOf(out), reflect.ValueOf(into)
	if from.Type() != to.Type() || to.IsNil() {
		return fmt.Errorf("reading %s %s: the snapshot has it as %T, not as %T", gvk.Kind, key, out, into)
	}
	to.Elem().Set(from.Elem())
	return nil
}

// List implements client.Reader. It knows namespaces, label selectors, limits, and field selectors for the indexes of
// package index and for metadata.name. With client.UnsafeDisableDeepCopy the objects are shared with the snapshot.
func (s *Snapshot) List(ctx context.Context, into client.ObjectList, opts ...client.ListOption) error {
	gvk, t, err := s.find(ctx, into)
	if err != nil {
		return err
	}
	options := client.ListOptions{}
	options.ApplyOptions(opts)
	if options.Continue != "" {
		return fmt.Errorf("listing %s: a snapshot has no pages to continue", gvk.Kind)
	}
	found, err := t.list(options.Namespace, options.FieldSelector)
	if err != nil {
		return fmt.Errorf("listing %s: %w", gvk.Kind, err)
	}
	_, partial := into.(*metav1.PartialObjectMetadataList)
	items := make([]runtime.Object, 0, len(found))
	for _, object := range found {
		if options.Limit > 0 && int64(len(items)) >= options.Limit {
			break
		}
		if options.LabelSelector != nil && !options.LabelSelector.Matches(labels.Set(object.GetLabels())) {
			continue
		}
		items = append(items, present(object, gvk, partial, isTrue(options.UnsafeDisableDeepCopy)))
	}
	if err := meta.SetList(into, items); err != nil {
		return fmt.Errorf("listing %s: %w", gvk.Kind, err)
	}
	return nil
}

// find finds the table of what an object, or a list, is to be read into.
func (s *Snapshot) find(ctx context.Context, into runtime.Object) (schema.GroupVersionKind, *table, error) {
	if err := ctx.Err(); err != nil {
		return schema.GroupVersionKind{}, nil, err
	}
	gvk, err := apiutil.GVKForObject(into, s.scheme)
	if err != nil {
		return gvk, nil, fmt.Errorf("finding the kind of %T: %w", into, err)
	}
	if meta.IsListType(into) {
		gvk.Kind = strings.TrimSuffix(gvk.Kind, "List")
	}
	if err := s.unread[gvk]; err != nil {
		return gvk, nil, err
	}
	t := s.tables[gvk]
	if t == nil {
		return gvk, nil, fmt.Errorf("reading %s: this snapshot isn't made of such objects", gvk.Kind)
	}
	return gvk, t, nil
}

// present makes of an object of the snapshot what is handed out.
func present(object client.Object, gvk schema.GroupVersionKind, partial, shared bool) client.Object {
	_, already := object.(*metav1.PartialObjectMetadata)
	if partial && !already {
		object = meta.AsPartialObjectMetadata(object)
		object.GetObjectKind().SetGroupVersionKind(gvk)
	}
	if shared {
		return object
	}
	copied, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		return object // a deep copy is of the same type
	}
	copied.GetObjectKind().SetGroupVersionKind(gvk)
	return copied
}

func isTrue(b *bool) bool { return b != nil && *b }

// table holds the objects of one kind. It is never changed once it is made.
type table struct {
	// objects are sorted by namespace and name.
	objects []client.Object
	// byField finds objects by the fields of package index; the slices are sorted as objects.
	byField map[string]map[string][]client.Object
}

// newTable makes a table of objects, of which the later ones replace the earlier ones of the same name.
func newTable(objects []client.Object) *table {
	slices.SortStableFunc(objects, compare)
	t := &table{byField: map[string]map[string][]client.Object{}}
	for i, object := range objects {
		if i+1 == len(objects) || compare(object, objects[i+1]) != 0 {
			t.objects = append(t.objects, object)
		}
	}
	for _, x := range append(index.All(), index.Custom(schema.GroupVersionKind{})) {
		if len(t.objects) == 0 || reflect.TypeOf(x.Object) != reflect.TypeOf(t.objects[0]) {
			continue
		}
		t.byField[x.Field] = map[string][]client.Object{}
		for _, object := range t.objects {
			for _, value := range x.Values(object) {
				t.byField[x.Field][value] = append(t.byField[x.Field][value], object)
			}
		}
	}
	return t
}

func compare(a, b client.Object) int {
	return cmp.Or(strings.Compare(a.GetNamespace(), b.GetNamespace()), strings.Compare(a.GetName(), b.GetName()))
}

func (t *table) get(key client.ObjectKey) (client.Object, bool) {
	at, found := slices.BinarySearchFunc(t.objects, key, func(object client.Object, key client.ObjectKey) int {
		return cmp.Or(strings.Compare(object.GetNamespace(), key.Namespace), strings.Compare(object.GetName(), key.Name))
	})
	if !found {
		return nil, false
	}
	return t.objects[at], true
}

// list finds the objects in a namespace (all if it is empty) that match a field selector (nil matches all).
func (t *table) list(namespace string, selector fields.Selector) ([]client.Object, error) {
	if selector == nil || selector.Empty() {
		return t.in(namespace), nil
	}
	found := t.in(namespace)
	for i, requirement := range selector.Requirements() {
		matching, err := t.by(requirement)
		if err != nil {
			return nil, err
		}
		if i == 0 && namespace == "" {
			found = matching
			continue
		}
		found = slices.DeleteFunc(slices.Clone(found), func(object client.Object) bool {
			_, has := slices.BinarySearchFunc(matching, object, compare)
			return !has
		})
	}
	return found, nil
}

var errSelector = errors.New("a snapshot finds by metadata.name and by its indexes, with = only")

func (t *table) by(requirement fields.Requirement) ([]client.Object, error) {
	if requirement.Operator != "=" && requirement.Operator != "==" {
		return nil, fmt.Errorf("%s%s%s: %w", requirement.Field, requirement.Operator, requirement.Value, errSelector)
	}
	if requirement.Field == metav1.ObjectNameField {
		return slices.DeleteFunc(slices.Clone(t.objects), func(object client.Object) bool { return object.GetName() != requirement.Value }), nil
	}
	values, known := t.byField[requirement.Field]
	if !known && len(t.objects) > 0 {
		return nil, fmt.Errorf("%s: %w", requirement.Field, errSelector)
	}
	return values[requirement.Value], nil
}

// in finds the objects in a namespace, all if it is empty.
func (t *table) in(namespace string) []client.Object {
	if namespace == "" {
		return t.objects
	}
	byNamespace := func(object client.Object, namespace string) int {
		return strings.Compare(object.GetNamespace(), namespace)
	}
	from, _ := slices.BinarySearchFunc(t.objects, namespace, byNamespace)
	// A name in Kubernetes has no zero byte: nothing is between a namespace and the same with one behind it.
	to, _ := slices.BinarySearchFunc(t.objects, namespace+"\x00", byNamespace)
	return t.objects[from:to]
}
