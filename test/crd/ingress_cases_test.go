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

// Cases of the blocks ingress and storage, as those of patternRefusals and policiesAccepted.
var (
	ingressPatternRefusals = map[string]refusal{
		"hostname, upper case":         {spec: `ingress: {hostnames: [a.example.com, Acme.example.com]}`, at: "ingress.hostnames[1]", want: `Invalid value: "Acme.example.com"`},
		"hostname, comma":              {spec: `ingress: {hostnames: ["a.example.com,evil.com"]}`, at: "ingress.hostnames[0]", want: `Invalid value: "a.example.com,evil.com"`},
		"hostname, every":              {spec: `ingress: {hostnames: ["*"]}`, at: "ingress.hostnames[0]", want: `Invalid value: "*"`},
		"hostname, wildcard inside":    {spec: `ingress: {hostnames: ["a.*.example.com"]}`, at: "ingress.hostnames[0]", want: `Invalid value: "a.*.example.com"`},
		"hostname, wildcard of a part": {spec: `ingress: {hostnames: ["*a.example.com"]}`, at: "ingress.hostnames[0]", want: `Invalid value: "*a.example.com"`},
		"hostname, two wildcards":      {spec: `ingress: {hostnames: ["*.*.example.com"]}`, at: "ingress.hostnames[0]", want: `Invalid value: "*.*.example.com"`},
		"hostname, dot first":          {spec: `ingress: {hostnames: [.example.com]}`, at: "ingress.hostnames[0]", want: `Invalid value: ".example.com"`},
		"hostname, dot last":           {spec: `ingress: {hostnames: [a.example.com.]}`, at: "ingress.hostnames[0]", want: `Invalid value: "a.example.com."`},
		"hostname, two dots":           {spec: `ingress: {hostnames: [a..example.com]}`, at: "ingress.hostnames[0]", want: `Invalid value: "a..example.com"`},
		"hostname, dash first":         {spec: `ingress: {hostnames: ["-a.example.com"]}`, at: "ingress.hostnames[0]", want: `Invalid value: "-a.example.com"`},
		"hostname, underscore":         {spec: `ingress: {hostnames: [a_b.example.com]}`, at: "ingress.hostnames[0]", want: `Invalid value: "a_b.example.com"`},
		"hostname, port":               {spec: `ingress: {hostnames: ["a.example.com:8443"]}`, at: "ingress.hostnames[0]", want: `Invalid value: "a.example.com:8443"`},
		"hostname, pattern":            {spec: `ingress: {hostnames: ["~.*"]}`, at: "ingress.hostnames[0]", want: `Invalid value: "~.*"`},
		"hostname, another token":      {spec: `ingress: {hostnames: ["$(team).example.com"]}`, at: "ingress.hostnames[0]", want: `Invalid value: "$(team).example.com"`},
		"hostname twice":               {spec: `ingress: {hostnames: [a.example.com, a.example.com]}`, at: "ingress.hostnames[1]", want: `Duplicate value: "a.example.com"`},
		"hostname, too long":           {spec: `ingress: {hostnames: [` + strings.Repeat("a.", 127) + `]}`, at: "ingress.hostnames[0]", want: `Too long: may not be more than 253`},
		"no hostnames":                 {spec: `ingress: {hostnames: []}`, at: "ingress.hostnames", want: `Invalid value: 0: `},
		"empty ingress":                {spec: `ingress: {}`, at: "ingress", want: `Invalid value: 0: `},
		"type Headless":                {spec: `ingress: {serviceTypes: [ClusterIP, Headless]}`, at: "ingress.serviceTypes[1]", want: `Unsupported value: "Headless": supported values: "ClusterIP", "NodePort", "LoadBalancer", "ExternalName"`},
		"type in lower case":           {spec: `ingress: {serviceTypes: [loadBalancer]}`, at: "ingress.serviceTypes[0]", want: `Unsupported value: "loadBalancer"`},
		"type of Service twice":        {spec: `ingress: {serviceTypes: [NodePort, NodePort]}`, at: "ingress.serviceTypes[1]", want: `Duplicate value: "NodePort"`},
		"IngressClass, upper case":     {spec: `ingress: {classNames: [Nginx]}`, at: "ingress.classNames[0]", want: `Invalid value: "Nginx"`},
		"IngressClass, comma":          {spec: `ingress: {classNames: ["a,b"]}`, at: "ingress.classNames[0]", want: `Invalid value: "a,b"`},
		"IngressClass, empty":          {spec: `ingress: {classNames: [""]}`, at: "ingress.classNames[0]", want: `Invalid value: ""`},
		"IngressClass, token":          {spec: `ingress: {classNames: ["$(tenant)"]}`, at: "ingress.classNames[0]", want: `Invalid value: "$(tenant)"`},
		"no IngressClasses":            {spec: `ingress: {classNames: []}`, at: "ingress.classNames", want: `Invalid value: 0: `},
		"GatewayClass, dash last":      {spec: `ingress: {gatewayClassNames: [a, "b-"]}`, at: "ingress.gatewayClassNames[1]", want: `Invalid value: "b-"`},
		"StorageClass, comma":          {spec: `storage: {classNames: ["a,b"]}`, at: "storage.classNames[0]", want: `Invalid value: "a,b"`},
		"StorageClass, empty":          {spec: `storage: {classNames: [""]}`, at: "storage.classNames[0]", want: `Invalid value: ""`},
		"StorageClass, two dots":       {spec: `storage: {classNames: [a..b]}`, at: "storage.classNames[0]", want: `Invalid value: "a..b"`},
		"no StorageClasses":            {spec: `storage: {classNames: []}`, at: "storage.classNames", want: `Invalid value: 0: `},
		"empty storage":                {spec: `storage: {}`, at: "storage", want: `Invalid value: 0: `},
	}

	ingressAccepted = map[string]string{
		"hostnames":          `ingress: {hostnames: [a, a.example.com, "*.example.com", "*.a-b.0c.example.com", ` + strings.Repeat("a.", 126) + `a]}`,
		"hostnames by name":  `ingress: {hostnames: ["$(tenant).example.com", "*.$(tenant).example.com", "x-$(tenant)-y.example.com", "$(tenant)"]}`,
		"types of Services":  `ingress: {serviceTypes: [NodePort, LoadBalancer, ExternalName, ClusterIP]}`,
		"one type":           `ingress: {serviceTypes: [LoadBalancer]}`,
		"IngressClasses":     `ingress: {classNames: [z, a.example.com, a-b]}`,
		"GatewayClasses":     `ingress: {gatewayClassNames: [z, a.example.com, a-b]}`,
		"StorageClasses":     `storage: {classNames: [standard-rwo, a.example.com]}`,
		"one class to be it": `storage: {classNames: [a]}`,
	}
)
