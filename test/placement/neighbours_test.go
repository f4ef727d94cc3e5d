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

package placement

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
)

// What the guard-rails say.
const (
	namesNode      = `must not name the node "pci-1"`
	namesScheduler = `must not name the scheduler "mine"`
	toleratesAll   = "must not tolerate every taint"
	toleratesTaint = `must not tolerate the taint "pool.example.com/dedicated"`
	selectsOther   = "must select its nodes by pool.example.com/name=shared"
	hasPriority    = "must not have the PriorityClass"
	hasRuntime     = "must not have the RuntimeClass"
	isBound        = `must not be bound to the node "pci-1" by "oscar"`
	// immutable is Kubernetes' own: a pod's nodeSelector only gains keys, and only while the pod is gated.
	immutable = "spec.nodeSelector"
)

// wants is what comes of it in either of the guarded neighbours.
func wants(atShop, atLab outcome) map[string]outcome {
	return map[string]outcome{shop: atShop, lab: atLab}
}

func both(want outcome) map[string]outcome { return wants(want, want) }

// pci selects the regulated tenant's nodes.
var pci = selects(poolKey, "pci")

// lost keeps a pod waiting.
var lost = selects("zone", "nowhere")

// neighbours are the attempts of other tenants to get onto the regulated tenant's nodes.
func neighbours() map[string]attempt {
	all := map[string]attempt{}
	for _, some := range []map[string]attempt{
		neighboursPods(), neighboursLater(), neighboursGates(), neighboursBindings(), neighboursWork(), neighboursClasses(),
	} {
		maps.Copy(all, some)
	}
	return all
}

// neighboursPods are pods that say at once where they want to be.
func neighboursPods() map[string]attempt {
	return map[string]attempt{
		"a pod":                            {makes: pod(), want: wants(on("shared", 1), on("", 1))},
		"the taint":                        {makes: pod(tolerates(exact)), want: wants(on("shared", 1), refused(toleratesTaint))},
		"the taint and the pool":           {makes: pod(tolerates(exact), pci), want: wants(refused(selectsOther), refused(toleratesTaint)), breaks: true},
		"the taint, whatever its value":    {makes: pod(tolerates(anyValue), pci), want: wants(refused(selectsOther), refused(toleratesTaint)), breaks: true},
		"the taint by comparison":          {makes: pod(tolerates(corev1.Toleration{Key: taintKey, Operator: "Gt", Value: "0", Effect: corev1.TaintEffectNoSchedule}), pci), want: both(refused(""))},
		"the taint by no value":            {makes: pod(tolerates(corev1.Toleration{Key: taintKey}), near(in("pci"))), want: wants(waiting, refused(toleratesTaint))},
		"every taint":                      {makes: pod(tolerates(every), pci), want: both(refused(toleratesAll)), breaks: true},
		"every taint of an effect":         {makes: pod(tolerates(corev1.Toleration{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}), pci), want: both(refused(toleratesAll)), breaks: true},
		"every taint after another":        {makes: pod(tolerates(corev1.Toleration{Key: "gpu", Operator: corev1.TolerationOpExists}, every), pci), want: both(refused(toleratesAll)), breaks: true},
		"the pool":                         {makes: pod(pci), want: wants(refused(selectsOther), waiting)},
		"a node's hostname":                {makes: pod(tolerates(exact), selects(corev1.LabelHostname, "pci-1")), want: wants(waiting, refused(toleratesTaint)), breaks: true},
		"a node's hostname, no taint":      {makes: pod(selects(corev1.LabelHostname, "pci-1")), want: both(waiting)},
		"affinity to the pool":             {makes: pod(near(in("pci"))), want: both(waiting)},
		"affinity and the taint":           {makes: pod(near(in("pci")), tolerates(exact)), want: wants(waiting, refused(toleratesTaint)), breaks: true},
		"affinity to this or that":         {makes: pod(near(in("pci"), in("nothing")), tolerates(exact)), want: wants(waiting, refused(toleratesTaint)), breaks: true},
		"affinity to the pool or one's":    {makes: pod(near(in("pci"), in("shared")), tolerates(exact)), want: wants(on("shared", 1), refused(toleratesTaint))},
		"affinity to a node's name":        {makes: pod(nearNode("pci-1"), tolerates(exact)), want: wants(waiting, refused(toleratesTaint)), breaks: true},
		"rather the pool":                  {makes: pod(rather(in("pci")), tolerates(exact)), want: wants(on("shared", 1), refused(toleratesTaint))},
		"rather the pool, no taint":        {makes: pod(rather(in("pci"))), want: wants(on("shared", 1), on("", 1))},
		"beside its pods":                  {makes: pod(besidePods(payments), tolerates(exact)), want: wants(waiting, refused(toleratesTaint)), breaks: true},
		"beside its pods, no taint":        {makes: pod(besidePods(payments)), want: both(waiting)},
		"a node":                           {makes: pod(named("pci-1")), want: both(refused(namesNode)), breaks: true},
		"a node and every taint":           {makes: pod(named("pci-1"), tolerates(every)), want: both(refused(namesNode)), breaks: true},
		"a node, as if its own pod":        {makes: mirrorPod(named("pci-1")), want: both(refused(namesNode)), breaks: true},
		"a node while gated":               {makes: pod(gated, named("pci-1")), want: both(refused("nodeName"))},
		"another scheduler, which binds":   {makes: pod(scheduledBy("mine")), by: oscar, then: bind("pci-1"), want: both(refused(namesScheduler)), breaks: true},
		"another scheduler, which doesn't": {makes: pod(scheduledBy("mine"), pci, tolerates(exact)), want: both(refused(namesScheduler))},
	}
}

