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

package isolation

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAddressWords(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in, except []string
		want       string
	}{
		"nothing":               {nil, nil, ""},
		"all":                   {[]string{"0.0.0.0/0", "::/0"}, nil, "any address"},
		"one":                   {[]string{"10.0.0.1/32"}, nil, "address 10.0.0.1"},
		"one of IPv6":           {[]string{"2001:db8::1/128"}, nil, "address 2001:db8::1"},
		"two that touch":        {[]string{"10.0.1.0/24", "10.0.0.0/24"}, nil, "addresses 10.0.0.0/23"},
		"two that don't":        {[]string{"10.0.2.0/24", "10.0.0.0/24"}, nil, "addresses 10.0.0.0/24, 10.0.2.0/24"},
		"one inside another":    {[]string{"10.0.0.0/8", "10.1.0.0/16"}, nil, "addresses 10.0.0.0/8"},
		"a hole":                {[]string{"10.0.0.0/8"}, []string{"10.1.0.0/16"}, "addresses 10.0.0.0/8 except 10.1.0.0/16"},
		"a half is no hole":     {[]string{"10.0.0.0/8"}, []string{"10.128.0.0/9"}, "addresses 10.0.0.0/9"},
		"holes":                 {[]string{"::/0"}, []string{"fd00::/8", "fe80::/10", "2001:db8::/32"}, "addresses ::/0 except 2001:db8::/32, fd00::/8, fe80::/10"},
		"both families":         {[]string{"0.0.0.0/0", "fd00::/8"}, nil, "addresses fd00::/8 and any IPv4 address"},
		"the ends":              {[]string{"0.0.0.0/32", "255.255.255.255/32"}, nil, "addresses 0.0.0.0/32, 255.255.255.255/32"},
		"many":                  {[]string{"10.0.0.0/24", "10.0.2.0/24", "10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24", "10.4.0.0/24"}, nil, "addresses 10.0.0.0/24, 10.0.2.0/24, 10.1.0.0/24, 10.2.0.0/24 and 2 more ranges"},
		"what can't be read":    {[]string{"10.0.0.0", "10.0.0.0/33", "10.0.0/8", "fe80::1%eth0/64", "10.0.0.0/x", "10.0.0.0/-1", "a.b.c.d/8", "/8", ""}, nil, ""},
		"leading zeros":         {[]string{"010.000.00.01/032"}, nil, "address 10.0.0.1"},
		"IPv4 as IPv6":          {[]string{"::ffff:10.0.0.0/104"}, nil, "addresses 10.0.0.0/8"},
		"more than IPv4 in it":  {[]string{"::ffff:0:0/95"}, nil, "addresses ::fffe:0:0/95"},
		"except more than that": {[]string{"10.0.0.0/16"}, []string{"10.0.0.0/8"}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, addressWords(prefixes(tc.in...).minus(prefixes(tc.except...)))); diff != "" {
				t.Errorf("words (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRegionWords(t *testing.T) {
	t.Parallel()
	numbers := func(in ...port) spans[port] {
		var out []span[port]
		for i := 0; i < len(in); i += 2 {
			out = append(out, span[port]{in[i], in[i+1]})
		}
		return newSpans(out...)
	}
	named := valueSet{values: only("http", "https")}
	tests := map[string]struct {
		in   []region
		want string
	}{
		"all":                {[]region{{tcp, numbers(1, 9), anyValue()}, allPorts()}, "all ports"},
		"one":                {[]region{{tcp, numbers(80, 80), anyValue()}}, "TCP 80"},
		"ranges":             {[]region{{tcp | udp, numbers(80, 80, 90, 99), anyValue()}}, "TCP/UDP 80, 90-99"},
		"of every protocol":  {[]region{{allProtocols, numbers(53, 53), anyValue()}}, "53"},
		"every number":       {[]region{{sctp, allNumbers(), anyValue()}}, "all SCTP ports"},
		"names":              {[]region{{tcp, allNumbers(), named}}, "TCP ports named http, https"},
		"names and numbers":  {[]region{{tcp, numbers(80, 80), named}}, "TCP 80 if named http, https"},
		"all but names":      {[]region{{tcp, allNumbers(), anyValue().minus(named)}}, "all TCP ports unless named http, https"},
		"the same twice":     {[]region{{tcp, numbers(80, 80), anyValue()}, {tcp, numbers(80, 80), anyValue()}}, "TCP 80"},
		"several":            {[]region{{tcp, numbers(80, 80), anyValue()}, {udp, numbers(53, 53), anyValue()}, {tcp, allNumbers(), named}}, "TCP 80, UDP 53 and TCP ports named http, https"},
		"names in all three": {[]region{{allProtocols, allNumbers(), named}}, "ports named http, https"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, regionWords(tc.in)); diff != "" {
				t.Errorf("words (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLabelWords also shows that a selector and the labels that it doesn't match, together, are all labels.
func TestLabelWords(t *testing.T) {
	t.Parallel()
	expression := func(op metav1.LabelSelectorOperator, values ...string) metav1.LabelSelector {
		return metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: op, Values: values}}}
	}
	tests := map[string]struct {
		in         metav1.LabelSelector
		want, rest string
	}{
		"all":            {metav1.LabelSelector{}, "", ""},
		"one value":      {metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}, "a=b", "a notin (b)"},
		"an empty value": {metav1.LabelSelector{MatchLabels: map[string]string{"a": ""}}, "a=", "a notin ()"},
		"some values":    {expression("In", "c", "b", "c"), "a in (b,c)", "a notin (b,c)"},
		"no value":       {expression("NotIn", "b"), "a notin (b)", "a=b"},
		"any value":      {expression("Exists"), "a", "!a"},
		"absent":         {expression("DoesNotExist"), "!a", "a"},
		"several": {metav1.LabelSelector{MatchLabels: map[string]string{"x": "y"}, MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "a", Operator: "NotIn", Values: []string{"b"}}, {Key: "a", Operator: "Exists"}}}, "a,a notin (b),x=y", "a absent or in (b) | a,a notin (b),x notin (y)"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box, ok := parseSelector(&tc.in)
			if !ok {
				t.Fatal("matches nothing")
			}
			if diff := cmp.Diff(tc.want, box.words()); diff != "" {
				t.Errorf("words (-want +got):\n%s", diff)
			}
			rest, _ := labelBox{}.split(box)
			var words string
			for _, r := range rest {
				if words != "" {
					words += " | "
				}
				words += r.words()
			}
			if diff := cmp.Diff(tc.rest, words); diff != "" {
				t.Errorf("what isn't matched (-want +got):\n%s", diff)
			}
		})
	}
}
