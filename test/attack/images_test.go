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

package attack

import (
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

const (
	// The namespaces of the tenant "images", by what is restricted there.
	imagesFrom   = namespaces + "/images-from/"
	imagesDigest = namespaces + "/images-digest/"
	imagesPull   = namespaces + "/images-pull/"
	imagesFree   = namespaces + "/images-free/"

	evilImage = "evil.example/app:1"
	goodImage = "registry.example.com/images/app:1"
	hex64     = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

	imagesRefusal = `tenant "images", rule images: Pod "worse" must not use the image "`
	imagesAllowed = `: allowed are those that begin with docker.io/library/, registry.example.com/images/; registries are added by spec.images.registries of Tenant "images"`
)

// imagesTenants are further tenants that they need.
func imagesTenants() []*v1alpha1.Tenant {
	images := func(block v1alpha1.Images) NamespaceOption {
		return WithPolicy(func(p *v1alpha1.PolicyBlocks) { p.Images = &block })
	}
	return []*v1alpha1.Tenant{
		MakeTenant("images").Policy(Enforce(v1alpha1.PodSecurityBaseline)).
			Namespace("images-from", images(v1alpha1.Images{Registries: []v1alpha1.Registry{"registry.example.com/$(tenant)/", "docker.io/library/"}})).
			Namespace("images-digest", images(v1alpha1.Images{Digests: v1alpha1.DigestsRequired})).
			Namespace("images-pull", images(v1alpha1.Images{PullPolicy: v1alpha1.PullAlways})).
			Namespace("images-free").
			Member("owners", v1alpha1.RoleAdmin, User(alice.user)).Obj(),
	}
}

// running is a container of an image that is always pulled.
func running(name, image string) string {
	return `{name: ` + name + `, image: "` + image + `", imagePullPolicy: Always}`
}

// imagePod is a pod with one container, and what else its spec has.
func imagePod(metadata, image string, more ...string) string {
	return `{apiVersion: v1, kind: Pod, metadata: {` + metadata + `}, spec: {` + strings.Join(append([]string{`containers: [` + running("c", image) + `]`}, more...), ", ") + `}}`
}

// imageVolume is a volume with the content of an image.
func imageVolume(image string) string {
	return `volumes: [{name: v, image: {reference: "` + image + `", pullPolicy: Always}}]`
}

// debugger adds an ephemeral container.
func debugger(image string) string {
	return `{"spec":{"ephemeralContainers":[{"name":"d","image":"` + image + `","imagePullPolicy":"Always"}]}}`
}

// otherImage is a patch that changes the image of the first container.
func otherImage(image string) string {
	return `[{"op":"replace","path":"/spec/containers/0/image","value":"` + image + `"}]`
}

// reported is a pod as a node reports it. Policies that fill in what isn't said leave it alone.
func reported(image, policy string) string {
	return strings.Replace(imagePod(`name: worse, annotations: {kubernetes.io/config.mirror: "1"}`, image, "nodeName: node-1"), "Always", policy, 1)
}

// imagesRules are attempts on what the room images guards.
func imagesRules() table {
	return table{}.add(imagesElsewhere(), imagesChanged(), imagesPinned(), imagesPulled(), imagesWork())
}

// imagesElsewhere are pods with images that aren't from the tenant's registries.
func imagesElsewhere() table {
	const threat = "software that nobody has looked at runs in the cluster"
	makes := func(by actor, image string, more ...string) attempt {
		return create(threat, by, imagesFrom+"pods", imagePod("name: worse", image, more...), `rule images`)
	}
	all := table{
		"images: from elsewhere": create(threat, alice, imagesFrom+"pods", imagePod("name: worse", evilImage),
			imagesRefusal+evilImage+`" in container "c"`+imagesAllowed),
		"images: an init container from elsewhere": create(threat, alice, imagesFrom+"pods", imagePod("name: worse", goodImage, `initContainers: [`+running("i", evilImage)+`]`),
			imagesRefusal+evilImage+`" in init container "i"`+imagesAllowed),
		"images: the second container from elsewhere": create(threat, alice, imagesFrom+"pods",
			strings.Replace(imagePod("name: worse", goodImage), "containers: [", "containers: ["+running("first", goodImage)+", "+running("second", evilImage)+", ", 1),
			imagesRefusal+evilImage+`" in container "second"`),
		"images: a volume from elsewhere": create(threat, alice, imagesFrom+"pods", imagePod("name: worse", goodImage, imageVolume(evilImage)),
			imagesRefusal+evilImage+`" in volume "v"`+imagesAllowed).needing("ImageVolume"),
		"images: with a generated name":       create(threat, alice, imagesFrom+"pods", imagePod("generateName: worse-", evilImage), `rule images: Pod "worse-`),
		"images: by apply":                    force(threat, alice, imagesFrom+"pods/worse", imagePod("name: worse", evilImage), imagesRefusal),
		"images: as a dry run":                create("a dry run says that something would work that doesn't", alice, imagesFrom+"pods?dryRun=All", imagePod("name: worse", evilImage), imagesRefusal),
		"images: by a ReplicaSet":             makes(serviceAccount("kube-system", "replicaset-controller"), evilImage),
		"images: by a Job":                    makes(serviceAccount("kube-system", "job-controller"), evilImage),
		"images: by a StatefulSet":            makes(serviceAccount("kube-system", "statefulset-controller"), evilImage),
		"images: by the cluster's admin":      create(threat, paula, imagesFrom+"pods", imagePod("name: worse", evilImage), imagesRefusal),
		"images: pretending to be a node":     create("tenants take themselves for nodes", alice, imagesFrom+"pods", reported(evilImage, "Always"), imagesRefusal),
		"images: a node that reports nothing": create("a node makes pods for tenants", node, imagesFrom+"pods", imagePod("name: worse", evilImage, "nodeName: node-1"), imagesRefusal),
		"images: a short name": create(threat, alice, imagesFrom+"pods", imagePod("name: worse", "evil/app"),
			imagesRefusal+`evil/app" in container "c", which is docker.io/evil/app`+imagesAllowed),
		"images: an ID": create("a private image of another tenant, which the node has already", alice, imagesFrom+"pods", imagePod("name: worse", "sha256:"+hex64),
			imagesRefusal+`sha256:`+hex64+`" in container "c", the ID of whatever image the node has`+imagesAllowed),
	}
	for what, image := range map[string]string{
		"a longer host":         "registry.example.com.evil.example/images/app",
		"a host before it":      "evil.example/registry.example.com/images/app",
		"a longer folder":       "registry.example.com/images-evil/app",
		"the folder above":      "registry.example.com/app",
		"a way out":             "registry.example.com/images/../evil/app",
		"another port":          "registry.example.com:8443/images/app",
		"a user":                "registry.example.com@evil.example/images/app",
		"a folder of Hub":       "docker.io/evil/app",
		"an upper-case host":    "Library/app",
		"a folder's upper case": "registry.example.com/Images/app",
		"localhost":             "localhost/app",
		"an address":            "192.0.2.1:5000/library/app",
		"good by its digest":    "evil.example/images/app@sha256:" + hex64,
	} {
		all["images: "+what+" isn't the tenant's"] = create(threat, alice, imagesFrom+"pods", imagePod("name: worse", image), imagesRefusal+image+`"`)
	}
	return all
}

// imagesChanged are changes of pods that are there.
func imagesChanged() table {
	const threat = "what was checked when a pod was made is changed behind it"
	const keeps = "pods from before the rule can't be worked with"
	good := func(name string) [2]string {
		return [2]string{imagesFrom + "pods/" + name, imagePod("name: "+name, goodImage)}
	}
	old := func(name string) [2]string {
		return [2]string{imagesFrom + "pods/" + name, imagePod("name: "+name, evilImage)}
	}
	on := func(a attempt, given [2]string) attempt { return a.with(given[0], given[1]) }
	refusal := func(name string) string {
		return `rule images: Pod "` + name + `" must not use the image "evil.example`
	}
	return table{
		"images: changed":          on(patch(threat, alice, imagesFrom+"pods/good-a", otherImage(evilImage), refusal("good-a")), good("good-a")),
		"images: changed by apply": on(force(threat, alice, imagesFrom+"pods/good-b", imagePod("name: good-b", evilImage), refusal("good-b")), good("good-b")),
		"images: changed as a whole": on(replace(threat, alice, imagesFrom+"pods/good-c", func(u *unstructured.Unstructured) {
			containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "containers")
			if first, ok := containers[0].(map[string]any); ok {
				first["image"] = evilImage
			}
			_ = unstructured.SetNestedSlice(u.Object, containers, "spec", "containers")
		}, refusal("good-c")), good("good-c")),
		"images: a debug container": on(patch(threat, paula, imagesFrom+"pods/good-d/ephemeralcontainers", debugger(evilImage),
			refusal("good-d")+`/app:1" in ephemeral container "d"`), good("good-d")),
		"images: changed on an old pod":                        on(patch(threat, alice, imagesFrom+"pods/old-a", otherImage("evil.example/other"), refusal("old-a")), old("old-a")),
		"images: a debug container of the same image":          on(patch(threat, paula, imagesFrom+"pods/old-b/ephemeralcontainers", debugger(evilImage), refusal("old-b")), old("old-b")),
		"images: an old pod is labelled":                       on(patch(keeps, alice, imagesFrom+"pods/old-c", `{"metadata":{"labels":{"round":"$N"}}}`, ""), old("old-c")),
		"images: an old pod gets a good image":                 on(patch(keeps, alice, imagesFrom+"pods/old-$N", otherImage(goodImage), ""), old("old-$N")),
		"images: an old pod is let go by its controller":       on(patch("controllers can't clean up", serviceAccount("kube-system", "job-controller"), imagesFrom+"pods/old-d", `{"metadata":{"finalizers":null}}`, ""), old("old-d")),
		"images: an old pod tolerates another taint":           on(patch(keeps, alice, imagesFrom+"pods/old-e", `[{"op":"add","path":"/spec/tolerations/-","value":{"key":"round-$N"}}]`, ""), old("old-e")),
		"images: an old pod's state is written":                on(patch("nodes can't report", paula, imagesFrom+"pods/old-f/status", `{"status":{"message":"$N"}}`, ""), old("old-f")),
		"images: an old pod is deleted":                        on(remove(keeps, alice, imagesFrom+"pods/old-gone-$N", ""), old("old-gone-$N")),
		"images: a debug container of the tenant's registry":   on(patch("pods can't be looked into", paula, imagesFrom+"pods/good-e-$N/ephemeralcontainers", debugger(goodImage), ""), good("good-e-$N")),
		"images: a debug container of the registry, in an old": on(patch("pods can't be looked into", paula, imagesFrom+"pods/old-g-$N/ephemeralcontainers", debugger(goodImage), ""), old("old-g-$N")),
	}
}