// neighboursLater are pods that are changed once they are there.
func neighboursLater() map[string]attempt {
	waits := pod(near(in("pci")))
	return map[string]attempt{
		"the taint by a patch":      {makes: waits, then: add(exact), want: wants(waiting, refused(toleratesTaint)), breaks: true},
		"the taint by an update":    {makes: waits, then: update(tolerates(anyValue)), want: wants(waiting, refused(toleratesTaint)), breaks: true},
		"the taint by apply":        {makes: waits, then: applyMore(exact), want: wants(waiting, refused(toleratesTaint)), breaks: true},
		"every taint by a patch":    {makes: waits, then: add(every), want: both(refused(toleratesAll)), breaks: true},
		"every taint by an update":  {makes: waits, then: update(tolerates(every)), want: both(refused(toleratesAll)), breaks: true},
		"every taint by apply":      {makes: waits, then: applyMore(every), want: both(refused(toleratesAll)), breaks: true},
		"every taint by another":    {makes: waits, by: oscar, then: add(every), want: both(refused(toleratesAll)), breaks: true},
		"a node by an update":       {makes: waits, then: update(named("pci-1")), want: both(refused("pod updates may not change fields"))},
		"the pool by an update":     {makes: pod(lost), then: update(pci), want: both(refused("pod updates may not change fields"))},
		"a node by the status":      {makes: waits, by: oscar, then: updateSub("status", named("pci-1")), want: both(waiting)},
		"nominated for a node":      {makes: waits, by: oscar, then: nominate("pci-1"), want: both(waiting)},
		"every taint by the status": {makes: waits, by: oscar, then: updateSub("status", tolerates(every)), want: both(waiting)},
		"every taint by debugging": {makes: waits, by: oscar, then: updateSub("ephemeralcontainers", func(s *corev1.PodSpec) {
			tolerates(every)(s)
			s.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
				Name: "debug", Image: "registry.example.com/debug:1", ImagePullPolicy: corev1.PullAlways, TerminationMessagePolicy: corev1.TerminationMessageReadFile,
			}}}
		}), want: both(waiting)},
		"every taint by a resize": {makes: waits, by: oscar, then: updateSub("resize", tolerates(every)), want: both(waiting)},
		"what the tenant may, by the namespace": {makes: pod(lost), by: oscar, then: changeNamespace(`{"metadata":{"annotations":{"guard.bulkhead.dev/placement":null,` +
			`"guard.bulkhead.dev/node-selector":null,"guard.bulkhead.dev/tolerations":null}}}`), want: both(refused("rule namespace-metadata"))},
		"where the tenant is, by the namespace": {makes: pod(lost), by: oscar, then: changeNamespace(`{"metadata":{"labels":{"tenancy.bulkhead.dev/tenant":null}}}`),
			want: both(refused("rule namespace-metadata"))},
	}
}

