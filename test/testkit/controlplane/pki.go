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

package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificateLife is how long every certificate holds: longer than any run, short enough that a forgotten
// kubeconfig is worthless the week after.
const certificateLife = 7 * 24 * time.Hour

// pair is a certificate and its private key, both PEM.
type pair struct {
	cert []byte
	key  []byte
}

// authority is a certificate authority that lives as long as its control plane.
type authority struct {
	pair
	parsed *x509.Certificate
	signer *ecdsa.PrivateKey
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating the key of %s: %w", name, err)
	}
	template, err := newTemplate(pkix.Name{CommonName: name})
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("signing %s: %w", name, err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parsing %s: %w", name, err)
	}
	encoded, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	return &authority{pair: pair{cert: encodeCert(der), key: encoded}, parsed: parsed, signer: key}, nil
}

func newTemplate(subject pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("choosing a serial number: %w", err)
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		// An hour back: clocks of containers and their hosts differ.
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(certificateLife),
		BasicConstraintsValid: true,
	}, nil
}

// client makes a client certificate; the API server reads the common name as the user and the organisations
// as the groups.
func (a *authority) client(user string, groups ...string) (pair, error) {
	template, err := newTemplate(pkix.Name{CommonName: user, Organization: groups})
	if err != nil {
		return pair{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.sign(template)
}

// server makes a serving certificate for host names and IP addresses. It may also act as a client, because
// etcd calls itself with it.
func (a *authority) server(name string, hosts ...string) (pair, error) {
	template, err := newTemplate(pkix.Name{CommonName: name})
	if err != nil {
		return pair{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return a.sign(template)
}

func (a *authority) sign(template *x509.Certificate) (pair, error) {
	name := template.Subject.CommonName
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, fmt.Errorf("generating the key of %q: %w", name, err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.parsed, key.Public(), a.signer)
	if err != nil {
		return pair{}, fmt.Errorf("signing the certificate of %q: %w", name, err)
	}
	encoded, err := encodeKey(key)
	if err != nil {
		return pair{}, err
	}
	return pair{cert: encodeCert(der), key: encoded}, nil
}

// newSigningKey makes the key that signs service account tokens; cert holds its public half.
func newSigningKey() (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, fmt.Errorf("generating the service account key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return pair{}, fmt.Errorf("encoding the service account key: %w", err)
	}
	private, err := encodeKey(key)
	if err != nil {
		return pair{}, err
	}
	return pair{cert: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), key: private}, nil
}

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// pki is every key of one control plane. The programs read those that are written to files.
type pki struct {
	ca     *authority
	etcdCA *authority
	dir    string
}

// newPKI makes the keys and writes the files that the programs read into dir. etcd has an authority of its
// own: who may talk to the API server may not talk to its database.
func newPKI(dir string) (*pki, error) {
	ca, err := newAuthority("bulkhead-test-ca")
	if err != nil {
		return nil, err
	}
	etcdCA, err := newAuthority("bulkhead-test-etcd-ca")
	if err != nil {
		return nil, err
	}
	serving, err := ca.server("kube-apiserver", "127.0.0.1", "localhost", "kubernetes", "kubernetes.default",
		"kubernetes.default.svc", "kubernetes.default.svc.cluster.local", serviceIP)
	if err != nil {
		return nil, err
	}
	etcd, err := etcdCA.server("etcd", "127.0.0.1", "localhost")
	if err != nil {
		return nil, err
	}
	etcdClient, err := etcdCA.client("kube-apiserver")
	if err != nil {
		return nil, err
	}
	accounts, err := newSigningKey()
	if err != nil {
		return nil, err
	}
	p := &pki{ca: ca, etcdCA: etcdCA, dir: dir}
	return p, p.write(map[string]pair{
		"ca": ca.pair, "etcd-ca": {cert: etcdCA.cert}, "apiserver": serving,
		"etcd": etcd, "etcd-client": etcdClient, "service-accounts": accounts,
	})
}

func (p *pki) write(pairs map[string]pair) error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return fmt.Errorf("making the directory of the certificates: %w", err)
	}
	for name, pair := range pairs {
		for path, content := range map[string][]byte{p.cert(name): pair.cert, p.key(name): pair.key} {
			if len(content) == 0 {
				continue
			}
			if err := os.WriteFile(path, content, 0o600); err != nil {
				return fmt.Errorf("writing a certificate: %w", err)
			}
		}
	}
	return nil
}

// cert is the file of a certificate, or of the public key of the service accounts.
func (p *pki) cert(name string) string { return filepath.Join(p.dir, name+".crt") }

// key is the file of a private key.
func (p *pki) key(name string) string { return filepath.Join(p.dir, name+".key") }
