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
	"strings"
	"testing"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

const (
	claimsRail  = "bulkhead-storage"
	volumesRail = "bulkhead-storage-volumes"
	podsRail    = "bulkhead-storage-pods"
)

// storing are the annotations of a namespace whose Tenant has spec.storage.
func storing() map[string]string {
	return map[string]string{v1alpha1.GuardStorageClasses: "standard,fast"}
}

func aClaim(annotations, spec string) string {
	return anObject("v1", "PersistentVolumeClaim", annotations, "spec: {"+spec+"}")
}

func aSnapshot(kind, source string) string {
	return anObject("snapshot.storage.k8s.io/v1", kind, "", "spec: {source: {"+source+"}}")
}

func aPod(volumes string) string {
	return anObject("v1", "Pod", "", "spec: {containers: [{name: c, image: x}], volumes: "+volumes+"}")
}

// storageRequests are requests that the rules of the room storage refuse.
func storageRequests() map[string]request {
	long := guarded(map[string]string{v1alpha1.GuardStorageClasses: strings.Trim(entries(48, "a-class-with-a-name-"+strings.Repeat("x", 200)+"-%d"), "[]")})
	many := strings.Trim(entries(big, `"example.com/key-%d": x`), "[]") + ", "
	const legacy = "volume.beta.kubernetes.io/storage-class: "
	return map[string]request{
		"a claim of a foreign class":         writing(target{claimsRail, "persistentvolumeclaims"}, aClaim(many+legacy+strings.Repeat("x", 100000), `storageClassName: gold`), "", long),
		"a claim of no class":                writing(target{claimsRail, "persistentvolumeclaims"}, aClaim(many, `volumeName: x`), "", long),
		"a claim of another's data":          writing(target{claimsRail, "persistentvolumeclaims"}, aClaim(many, `storageClassName: fast, dataSourceRef: {kind: VolumeSnapshot, name: s, namespace: beta-prod}`), "", guarded(storing())),
		"a claim that gets its class":        writing(target{claimsRail, "persistentvolumeclaims"}, aClaim(many, `storageClassName: gold`), aClaim(many, ``), long),
		"a claim that gets its class behind": writing(target{claimsRail, "persistentvolumeclaims/status"}, aClaim(many+legacy+"gold", ``), aClaim(many, ``), long),
		"a claim of a certain volume":        writing(target{volumesRail, "persistentvolumeclaims"}, aClaim(many, `storageClassName: fast, volumeName: `+strings.Repeat("x", 253)), "", long),
		"a claim is bound":                   writing(target{volumesRail, "persistentvolumeclaims"}, aClaim(many, `volumeName: x`), aClaim(many, ``), long),
		"a snapshot of a certain content":    writing(target{volumesRail, "volumesnapshots"}, aSnapshot("VolumeSnapshot", `volumeSnapshotContentName: x`), "", long),
		"snapshots of a certain content":     writing(target{volumesRail, "volumegroupsnapshots"}, aSnapshot("VolumeGroupSnapshot", `volumeGroupSnapshotContentName: x`), "", long),
		"a pod of many volumes":              writing(target{podsRail, "pods"}, aPod(entries(10*big, `{name: v-%d, csi: {driver: x.example.com}}`)), "", long),
		"a pod of a volume of the network":   writing(target{podsRail, "pods"}, aPod(strings.TrimSuffix(entries(10*big, `{name: v-%d, emptyDir: {}}`), "]")+`, {name: last, nfs: {server: s, path: /}}]`), "", long),
	}
}

