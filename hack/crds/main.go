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

// Command crds copies the CRDs that tests install from the Go modules of the projects they belong to.
//
// go.mod requires none of these modules: they need newer versions of Go and hundreds of modules that are never built.
// They are pinned here instead, by version and checksum.
package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// mark is in the header of every file that was copied; files without it were written by hand and stay.
const mark = "# Copied by hack/crds/update.sh; don't edit."

// source is a folder of a module of which CRDs are taken.
type source struct {
	module  string
	version string
	// sum is the module's checksum, as in go.sum.
	sum string
	// folder is where the files are in the module, and files are their names.
	folder string
	files  []string
	// project is the directory they are copied to.
	project string
}

var sources = []source{
	{
		module: "sigs.k8s.io/gateway-api", version: "v1.7.0", sum: "h1:duVnm7nO6oXfMMUWfcDoBph47CYR/ME3NGxccOVglaY=",
		folder: "config/crd/standard", project: "gateway-api",
		files: []string{
			"gateway.networking.k8s.io_backendtlspolicies.yaml",
			"gateway.networking.k8s.io_gatewayclasses.yaml",
			"gateway.networking.k8s.io_gateways.yaml",
			"gateway.networking.k8s.io_grpcroutes.yaml",
			"gateway.networking.k8s.io_httproutes.yaml",
			"gateway.networking.k8s.io_listenersets.yaml",
			"gateway.networking.k8s.io_referencegrants.yaml",
			"gateway.networking.k8s.io_tcproutes.yaml",
			"gateway.networking.k8s.io_tlsroutes.yaml",
			"gateway.networking.k8s.io_udproutes.yaml",
		},
	},
	{
		module: "github.com/cilium/cilium", version: "v1.20.2", sum: "h1:dqiEGIcXc+gqCLYG/l7VCFJ8GHyb4HUrwbZOpkX5dL8=",
		folder: "pkg/k8s/apis/cilium.io/client/crds/v2", project: "cilium",
		files: []string{
			"ciliumclusterwidenetworkpolicies.yaml",
			"ciliumegressgatewaypolicies.yaml",
			"ciliumnetworkpolicies.yaml",
		},
	},
	{
		module: "sigs.k8s.io/network-policy-api", version: "v0.2.0", sum: "h1:W/f0Y9VoeQdOWjX/h2gZyLH6gZ5LLEXmh/9wy9mQWKw=",
		folder: "config/crd/standard", project: "cluster-network-policy",
		files: []string{"policy.networking.k8s.io_clusternetworkpolicies.yaml"},
	},
	{
		module: "sigs.k8s.io/network-policy-api", version: "v0.2.0", sum: "h1:W/f0Y9VoeQdOWjX/h2gZyLH6gZ5LLEXmh/9wy9mQWKw=",
		folder: "config/crd/experimental", project: "cluster-network-policy-experimental",
		files: []string{"policy.networking.k8s.io_clusternetworkpolicies.yaml"},
	},
	{
		module: "sigs.k8s.io/network-policy-api", version: "v0.1.5", sum: "h1:xyS7VAaM9EfyB428oFk7WjWaCK6B129i+ILUF4C8l6E=",
		folder: "config/crd/standard", project: "admin-network-policy",
		files: []string{
			"policy.networking.k8s.io_adminnetworkpolicies.yaml",
			"policy.networking.k8s.io_baselineadminnetworkpolicies.yaml",
		},
	},
	{
		module: "sigs.k8s.io/network-policy-api", version: "v0.1.5", sum: "h1:xyS7VAaM9EfyB428oFk7WjWaCK6B129i+ILUF4C8l6E=",
		folder: "config/crd/experimental", project: "admin-network-policy-experimental",
		files: []string{
			"policy.networking.k8s.io_adminnetworkpolicies.yaml",
			"policy.networking.k8s.io_baselineadminnetworkpolicies.yaml",
		},
	},
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: crds <directory>")
		os.Exit(2)
	}
	if err := update(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "crds:", err)
		os.Exit(1)
	}
}

// update replaces all copies below dir.
func update(ctx context.Context, dir string) error {
	if err := removeCopies(dir); err != nil {
		return err
	}
	for _, s := range sources {
		archive, err := download(ctx, s)
		if err != nil {
			return err
		}
		if err := s.unpack(archive, filepath.Join(dir, s.project)); err != nil {
			return err
		}
	}
	return nil
}

func removeCopies(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.yaml"))
	if err != nil {
		return fmt.Errorf("looking for old copies: %w", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("looking for old copies: %w", err)
		}
		if bytes.HasPrefix(content, []byte(mark)) {
			if err := os.Remove(file); err != nil {
				return fmt.Errorf("removing an old copy: %w", err)
			}
		}
	}
	return nil
}

// download fetches a module into Go's cache and returns its archive, if it is the one that is pinned.
func download(ctx context.Context, s source) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", s.module+"@"+s.version)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, failure := cmd.Output()
	var got struct{ Zip, Sum, Error string }
	if err := json.Unmarshal(out, &got); err != nil {
		return "", fmt.Errorf("downloading %s: %w: %s", s.module, errors.Join(failure, err), stderr.String())
	}
	// A module that needs a newer Go isn't unpacked, and an error; its archive is all that is needed here.
	if got.Zip == "" {
		return "", fmt.Errorf("downloading %s: %s", s.module, got.Error)
	}
	if got.Sum != s.sum {
		return "", fmt.Errorf("the checksum of %s %s is %s, pinned is %s", s.module, s.version, got.Sum, s.sum)
	}
	return got.Zip, nil
}

// unpack writes the source's files from its module's archive into dir.
func (s source) unpack(archive, dir string) error {
	reader, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("opening the archive of %s: %w", s.module, err)
	}
	defer func() { _ = reader.Close() }()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the directory of %s: %w", s.project, err)
	}
	for _, name := range s.files {
		file := path.Join(s.folder, name)
		content, err := read(reader, s.module+"@"+s.version+"/"+file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), s.withHeader(file, content), 0o644); err != nil {
			return fmt.Errorf("copying %s: %w", file, err)
		}
	}
	return nil
}

func read(archive *zip.ReadCloser, name string) ([]byte, error) {
	file, err := archive.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading an archive: %w", err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return content, nil
}

// withHeader says where a file is from. All of these projects have the same licence.
func (s source) withHeader(file string, content []byte) []byte {
	header := strings.Join([]string{
		mark,
		"# Module: " + s.module,
		"# Version: " + s.version,
		"# File: " + file,
		"# Licence: Apache-2.0",
	}, "\n")
	return append([]byte(header+"\n"), content...)
}
