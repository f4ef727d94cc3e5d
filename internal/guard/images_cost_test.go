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

package guard_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// manyImages is a pod with as many containers as there are letters in kinds: c(ontainers), i(nit), e(phemeral), v(olumes).
func manyImages(kinds string, image func(i int) string) *corev1.Pod {
	pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{}}}
	pod.Name = "p"
	for i, kind := range kinds {
		name := fmt.Sprintf("%c-%d", kind, i)
		container := corev1.Container{Name: name, Image: image(i), ImagePullPolicy: corev1.PullIfNotPresent}
		switch kind {
		case 'c':
			pod.Spec.Containers = append(pod.Spec.Containers, container)
		case 'i':
			pod.Spec.InitContainers = append(pod.Spec.InitContainers, container)
		case 'e':
			pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, corev1.EphemeralContainer{
				EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: name, Image: image(i), ImagePullPolicy: corev1.PullIfNotPresent},
			})
		case 'v':
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
				Image: &corev1.ImageVolumeSource{Reference: image(i), PullPolicy: corev1.PullIfNotPresent},
			}})
		}
	}
	return pod
}

// imagesRequests are requests that the rules of the room images refuse.
func imagesRequests() map[string]request {
	const rail = "bulkhead-images"
	// As long as any that the schema allows, and alike but for their end.
	registries := make([]string, 32)
	for i := range registries {
		registries[i] = fmt.Sprintf("registry.example.com/%s-%03d/", strings.Repeat("a", 227), i)
	}
	registry := guarded(map[string]string{v1alpha1.GuardRegistries: strings.Join(registries, ",")})
	digest := guarded(map[string]string{v1alpha1.GuardDigests: "Required"})
	always := guarded(map[string]string{v1alpha1.GuardPullPolicy: "Always"})
	// Only the last image is one that offends.
	all := func(text string) func(int) string {
		return func(i int) string { return fmt.Sprintf("%s:v1.%d", text, i) }
	}
	near := func(i int) string {
		return fmt.Sprintf("Registry.Example.com/%s-%03d/%s:v1@sha256:%s", strings.Repeat("a", 227), 31+i/(big-1), strings.Repeat("b", 50), strings.Repeat("0", 64))
	}
	many := strings.Repeat("c", big/4) + strings.Repeat("i", big/4) + strings.Repeat("e", big/4) + strings.Repeat("v", big/4)
	gvk := corev1.SchemeGroupVersion.WithKind("Pod")
	pod := func(object *corev1.Pod, namespace *corev1.Namespace) request {
		return request{rail: rail, object: object, gvk: gvk, resource: "pods", operation: admission.Create, namespace: namespace}
	}
	onUpdate := func(r request, old *corev1.Pod, sub string) request {
		r.old, r.operation, r.sub = old, admission.Update, sub
		return r
	}
	return map[string]request{
		"images from elsewhere":         pod(manyImages(many, all("evil.example.com/x")), registry),
		"the last one from elsewhere":   pod(manyImages(many, near), registry),
		"images by ID":                  pod(manyImages("ccc", func(int) string { return "sha256:" + strings.Repeat("0", 64) }), registry),
		"images without digest":         pod(manyImages(many, all("registry.example.com/x")), digest),
		"images from the node's cache":  pod(manyImages(many, all("registry.example.com/x")), always),
		"an image of great length":      pod(manyImages("c", all("evil.example.com/"+strings.Repeat("a/", 10_000))), registry),
		"an image in a volume":          pod(manyImages("v", all("evil.example.com/x")), registry),
		"all images change":             onUpdate(pod(manyImages(many, near), registry), manyImages(many, all("registry.example.com/"+strings.Repeat("a", 227)+"-031/x")), ""),
		"a container to look for flaws": onUpdate(pod(manyImages("cce", all("debug")), registry), manyImages("cc", all("debug")), "ephemeralcontainers"),
	}
}

