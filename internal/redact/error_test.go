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

package redact

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// secret is in every value that must not be told.
const secret = "hunter2"

var (
	policyKind    = schema.GroupKind{Group: "networking.k8s.io", Kind: "NetworkPolicy"}
	quotaKind     = schema.GroupKind{Kind: "ResourceQuota"}
	namespaceKind = schema.GroupKind{Kind: "Namespace"}
	policies      = schema.GroupResource{Group: "networking.k8s.io", Resource: "networkpolicies"}
)

func invalid(errs ...*field.Error) error { return apierrors.NewInvalid(quotaKind, "bulkhead", errs) }

func at(name string) *field.Path { return field.NewPath("spec", name) }

// unquoted has no JSON, and prints itself without quotes.
type unquoted struct{ F func() }

func (unquoted) String() string { return "a: " + secret + ": b" }

// raw has no JSON, and is printed in Go syntax.
type raw struct {
	A string
	B map[string]string
	F func()
}

func TestErrorOfFields(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  error
		want string
	}{
		"a value": {
			invalid(field.Invalid(at("hard").Key("pods"), secret, "must be an integer")),
			`ResourceQuota "bulkhead" is invalid: spec.hard[pods]: Invalid value: must be an integer`,
		},
		"without a rule": {
			invalid(field.Invalid(at("hard"), secret, ""), field.Duplicate(at("x"), secret), field.NotFound(at("y"), secret)),
			`ResourceQuota "bulkhead" is invalid: [spec.hard: Invalid value, spec.x: Duplicate value, spec.y: Not found]`,
		},
		"the supported values are told": {
			apierrors.NewInvalid(policyKind, "deny", field.ErrorList{
				field.NotSupported(at("ingress").Index(0).Child("ports").Index(1).Child("protocol"), secret, []string{"TCP", "UDP", "SCTP"}),
			}),
			`NetworkPolicy.networking.k8s.io "deny" is invalid: spec.ingress[0].ports[1].protocol: Unsupported value: supported values: "TCP", "UDP", "SCTP"`,
		},
		"quotes, colons and line breaks in a value": {
			invalid(field.Invalid(at("x"), "a\": \n"+secret+"\\\": must not", "must be short")),
			`ResourceQuota "bulkhead" is invalid: spec.x: Invalid value: must be short`,
		},
		"an object": {
			invalid(field.Invalid(at("x"), map[string]any{"a": "}: " + secret, "b": []any{1, "]: x"}}, "must be empty")),
			`ResourceQuota "bulkhead" is invalid: spec.x: Invalid value: must be empty`,
		},
		"a list, a number, a truth, nothing, a quantity, a port": {
			invalid(field.Invalid(at("a"), []string{secret, ": "}, "must be empty"), field.Invalid(at("b"), -1.5, "must not be negative"),
				field.Invalid(at("c"), true, "must be false"), field.Invalid(at("d"), nil, "must be set"),
				field.Invalid(at("e"), resource.MustParse("17Gi"), "must be less"), field.Invalid(at("f"), intstr.FromString(secret), "must be a port")),
			`ResourceQuota "bulkhead" is invalid: [spec.a: Invalid value: must be empty, spec.b: Invalid value: must not be negative, ` +
				`spec.c: Invalid value: must be false, spec.d: Invalid value: must be set, spec.e: Invalid value: must be less, spec.f: Invalid value: must be a port]`,
		},
		"a Go struct": {
			invalid(field.Invalid(at("x"), raw{A: secret + "}: ", B: map[string]string{"a": secret}}, "must be empty"),
				field.Invalid(at("y"), []raw{{A: secret}}, "must be empty")),
			`ResourceQuota "bulkhead" is invalid: [spec.x: Invalid value: must be empty, spec.y: Invalid value: must be empty]`,
		},
		"what prints itself takes the rule with it": {
			invalid(field.Invalid(at("x"), unquoted{}, "must be empty")),
			`ResourceQuota "bulkhead" is invalid: spec.x: Invalid value`,
		},
		"a rule that repeats the value": {
			invalid(field.Invalid(at("x"), secret, "no namespace "+secret+", nor "+secret+"s"), field.Invalid(at("y"), 0, "must be greater than 0")),
			`ResourceQuota "bulkhead" is invalid: [spec.x: Invalid value: no namespace …, nor hunter2s, spec.y: Invalid value: must be greater than 0]`,
		},
		"without values": {
			invalid(field.Required(at("a"), "must be set"), field.Forbidden(at("b"), "may not be changed"), field.TooLong(at("c"), secret, 3),
				field.TooMany(at("d"), 17, 16), field.TooShort(at("e"), secret, 9), field.TooFew(at("f"), 0, 1)),
			`ResourceQuota "bulkhead" is invalid: [spec.a: Required value: must be set, spec.b: Forbidden: may not be changed, ` +
				`spec.c: Too long: may not be more than 3 bytes, spec.d: Too many: must have at most 16 items, ` +
				`spec.e: Too short: must be at least 9 characters, spec.f: Too few: must have at least 1 item]`,
		},
		"an internal error": {
			invalid(field.InternalError(at("a"), errors.New(`Invalid value: "`+secret+`": must be x`))),
			`ResourceQuota "bulkhead" is invalid: spec.a: Internal error: Invalid value: must be x`,
		},
		"a label's value": {
			apierrors.NewInvalid(namespaceKind, "acme", metav1validation.ValidateLabels(map[string]string{"a": secret + " \"x\": y"}, field.NewPath("metadata", "labels"))),
			`Namespace "acme" is invalid: metadata.labels: Invalid value: a valid label must be an empty string or consist of alphanumeric characters, ` +
				`'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue', or 'my_value', or '12345', ` +
				`regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
		},
		"an annotation's key": {
			apierrors.NewInvalid(namespaceKind, "acme", apivalidation.ValidateAnnotations(map[string]string{"a/b/" + secret: ""}, field.NewPath("metadata", "annotations"))),
			`Namespace "acme" is invalid: metadata.annotations: Invalid value: a valid label key must consist of alphanumeric characters, ` +
				`'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName', or 'my.name', or '123-abc', ` +
				`regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
		},
		"one at a time": {
			field.Invalid(at("x"), secret, "no namespace "+secret),
			"spec.x: Invalid value: no namespace …",
		},
		"one, required":      {field.Required(at("x"), "must be set"), "spec.x: Required value: must be set"},
		"one without a rule": {field.Duplicate(at("x"), secret), "spec.x: Duplicate value"},
		"several": {
			field.ErrorList{field.Invalid(at("x"), secret, "must be a"), field.Invalid(at("y"), secret, "must be b")}.ToAggregate(),
			"spec.x: Invalid value: must be a; spec.y: Invalid value: must be b",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, tt.err, tt.want)
		})
	}
}

