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
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

const (
	stored         = namespaces + "/storage-prod/"
	claims         = stored + "persistentvolumeclaims"
	snapshots      = "/apis/snapshot.storage.k8s.io/v1/namespaces/storage-prod/volumesnapshots"
	groupSnapshots = "/apis/groupsnapshot.storage.k8s.io/v1beta1/namespaces/storage-prod/volumegroupsnapshots"
	storageRefusal = `tenant "storage", rule storage: `
	legacyClass    = "volume.beta.kubernetes.io/storage-class"
)

// storageTenants are further tenants that they need.
func storageTenants() []*v1alpha1.Tenant {
	return []*v1alpha1.Tenant{
		MakeTenant("storage").Policy(func(p *v1alpha1.PolicyBlocks) {
			p.Storage = &v1alpha1.Storage{ClassNames: []v1alpha1.ObjectName{"standard", "fast"}}
		}).
			Namespaces("storage-prod").Namespace("storage-baseline", WithPolicy(Enforce(v1alpha1.PodSecurityBaseline))).
			Member("owners", v1alpha1.RoleAdmin, User(alice.user)).Member("editors", v1alpha1.RoleEdit, User(erin.user)).Obj(),
		MakeTenant("storage-any").Namespaces("storage-open").Member("owners", v1alpha1.RoleAdmin, User(alice.user)).Obj(),
	}
}

// aClaim is a PersistentVolumeClaim with more in its metadata and spec.
func aClaim(name, annotations, spec string) string {
	return `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: ` + name + `, annotations: {` + annotations + `}}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}` + spec + `}}`
}

// mounting is a pod with a volume.
func mounting(name, volume string) string {
	return strings.Replace(pod(name), "spec: {", "spec: {volumes: [{name: data, "+volume+"}], ", 1)
}

func aSnapshot(group, kind, name, source string) string {
	return `{apiVersion: ` + group + `, kind: ` + kind + `, metadata: {name: ` + name + `}, spec: {source: {` + source + `}}}`
}

// storageRules are attempts on what the room storage guards.
func storageRules() table { return table{}.add(storageClaims(), storagePods()) }