// TestImageNames checks which registry an image is taken to be from: the one that nodes ask.
func TestImageNames(t *testing.T) {
	t.Parallel()
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	tests := map[string]struct {
		registries string
		allowed    []string
		refused    []string
	}{
		"a folder": {
			"registry.example.com/acme/",
			[]string{
				"registry.example.com/acme/app", "registry.example.com/acme/app:v1", "registry.example.com/acme/a/b/c:v1" + digest,
				"registry.example.com/acme/app" + digest, "Registry.Example.COM/acme/app:v1",
			},
			[]string{
				"registry.example.com/acme-evil/app", "registry.example.com/acme", "registry.example.com/acmeapp", "registry.example.com/Acme/app",
				"registry.example.com/evil/acme/app", "registry.example.com.evil.com/acme/app", "registry.example.com:443/acme/app",
				"evil.com/registry.example.com/acme/app", "registry-example.com/acme/app", "acme/app", "app", "registry.example.com@evil.com/acme/app",
				"/registry.example.com/acme/app", "https://registry.example.com/acme/app", "docker.io/registry.example.com/acme/app",
				"registry.example.com:v1" + digest, "registry.example.com//acme/app", "",
				"registry.example.com/acme/../evil/app", "registry.example.com/acme/./app", "registry.example.com/acme//app",
			},
		},
		"Docker Hub": {
			"docker.io/",
			[]string{"nginx", "nginx:1" + digest, "acme/app:v1", "docker.io/nginx", "index.docker.io/nginx", "Index.Docker.io/acme/app", "library/nginx", "a/b/c"},
			[]string{
				"docker.io.evil.com/nginx", "registry-1.docker.io/library/nginx", "Evil/app", "evilHost/app", "localhost/app", "localhost:5000/app",
				"evil:5000/app", "evil.com/app", "[::1]:5000/app", "sha256:" + strings.Repeat("0", 64), "sha512:" + strings.Repeat("0", 128),
			},
		},
		"official images": {
			"docker.io/library/",
			[]string{"nginx", "nginx:1", "docker.io/nginx:1", "index.docker.io/nginx", "library/nginx", "docker.io/library/nginx", "example.com:v1", "localhost", "library"},
			[]string{"acme/nginx", "docker.io/acme/nginx", "sha384:" + strings.Repeat("0", 96), "Library/nginx", "library.evil/nginx", "docker.io/librarian/nginx"},
		},
		"a port":        {"registry.example.com:5000/", []string{"registry.example.com:5000/app:v1"}, []string{"registry.example.com/app", "registry.example.com:50000/app", "registry.example.com:500/app"}},
		"localhost":     {"localhost/", []string{"localhost/app", "LocalHost/app"}, []string{"localhost:5000/app", "localhosts/app", "app"}},
		"two":           {"a.example/,b.example/x/", []string{"a.example/y", "b.example/x/y"}, []string{"b.example/y", "c.example/x"}},
		"an empty list": {"", nil, []string{"nginx", "registry.example.com/app"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// All in one pod: those that offend are what is left.
			images := slices.Concat(tc.allowed, tc.refused)
			r := request{
				gvk: corev1.SchemeGroupVersion.WithKind("Pod"), resource: "pods", operation: admission.Create,
				object:    manyImages(strings.Repeat("c", len(images)), func(i int) string { return images[i] }),
				namespace: guarded(map[string]string{v1alpha1.GuardRegistries: tc.registries}),
			}
			for _, rail := range shipped(t) {
				if rail.Name() != "bulkhead-images" {
					continue
				}
				got, _ := evaluate(t, rail.Policy.Spec, r, &validating.MessageExpressionCondition{MessageExpression: `variables.wrong.foreign.map(i, i.image).join(' ')`})
				if diff := cmp.Diff(strings.Join(tc.refused, " "), got); diff != "" {
					t.Errorf("images that are refused (-want +got):\n%s", diff)
				}
				return
			}
			t.Fatal("there is no rule")
		})
	}
}