// neighboursGates are pods that wait at a gate, and change before they go through.
func neighboursGates() map[string]attempt {
	const open = `"schedulingGates":null`
	const affinity = `"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[` +
		`{"matchExpressions":[{"key":"` + poolKey + `","operator":"In","values":["pci"]}]}]}}}`
	return map[string]attempt{
		"gated: gains the pool, with the taint": {makes: pod(gated, tolerates(exact)), then: merge(`{"spec":{"nodeSelector":{"` + poolKey + `":"pci"},` + open + `}}`),
			want: wants(refused(immutable), refused(toleratesTaint)), breaks: true},
		"gated: gains the pool": {makes: pod(gated), then: merge(`{"spec":{"nodeSelector":{"` + poolKey + `":"pci"},` + open + `}}`), want: wants(refused(immutable), waiting)},
		"gated: gains affinity, with the taint": {makes: pod(gated, tolerates(exact)), then: merge(`{"spec":{` + affinity + `,` + open + `}}`),
			want: wants(waiting, refused(toleratesTaint)), breaks: true},
		"gated: gains affinity": {makes: pod(gated), then: merge(`{"spec":{` + affinity + `,` + open + `}}`), want: both(waiting)},
		"gated: gains affinity and every taint": {makes: pod(gated), then: update(func(s *corev1.PodSpec) {
			near(in("pci"))(s)
			tolerates(every)(s)
			s.SchedulingGates = nil
		}), want: both(refused(toleratesAll)), breaks: true},
		"gated: gains every taint":           {makes: pod(gated, near(in("pci"))), then: add(every), want: both(refused(toleratesAll))},
		"gated: loses what the tenant wants": {makes: pod(gated), then: merge(`{"spec":{"nodeSelector":null}}`), want: wants(refused(immutable), waiting)},
		"gated: another pool than the tenant wants": {makes: pod(gated), then: merge(`{"spec":{"nodeSelector":{"` + poolKey + `":"gpu"}}}`),
			want: wants(refused(immutable), waiting)},
		"gated: a node": {makes: pod(gated), by: oscar, then: bind("pci-1"), want: both(refused(""))},
	}
}

// neighboursBindings are pods that others than the scheduler put on nodes.
func neighboursBindings() map[string]attempt {
	return map[string]attempt{
		"bound by the admin":            {makes: pod(lost), then: bind("pci-1"), want: both(refused(`cannot create resource "pods/binding"`))},
		"bound by the admin, by itself": {makes: pod(lost), then: bindByItself("pci-1"), want: both(refused(`cannot create resource "bindings"`))},
		"bound":                         {makes: pod(lost), by: oscar, then: bind("pci-1"), want: both(refused(isBound)), breaks: true},
		"bound by itself":               {makes: pod(lost), by: oscar, then: bindByItself("pci-1"), want: both(refused(isBound)), breaks: true},
	}
}

// neighboursWork is what makes pods.
func neighboursWork() map[string]attempt {
	there := wants(failing(selectsOther), failing(toleratesTaint))
	later := wants(failingBeside(selectsOther), failingBeside(toleratesTaint))
	return map[string]attempt{
		"Deployment":                            {makes: deployment(), want: wants(on("shared", 2), on("", 2))},
		"Deployment: a node":                    {makes: deployment(named("pci-1")), want: both(failing(namesNode)), breaks: true},
		"Deployment: every taint":               {makes: deployment(tolerates(every), pci), want: both(failing(toleratesAll)), breaks: true},
		"Deployment: the taint and the pool":    {makes: deployment(tolerates(exact), pci), want: there, breaks: true},
		"Deployment: affinity and the taint":    {makes: deployment(tolerates(exact), near(in("pci"))), want: wants(waiting, failing(toleratesTaint)), breaks: true},
		"Deployment: another scheduler":         {makes: deployment(scheduledBy("mine")), want: both(failing(namesScheduler))},
		"DaemonSet":                             {makes: daemonSet(), want: wants(on("shared", 2), on("", 3))},
		"DaemonSet: every taint":                {makes: daemonSet(tolerates(every)), want: both(failing(toleratesAll)), breaks: true},
		"DaemonSet: the taint":                  {makes: daemonSet(tolerates(anyValue)), want: wants(on("shared", 2), failing(toleratesTaint)), breaks: true},
		"DaemonSet: the taint and the pool":     {makes: daemonSet(tolerates(exact), pci), want: there, breaks: true},
		"DaemonSet: the pool":                   {makes: daemonSet(pci), want: both(nowhere)},
		"DaemonSet: a node":                     {makes: daemonSet(named("pci-1"), tolerates(exact)), want: wants(nowhere, failing(namesNode)), breaks: true},
		"StatefulSet: the taint and the pool":   {makes: statefulSet(tolerates(exact), pci), want: there, breaks: true},
		"StatefulSet: every taint":              {makes: statefulSet(tolerates(every), near(in("pci"))), want: both(failing(toleratesAll)), breaks: true},
		"ReplicationController: a node":         {makes: replicationController(named("pci-1")), want: both(failing(namesNode)), breaks: true},
		"ReplicationController: every taint":    {makes: replicationController(tolerates(every), pci), want: both(failing(toleratesAll)), breaks: true},
		"ReplicaSet: the taint and the pool":    {makes: replicaSet(tolerates(exact), pci), want: there, breaks: true},
		"Job: a node":                           {makes: job(named("pci-1")), want: both(failing(namesNode)), breaks: true},
		"Job: the taint and the pool":           {makes: job(tolerates(exact), pci), want: there, breaks: true},
		"CronJob: the taint and the pool":       {makes: cronJob(tolerates(exact), pci), want: there, breaks: true},
		"CronJob: every taint":                  {makes: cronJob(tolerates(every), near(in("pci"))), want: both(failing(toleratesAll)), breaks: true},
		"Deployment: the taint and pool, later": {makes: deployment(), then: merge(templatePatch), want: later, breaks: true},
		"DaemonSet: the taint and pool, later":  {makes: daemonSet(), then: merge(templatePatch), want: later, breaks: true},
	}
}

