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
	corev1 "k8s.io/api/core/v1"
)

// regulated is what the regulated tenant does: what must work, and land on its nodes only, and what would leave them.
func regulated() map[string]attempt {
	here := func(want outcome) map[string]outcome { return map[string]outcome{payments: want} }
	const (
		other         = "must select its nodes by pool.example.com/name=pci"
		elsewhere     = `must not name the node "shared-1"`
		boundToShared = `must not be bound to the node "shared-1" by "oscar"`
	)
	shared := selects(poolKey, "shared")
	return map[string]attempt{
		"pod":                         {makes: pod(), want: here(on("pci", 1))},
		"pod that says so itself":     {makes: pod(pci, tolerates(exact)), want: here(on("pci", 1))},
		"pod on one of its nodes":     {makes: pod(selects(corev1.LabelHostname, "pci-2")), want: here(on("pci", 1))},
		"pod near one of its nodes":   {makes: pod(nearNode("pci-1")), want: here(on("pci", 1))},
		"pod near its pods":           {makes: pod(besidePods(payments)), want: here(on("pci", 1))},
		"pod with its PriorityClass":  {makes: pod(priority("payments-high")), want: here(on("pci", 1))},
		"pod with its RuntimeClass":   {makes: pod(runtimeOf("sandboxed")), want: here(on("pci", 1))},
		"pod that was gated":          {makes: pod(gated), then: merge(`{"spec":{"schedulingGates":null}}`), want: here(on("pci", 1))},
		"pod that would rather":       {makes: pod(rather(in("shared"))), want: here(on("pci", 1))},
		"Deployment":                  {makes: deployment(), want: here(on("pci", 2))},
		"ReplicaSet":                  {makes: replicaSet(), want: here(on("pci", 2))},
		"ReplicationController":       {makes: replicationController(), want: here(on("pci", 2))},
		"StatefulSet":                 {makes: statefulSet(), want: here(on("pci", 2))},
		"Job":                         {makes: job(), want: here(on("pci", 2))},
		"CronJob":                     {makes: cronJob(), want: here(on("pci", 2))},
		"DaemonSet":                   {makes: daemonSet(), want: here(on("pci", 2))},
		"DaemonSet on one node":       {makes: daemonSet(selects(corev1.LabelHostname, "pci-2")), want: here(on("pci", 1))},
		"DaemonSet that tolerates":    {makes: daemonSet(tolerates(exact)), want: here(on("pci", 2))},
		"DaemonSet, written anew":     {makes: daemonSet(), then: merge(`{"spec":{"template":{"spec":{"nodeSelector":null,"tolerations":null}}}}`), want: here(on("pci", 2))},
		"DaemonSet for all nodes":     {makes: daemonSet(tolerates(every)), want: here(failing(toleratesAll))},
		"DaemonSet for other nodes":   {makes: daemonSet(shared), want: here(failing(other))},
		"DaemonSet on another node":   {makes: daemonSet(named("shared-1")), want: here(nowhere)},
		"pod for other nodes":         {makes: pod(shared), want: here(refused(other))},
		"pod near other nodes":        {makes: pod(near(in("shared"))), want: here(waiting)},
		"pod near these or those":     {makes: pod(near(in("shared"), in("pci"))), want: here(on("pci", 1))},
		"pod near another node":       {makes: pod(nearNode("shared-1")), want: here(waiting)},
		"pod on another node":         {makes: pod(named("shared-1")), want: here(refused(elsewhere))},
		"pod on a node of its own":    {makes: pod(named("pci-1")), want: here(refused(namesNode))},
		"pod for another scheduler":   {makes: pod(scheduledBy("mine")), want: here(refused(namesScheduler))},
		"pod with foreign taints":     {makes: pod(tolerates(corev1.Toleration{Key: "gpu", Operator: corev1.TolerationOpExists}), near(in("gpu"))), want: here(refused(`must not tolerate the taint "gpu"`))},
		"pod with another priority":   {makes: pod(priority("lab-low")), want: here(refused(hasPriority))},
		"pod with another runtime":    {makes: pod(runtimeOf("plain")), want: here(refused(hasRuntime))},
		"pod whose runtime tolerates": {makes: pod(runtimeOf("payments")), want: here(refused(toleratesTaint))},
		"pod, gated, for other nodes": {makes: pod(gated), then: merge(`{"spec":{"nodeSelector":{"` + poolKey + `":"shared"},"schedulingGates":null}}`), want: here(refused(immutable))},
		"pod, gated, near others":     {makes: pod(gated, near(in("shared"))), then: merge(`{"spec":{"schedulingGates":null}}`), want: here(waiting)},
		"pod that is bound elsewhere": {makes: pod(lost), by: oscar, then: bind("shared-1"), want: here(refused(boundToShared))},
		"pod bound by itself":         {makes: pod(lost), by: oscar, then: bindByItself("shared-1"), want: here(refused(boundToShared))},
		"Deployment for other nodes":  {makes: deployment(shared), want: here(failing(other))},
		"Deployment near others":      {makes: deployment(near(in("shared"))), want: here(waiting)},
		"Deployment, another's later": {makes: deployment(), then: merge(`{"spec":{"template":{"spec":{"nodeSelector":{"` + poolKey + `":"shared"}}}}}`), want: here(failingBeside(other))},
		"Deployment on another node":  {makes: deployment(named("shared-1")), want: here(failing(elsewhere))},
		"StatefulSet, other nodes":    {makes: statefulSet(shared), want: here(failing(other))},
		"Job for other nodes":         {makes: job(shared), want: here(failing(other))},
		"CronJob for other nodes":     {makes: cronJob(shared), want: here(failing(other))},
		"Job for another scheduler":   {makes: job(scheduledBy("mine")), want: here(failing(namesScheduler))},
	}
}
