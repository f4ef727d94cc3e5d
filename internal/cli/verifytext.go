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

package cli

import (
	"fmt"
	"io"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/bulkhead-dev/bulkhead/internal/isolation"
	"github.com/bulkhead-dev/bulkhead/internal/survey"
)

// printVerification prints a verification for people.
func printVerification(out io.Writer, v *survey.Verification) error {
	p := &printer{out: out}
	rows := [][]string{{"TENANT", "ISOLATED", "FINDINGS"}}
	for i := range v.Tenants {
		verdict := &v.Tenants[i]
		isolated := "as its spec says"
		if !verdict.Isolated {
			isolated = "no"
		}
		rows = append(rows, []string{verdict.Tenant, isolated, fmt.Sprint(len(verdict.Findings))})
	}
	p.table(rows)
	for i := range v.Tenants {
		printVerdict(p, &v.Tenants[i])
	}
	p.line("\nWHO CAN REACH WHOM outside of its own tenant, by what is live. Who isn't listed can't.")
	p.table(reachRows(v.Reachability.Rows))
	p.line("\nWHO HAS ACCESS, by RoleBindings, and to all namespaces by ClusterRoleBindings.")
	p.table(accessRows(v.Access))
	p.line("")
	p.line("weighed: %s", strings.Join(v.Considered, ", "))
	if len(v.NotConsidered) > 0 {
		p.line("served by this cluster, able to change who reaches whom, and not weighed: %s", strings.Join(v.NotConsidered, ", "))
	}
	for _, sentence := range v.NotUnderstood {
		p.line("not understood, and so taken as open: %s", visible(sentence))
	}
	if v.NotKnown != "" {
		p.line("not known whether other APIs change who reaches whom: %s", visible(v.NotKnown))
	}
	return p.err
}

func printVerdict(p *printer, v *survey.Verdict) {
	for _, finding := range v.Findings {
		p.line("\n%s, %s: %s by %s", v.Tenant, finding.Severity, finding.Type, visible(objectName(finding.Object)))
		p.line("  %s", visible(finding.Message))
	}
	if len(v.OpenBySpec)+len(v.Notes) > 0 {
		p.line("")
	}
	for _, sentence := range v.OpenBySpec {
		p.line("%s, open by its spec: %s", v.Tenant, visible(sentence))
	}
	for _, sentence := range v.Notes {
		p.line("%s, note: %s", v.Tenant, visible(sentence))
	}
}

// partyName is what a party is called.
func partyName(party isolation.Party) string {
	switch party.Kind {
	case isolation.PartyTenant:
		return "tenant " + party.Tenant
	case isolation.PartyUnowned:
		return "other namespaces"
	default:
		return "addresses"
	}
}

func reachRows(reaches []isolation.Reach) [][]string {
	rows := [][]string{{"FROM", "TO", "PODS", "PORTS", "ADDRESSES", "FROM NAMESPACES", "TO NAMESPACES"}}
	for i := range reaches {
		r := &reaches[i]
		rows = append(rows, []string{
			partyName(r.From), partyName(r.To), strings.ToLower(string(r.Pods)), r.Ports, r.Addresses, few(r.FromNamespaces), few(r.ToNamespaces),
		})
	}
	return rows
}

// few lists the first names and counts the rest.
func few(names []string) string {
	text := strings.Join(names[:min(len(names), maxNamed)], ",")
	if more := len(names) - maxNamed; more > 0 {
		text += fmt.Sprintf(" +%d", more)
	}
	return text
}

func accessRows(all []survey.Access) [][]string {
	rows := [][]string{{"TENANT", "NAMESPACE", "SUBJECT", "ROLE", "POWER", "BINDING", "BY SPEC"}}
	for i := range all {
		a := &all[i]
		tenant, namespace, bySpec := a.Tenant, a.Namespace, "no"
		switch {
		case namespace == "":
			tenant, namespace, bySpec = "*", "*", ""
		case a.BySpec:
			bySpec = "yes"
		}
		rows = append(rows, []string{
			tenant, namespace, subjectName(a.Subject), a.Role.Kind + " " + a.Role.Name, a.Power, a.Binding.Kind + " " + a.Binding.Name, bySpec,
		})
	}
	return rows
}

func subjectName(subject rbacv1.Subject) string {
	if subject.Namespace == "" {
		return subject.Kind + " " + subject.Name
	}
	return subject.Kind + " " + subject.Namespace + "/" + subject.Name
}

// printDot prints who can reach whom as a graph for Graphviz. A dashed line is some of the pods only; a tenant that isn't
// isolated as its spec says is red.
func printDot(out io.Writer, v *survey.Verification) error {
	p := &printer{out: out}
	p.line("digraph reachability {")
	p.line("  rankdir=LR;")
	p.line("  node [shape=box];")
	for i := range v.Tenants {
		color := "black"
		if !v.Tenants[i].Isolated {
			color = "red"
		}
		p.line("  %s [color=%s];", dotQuote("tenant "+v.Tenants[i].Tenant), color)
	}
	for i := range v.Reachability.Rows {
		r := &v.Reachability.Rows[i]
		style := "solid"
		if r.Pods == isolation.ExtentSome {
			style = "dashed"
		}
		label := r.Ports
		if r.Addresses != "" {
			label += `, ` + r.Addresses
		}
		p.line("  %s -> %s [label=%s, style=%s];", dotQuote(partyName(r.From)), dotQuote(partyName(r.To)), dotQuote(label), style)
	}
	p.line("}")
	return p.err
}

// dotQuote is a text as a string of Graphviz, in which a backslash and a quote would be read as something else.
func dotQuote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(visible(text)) + `"`
}