func storageClaims() table {
	const threat = "data lies on another tenant's storage, or on none that is paid for"
	const theirs = "data of another tenant is read"
	refused := storageRefusal + `PersistentVolumeClaim "worse" must not `
	snapshot := func(name, source string) string {
		return aSnapshot("snapshot.storage.k8s.io/v1", "VolumeSnapshot", name, source)
	}
	volume := serviceAccount("kube-system", "persistent-volume-binder")
	return table{
		"storage: a foreign class": create(threat, alice, claims, aClaim("worse", "", `, storageClassName: gold`),
			refused+`have the class "gold" (spec.storageClassName): allowed are standard, fast; others are added to spec.storage.classNames of Tenant "storage"`),
		"storage: a class that begins alike":  create(threat, alice, claims, aClaim("worse", "", `, storageClassName: fast-gold`), refused),
		"storage: no class at all":            create(theirs, alice, claims, aClaim("worse", "", `, storageClassName: ""`), refused+`have the class "" (spec.storageClassName), which is any volume without a class`),
		"storage: no class, a certain volume": create(theirs, alice, claims, aClaim("worse", "", `, storageClassName: "", volumeName: pv-1`), storageRefusal),
		"storage: a foreign class by an old annotation": create(threat, alice, claims, aClaim("worse", legacyClass+`: gold`, `, storageClassName: fast`),
			refused+`have the class "gold" (`+legacyClass+`)`),
		"storage: the empty class by an old annotation": create(theirs, alice, claims, aClaim("worse", legacyClass+`: ""`, `, storageClassName: fast`), refused+`have the class ""`),
		"storage: by an editor":                         create(threat, erin, claims, aClaim("worse", "", `, storageClassName: gold`), refused),
		"storage: by the cluster's admin":               create(threat, paula, claims, aClaim("worse", "", `, storageClassName: gold`), refused),
		"storage: by apply":                             force(threat, alice, claims+"/worse", aClaim("worse", "", `, storageClassName: gold`), refused),
		"storage: as a dry run":                         create("a dry run says that something would work that doesn't", alice, claims+"?dryRun=All", aClaim("worse", "", `, storageClassName: gold`), refused),
		"storage: with a generated name":                create(threat, alice, claims, strings.Replace(aClaim("worse", "", `, storageClassName: gold`), "name: worse", "generateName: worse-", 1), storageRefusal+`PersistentVolumeClaim "worse-`),
		"storage: by a StatefulSet":                     create(threat, serviceAccount("kube-system", "statefulset-controller"), claims, aClaim("worse", "", `, storageClassName: gold`), refused),
		"storage: by a pod's own claim":                 create(threat, serviceAccount("kube-system", "ephemeral-volume-controller"), claims, aClaim("worse", "", `, storageClassName: gold`), refused),
		"storage: a volume that is there": create(theirs, alice, claims, aClaim("worse", "", `, storageClassName: fast, volumeName: pv-1`),
			refused+`choose the volume "pv-1" (spec.volumeName): allowed are new volumes of the classes standard, fast (spec.storage.classNames of Tenant "storage"); `+
				`the platform gives a volume to a claim by spec.claimRef of the PersistentVolume, or chooses it as break-glass`),
		"storage: a cluster admin chooses a volume": create(theirs, paula, claims, aClaim("worse", "", `, storageClassName: fast, volumeName: pv-3`), refused+`choose the volume "pv-3"`),
		"storage: a cluster admin chooses one later": patch(theirs, paula, claims+"/given-$N", `{"spec":{"volumeName":"pv-3"}}`, `must not choose the volume "pv-3"`).
			with(claims+"/given-$N", aClaim("given-$N", "", `, storageClassName: fast`)),
		"storage: a cluster admin's account does": create(theirs, serviceAccount("gitops", "syncer"), claims, aClaim("worse", "", `, storageClassName: fast, volumeName: pv-3`), refused+`choose the volume "pv-3"`),
		"storage: a cluster admin's snapshot": create(theirs, paula, snapshots, snapshot("worse", `volumeSnapshotContentName: theirs`),
			storageRefusal+`VolumeSnapshot "worse" must not choose the content "theirs" (spec.source): allowed are snapshots of claims in storage-prod; `+
				`the platform makes others as break-glass, and no field of Tenant "storage" allows them`),
		"storage: a volume that is there, by a StatefulSet": create(theirs, serviceAccount("kube-system", "statefulset-controller"), claims, aClaim("worse", "", `, storageClassName: fast, volumeName: pv-1`), refused),
		"storage: a volume is chosen later": patch(theirs, alice, claims+"/bound-$N", `{"spec":{"volumeName":"pv-1"}}`, `must not choose the volume "pv-1"`).
			with(claims+"/bound-$N", aClaim("bound-$N", "", `, storageClassName: fast`)),
		"storage: another's snapshot":             create(theirs, alice, snapshots, snapshot("worse", `volumeSnapshotContentName: theirs`), storageRefusal+`VolumeSnapshot "worse" must not choose the content "theirs" (spec.source)`),
		"storage: another's snapshots":            create(theirs, alice, groupSnapshots, aSnapshot("groupsnapshot.storage.k8s.io/v1beta1", "VolumeGroupSnapshot", "worse", `volumeGroupSnapshotContentName: theirs`), storageRefusal+`VolumeGroupSnapshot "worse" must not choose`),
		"storage: its class":                      force("self-service", alice, claims+"/own", aClaim("own", "", `, storageClassName: standard`), ""),
		"storage: its other class":                force("self-service", erin, claims+"/other", aClaim("other", "", `, storageClassName: fast`), ""),
		"storage: its class by an old annotation": force("charts from before there was a field", alice, claims+"/legacy", aClaim("legacy", legacyClass+`: fast`, ``), ""),
		"storage: a copy of its own":              force("self-service", alice, claims+"/copy", aClaim("copy", "", `, storageClassName: fast, dataSource: {kind: PersistentVolumeClaim, name: own}`), ""),
		"storage: a snapshot of its own":          force("self-service", alice, snapshots+"/own", snapshot("own", `persistentVolumeClaimName: own`), ""),
		"storage: Kubernetes binds a volume": replace("no claim gets its volume", volume, claims+"/served-$N", choosing("pv-2"), "").
			with(claims+"/served-$N", aClaim("served-$N", "", `, storageClassName: fast`)),
		"storage: break-glass chooses a volume": create("backups can't be restored", brook, claims, aClaim("restored-$N", "", `, storageClassName: fast, volumeName: pv-3`), ""),
		"storage: break-glass makes a snapshot": force("backups can't be restored", brook, snapshots+"/given", snapshot("given", `volumeSnapshotContentName: theirs`), ""),
		"storage: an old claim": patch("what was there before the rule can't be worked with", alice, claims+"/old", `{"metadata":{"labels":{"round":"r-$N"}}}`, "").
			with(claims+"/old", aClaim("old", legacyClass+`: gold`, `, storageClassName: gold, volumeName: pv-4`)),
		"storage: a claim is deleted":               remove("self-service", alice, claims+"/gone-$N", "").with(claims+"/gone-$N", aClaim("gone-$N", "", `, storageClassName: gold`)),
		"storage: break-glass takes any":            force("nobody could help in an emergency", brook, claims+"/emergency", aClaim("emergency", "", `, storageClassName: gold`), ""),
		"storage: open, any class":                  force("tenants without spec.storage", alice, namespaces+"/storage-open/persistentvolumeclaims/any", aClaim("any", "", `, storageClassName: gold`), ""),
		"storage: open, a volume that is there":     force("tenants without spec.storage", alice, namespaces+"/storage-open/persistentvolumeclaims/chosen", aClaim("chosen", "", `, storageClassName: "", volumeName: pv-5`), ""),
		"storage: open, a pod's volume of a driver": force("tenants without spec.storage", alice, namespaces+"/storage-open/pods/any-$N", mounting("any-$N", `csi: {driver: csi.example.com}`), ""),
	}
}