func TestErrorOfStatus(t *testing.T) {
	t.Parallel()
	conflict := apierrors.NewApplyConflict([]metav1.StatusCause{
		{Type: metav1.CauseTypeFieldManagerConflict, Field: ".spec.x", Message: `conflict with "kubectl" using v1`},
	}, `Apply failed with 1 conflict: conflict with "kubectl" using v1: .spec.x`)
	guarded := apierrors.NewForbidden(policies, "deny", errors.New("ValidatingAdmissionPolicy 'guard' with binding 'guard' denied request: not yours"))
	guarded.ErrStatus.Reason = metav1.StatusReasonInvalid
	guarded.ErrStatus.Details.Causes = []metav1.StatusCause{{Message: "ValidatingAdmissionPolicy 'guard' with binding 'guard' denied request: not yours"}}
	forbidden := apierrors.NewForbidden(policies, "deny", errors.New(secret))
	forbidden.ErrStatus.Details.Causes = []metav1.StatusCause{
		{Type: metav1.CauseTypeFieldValueInvalid, Field: "spec.x", Message: `Invalid value: "` + secret + `": must be a`},
		{Message: "ask your admin"},
	}
	odd := func(causes ...metav1.StatusCause) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonInvalid, Message: secret,
			Details: &metav1.StatusDetails{Kind: "X", Name: "x", Causes: causes}}}
	}
	tests := map[string]struct {
		err  error
		want string
	}{
		"not found":      {apierrors.NewNotFound(policies, "deny"), `networkpolicies.networking.k8s.io "deny" not found`},
		"a conflict":     {conflict, `Apply failed with 1 conflict: conflict with "kubectl" using v1: .spec.x`},
		"a policy's no":  {guarded, `networkpolicies.networking.k8s.io "deny" is forbidden: ValidatingAdmissionPolicy 'guard' with binding 'guard' denied request: …`},
		"another reason": {forbidden, `networkpolicies.networking.k8s.io "deny": Forbidden: [spec.x: Invalid value: must be a, ask your admin]`},
		"no message":     {&apierrors.StatusError{}, ""},
		"a nil pointer":  {(*apierrors.StatusError)(nil), ""},
		"a message that doesn't end as it should": {
			odd(metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: "a", Message: `Invalid value: "` + secret + `" must be b`}),
			`X "x" is invalid: a: Invalid value`,
		},
		"a string without an end": {
			odd(metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: "a", Message: `Invalid value: "` + secret + `: must be b`}),
			`X "x" is invalid: a: Invalid value`,
		},
		"brackets without an end": {
			odd(metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Message: `Invalid value: &X{` + secret + `: must be b`}),
			`X "x" is invalid: Invalid value`,
		},
		"a type that isn't known yet": {
			odd(metav1.StatusCause{Type: "FieldValueTooOdd", Field: "a", Message: `Too odd: 3: must be even`}, metav1.StatusCause{Type: "FieldValueEmpty", Message: "Empty"}),
			`X "x" is invalid: [a: Too odd: must be even, Empty]`,
		},
		"the same twice": {
			odd(metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: "a", Message: `Invalid value: "` + secret + `": must be b`},
				metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: "a", Message: `Invalid value: 1: must be b`}),
			`X "x" is invalid: a: Invalid value: must be b`,
		},
		"a proxy's page": {
			apierrors.NewGenericServerResponse(http.StatusBadGateway, "PATCH", policies, "deny", "<html>\n"+secret, 0, true),
			`an error on the server (…) has prevented the request from succeeding (patch networkpolicies.networking.k8s.io deny)`,
		},
		"a proxy's refusal": {
			apierrors.NewGenericServerResponse(http.StatusForbidden, "PATCH", policies, "deny", secret, 0, true), `… (patch networkpolicies.networking.k8s.io deny)`,
		},
		"a proxy without words": {
			apierrors.NewGenericServerResponse(http.StatusBadRequest, "PATCH", policies, "deny", "unknown", 0, true),
			`the server rejected our request for an unknown reason (patch networkpolicies.networking.k8s.io deny)`,
		},
		"a patch that isn't of the schema": {
			apierrors.NewBadRequest("failed to create typed patch object (acme/x; /v1, Kind=ResourceQuota): errors:\n  .spec.hard: expected map, got &{[" + secret + "]}\n  .spec.x: field not declared in schema"),
			`failed to create typed patch object (acme/x; /v1, Kind=ResourceQuota): errors: .spec.hard: expected map, got …`,
		},
		"a number of the wrong type": {
			apierrors.NewBadRequest("json: cannot unmarshal number 424242 into Go struct field X.y of type string"),
			"json: cannot unmarshal number … into Go struct field X.y of type string",
		},
		"not a status": {&apierrors.UnexpectedObjectError{Object: &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: secret}}}, "unexpected object"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, tt.err, tt.want)
		})
	}
}

