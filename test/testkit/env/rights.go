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

package env

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

const (
	// OperatorUser is who the operator is to the API server.
	OperatorUser = "system:serviceaccount:" + v1alpha1.DefaultOperatorNamespace + ":bulkhead"
	// SpecAgent is the user agent of those who use Env.Operator themselves: what a test asks in the operator's name
	// says nothing of what the operator needs.
	SpecAgent = "bulkhead-spec-in-the-operators-name"
	// RightsVariable names a directory, by its absolute path, into which every Env that is stopped writes what the
	// operator did with its rights; see ReadUses. If it is unset nothing is written.
	RightsVariable = "BULKHEAD_RIGHTS_DIR"
	// Elsewhere stands in a Use for every namespace that isn't one of a new cluster or the operator's.
	Elsewhere = "*"
)

// Request is what the audit log says of a request. A watch has two: one when it opens and one when it ends.
type Request struct {
	Verb       string
	UserAgent  string
	RequestURI string
	// RequestReceivedTimestamp is when it came in.
	RequestReceivedTimestamp time.Time

	User      struct{ Username string }
	ObjectRef struct{ APIGroup, Resource, Subresource, Namespace, Name string }

	ResponseStatus struct {
		Code    int
		Message string
	}
}

// String is one line: what was asked for and the code of the answer.
func (r Request) String() string {
	o := r.ObjectRef
	return fmt.Sprintf("%s %s/%s/%s %s/%s: %d", r.Verb, o.APIGroup, o.Resource, o.Subresource, o.Namespace, o.Name, r.ResponseStatus.Code)
}

// Refused says whether the request was forbidden, whether by RBAC or by what comes after it.
func (r Request) Refused() bool { return r.ResponseStatus.Code == http.StatusForbidden }

// Rights are what the request needed. Server-side apply that creates an object needs, and is, both "patch" and "create":
// https://github.com/kubernetes/kubernetes/blob/v1.37.2/staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go
func (r Request) Rights() []Right {
	right := Right{Verb: r.Verb, Group: r.ObjectRef.APIGroup, Resource: r.ObjectRef.Resource, Namespace: r.ObjectRef.Namespace}
	if r.ObjectRef.Subresource != "" {
		right.Resource += "/" + r.ObjectRef.Subresource
	}
	if right.Resource == "" {
		right.Resource, _, _ = strings.Cut(r.RequestURI, "?")
	}
	rights := []Right{right}
	if r.Verb == "patch" && r.ResponseStatus.Code == http.StatusCreated {
		right.Verb = "create"
		rights = append(rights, right)
	}
	return rights
}

// Right is one verb on one resource ("tenants", "tenants/status"), or on a path of the API server ("/version"), in one
// namespace or, if that is empty, in all of them.
type Right struct {
	Verb      string `json:"verb"`
	Group     string `json:"group,omitempty"`
	Resource  string `json:"resource"`
	Namespace string `json:"namespace,omitempty"`
}

// String is the right as one would say it: "list endpointslices.discovery.k8s.io in default".
func (r Right) String() string {
	text := r.Verb + " " + r.Resource
	if r.Group != "" {
		text += "." + r.Group
	}
	if r.Namespace != "" {
		text += " in " + r.Namespace
	}
	return text
}

// Allows says whether someone who is granted the right r may do what needs other.
func (r Right) Allows(other Right) bool {
	if r.Namespace == "" {
		other.Namespace = ""
	}
	return r == other
}

// Use is a right of which a request made use, and what came of it.
type Use struct {
	Right
	// Code is the class of the answer ("2xx" is success), or "403" for what was refused.
	Code string `json:"code"`
	// Name is the name of the object and Message the answer, for what was refused only.
	Name    string `json:"name,omitempty"`
	Message string `json:"message,omitempty"`
	// Restarting says that it was refused by an API server that Env.RestartAPIServer had started and that wasn't ready.
	Restarting bool `json:"restarting,omitempty"`
}

// Uses is what the operator did with its rights in one Env, each use once and sorted.
type Uses struct {
	// Suite is the directory of the test, from the project's root.
	Suite string `json:"suite"`
	Uses  []Use  `json:"uses"`
}