// imagesPinned are images without a digest, and with one.
func imagesPinned() table {
	const threat = "what runs changes behind its name"
	const work = "tenants can't work"
	movable := func(image, at string) string {
		return `tenant "images", rule images: Pod "worse" must not use the image "` + image + `" in ` + at +
			` without a digest: allowed are references that end in @sha256: and 64 hex digits, because spec.images.digests of Tenant "images" is Required`
	}
	pinned := "evil.example/app:1@sha256:" + hex64
	return table{
		"images: a tag":                  create(threat, alice, imagesDigest+"pods", imagePod("name: worse", evilImage), movable(evilImage, `container "c"`)),
		"images: no tag":                 create(threat, alice, imagesDigest+"pods", imagePod("name: worse", "app"), movable("app", `container "c"`)),
		"images: a digest as a tag":      create(threat, alice, imagesDigest+"pods", imagePod("name: worse", "sha256:"+hex64), movable("sha256:"+hex64, `container "c"`)),
		"images: half a digest":          create(threat, alice, imagesDigest+"pods", imagePod("name: worse", "app@sha256:"+hex64[:32]), movable("app@sha256:"+hex64[:32], `container "c"`)),
		"images: a digest in the middle": create(threat, alice, imagesDigest+"pods", imagePod("name: worse", "app@sha256:"+hex64+"/x:1"), movable("app@sha256:"+hex64+"/x:1", `container "c"`)),
		"images: a tag of a volume":      create(threat, alice, imagesDigest+"pods", imagePod("name: worse", pinned, imageVolume(evilImage)), movable(evilImage, `volume "v"`)).needing("ImageVolume"),
		"images: a tag, by a ReplicaSet": create(threat, serviceAccount("kube-system", "replicaset-controller"), imagesDigest+"pods", imagePod("name: worse", evilImage), `without a digest`),
		"images: a digest becomes a tag": patch(threat, alice, imagesDigest+"pods/pinned-a", otherImage(evilImage), `rule images: Pod "pinned-a"`).
			with(imagesDigest+"pods/pinned-a", imagePod("name: pinned-a", pinned)),
		"images: a digest":             force(work, alice, imagesDigest+"pods/pinned-$N", imagePod("name: pinned-$N", pinned), ""),
		"images: a digest of sha512":   force(work, alice, imagesDigest+"pods/long-$N", imagePod("name: long-$N", "app@sha512:"+hex64+hex64), ""),
		"images: a digest of a volume": force(work, alice, imagesDigest+"pods/volume-$N", imagePod("name: volume-$N", pinned, imageVolume(pinned)), "").needing("ImageVolume"),
		"images: a digest becomes another": patch(work, alice, imagesDigest+"pods/pinned-b-$N", otherImage("app@sha256:"+strings.Repeat("$N", 64)), "").
			with(imagesDigest+"pods/pinned-b-$N", imagePod("name: pinned-b-$N", pinned)),
	}
}