// rephrased doesn't repeat what it wraps.
type rephrased struct{ err error }

func (r rephrased) Error() string { return "went wrong: " + strings.ToLower(r.err.Error()) }

func (r rephrased) Unwrap() error { return r.err }

func TestErrorOfChains(t *testing.T) {
	t.Parallel()
	a := field.Invalid(at("a"), secret, "must be a")
	b := invalid(field.Invalid(at("b"), secret+"\n", "must be b"))
	const cleanB = `ResourceQuota "bulkhead" is invalid: spec.b: Invalid value: must be b`
	deep := errors.New("end")
	for range 40 {
		deep = fmt.Errorf("%w", deep)
	}
	tests := map[string]struct {
		err  error
		want string
	}{
		"nil":                              {nil, ""},
		"an error of ours":                 {errors.New("namespace \"x\":\nnot ours"), `namespace "x": not ours`},
		"wrapped":                          {fmt.Errorf("applying X y: %w", b), "applying X y: " + cleanB},
		"wrapped, with words after":        {fmt.Errorf("x (%w): y", b), "x (" + cleanB + "): y"},
		"several":                          {fmt.Errorf("%w and %w and %w", b, a, b), cleanB + " and spec.a: Invalid value: must be a and " + cleanB},
		"joined":                           {errors.Join(a, errors.New("x"), b), "spec.a: Invalid value: must be a; x; " + cleanB},
		"one in another's words":           {fmt.Errorf("%s: %w", a.Error(), a), "spec.a: Invalid value: must be a: spec.a: Invalid value: must be a"},
		"printed instead of wrapped":       {errors.New("applying: " + b.Error() + "; twice"), `applying: ResourceQuota "bulkhead" is invalid: spec.b: Invalid value: must be b; twice`},
		"printed, with an uncertain end":   {fmt.Errorf(`Invalid value: "%s`, secret), "Invalid value: …"},
		"printed twice, quoted":            {fmt.Errorf("%q", fmt.Sprintf("%q", a)), `"\"spec.a: Invalid value: …`},
		"rephrased":                        {rephrased{b}, cleanB},
		"rephrased, nothing in it":         {rephrased{fs.ErrNotExist}, "went wrong: file does not exist"},
		"an aggregate of aggregates":       {kerrors.NewAggregate([]error{kerrors.NewAggregate([]error{a, errors.New("x")}), b}), "spec.a: Invalid value: must be a; x; " + cleanB},
		"wrapped by us":                    {fmt.Errorf("x: %w", Wrap(b)), "x: " + cleanB},
		"a clean text stays as it is":      {errors.New(cleanB), cleanB},
		"too deep":                         {deep, "…"},
		"another's text in a value":        {fmt.Errorf("%s: %w", a.Error(), errors.New("u")), "spec.a: Invalid value: must be a: u"},
		"a cause without a message":        {fmt.Errorf("x: %w y", &apierrors.StatusError{ErrStatus: metav1.Status{Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: "FieldValueX", Message: "X"}}}}}), "x: y"},
		"nil pointers":                     {fmt.Errorf("x: %w", errors.Join(a, fmt.Errorf("y: %w", (*field.Error)(nil)))), "x: spec.a: Invalid value: must be a; y: <nil>"},
		"an empty text":                    {fmt.Errorf("x: %w", &apierrors.UnexpectedObjectError{}), "x: unexpected object"},
		"NUL":                              {fmt.Errorf("x\x000\x00: %w", fmt.Errorf("y\x00: %w", a)), "x?0?: y?: spec.a: Invalid value: must be a"},
		"an empty text among its siblings": {errors.Join(errors.New(""), a), "spec.a: Invalid value: must be a"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, tt.err, tt.want)
		})
	}
}

