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

import "strings"

const rulesToleration = ".placement.tolerations[]: must not be set beside operator Exists"

// Cases of the blocks images and placement, as those of policyRefusals, patternRefusals and policiesAccepted.
var (
	placementRefusals = map[string]refusal{
		"value of every value": {
			spec: `placement: {tolerations: [{key: a}, {key: a, operator: Exists, value: b}]}`,
			rule: rulesToleration, at: "placement.tolerations[1].value",
		},
		"empty value of every value": {
			spec: `placement: {tolerations: [{key: a, operator: Exists, value: ""}]}`,
			rule: rulesToleration, at: "placement.tolerations[0].value",
		},
	}

	placementPatternRefusals = map[string]refusal{
		"registry without slash":           {spec: `images: {registries: [registry.example.com]}`, at: "images.registries[0]", want: `Invalid value: "registry.example.com"`},
		"registry, folder without slash":   {spec: `images: {registries: [registry.example.com/acme]}`, at: "images.registries[0]", want: `Invalid value: "registry.example.com/acme"`},
		"registry, upper-case host":        {spec: `images: {registries: [Registry.example.com/]}`, at: "images.registries[0]", want: `Invalid value: "Registry.example.com/"`},
		"registry, upper-case folder":      {spec: `images: {registries: [registry.example.com/Acme/]}`, at: "images.registries[0]", want: `Invalid value: "registry.example.com/Acme/"`},
		"registry, empty folder":           {spec: `images: {registries: [registry.example.com//]}`, at: "images.registries[0]", want: `Invalid value: "registry.example.com//"`},
		"registry, folder above":           {spec: `images: {registries: [registry.example.com/../]}`, at: "images.registries[0]", want: `Invalid value: "registry.example.com/../"`},
		"registry, several in one":         {spec: `images: {registries: ["a.example.com/,b.example.com/"]}`, at: "images.registries[0]", want: `Invalid value: "a.example.com/,b.example.com/"`},
		"registry, every":                  {spec: `images: {registries: ["*/"]}`, at: "images.registries[0]", want: `Invalid value: "*/"`},
		"registry, port":                   {spec: `images: {registries: ["registry.example.com:port/"]}`, at: "images.registries[0]", want: `Invalid value: "registry.example.com:port/"`},
		"registry, scheme":                 {spec: `images: {registries: ["https://registry.example.com/"]}`, at: "images.registries[0]", want: `Invalid value: "https://registry.example.com/"`},
		"registry, another token":          {spec: `images: {registries: ["registry.example.com/$(team)/"]}`, at: "images.registries[0]", want: `Invalid value: "registry.example.com/$(team)/"`},
		"no registries":                    {spec: `images: {registries: []}`, at: "images.registries", want: `Invalid value: 0: `},
		"registry twice":                   {spec: `images: {registries: [a.example.com/, a.example.com/]}`, at: "images.registries[1]", want: `Duplicate value: "a.example.com/"`},
		"digests Always":                   {spec: `images: {digests: Always}`, at: "images.digests", want: `Unsupported value: "Always"`},
		"pullPolicy IfNotPresent":          {spec: `images: {pullPolicy: IfNotPresent}`, at: "images.pullPolicy", want: `Unsupported value: "IfNotPresent"`},
		"empty images":                     {spec: `images: {}`, at: "images", want: `Invalid value: 0: `},
		"empty placement":                  {spec: `placement: {}`, at: "placement", want: `Invalid value: 0: `},
		"empty nodeSelector":               {spec: `placement: {nodeSelector: {}}`, at: "placement.nodeSelector", want: `Invalid value: 0: `},
		"node label, comma":                {spec: `placement: {nodeSelector: {pool: "a,b"}}`, at: "placement.nodeSelector.pool", want: `Invalid value: "a,b"`},
		"node label, dash first":           {spec: `placement: {nodeSelector: {pool: "-a"}}`, at: "placement.nodeSelector.pool", want: `Invalid value: "-a"`},
		"node label, dash last":            {spec: `placement: {nodeSelector: {pool: "a-"}}`, at: "placement.nodeSelector.pool", want: `Invalid value: "a-"`},
		"node label, another token":        {spec: `placement: {nodeSelector: {pool: "$(team)"}}`, at: "placement.nodeSelector.pool", want: `Invalid value: "$(team)"`},
		"toleration without key":           {spec: `placement: {tolerations: [{operator: Exists}]}`, at: "placement.tolerations[0].key", want: `Required value`},
		"toleration of the empty key":      {spec: `placement: {tolerations: [{key: "", operator: Exists}]}`, at: "placement.tolerations[0].key", want: `Invalid value: ""`},
		"toleration, two slashes":          {spec: `placement: {tolerations: [{key: a/b/c}]}`, at: "placement.tolerations[0].key", want: `Invalid value: "a/b/c"`},
		"toleration, key with a value":     {spec: `placement: {tolerations: [{key: "a=b"}]}`, at: "placement.tolerations[0].key", want: `Invalid value: "a=b"`},
		"toleration, key with an effect":   {spec: `placement: {tolerations: [{key: "a:NoExecute"}]}`, at: "placement.tolerations[0].key", want: `Invalid value: "a:NoExecute"`},
		"toleration, value with a comma":   {spec: `placement: {tolerations: [{key: a, value: "b,c"}]}`, at: "placement.tolerations[0].value", want: `Invalid value: "b,c"`},
		"toleration, operator Gt":          {spec: `placement: {tolerations: [{key: a, operator: Gt, value: "1"}]}`, at: "placement.tolerations[0].operator", want: `Unsupported value: "Gt"`},
		"toleration, effect in lower case": {spec: `placement: {tolerations: [{key: a, effect: noschedule}]}`, at: "placement.tolerations[0].effect", want: `Unsupported value: "noschedule"`},
		"no tolerations":                   {spec: `placement: {tolerations: []}`, at: "placement.tolerations", want: `Invalid value: 0: `},
		"PriorityClass, upper case":        {spec: `placement: {priorityClassNames: [High]}`, at: "placement.priorityClassNames[0]", want: `Invalid value: "High"`},
		"PriorityClass, comma":             {spec: `placement: {priorityClassNames: ["a,b"]}`, at: "placement.priorityClassNames[0]", want: `Invalid value: "a,b"`},
		"PriorityClass, empty":             {spec: `placement: {priorityClassNames: [""]}`, at: "placement.priorityClassNames[0]", want: `Invalid value: ""`},
		"PriorityClass twice":              {spec: `placement: {priorityClassNames: [a, a]}`, at: "placement.priorityClassNames[1]", want: `Duplicate value: "a"`},
		"RuntimeClass, dot last":           {spec: `placement: {runtimeClassNames: ["a."]}`, at: "placement.runtimeClassNames[0]", want: `Invalid value: "a."`},
		"RuntimeClass, two dots":           {spec: `placement: {runtimeClassNames: ["a..b"]}`, at: "placement.runtimeClassNames[0]", want: `Invalid value: "a..b"`},
		"RuntimeClass, underscore":         {spec: `placement: {runtimeClassNames: [a_b]}`, at: "placement.runtimeClassNames[0]", want: `Invalid value: "a_b"`},
		"RuntimeClass, dash first":         {spec: `placement: {runtimeClassNames: ["-a"]}`, at: "placement.runtimeClassNames[0]", want: `Invalid value: "-a"`},
		"RuntimeClass, slash":              {spec: `placement: {runtimeClassNames: [a/b]}`, at: "placement.runtimeClassNames[0]", want: `Invalid value: "a/b"`},
	}

	placementAccepted = map[string]string{
		"registries":         `images: {registries: [docker.io/, docker.io/library/, "registry.example.com:5000/a-b/c_d/e.f/", "localhost/"]}`,
		"registries by name": `images: {registries: ["registry.example.com/$(tenant)/", "$(tenant).registry.example.com/", "registry.example.com/x-$(tenant).y/"]}`,
		"digests":            `images: {digests: Optional}`,
		"pull policy":        `images: {pullPolicy: Always}`,
		"nodes by name":      `placement: {nodeSelector: {pool: $(tenant), pool.example.com/name: "a-$(tenant)_b", empty: "", Upper: Case.1}}`,
		"tolerations":        `placement: {tolerations: [{key: a}, {key: example.com/A_b.c, value: ""}, {key: a, operator: Exists, effect: NoExecute}, {key: a, operator: Equal, value: b, effect: PreferNoSchedule}]}`,
		"the same twice":     `placement: {tolerations: [{key: a}, {key: a}]}`,
		"classes":            `placement: {priorityClassNames: [high, a.b-c.d1], runtimeClassNames: [gvisor]}`,
		"longest class":      `placement: {runtimeClassNames: [` + strings.Repeat("a", 253) + `]}`,
	}
)