// imagesPulled are images that the node may have already, and images that it asks the registry for. Where policies fill in
// Always, only what a node is said to report is left as it is.
func imagesPulled() table {
	const threat = "a private image of another tenant, which the node has already"
	const work = "tenants can't work"
	cached := func(policy string) string {
		return `tenant "images", rule images: Pod "worse" must not use the image "` + evilImage + `" in container "c" with the pull policy "` + policy +
			`", which an unset one becomes too unless the tag is latest: allowed is Always; write it there, because spec.images.pullPolicy of Tenant "images" is Always`
	}
	return table{
		"images: pulled if not present":       create(threat, alice, imagesPull+"pods", reported(evilImage, "IfNotPresent"), cached("IfNotPresent")),
		"images: never pulled":                create(threat, alice, imagesPull+"pods", reported(evilImage, "Never"), cached("Never")),
		"images: never pulled, by controller": create(threat, serviceAccount("kube-system", "replicaset-controller"), imagesPull+"pods", reported(evilImage, "Never"), cached("Never")),
		"images: a volume is never pulled": create(threat, alice, imagesPull+"pods",
			strings.Replace(reported(evilImage, "Always"), "nodeName", strings.Replace(imageVolume(evilImage), "Always", "Never", 1)+", nodeName", 1),
			`" in volume "v" with the pull policy "Never"`).needing("ImageVolume"),
		"images: always pulled":                force(work, alice, imagesPull+"pods/pulled-$N", imagePod("name: pulled-$N", evilImage), ""),
		"images: always pulled, by controller": create(work, serviceAccount("kube-system", "replicaset-controller"), imagesPull+"pods", imagePod("generateName: pulled-", evilImage), ""),
		"images: a volume is always pulled":    force(work, alice, imagesPull+"pods/volume-$N", imagePod("name: volume-$N", evilImage, imageVolume(evilImage)), "").needing("ImageVolume"),
	}
}

