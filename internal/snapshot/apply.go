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

package snapshot

import (
	"context"
	"fmt"
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// Applied returns a snapshot as it would be once these Tenants and TenantClasses had been applied: their specs replace
// those that are there, their labels and annotations are added, and all else of what is there stays. One that is new is
// younger than all others. Nothing is validated. It fails for an object of another kind.
func (s *Snapshot) Applied(ctx context.Context, now time.Time, objects ...client.Object) (*Snapshot, error) {
	applied := make([]client.Object, 0, len(objects))
	for _, object := range objects {
		switch object := object.(type) {
		case *v1alpha1.Tenant:
			live := &v1alpha1.Tenant{}
			if err := s.overlay(ctx, now, object, live); err != nil {
				return nil, err
			}
			live.Spec = *object.Spec.DeepCopy()
			applied = append(applied, live)
		case *v1alpha1.TenantClass:
			live := &v1alpha1.TenantClass{}
			if err := s.overlay(ctx, now, object, live); err != nil {
				return nil, err
			}
			live.Spec = *object.Spec.DeepCopy()
			applied = append(applied, live)
		default:
			return nil, fmt.Errorf("%T %s is neither a Tenant nor a TenantClass", object, object.GetName())
		}
	}
	return s.With(applied...)
}

// overlay reads the live object, or makes a new one, and adds the labels and annotations of what is applied.
func (s *Snapshot) overlay(ctx context.Context, now time.Time, object, live client.Object) error {
	err := s.Get(ctx, client.ObjectKeyFromObject(object), live)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err != nil {
		live.SetName(object.GetName())
		live.SetCreationTimestamp(metav1.NewTime(now.Truncate(time.Second)))
	}
	live.SetLabels(union(live.GetLabels(), object.GetLabels()))
	live.SetAnnotations(union(live.GetAnnotations(), object.GetAnnotations()))
	return nil
}

func union(a, b map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}
