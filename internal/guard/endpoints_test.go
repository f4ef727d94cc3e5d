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

package guard

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
)

func TestEndpoints(t *testing.T) {
	t.Parallel()
	ports := func(texts ...string) []netip.AddrPort {
		var all []netip.AddrPort
		for _, text := range texts {
			all = append(all, netip.MustParseAddrPort(text))
		}
		return all
	}
	many := make([]netip.AddrPort, 2*maxEndpoints)
	for i := range many {
		many[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 6443)
	}
	type way struct{ Name, Host, ServerName string }
	cases := map[string]struct {
		base      *rest.Config
		addresses []netip.AddrPort
		want      []way
	}{
		"none":        {&rest.Config{Host: "https://10.0.0.1"}, nil, []way{{"", "https://10.0.0.1", ""}}},
		"a service":   {&rest.Config{Host: "https://10.0.0.1:443"}, ports("192.0.2.1:6443"), []way{{"192.0.2.1:6443", "https://192.0.2.1:6443", serverName}}},
		"the address": {&rest.Config{Host: "https://192.0.2.1:8443"}, ports("192.0.2.1:6443"), []way{{"192.0.2.1:6443", "https://192.0.2.1:6443", ""}}},
		"without a scheme": {&rest.Config{Host: "192.0.2.1:6443"}, ports("192.0.2.1:6443"),
			[]way{{"192.0.2.1:6443", "https://192.0.2.1:6443", ""}}},
		"by name, behind a path": {&rest.Config{Host: "https://rancher.example/k8s/clusters/c", APIPath: "/x"}, ports("192.0.2.1:6443"),
			[]way{{"192.0.2.1:6443", "https://192.0.2.1:6443", serverName}}},
		"a name of its own": {&rest.Config{Host: "https://10.0.0.1", TLSClientConfig: rest.TLSClientConfig{ServerName: "mine"}}, ports("192.0.2.1:6443"),
			[]way{{"192.0.2.1:6443", "https://192.0.2.1:6443", "mine"}}},
		"whatever its certificate": {&rest.Config{Host: "https://10.0.0.1", TLSClientConfig: rest.TLSClientConfig{Insecure: true}}, ports("192.0.2.1:6443"),
			[]way{{"192.0.2.1:6443", "https://192.0.2.1:6443", ""}}},
		"IPv6, sorted, each once": {&rest.Config{Host: "https://10.0.0.1"}, ports("[2001:db8::1]:6443", "192.0.2.2:6443", "192.0.2.1:6443", "192.0.2.2:6443"), []way{
			{"192.0.2.1:6443", "https://192.0.2.1:6443", serverName}, {"192.0.2.2:6443", "https://192.0.2.2:6443", serverName},
			{"[2001:db8::1]:6443", "https://[2001:db8::1]:6443", serverName},
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []way
			for _, e := range endpoints(tc.base, tc.addresses) {
				got = append(got, way{e.name, e.config.Host, e.config.ServerName})
				if e.config.APIPath != "" || !strings.HasSuffix(e.config.UserAgent, " "+UserAgent) || tc.base.UserAgent != "" {
					t.Errorf("%s: path %q, user agent %q, and the base's is %q", e, e.config.APIPath, e.config.UserAgent, tc.base.UserAgent)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("endpoints (-want +got):\n%s", diff)
			}
		})
	}
	if got := len(endpoints(&rest.Config{}, many)); got != maxEndpoints {
		t.Errorf("%d endpoints, want at most %d", got, maxEndpoints)
	}
}

// server is an API server that answers like one, with a certificate for kubernetes.default.svc and for no address.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string
}

func newServer(t *testing.T, certificate tls.Certificate, code int, body string) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests = append(s.requests, strings.Join([]string{r.Method, r.URL.String(), r.Header.Get("Content-Type"), r.Header.Get("Authorization"), string(content)}, " "))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		if _, err := io.WriteString(w, body); err != nil {
			t.Error(err)
		}
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *server) address(t *testing.T) netip.AddrPort {
	t.Helper()
	address, err := netip.ParseAddrPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func newCertificate(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{serverName}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}

// TestAskEndpoint asks two API servers by their own addresses, with the credentials of the operator, whatever stands
// in the environment about proxies.
func TestAskEndpoint(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://192.0.2.1:1")
	certificate, ca := newCertificate(t)
	refusing := newServer(t, certificate, http.StatusForbidden, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":403,"reason":"Forbidden",`+
		`"message":"pods is forbidden: ValidatingAdmissionPolicy 'bulkhead-images' with binding 'bulkhead-images' denied request: tenant \"\", rule images: Pod \"x\""}`)
	passing := newServer(t, certificate, http.StatusCreated, `{"kind":"Pod","apiVersion":"v1"}`)
	down := newServer(t, certificate, http.StatusServiceUnavailable, `{}`)
	closed := newServer(t, certificate, http.StatusOK, `{}`)
	closed.Close()
	base := &rest.Config{Host: "https://10.0.0.1", BearerToken: "token", TLSClientConfig: rest.TLSClientConfig{CAData: ca}}
	change := probe("bulkhead-namespace")
	change.Method, change.Resource = Patch, "namespaces"
	change.Object.SetNamespace("")

	for name, tc := range map[string]struct {
		*server
		want map[string]Answer
	}{
		"refuses":    {refusing, map[string]Answer{"bulkhead-images": {Result: Refused}, "bulkhead-namespace": {Result: Inconclusive, Why: "policy bulkhead-images refuses the probe too"}}},
		"passes":     {passing, map[string]Answer{"bulkhead-images": {Result: Passed}, "bulkhead-namespace": {Result: Passed}}},
		"can't work": {down, map[string]Answer{"bulkhead-images": {Result: Unreachable, Why: "it answers with code 503"}, "bulkhead-namespace": {Result: Unreachable, Why: "it answers with code 503"}}},
		"is gone":    {closed, map[string]Answer{"bulkhead-images": {Result: Unreachable, Why: "no answer"}, "bulkhead-namespace": {Result: Unreachable, Why: "no answer"}}},
	} {
		t.Run(name, func(t *testing.T) {
			way := endpoints(base, []netip.AddrPort{tc.address(t)})[0]
			got := askEndpoint(t.Context(), way, []*Probe{probe("bulkhead-images"), change})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
		})
	}
	want := []string{
		"POST /api/v1/namespaces/bulkhead-guard-probe/pods?dryRun=All&fieldManager=bulkhead-guard-prober application/json Bearer token " +
			`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bulkhead-guard-probe","namespace":"bulkhead-guard-probe"}}` + "\n",
		"PATCH /api/v1/namespaces/bulkhead-guard-probe?dryRun=All&fieldManager=bulkhead-guard-prober application/merge-patch+json Bearer token " +
			`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bulkhead-guard-probe"}}` + "\n",
	}
	if diff := cmp.Diff(want, passing.requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if got := len(down.requests); got != 1 {
		t.Errorf("an API server that can't work was asked %d times, want once", got)
	}
	if got := askEndpoint(t.Context(), endpoints(&rest.Config{TLSClientConfig: rest.TLSClientConfig{CAFile: "missing"}}, []netip.AddrPort{passing.address(t)})[0],
		[]*Probe{probe("x")}); got["x"].Result != Unreachable || got["x"].Why == "" {
		t.Errorf("without credentials: %v", got)
	}
}