// imagesWork is what must work.
func imagesWork() table {
	const work = "tenants can't work"
	template := strings.Replace(deployment("images", "erin"), "registry.example/app:1", evilImage, 1)
	all := table{
		"images: by a ReplicaSet, of the tenant's registry": create(work, serviceAccount("kube-system", "replicaset-controller"), imagesFrom+"pods", imagePod("generateName: good-", goodImage), ""),
		"images: where nothing is restricted":               force("other namespaces are judged by this one's registries", alice, imagesFree+"pods/free-$N", imagePod("name: free-$N", evilImage), ""),
		"images: an ID where nothing is restricted":         force("other namespaces are judged by this one's registries", alice, imagesFree+"pods/free-id-$N", imagePod("name: free-id-$N", "sha256:"+hex64), ""),
		"images: a template":                                force("what is only said is taken for what runs", alice, "/apis/apps/v1/namespaces/images-free/deployments/images", template, ""),
		"images: a node reports what it runs": create("nodes can't report", node, imagesFrom+"pods",
			strings.Replace(reported(evilImage, "IfNotPresent"), "name: worse", "name: static-$N", 1), ""),
		"images: break-glass":                       force("nobody could help in an emergency", brook, imagesFrom+"pods/emergency-$N", imagePod("name: emergency-$N", evilImage), ""),
		"images: a volume of the tenant's registry": force(work, alice, imagesFrom+"pods/volume-$N", imagePod("name: volume-$N", goodImage, imageVolume(goodImage)), "").needing("ImageVolume"),
	}
	for name, image := range map[string]string{
		"folder": goodImage, "digest": "registry.example.com/images/a/b/app@sha256:" + hex64, "upper": "Registry.Example.COM/images/app:1",
		"short": "nginx", "hub": "docker.io/nginx:1", "old-hub": "index.docker.io/nginx", "library": "library/nginx", "full": "docker.io/library/nginx:1",
	} {
		all["images: from the tenant's registry: "+name] = attempt{
			threat: work, by: alice, method: http.MethodPost, path: imagesFrom + "pods", kind: document, body: imagePod("name: "+name+"-$N", image),
		}
	}
	return all
}