func storagePods() table {
	const threat = "storage that nobody counts, of any class, by a name that others use too"
	const baseline = namespaces + "/storage-baseline/pods"
	refused := storageRefusal + `Pod "worse" must not have the volume "data" `
	all := table{
		"storage: a pod's volume without a claim": create(threat, alice, stored+"pods", mounting("worse", `csi: {driver: csi.example.com}`),
			refused+`of the driver "csi.example.com" without a claim (spec.volumes): allowed are persistentVolumeClaim and ephemeral, of the classes standard, fast (spec.storage.classNames of Tenant "storage")`),
		"storage: a pod's volume, by a ReplicaSet": create(threat, serviceAccount("kube-system", "replicaset-controller"), stored+"pods", mounting("worse", `csi: {driver: csi.example.com}`), refused),
		"storage: a pod with a claim":              force("self-service", alice, stored+"pods/own-$N", mounting("own-$N", `persistentVolumeClaim: {claimName: own}`), ""),
		"storage: a pod with a claim of its own": force("self-service", alice, stored+"pods/ephemeral-$N",
			mounting("ephemeral-$N", `ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1Gi}}}}}`), ""),
		"storage: a pod with what is its own": force("self-service", alice, stored+"pods/plain-$N", mounting("plain-$N", `emptyDir: {}`), ""),
	}
	for kind, volume := range map[string]string{
		"nfs": `{server: nfs.example.com, path: /}`, "awsElasticBlockStore": `{volumeID: vol-1}`, "iscsi": `{targetPortal: 192.0.2.1, iqn: "iqn.2001-04.com.example:a", lun: 0}`,
	} {
		all["storage: a pod's volume of "+kind] = create(threat, alice, baseline, mounting("worse", kind+": "+volume), refused+`without a claim (spec.volumes)`)
	}
	return all
}

// choosing sets the volume of a claim.
func choosing(volume string) func(*unstructured.Unstructured) {
	return func(u *unstructured.Unstructured) {
		if spec, ok := u.Object["spec"].(map[string]any); ok {
			spec["volumeName"] = volume
		}
	}
}