func TestStorage(t *testing.T) {
	t.Parallel()
	const legacy = "volume.beta.kubernetes.io/storage-class: "
	const allowed = `allowed are standard, fast; others are added to spec.storage.classNames of Tenant "acme"`
	tests := map[string]struct{ annotations, spec, oldAnnotations, old, want string }{
		"a class":                        {spec: `storageClassName: standard`},
		"the other class":                {spec: `storageClassName: fast`},
		"a foreign class":                {spec: `storageClassName: gold`, want: `must not have the class "gold" (spec.storageClassName): ` + allowed},
		"a class that begins alike":      {spec: `storageClassName: fast2`, want: `"fast2"`},
		"no class":                       {spec: `accessModes: []`, want: `must name its class in spec.storageClassName: ` + allowed},
		"the empty class":                {spec: `storageClassName: ""`, want: `must not have the class "" (spec.storageClassName), which is any volume without a class: allowed`},
		"a class by annotation":          {annotations: legacy + "fast", spec: ``},
		"a foreign class by annotation":  {annotations: legacy + "gold", spec: `storageClassName: fast`, want: `must not have the class "gold" (volume.beta.kubernetes.io/storage-class): ` + allowed},
		"the empty class by annotation":  {annotations: legacy + `""`, spec: `storageClassName: fast`, want: `must not have the class ""`},
		"a class in two lines":           {annotations: legacy + `"a\nb"`, spec: `storageClassName: fast`, want: `must not have the class "a b"`},
		"a volume's class":               {spec: `storageClassName: fast, volumeAttributesClassName: gold`},
		"a source":                       {spec: `storageClassName: fast, dataSourceRef: {kind: PersistentVolumeClaim, name: c}`},
		"a source in full":               {spec: `storageClassName: fast, dataSourceRef: {kind: PersistentVolumeClaim, name: c, namespace: acme-prod}`},
		"another's source":               {spec: `storageClassName: fast, dataSourceRef: {kind: PersistentVolumeClaim, name: c, namespace: beta-prod}`, want: `must not be filled from namespace "beta-prod" (spec.dataSourceRef.namespace): allowed are sources in acme-prod; no field of Tenant "acme" changes it`},
		"an old class grows":             {spec: `storageClassName: gold, resources: {requests: {storage: 2Gi}}`, old: `storageClassName: gold, resources: {requests: {storage: 1Gi}}`},
		"an old class by annotation":     {annotations: legacy + "gold, a: b", oldAnnotations: legacy + "gold", old: `accessModes: []`},
		"no class as before":             {spec: `volumeName: x`, old: `accessModes: []`},
		"a default that comes later":     {spec: `storageClassName: standard`, old: `accessModes: []`},
		"a foreign default comes later":  {spec: `storageClassName: gold`, old: `accessModes: []`, want: `"gold"`},
		"an annotation that comes later": {annotations: legacy + "gold", spec: `storageClassName: fast`, old: `storageClassName: fast`, want: `"gold"`},
		"a class that goes":              {spec: ``, old: `storageClassName: fast`, want: `must name its class`},
		"an old source":                  {spec: `storageClassName: fast, dataSourceRef: {name: c, namespace: beta-prod}, volumeName: x`, old: `storageClassName: fast, dataSourceRef: {name: c, namespace: beta-prod}`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old := ""
			if tc.old != "" {
				old = aClaim(tc.oldAnnotations, tc.old)
			}
			said(t, writing(target{claimsRail, "persistentvolumeclaims"}, aClaim(tc.annotations, tc.spec), old, guarded(storing())), tc.want)
			said(t, writing(target{claimsRail, "persistentvolumeclaims"}, aClaim(tc.annotations, tc.spec), old, guarded(nil)), "")
		})
	}
}