// templatePatch changes a template to one for the regulated tenant's nodes.
const templatePatch = `{"spec":{"template":{"spec":{"nodeSelector":{"` + poolKey + `":"pci"},"tolerations":[{"key":"` + taintKey + `","operator":"Exists"}]}}}}`

// neighboursClasses are pods with classes that aren't the tenant's: one would throw others out, and one is a way in.
func neighboursClasses() map[string]attempt {
	return map[string]attempt{
		"PriorityClass of the tenant":          {makes: pod(priority("payments-high")), want: wants(on("shared", 1), refused(hasPriority))},
		"PriorityClass, by a Deployment":       {makes: deployment(priority("payments-high")), want: wants(on("shared", 2), failing(hasPriority))},
		"PriorityClass of Kubernetes":          {makes: pod(priority("system-node-critical"), lost), want: both(refused(hasPriority))},
		"PriorityClass of Kubernetes, a Job's": {makes: job(priority("system-cluster-critical")), want: both(failing(hasPriority))},
		"RuntimeClass that leads there":        {makes: pod(runtimeOf("payments")), want: wants(refused(selectsOther), refused(toleratesTaint)), breaks: true},
		"RuntimeClass that leads there, a Job's": {makes: job(runtimeOf("payments")), want: wants(failing(selectsOther), failing(toleratesTaint)),
			breaks: true},
		"RuntimeClass of others":          {makes: pod(runtimeOf("plain")), want: wants(on("shared", 1), refused(hasRuntime))},
		"RuntimeClass of others, a Job's": {makes: job(runtimeOf("plain")), want: wants(on("shared", 2), failing(hasRuntime))},
		"RuntimeClass that one may have":  {makes: pod(runtimeOf("sandboxed")), want: wants(on("shared", 1), on("", 1))},
	}
}

// limits is what a placement doesn't do that sets neither nodeSelector nor tolerations, and what it does.
func limits() map[string]attempt {
	here := func(want outcome) map[string]outcome { return map[string]outcome{bare: want} }
	return map[string]attempt{
		"the taint and the pool":  {makes: pod(tolerates(exact), pci), want: here(through)},
		"DaemonSet: the taint":    {makes: daemonSet(tolerates(anyValue)), want: here(through)},
		"the pool":                {makes: pod(pci), want: here(waiting)},
		"every taint":             {makes: pod(tolerates(every), pci), want: here(refused(toleratesAll))},
		"DaemonSet: every taint":  {makes: daemonSet(tolerates(every)), want: here(failing(toleratesAll))},
		"a node":                  {makes: pod(named("pci-1")), want: here(refused(namesNode))},
		"another scheduler":       {makes: pod(scheduledBy("mine")), want: here(refused(namesScheduler))},
		"bound":                   {makes: pod(lost), by: oscar, then: bind("pci-1"), want: here(refused(isBound))},
		"PriorityClass of others": {makes: pod(priority("payments-high")), want: here(refused(hasPriority))},
	}
}
