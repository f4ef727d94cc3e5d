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

package images_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/images"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
)

func render(t *testing.T, spec string) (feature.Result, error) {
	t.Helper()
	facts := feature.Facts{Tenant: "acme", Namespace: "acme-prod"}
	if err := yaml.UnmarshalStrict([]byte(spec), &facts.Policy.Images); err != nil {
		t.Fatal(err)
	}
	before := facts.Policy.DeepCopy()
	got, err := images.Room{}.Render(facts)
	if diff := cmp.Diff(*before, facts.Policy); diff != "" {
		t.Errorf("the facts were changed:\n%s", diff)
	}
	if len(got.Walls)+len(got.Doors)+len(got.OpenBySpec)+len(got.Findings) != 0 {
		t.Errorf("more than labels and annotations: %v", got)
	}
	return got, err
}

func TestRender(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"nothing":                 `null`,
		"empty":                   `{}`,
		"02-payments":             `{registries: [registry.example.com/payments/, registry.example.com/base/], digests: Required}`,
		"04-classes":              `{registries: [registry.example.com/]}`,
		"everything":              `{registries: [registry.example.com/acme/], digests: Required, pullPolicy: Always}`,
		"optional":                `{digests: Optional}`,
		"sorted-each-once":        `{registries: ["b.example.com:5000/", a.example.com/x/, "b.example.com:5000/", a.example.com/]}`,
		"docker-hub-by-its-names": `{registries: [index.docker.io/library/, docker.io/library/, index.docker.io/acme/]}`,
		"localhost":               `{registries: [localhost/, "registry:5000/"]}`,
	}
	for name, spec := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := render(t, spec)
			if err != nil {
				t.Fatal(err)
			}
			golden.YAML(t, name, map[string]any{"annotations": got.Annotations, "labels": got.Labels})
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ spec, want string }{
		"no slash": {
			`{registries: [registry.example.com/acme]}`,
			`images.registries[0]: Invalid value: "registry.example.com/acme": must be the beginning of image references, in lower case, and end in "/", as "registry.example.com/acme/"`,
		},
		"comma": {
			`{registries: ["registry.example.com/,docker.io/"]}`,
			`images.registries[0]: Invalid value: "registry.example.com/,docker.io/": must be the beginning of image references, in lower case, and end in "/", as "registry.example.com/acme/"`,
		},
		"upper case": {
			`{registries: [a.example.com/, Registry.example.com/]}`,
			`images.registries[1]: Invalid value: "Registry.example.com/": must be the beginning of image references, in lower case, and end in "/", as "registry.example.com/acme/"`,
		},
		"not expanded": {
			`{registries: ["$(tenant).example.com/"]}`,
			`images.registries[0]: Invalid value: "$(tenant).example.com/": must be the beginning of image references, in lower case, and end in "/", as "registry.example.com/acme/"`,
		},
		"a folder of Docker Hub": {
			`{registries: [acme/]}`,
			`images.registries[0]: Invalid value: "acme/": must begin with the registry's host, which has a dot or a port, or is localhost: "acme" is a folder of Docker Hub, "docker.io/acme/"`,
		},
		"too long": {
			`{registries: [a.example.com/` + strings.Repeat("a", 253) + `/]}`,
			`images.registries[0]: Too long: may not be more than 253 bytes`,
		},
		"unknown digests":    {`{digests: Always}`, `images.digests: Unsupported value: "Always": supported values: "Required", "Optional"`},
		"unknown pullPolicy": {`{pullPolicy: Never}`, `images.pullPolicy: Unsupported value: "Never": supported values: "Always"`},
		"two errors, both named": {
			`{digests: Always, pullPolicy: Never}`,
			`[images.digests: Unsupported value: "Always": supported values: "Required", "Optional", images.pullPolicy: Unsupported value: "Never": supported values: "Always"]`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := render(t, tc.spec)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(feature.Result{}, got); diff != "" {
				t.Errorf("a result next to an error:\n%s", diff)
			}
		})
	}
}
