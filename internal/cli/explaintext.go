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
	"maps"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/internal/policy"
)

// explainWidth is how wide an explanation is, in characters.
const explainWidth = 120

// printExplanation prints an explanation for people.
func printExplanation(out io.Writer, e *explanation) error {
	p := &printer{out: out}
	title := "Tenant " + e.Tenant
	if e.Namespace != "" {
		title += ", namespace " + e.Namespace
	}
	if e.Deleting {
		title += ", which is being deleted"
	}
	p.line("%s", visible(title))
	class := "none"
	if e.Class.Name != "" {
		class = "TenantClass/" + e.Class.Name
	}
	p.line("class: %s (%s)\n", visible(class), e.Class.Message)
	rows := [][]string{{"PATH", "VALUE", "ORIGIN", "OVERRIDES"}}
	for _, leaf := range slices.Concat(e.Settings, e.Policy) {
		rows = append(rows, []string{leaf.Path, valueCell(leaf.Value), leaf.Origin, overridesCell(&leaf)})
	}
	p.wrapped(rows)
	printNamespaces(p, e)
	printMembers(p, e)
	printDriftRules(p, e)
	printConditions(p, e)
	return p.err
}

// valueCell is a value as people write it, in the manner of YAML in one line.
func valueCell(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		if value == "" {
			return `""`
		}
		return value
	case []any:
		words := make([]string, 0, len(value))
		for _, item := range value {
			words = append(words, valueCell(item))
		}
		return "[" + strings.Join(words, ", ") + "]"
	case map[string]any:
		words := make([]string, 0, len(value))
		for _, key := range slices.Sorted(maps.Keys(value)) {
			words = append(words, key+": "+valueCell(value[key]))
		}
		return "{" + strings.Join(words, ", ") + "}"
	default:
		return fmt.Sprint(value)
	}
}

// overridesCell says what a value overrides. A list that is replaced as a whole is told of once, at its first item.
func overridesCell(leaf *policy.Leaf) string {
	texts := make([]string, 0, len(leaf.Overrides))
	for _, o := range leaf.Overrides {
		text := valueCell(o.Value)
		written := leaf.Value
		if leaf.Raw != nil {
			written = leaf.Raw
		}
		switch {
		case o.Path != leaf.Path && !strings.HasSuffix(leaf.Path, "[0]"):
			return "see [0]"
		case o.Path == leaf.Path && reflect.DeepEqual(o.Value, written):
			text = "the same"
		}
		texts = append(texts, text+" ("+o.Origin+")")
	}
	return strings.Join(texts, ", ")
}

func printNamespaces(p *printer, e *explanation) {
	if e.Namespace != "" {
		return
	}
	rows := [][]string{{"NAMESPACE", "PATH", "VALUE", "OVERRIDES"}}
	var plain []string
	for i := range e.Namespaces {
		n := &e.Namespaces[i]
		if len(n.Policy) == 0 {
			plain = append(plain, n.Name)
		}
		for _, leaf := range n.Policy {
			rows = append(rows, []string{n.Name, leaf.Path, valueCell(leaf.Value), overridesCell(&leaf)})
		}
	}
	p.line("\nNAMESPACES that have a policy of their own")
	if len(rows) > 1 {
		p.wrapped(rows)
	} else {
		p.line("none")
	}
	if len(plain) > 0 {
		p.line("%s", visible("without: "+enumerate("namespace", plain)))
	}
}

func printMembers(p *printer, e *explanation) {
	p.line("\nWHO HAS ACCESS, by the spec, and until when")
	if len(e.Members) == 0 {
		p.line("nobody")
		return
	}
	rows := [][]string{{"MEMBER", "CLUSTERROLE", "SUBJECTS", "UNTIL"}}
	if e.Namespace == "" {
		rows[0] = append(rows[0], "NAMESPACES")
	}
	for _, m := range e.Members {
		until := "no end"
		if m.NotAfter != nil {
			until = timeCell(m.NotAfter)
		}
		row := []string{m.Name, m.ClusterRole, few(m.Subjects), until}
		if e.Namespace == "" {
			in := "all"
			if len(m.Namespaces) > 0 {
				in = few(m.Namespaces)
			}
			row = append(row, in)
		}
		rows = append(rows, row)
	}
	p.wrapped(rows)
}

func printDriftRules(p *printer, e *explanation) {
	mode := string(e.Drift.Mode)
	if e.Drift.ObserveUntil != nil {
		mode += " until " + timeCell(e.Drift.ObserveUntil)
	}
	p.line("\nDRIFT: mode %s", mode)
	if len(e.Drift.Ignore) == 0 {
		p.line("no rule ignores any")
		return
	}
	rows := [][]string{{"IGNORED", "NAMESPACE", "NAME", "PATH", "UNTIL", "REASON"}}
	for _, rule := range e.Drift.Ignore {
		until := timeCell(&rule.NotAfter)
		if rule.Ended {
			until += " (ended)"
		}
		rows = append(rows, []string{rule.Kind, all(rule.Namespace), all(rule.Name), rule.Path, until, rule.Reason})
	}
	p.wrapped(rows)
}

// all is a name, or a word for all of them.
func all(name string) string {
	if name == "" {
		return "all"
	}
	return name
}

func printConditions(p *printer, e *explanation) {
	if len(e.Conditions) == 0 {
		if e.live {
			p.line("\nCONDITIONS: the operator hasn't reported any yet")
		}
		return
	}
	p.line("\nCONDITIONS of the Tenant, as the operator reported them")
	rows := [][]string{{"TYPE", "STATUS", "REASON", "MESSAGE"}}
	outdated := false
	for _, c := range e.Conditions {
		state := string(c.Status)
		if c.Outdated {
			state, outdated = state+" (*)", true
		}
		rows = append(rows, []string{c.Type, state, c.Reason, c.Message})
	}
	p.wrapped(rows)
	if outdated {
		p.line("(*) reported before the spec was changed last")
	}
}

func timeCell(at *metav1.Time) string { return at.UTC().Format("2006-01-02T15:04:05Z") }

func (p *printer) wrapped(rows [][]string) {
	for _, line := range wrap(rows, explainWidth) {
		p.line("%s", line)
	}
}
