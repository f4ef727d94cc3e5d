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
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/bulkhead-dev/bulkhead/internal/engine"
)

// ways are how the bare client writes.
const (
	rawCreate = "raw-create"
	rawApply  = "raw-apply"
)

// bare is the yardstick: a client that writes what it is given as fast as the API server takes it, as cluster admin,
// over one connection as the operator does. It talks protobuf, but for the bodies of apply, which are JSON always.
type bare struct {
	clients map[schema.GroupVersion]*rest.RESTClient
}

// item is one object, encoded as far as it can be before the clock starts.
type item struct {
	intent *engine.Intent
	typed  runtime.Object
	body   []byte
}

func (w *world) bare() (*bare, error) {
	cfg := w.Config()
	http, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("making the bare client: %w", err)
	}
	b := &bare{clients: map[schema.GroupVersion]*rest.RESTClient{}}
	for _, intent := range w.intents {
		gv := intent.GVK.GroupVersion()
		if b.clients[gv] != nil {
			continue
		}
		c := rest.CopyConfig(cfg)
		c.GroupVersion = &gv
		c.APIPath = "/apis"
		if gv.Group == "" {
			c.APIPath = "/api"
		}
		c.ContentType = runtime.ContentTypeProtobuf
		c.AcceptContentTypes = runtime.ContentTypeProtobuf
		c.NegotiatedSerializer = serializer.NewCodecFactory(w.Scheme).WithoutConversion()
		if b.clients[gv], err = rest.RESTClientForConfigAndClient(c, http); err != nil {
			return nil, fmt.Errorf("making the bare client of %s: %w", gv, err)
		}
	}
	return b, nil
}

func (b *bare) create(ctx context.Context, i *item) error {
	return b.verb(i, "POST").Body(i.typed).Do(ctx).Error()
}

func (b *bare) apply(ctx context.Context, i *item) error {
	return b.verb(i, "PATCH").Name(i.intent.Key.Name).SetHeader("Content-Type", string(types.ApplyPatchType)).
		Param("fieldManager", "bare").Param("force", "true").Body(i.body).Do(ctx).Error()
}

func (b *bare) verb(i *item, method string) *rest.Request {
	plural, _ := meta.UnsafeGuessKindToResource(i.intent.GVK)
	return b.clients[i.intent.GVK.GroupVersion()].Verb(method).
		NamespaceIfScoped(i.intent.Key.Namespace, i.intent.Key.Namespace != "").Resource(plural.Resource)
}

// items encodes what is to be written: the namespaces, and all the rest.
func (w *world) items() (namespaces, others []*item, err error) {
	for _, intent := range w.intents {
		i := &item{intent: intent}
		if i.typed, err = w.Scheme.New(intent.GVK); err != nil {
			return nil, nil, fmt.Errorf("making %s: %w", intent, err)
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(intent.Object.Object, i.typed); err != nil {
			return nil, nil, fmt.Errorf("converting %s: %w", intent, err)
		}
		if i.body, err = json.Marshal(intent.Object); err != nil {
			return nil, nil, fmt.Errorf("encoding %s: %w", intent, err)
		}
		if intent.GVK.Kind == "Namespace" {
			namespaces = append(namespaces, i)
		} else {
			others = append(others, i)
		}
	}
	return namespaces, others, nil
}

// raw measures the bare client: from the first Tenant until the eyes have seen the last object. Nobody acts on the
// Tenants; they are written because the operator's time includes them.
func (w *world) raw(ctx context.Context, way string) (time.Duration, error) {
	namespaces, others, err := w.items()
	if err != nil {
		return 0, err
	}
	b, err := w.bare()
	if err != nil {
		return 0, err
	}
	write := b.create
	if way == rawApply {
		write = b.apply
	}
	if w.first != nil {
		if _, err := w.first.raw(ctx, way); err != nil {
			return 0, err
		}
		if err := pause(ctx, nil, settle); err != nil {
			return 0, err
		}
	}
	eyes, err := w.open(ctx)
	if err != nil {
		return 0, err
	}
	defer eyes.close()
	start := time.Now()
	if err := w.createTenants(ctx); err != nil {
		return 0, fmt.Errorf("creating the Tenants: %w", err)
	}
	for _, phase := range [][]*item{namespaces, others} {
		if err := each(ctx, w.writers, phase, write); err != nil {
			return 0, fmt.Errorf("%s: %w", way, err)
		}
	}
	end, err := eyes.until(ctx, eyes.there)
	if err != nil {
		return 0, err
	}
	return end.Sub(start), nil
}
