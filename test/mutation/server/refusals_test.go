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

package server_test

import (
	"regexp"
	"strings"
)

// A refusal is a change that the API server doesn't let anybody make, whoever it is.
type refusal struct {
	// class is what classes of mutations it concerns, each behind the name of its kind.
	class *regexp.Regexp
	// says is part of the answer.
	says string
}

func refuses(class, says string) refusal { return refusal{regexp.MustCompile(class), says} }

func (r refusal) is(class, answer string) bool {
	return r.class.MatchString(class) && strings.Contains(answer, r.says)
}

const (
	peers     = `spec\.(ingress\[\]\.from|egress\[\]\.to)\[\]`
	selectors = `^NetworkPolicy: \w+ (spec|` + peers + `)\.(podSelector|namespaceSelector)\.matchExpressions\[\]\.`
	limited   = `^LimitRange: \w+ spec\.limits\[\]\.`
	bound     = `^(Cluster)?RoleBinding: `
)

// refusals are all that the API server refuses. There is another change of each of these fields that it accepts: see
// unreachable for those of which there is none.
var refusals = []refusal{
	// A peer is either a block of addresses or selectors, and not nothing.
	refuses(`^NetworkPolicy: inject `+peers+`\.(ipBlock|podSelector|namespaceSelector)`, "may not specify both ipBlock and another peer"),
	refuses(`^NetworkPolicy: (append|inject) `+peers+`$`, "must specify a peer"),
	refuses(`^NetworkPolicy: remove `+peers+`\.(ipBlock|podSelector|namespaceSelector)$`, "must specify a peer"),
	// Its exceptions lie in the block.
	refuses(`^NetworkPolicy: (append|inject|modify) `+peers+`\.ipBlock\.except\[\]$`, "must be a strict subset of `cidr`"),
	refuses(`^NetworkPolicy: modify `+peers+`\.ipBlock\.cidr$`, "must be a strict subset of `cidr`"),
	refuses(`^NetworkPolicy: (remove|modify) `+peers+`\.ipBlock\.cidr$`, "ipBlock.cidr: Required value"),
	refuses(`^NetworkPolicy: (append|duplicate) spec\.policyTypes`, "may not specify more than two policyTypes"),
	refuses(`^NetworkPolicy: \w+ spec\.(ingress|egress)\[\]\.ports\[\]\.(port|endPort)$`, "may not be specified when `port` is"),
	refuses(`^NetworkPolicy: \w+ spec\.(ingress|egress)\[\]\.ports\[\]\.(port|endPort)$`, "must be greater than or equal to `port`"),
	refuses(selectors+`values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
	refuses(selectors+`operator$`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
	refuses(selectors+`(values|operator)`, "must be specified when `operator` is 'In' or 'NotIn'"),
	refuses(selectors+`operator$`, "not a valid selector operator"),
	refuses(selectors+`key$`, "name part must be non-empty"),

	// A rule is about something.
	refuses(`^ClusterRole: inject rules\[\]\.nonResourceURLs\[\]$`, "rules cannot apply to both regular resources and non-resource URLs"),
	refuses(`^ClusterRole: remove rules\[\]\.apiGroups(\[\])?$`, "resource rules must supply at least one api group"),
	refuses(`^ClusterRole: remove rules\[\]\.resources(\[\])?$`, "resource rules must supply at least one resource"),
	refuses(`^ClusterRole: remove rules\[\]\.verbs(\[\])?$`, "verbs: Required value"),

	// A subject is of a known kind and has a name, and is in a namespace only if it is a service account.
	refuses(bound+`inject subjects\[\]\.apiGroup$`, `supported values: ""`),
	refuses(bound+`(modify|remove) subjects\[\]\.kind$`, "Unsupported value"),
	refuses(bound+`(modify|remove) subjects\[\]\.kind$`, "namespace: Required value"),
	refuses(bound+`(modify|remove) subjects\[\]\.name$`, "name: Required value"),
	refuses(bound+`(modify|remove) subjects\[\]\.namespace$`, "namespace: Required value"),
	refuses(bound+`(modify|remove) roleRef(\.name)?$`, "roleRef.name: Required value"),
	refuses(bound+`remove roleRef\.kind$`, "roleRef.kind: Unsupported value"),
	refuses(`^ClusterRoleBinding: modify roleRef\.kind$`, `supported values: "ClusterRole"`),

	// Limits don't contradict each other.
	refuses(`^LimitRange: (append|duplicate|modify) spec\.limits`, "type: Duplicate value"),
	refuses(limited+`(default\[\*\]|defaultRequest\[\*\]|type)$`, "may not be specified when `type` is 'Pod'"),
	refuses(limited+`(min|max|default|defaultRequest)\[\*\]$`, "is greater than"),
	refuses(limited+`(min|max|default|defaultRequest|type)`, "must be a standard resource"),
	refuses(limited+`maxLimitRequestRatio\[\*\]$`, "is less than 1"),
	refuses(limited+`(min|max|maxLimitRequestRatio)\[\*\]$`, "maxLimitRequestRatio"),
	refuses(`^LimitRange: (modify|remove) spec\.limits\[\]\.type$`, "type: "),

	// What is counted is whole, and a scope fits what is counted.
	refuses(`^ResourceQuota: modify spec\.hard\[\*\]$`, "must be an integer"),
	refuses(`^ResourceQuota: inject spec\.(scopes|scopeSelector)`, "unsupported scope applied to resource"),
	refuses(`^ResourceQuota: inject spec\.scopes`, "field is immutable"),
	refuses(`^ResourceQuota: inject spec\.scopeSelector\.matchExpressions\[\]`, "spec.scopeSelector"),

	// What the API server alone writes.
	refuses(`: inject metadata\.(uid|resourceVersion|deletionTimestamp|deletionGracePeriodSeconds|managedFields)`, ""),
	refuses(`^Namespace: inject (status|spec\.finalizers)`, ""),
}

// voids are the classes of mutations that the API server may accept without doing anything: it fills in again what is
// taken away, spells quantities in its own way, and doesn't let clients write everything.
var voids = []*regexp.Regexp{
	regexp.MustCompile(`: respell `),
	regexp.MustCompile(`: (modify|remove) (subjects\[\]|roleRef)\.apiGroup$`),
	regexp.MustCompile(`^NetworkPolicy: remove spec\.(policyTypes(\[\])?|(ingress|egress)\[\]\.ports\[\]\.protocol)$`),
	regexp.MustCompile(`^LimitRange: (remove|inject) spec\.limits\[\]\.(default|defaultRequest)(\[\*\])?$`),
	regexp.MustCompile(`: inject metadata\.(uid|resourceVersion|generation|creationTimestamp|deletionTimestamp|deletionGracePeriodSeconds|selfLink)$`),
	regexp.MustCompile(`: inject metadata\.managedFields\[\]`),
	regexp.MustCompile(`^(Namespace|ResourceQuota): (inject|remove|modify) (status|spec\.finalizers)`),
}

// unreachable are the fields that nobody can change so that it would be drift, although they count.
var unreachable = map[string]string{
	"ClusterRoleBinding: roleRef.apiGroup": "there is only one",
	"ClusterRoleBinding: roleRef.kind":     "there is only one",
	"RoleBinding: roleRef.apiGroup":        "there is only one",
}