// Requests calls visit for each request of the operator so far, in their order, without those that were made with
// Env.Operator. The Env must have been started with Options.Audit.
func (e *Env) Requests(visit func(*Request)) error {
	file, err := os.Open(e.AuditLog())
	if err != nil {
		return fmt.Errorf("reading the audit log: %w", err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // the last line may be half written
		}
		if err != nil {
			return fmt.Errorf("reading the audit log: %w", err)
		}
		// Most are others', and decoding takes most of the time.
		if !bytes.Contains(line, []byte(OperatorUser)) {
			continue
		}
		r := &Request{}
		if err := json.Unmarshal(line, r); err != nil {
			return fmt.Errorf("reading the audit log: %w: %s", err, line)
		}
		if r.User.Username == OperatorUser && r.UserAgent != SpecAgent {
			visit(r)
		}
	}
}

// RestartAPIServer does what that of the control plane does, and remembers when: an API server that hasn't loaded its
// roles yet refuses everybody.
func (e *Env) RestartAPIServer(ctx context.Context) error {
	began := time.Now()
	err := e.ControlPlane.RestartAPIServer(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.restarts = append(e.restarts, span{began, time.Now()})
	return err
}

// restarting says whether the API server was being restarted at a time.
func (e *Env) restarting(at time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.restarts, func(s span) bool { return !at.Before(s.from) && !at.After(s.to) })
}

// span is a span of time.
type span struct{ from, to time.Time }

// Stop writes the operator's uses of its rights if RightsVariable says so, and stops the control plane. Calling it
// again returns the first result.
func (e *Env) Stop() error {
	e.stop.Do(func() {
		var err error
		if e.rightsDir != "" {
			err = e.writeUses()
		}
		e.stopErr = errors.Join(err, e.ControlPlane.Stop())
	})
	return e.stopErr
}

// rightsDir is where to write uses; "" if nowhere.
func rightsDir() (string, error) {
	dir := os.Getenv(RightsVariable)
	if dir == "" {
		return "", nil
	}
	// Tests run in directories of their own.
	if !filepath.IsAbs(dir) {
		return "", fmt.Errorf("%s is %q, want an absolute path", RightsVariable, dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making the directory for used rights: %w", err)
	}
	return dir, nil
}

func (e *Env) writeUses() error {
	uses, err := e.uses()
	if err != nil {
		return err
	}
	content, err := json.MarshalIndent(uses, "", "  ")
	if err != nil {
		return fmt.Errorf("writing used rights: %w", err)
	}
	file, err := os.CreateTemp(e.rightsDir, strings.ReplaceAll(uses.Suite, "/", "-")+"-*.json")
	if err != nil {
		return fmt.Errorf("writing used rights: %w", err)
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("writing used rights: %w", err)
	}
	return nil
}

func (e *Env) uses() (*Uses, error) {
	suite, err := directory()
	if err != nil {
		return nil, err
	}
	seen := map[Use]bool{}
	err = e.Requests(func(r *Request) {
		for _, right := range r.Rights() {
			switch right.Namespace {
			case "", "default", "kube-system", "kube-public", "kube-node-lease", v1alpha1.DefaultOperatorNamespace:
			default:
				right.Namespace = Elsewhere
			}
			use := Use{Right: right, Code: fmt.Sprintf("%dxx", r.ResponseStatus.Code/100)}
			if r.Refused() {
				use.Code, use.Name, use.Message = "403", r.ObjectRef.Name, r.ResponseStatus.Message
				use.Restarting = e.restarting(r.RequestReceivedTimestamp)
			}
			seen[use] = true
		}
	})
	if err != nil {
		return nil, err
	}
	return &Uses{Suite: suite, Uses: slices.SortedFunc(maps.Keys(seen), compareUses)}, nil
}

func compareUses(a, b Use) int {
	return cmp.Or(
		cmp.Compare(a.Group, b.Group), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Verb, b.Verb),
		cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Code, b.Code),
		cmp.Compare(a.Name, b.Name), cmp.Compare(a.Message, b.Message))
}

// directory is the working directory, which is the test's own, from the project's root.
func directory() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the test's directory: %w", err)
	}
	path, err := filepath.Rel(root, dir)
	return filepath.ToSlash(path), err
}

// ReadUses reads all that was written into a directory; nothing if it holds no files.
func ReadUses(dir string) ([]Uses, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("finding used rights: %w", err)
	}
	var all []Uses
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading used rights: %w", err)
		}
		var uses Uses
		if err := json.Unmarshal(content, &uses); err != nil {
			return nil, fmt.Errorf("reading used rights from %s: %w", file, err)
		}
		all = append(all, uses)
	}
	return all, nil
}
