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

package gitops_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// root is the root of the project, seen from this package.
const root = "../.."

// argoStatuses are what Argo CD takes for a health.
var argoStatuses = []string{"Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"}

// health is what a health script returns.
type health struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
}

// argoHealth runs a health script over an object as Argo CD runs one from argocd-cm: the object is the global obj,
// there are only the base, package and table libraries, and it must be done within a second. Argo CD also has parts of
// the os library; a health that knew the time would not be a health of the object.
// See https://github.com/argoproj/argo-cd/blob/v3.6.1/util/lua/lua.go (runLua, ExecuteHealthLua).
func argoHealth(ctx context.Context, script string, object map[string]any) (health, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	state.SetContext(ctx)
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		call := lua.P{Fn: state.NewFunction(library.open), Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return health{}, fmt.Errorf("opening library %s: %w", library.name, err)
		}
	}
	value, err := luaValue(state, object)
	if err != nil {
		return health{}, err
	}
	state.SetGlobal("obj", value)
	if err := state.DoString(script); err != nil {
		return health{}, fmt.Errorf("running the script: %w", err)
	}
	return returned(state.Get(-1))
}

// returned reads what a script returned.
func returned(value lua.LValue) (health, error) {
	table, ok := value.(*lua.LTable)
	if !ok {
		return health{}, fmt.Errorf("the script returned a %s, not a table", value.Type())
	}
	var h health
	var strange []string
	table.ForEach(func(key, value lua.LValue) {
		switch text, ok := value.(lua.LString); {
		case ok && key == lua.LString("status"):
			h.Status = string(text)
		case ok && key == lua.LString("message"):
			h.Message = string(text)
		default:
			strange = append(strange, key.String()+" = "+value.String())
		}
	})
	if len(strange) > 0 {
		return h, fmt.Errorf("the script returned what Argo CD doesn't know: %s", strings.Join(strange, ", "))
	}
	if !slices.Contains(argoStatuses, h.Status) {
		return h, fmt.Errorf("the script returned status %q, not one of %s", h.Status, strings.Join(argoStatuses, ", "))
	}
	return h, nil
}

// luaValue turns a value of an unstructured object into one of Lua.
func luaValue(state *lua.LState, value any) (lua.LValue, error) {
	switch value := value.(type) {
	case nil:
		return lua.LNil, nil
	case bool:
		return lua.LBool(value), nil
	case string:
		return lua.LString(value), nil
	case int64:
		return lua.LNumber(value), nil
	case float64:
		return lua.LNumber(value), nil
	case []any:
		table := state.NewTable()
		for _, item := range value {
			converted, err := luaValue(state, item)
			if err != nil {
				return nil, err
			}
			table.Append(converted)
		}
		return table, nil
	case map[string]any:
		table := state.NewTable()
		for key, item := range value {
			converted, err := luaValue(state, item)
			if err != nil {
				return nil, err
			}
			table.RawSetString(key, converted)
		}
		return table, nil
	default:
		return nil, fmt.Errorf("no such value in an unstructured object: %T", value)
	}
}

// read returns the content of a file of the project.
func read(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestArgoConfig checks that Argo CD finds in the ConfigMap what is meant for Tenants, and that the script in it is
// the one that the other tests run.
func TestArgoConfig(t *testing.T) {
	t.Parallel()
	var config corev1.ConfigMap
	if err := yaml.UnmarshalStrict([]byte(read(t, "config", "gitops", "argocd", "argocd-cm-patch.yaml")), &config); err != nil {
		t.Fatal(err)
	}
	if config.Name != "argocd-cm" || config.Namespace != "argocd" {
		t.Errorf("the ConfigMap is %s/%s, want argocd/argocd-cm", config.Namespace, config.Name)
	}
	got := map[string]string{}
	for key, value := range config.Data {
		// As Argo CD takes a key apart: resource.customizations.<type>.<group>_<kind>.
		parts := strings.SplitN(key, ".", 4)
		if len(parts) != 4 || parts[0]+"."+parts[1] != "resource.customizations" {
			t.Errorf("key %s is none that Argo CD knows", key)
			continue
		}
		group, kind, _ := strings.Cut(parts[3], "_")
		if group != v1alpha1.GroupVersion.Group || kind != "Tenant" {
			t.Errorf("key %s is about %s of group %s, want Tenant of %s", key, kind, group, v1alpha1.GroupVersion.Group)
		}
		got[parts[2]] = value
	}
	want := map[string]string{
		"health":                read(t, "config", "gitops", "argocd", "health.lua"),
		"ignoreResourceUpdates": "jsonPointers:\n- /status\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("argocd-cm-patch.yaml: (-want, health being health.lua, +got):\n%s", diff)
	}
}

// TestSandbox checks that the script is held to what it may use in Argo CD.
func TestSandbox(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"another library":       `return {status = string.upper("healthy")}`,
		"a method of strings":   `return {status = ("healthy"):upper()}`,
		"the clock":             `return {status = "Healthy", message = os.date()}`,
		"no end":                `while true do end`,
		"nothing returned":      `local status = "Healthy"`,
		"no such health":        `return {status = "Fine"}`,
		"something else beside": `return {status = "Healthy", severity = "Low"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := argoHealth(t.Context(), script, map[string]any{}); err == nil {
				t.Errorf("%s: got %+v, want an error", script, got)
			}
		})
	}
}