// TestImageOffences checks what is judged, and what is said of it.
func TestImageOffences(t *testing.T) {
	t.Parallel()
	const (
		hex     = "0123456789abcdef0123456789abcdef"
		added   = `; registries are added by spec.images.registries of Tenant "acme"`
		foreign = `: allowed are those that begin with registry.example.com/` + added
		movable = ` without a digest: allowed are references that end in @sha256: and 64 hex digits, because spec.images.digests of Tenant "acme" is Required`
	)
	registry := map[string]string{v1alpha1.GuardRegistries: "registry.example.com/"}
	digest := map[string]string{v1alpha1.GuardDigests: "Required"}
	always := map[string]string{v1alpha1.GuardPullPolicy: "Always"}
	evil := func(int) string { return "evil.example/x" }
	good := func(int) string { return "registry.example.com/x" }
	policy := func(pod *corev1.Pod, policy corev1.PullPolicy) *corev1.Pod {
		for i := range pod.Spec.Containers {
			pod.Spec.Containers[i].ImagePullPolicy = policy
		}
		return pod
	}
	eleven := make([]string, 11)
	for i := range eleven {
		eleven[i] = fmt.Sprintf("%d.example.com/", i)
	}
	tests := map[string]struct {
		data     map[string]string
		pod, old *corev1.Pod
		want     string
	}{
		"nothing is said":         {pod: manyImages("ciev", evil)},
		"a container":             {data: registry, pod: manyImages("c", evil), want: `must not use the image "evil.example/x" in container "c-0"` + foreign},
		"an init container":       {data: registry, pod: manyImages("i", evil), want: `must not use the image "evil.example/x" in init container "i-0"` + foreign},
		"an ephemeral container":  {data: registry, pod: manyImages("e", evil), want: `must not use the image "evil.example/x" in ephemeral container "e-0"` + foreign},
		"a volume":                {data: registry, pod: manyImages("v", evil), want: `must not use the image "evil.example/x" in volume "v-0"` + foreign},
		"a short name":            {data: registry, pod: manyImages("c", func(int) string { return "x" }), want: `must not use the image "x" in container "c-0", which is docker.io/library/x` + foreign},
		"an ID":                   {data: registry, pod: manyImages("c", func(int) string { return "sha256:" + hex }), want: `must not use the image "sha256:` + hex + `" in container "c-0", the ID of whatever image the node has` + foreign},
		"a way out":               {data: registry, pod: manyImages("c", func(int) string { return "registry.example.com/x/../../y" }), want: `must not use the image "registry.example.com/x/../../y" in container "c-0", which is the name of none` + foreign},
		"a long name":             {data: registry, pod: manyImages("c", func(int) string { return "evil.example/" + strings.Repeat("x", 1000) }), want: `must not use the image "evil.example/` + strings.Repeat("x", 287) + `…" in container "c-0"` + foreign},
		"many registries":         {data: map[string]string{v1alpha1.GuardRegistries: strings.Join(eleven, ",")}, pod: manyImages("c", evil), want: `must not use the image "evil.example/x" in container "c-0": allowed are those that begin with 0.example.com/ and 10 more` + added},
		"an old image":            {data: registry, pod: manyImages("ciev", evil), old: manyImages("ciev", evil)},
		"another image":           {data: registry, pod: manyImages("cc", evil), old: manyImages("cc", func(i int) string { return []string{"evil.example/x", "registry.example.com/x"}[i] }), want: `must not use the image "evil.example/x" in container "c-1"` + foreign},
		"a better image":          {data: registry, pod: manyImages("cc", func(i int) string { return []string{"evil.example/x", "registry.example.com/x"}[i] }), old: manyImages("cc", evil)},
		"a debugger":              {data: registry, pod: manyImages("ce", evil), old: manyImages("c", evil), want: `must not use the image "evil.example/x" in ephemeral container "e-1"` + foreign},
		"sha256":                  {data: digest, pod: manyImages("civ", func(int) string { return "x:v1@sha256:" + hex + hex })},
		"sha512":                  {data: digest, pod: manyImages("civ", func(int) string { return "x@sha512:" + hex + hex + hex + hex })},
		"no digest":               {data: digest, pod: manyImages("c", evil), want: `must not use the image "evil.example/x" in container "c-0"` + movable},
		"a short digest":          {data: digest, pod: manyImages("c", func(int) string { return "x@sha256:" + hex }), want: `must not use the image "x@sha256:` + hex + `" in container "c-0"` + movable},
		"a digest as a tag":       {data: digest, pod: manyImages("c", func(int) string { return "sha256:" + hex + hex }), want: `must not use the image "sha256:` + hex + hex + `" in container "c-0"` + movable},
		"a digest of another art": {data: digest, pod: manyImages("c", func(int) string { return "x@md5:" + hex }), want: `must not use the image "x@md5:` + hex + `" in container "c-0"` + movable},
		"from the cache":          {data: always, pod: manyImages("c", good), want: `must not use the image "registry.example.com/x" in container "c-0" with the pull policy "IfNotPresent", which an unset one becomes too unless the tag is latest: allowed is Always; write it there, because spec.images.pullPolicy of Tenant "acme" is Always`},
		"never pulled":            {data: always, pod: policy(manyImages("cv", good), corev1.PullNever), want: `must not use the image "registry.example.com/x" in container "c-0" with the pull policy "Never", which an unset one becomes too unless the tag is latest: allowed is Always; write it there, because spec.images.pullPolicy of Tenant "acme" is Always`},
		"a volume from the cache": {data: always, pod: policy(manyImages("cv", good), corev1.PullAlways), want: `must not use the image "registry.example.com/x" in volume "v-1" with the pull policy "IfNotPresent", which an unset one becomes too unless the tag is latest: allowed is Always; write it there, because spec.images.pullPolicy of Tenant "acme" is Always`},
		"always pulled":           {data: always, pod: policy(manyImages("cc", evil), corev1.PullAlways)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request{
				rail: "bulkhead-images", object: tc.pod, gvk: corev1.SchemeGroupVersion.WithKind("Pod"), resource: "pods",
				operation: admission.Create, namespace: guarded(tc.data),
			}
			if tc.old != nil {
				r.operation, r.old = admission.Update, tc.old
			}
			if diff := cmp.Diff(tc.want, offence(t, r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