func TestStorageVolumes(t *testing.T) {
	t.Parallel()
	claim := func(spec string) string { return aClaim("", spec) }
	const volume = `must not choose the volume "pv-1" (spec.volumeName): allowed are new volumes of the classes standard, fast (spec.storage.classNames of Tenant "acme"); the platform gives a volume to a claim by spec.claimRef of the PersistentVolume, or chooses it as break-glass`
	tests := map[string]struct{ rail, resource, object, old, want string }{
		"any volume":             {volumesRail, "persistentvolumeclaims", claim(`storageClassName: fast`), "", ""},
		"a volume":               {volumesRail, "persistentvolumeclaims", claim(`storageClassName: fast, volumeName: pv-1`), "", volume},
		"a volume comes later":   {volumesRail, "persistentvolumeclaims", claim(`volumeName: pv-1`), claim(`storageClassName: fast`), volume},
		"an old volume":          {volumesRail, "persistentvolumeclaims", claim(`volumeName: pv-1, accessModes: []`), claim(`volumeName: pv-1`), ""},
		"a snapshot":             {volumesRail, "volumesnapshots", aSnapshot("VolumeSnapshot", `persistentVolumeClaimName: c`), "", ""},
		"another's snapshot":     {volumesRail, "volumesnapshots", aSnapshot("VolumeSnapshot", `volumeSnapshotContentName: c`), "", `must not choose the content "c" (spec.source): allowed are snapshots of claims in acme-prod; the platform makes others as break-glass, and no field of Tenant "acme" allows them`},
		"another's snapshots":    {volumesRail, "volumegroupsnapshots", aSnapshot("VolumeGroupSnapshot", `volumeGroupSnapshotContentName: c`), "", `must not choose the content "c"`},
		"an old snapshot":        {volumesRail, "volumesnapshots", aSnapshot("VolumeSnapshot", `volumeSnapshotContentName: c`), aSnapshot("VolumeSnapshot", `volumeSnapshotContentName: c`), ""},
		"volumes of a pod":       {podsRail, "pods", aPod(`[{name: a, persistentVolumeClaim: {claimName: c}}, {name: b, ephemeral: {}}, {name: c, emptyDir: {}}, {name: d, configMap: {}}, {name: e, secret: {}}, {name: f, projected: {}}, {name: g, downwardAPI: {}}, {name: h, image: {}}, {name: i, hostPath: {path: /}}]`), "", ""},
		"no volumes":             {podsRail, "pods", aPod(`[]`), "", ""},
		"a volume of a driver":   {podsRail, "pods", aPod(`[{name: a, emptyDir: {}}, {name: b, csi: {driver: x.example.com}}]`), "", `must not have the volume "b" of the driver "x.example.com" without a claim (spec.volumes): allowed are persistentVolumeClaim and ephemeral, of the classes standard, fast (spec.storage.classNames of Tenant "acme"), and what is the pod's own`},
		"a volume of an NFS":     {podsRail, "pods", aPod(`[{name: b, nfs: {server: s, path: /}}]`), "", `must not have the volume "b" without a claim (spec.volumes)`},
		"a volume of the future": {podsRail, "pods", aPod(`[{name: b, quantumDisk: {}}]`), "", `must not have the volume "b" without a claim`},
	}
	for _, kind := range []string{
		"awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "fc", "flexVolume", "gcePersistentDisk", "glusterfs", "iscsi", "portworxVolume", "rbd", "vsphereVolume",
	} {
		tests["a volume of "+kind] = struct{ rail, resource, object, old, want string }{podsRail, "pods", aPod(`[{name: b, ` + kind + `: {}}]`), "", `must not have the volume "b"`}
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said(t, writing(target{tc.rail, tc.resource}, tc.object, tc.old, guarded(storing())), tc.want)
			said(t, writing(target{tc.rail, tc.resource}, tc.object, tc.old, guarded(nil)), "")
		})
	}
}

// TestStorageVolumesBy checks who chooses the volume of a claim.
func TestStorageVolumesBy(t *testing.T) {
	t.Parallel()
	const binder = ":persistent-volume-binder"
	for name, tc := range map[string]struct {
		user    string
		allowed bool
	}{
		"somebody":                       {user: "mallory"},
		"the volume controller":          {user: "system:serviceaccount:kube-system" + binder, allowed: true},
		"one user for all controllers":   {user: "system:kube-controller-manager", allowed: true},
		"the operator":                   {user: "system:serviceaccount:bulkhead-system:bulkhead", allowed: true},
		"an account of the same name":    {user: "system:serviceaccount:acme-prod" + binder},
		"another account of kube-system": {user: "system:serviceaccount:kube-system:statefulset-controller"},
		"a tool for backups":             {user: "system:serviceaccount:velero:velero"},
		"the scheduler":                  {user: "system:kube-scheduler"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, r := range []request{
				writing(target{volumesRail, "persistentvolumeclaims"}, aClaim("", `volumeName: pv-1`), aClaim("", ``), guarded(storing())),
				writing(target{volumesRail, "volumesnapshots"}, aSnapshot("VolumeSnapshot", `volumeSnapshotContentName: c`), "", guarded(storing())),
			} {
				want := "must not choose"
				if tc.allowed {
					want = ""
				}
				r.user = tc.user
				said(t, r, want)
			}
		})
	}
}
