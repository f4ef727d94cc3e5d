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

package crd

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// A CRD whose rules get near the API server's limits has no room left for the next field: half is where it stops.
const (
	ruleBudget = validation.StaticEstimatedCostLimit / 2
	crdBudget  = validation.StaticEstimatedCRDCostLimit / 2
)

// ruleCost is what a rule costs at most, by the API server's own estimate.
type ruleCost struct {
	path string
	rule string
	cost uint64
}

// TestCost prints, with -v, what each CEL rule costs by the API server's estimate, the dearest first.
func TestCost(t *testing.T) {
	t.Parallel()
	for _, crd := range crds(t) {
		t.Run(crd.Name, func(t *testing.T) {
			t.Parallel()
			rules := costs(t, crd)
			var total uint64
			for _, r := range rules {
				total += r.cost
			}
			t.Logf("%d rules cost %d, %s of the limit of a CRD", len(rules), total,
				percent(total, validation.StaticEstimatedCRDCostLimit))
			for _, r := range rules {
				t.Logf("%9d  %5s  %s: %s", r.cost, percent(r.cost, validation.StaticEstimatedCostLimit), r.path, short(r.rule))
				if r.cost > ruleBudget {
					t.Errorf("%s: the rule %q costs %d, more than %d", r.path, r.rule, r.cost, ruleBudget)
				}
			}
			if total > crdBudget {
				t.Errorf("all rules together cost %d, more than %d", total, crdBudget)
			}
		})
	}
}

func percent(cost, limit uint64) string {
	return fmt.Sprintf("%.1f%%", 100*float64(cost)/float64(limit))
}

func short(rule string) string {
	const width = 90
	if len(rule) <= width {
		return rule
	}
	return rule[:width] + "…"
}

// costs are the costs of every rule of a CRD, the dearest first.
func costs(t *testing.T, crd *apiextensionsv1.CustomResourceDefinition) []ruleCost {
	t.Helper()
	w := &costWalk{env: environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion())}
	for _, version := range crd.Spec.Versions {
		var root apiextensions.JSONSchemaProps
		if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
			version.Schema.OpenAPIV3Schema, &root, nil); err != nil {
			t.Fatalf("Converting the schema: %v", err)
		}
		w.walk("", &root, validation.RootCELContext(&root))
	}
	if err := errors.Join(w.errs...); err != nil {
		t.Fatalf("Estimating costs: %v", err)
	}
	slices.SortStableFunc(w.rules, func(a, b ruleCost) int {
		return cmp.Or(cmp.Compare(b.cost, a.cost), strings.Compare(a.path, b.path))
	})
	return w.rules
}

type costWalk struct {
	env   *environment.EnvSet
	rules []ruleCost
	errs  []error
}

// walk goes down a schema as the API server does when it judges a CRD.
func (w *costWalk) walk(path string, s *apiextensions.JSONSchemaProps, at *validation.CELSchemaContext) {
	if len(s.XValidations) > 0 {
		w.estimate(path, s, at)
	}
	for name, child := range s.Properties {
		w.walk(path+"."+name, &child, at.ChildPropertyContext(&child, name))
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		child := s.AdditionalProperties.Schema
		w.walk(path+"{}", child, at.ChildAdditionalPropertiesContext(child))
	}
	if s.Items != nil && s.Items.Schema != nil {
		w.walk(path+"[]", s.Items.Schema, at.ChildItemsContext(s.Items.Schema))
	}
}

func (w *costWalk) estimate(path string, s *apiextensions.JSONSchemaProps, at *validation.CELSchemaContext) {
	info, err := at.TypeInfo()
	if err != nil {
		w.errs = append(w.errs, fmt.Errorf("typing %s: %w", path, err))
		return
	}
	results, err := cel.Compile(info.Schema, info.DeclType, celconfig.PerCallLimit, w.env, cel.NewExpressionsEnvLoader())
	if err != nil {
		w.errs = append(w.errs, fmt.Errorf("compiling the rules of %s: %w", path, err))
		return
	}
	for i, result := range results {
		if result.Error != nil {
			w.errs = append(w.errs, fmt.Errorf("compiling %q of %s: %w", s.XValidations[i].Rule, path, result.Error))
			continue
		}
		cardinality := result.MaxCardinality
		if at.MaxCardinality != nil {
			cardinality = *at.MaxCardinality
		}
		w.rules = append(w.rules, ruleCost{path, s.XValidations[i].Rule, times(result.MaxCost, cardinality)})
		if result.MessageExpression != nil {
			w.rules = append(w.rules, ruleCost{path, s.XValidations[i].MessageExpression, result.MessageExpressionMaxCost})
		}
	}
}

func times(a, b uint64) uint64 {
	if b != 0 && a > math.MaxUint64/b {
		return math.MaxUint64
	}
	return a * b
}
