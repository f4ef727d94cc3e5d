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

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime/pprof"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// request is one request of the operator.
type request struct {
	target

	// Code is the status of the answer; 0 if there was none.
	Code int `json:"code"`
	// Began and Ended are when it was sent, and when its answer began to arrive.
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
}

// recorder records every request of a client, retries included.
type recorder struct {
	mu       sync.Mutex
	requests []request
	open     int
}

// wrap makes a client's requests pass the recorder.
func (r *recorder) wrap(cfg *rest.Config) {
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return &tap{recorder: r, next: next} })
}

// mark is the present end of the record.
func (r *recorder) mark() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.requests)
}

// since are the requests after a mark.
func (r *recorder) since(mark int) []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests[mark:])
}

// last is when the last answer came, or now if one is awaited.
func (r *recorder) last() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open > 0 {
		return time.Now()
	}
	if len(r.requests) == 0 {
		return time.Time{}
	}
	return r.requests[len(r.requests)-1].Ended
}

// save writes the record to a file; "" is none.
func (r *recorder) save(path string) error {
	if path == "" {
		return nil
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing --requests: %w", err)
	}
	encoder := json.NewEncoder(file)
	for _, request := range r.since(0) {
		if err := encoder.Encode(request); err != nil {
			return fmt.Errorf("writing --requests: %w", err)
		}
	}
	return file.Close()
}

// profile starts a CPU profile of this process; the function that it returns ends it. "" is none. A later one replaces
// an earlier one.
func profile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("writing --profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, fmt.Errorf("writing --profile: %w", err)
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}

// tap is a http.RoundTripper that records.
type tap struct {
	recorder *recorder
	next     http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	entry := request{target: parse(r), Began: time.Now()}
	t.recorder.mu.Lock()
	t.recorder.open++
	t.recorder.mu.Unlock()
	response, err := t.next.RoundTrip(r)
	entry.Ended = time.Now()
	if err == nil {
		entry.Code = response.StatusCode
	}
	t.recorder.mu.Lock()
	defer t.recorder.mu.Unlock()
	t.recorder.open--
	t.recorder.requests = append(t.recorder.requests, entry)
	return response, err
}