// check compares the text of an error, and makes sure that there is no secret in it but where the test wants it.
func check(t *testing.T, err error, want string) {
	t.Helper()
	got := Error(err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !strings.Contains(want, secret) && strings.Contains(got, secret) {
		t.Errorf("a secret in %s", got)
	}
	checkShown(t, got)
}

func TestErrorIsBounded(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("x ", 1<<20)
	for name, err := range map[string]error{
		"plain":    errors.New(huge),
		"a value":  fmt.Errorf("Invalid value: %q: must be short", huge+secret),
		"a reason": apierrors.NewBadRequest(huge),
		"a field":  invalid(field.Invalid(field.NewPath(huge), secret, huge)),
	} {
		if got := Error(err); len(got) > MaxError || strings.Contains(got, secret) {
			t.Errorf("%s: %d bytes: %s", name, len(got), got)
		}
	}
}

// Thousands of errors, joined one by one as they come, are as cheap as they are long.
func TestErrorOfMany(t *testing.T) {
	t.Parallel()
	var loop, flat error
	errs := make([]error, 3000)
	for i := range errs {
		errs[i] = fmt.Errorf("applying %d: %w", i, invalid(field.Invalid(at("a"), fmt.Sprint(secret, i), "must be a")))
		loop = errors.Join(loop, errs[i])
	}
	flat = errors.Join(errs...)
	want := Error(flat)
	if diff := cmp.Diff(want, Error(loop)); diff != "" {
		t.Errorf("-flat +loop:\n%s", diff)
	}
	for name, err := range map[string]error{"loop": loop, "aggregate": kerrors.NewAggregate(errs), "wrapped": fmt.Errorf("x: %w", flat)} {
		got := Error(err)
		if strings.Contains(got, secret) || !strings.Contains(got, `applying 5: ResourceQuota "bulkhead" is invalid: spec.a: Invalid value: must be a`) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	if Wrap(nil) != nil {
		t.Error("nothing became an error")
	}
	inner := apierrors.NewInvalid(quotaKind, "x", field.ErrorList{field.Invalid(at("a"), secret, "must be a")})
	err := Wrap(fmt.Errorf("applying: %w", errors.Join(inner, fs.ErrNotExist)))
	if diff := cmp.Diff(`applying: ResourceQuota "x" is invalid: spec.a: Invalid value: must be a; file does not exist`, err.Error()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !errors.Is(err, fs.ErrNotExist) || !apierrors.IsInvalid(err) {
		t.Error("what is wrapped can't be found any more")
	}
	for _, verb := range []string{"%v", "%s", "%q"} {
		if got := fmt.Sprintf(verb, err); strings.Contains(got, secret) {
			t.Errorf("%s: %s", verb, got)
		}
	}
	if diff := cmp.Diff(err.Error(), Error(err)); diff != "" {
		t.Errorf("a clean error changed: -want +got:\n%s", diff)
	}
}
