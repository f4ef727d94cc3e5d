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
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane/child"
)

// ticksPerSecond is the unit of CPU time in /proc, the same on all of Linux' architectures that Go knows.
const ticksPerSecond = 100

// process is what was measured of the operator as a process of its own.
type process struct {
	There time.Duration `json:"thereNanoseconds"`
	Ready time.Duration `json:"readyNanoseconds"`
	// Peak is the most memory that was resident while provisioning, and Resident what was some seconds after. In KiB.
	PeakKiB     int `json:"peakKiB"`
	ResidentKiB int `json:"residentKiB"`
	// CPU is the processor time that was used by then, the start included.
	CPU time.Duration `json:"cpuNanoseconds"`
}

// process runs the operator's binary as its service account and reads from /proc what it uses.
func (w *world) process(ctx context.Context, binary string) (*process, error) {
	path, err := filepath.Abs(binary)
	if err != nil {
		return nil, fmt.Errorf("finding --operator: %w", err)
	}
	kubeconfig := filepath.Join(w.Dir(), "operator.kubeconfig")
	if err := controlplane.WriteKubeconfigFor(w.Operator, kubeconfig); err != nil {
		return nil, err
	}
	p, err := child.Start(child.Spec{Name: "the operator", Path: path, LogPath: filepath.Join(w.Dir(), "operator.log"),
		Args: []string{"manager", "--kubeconfig=" + kubeconfig, "--leader-elect=false", "--metrics-bind-address=0",
			"--health-probe-bind-address=0", "--api-server-addresses=" + w.Facts.APIServer[0].String()}})
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Stop(20 * time.Second) }()
	m := &process{}
	if _, _, err := w.first.provisioned(ctx); err != nil {
		return nil, err
	}
	if err := pause(ctx, p.Done(), settle); err != nil {
		return nil, err
	}
	if m.There, m.Ready, err = w.provisioned(ctx); err != nil {
		return nil, err
	}
	if err := pause(ctx, p.Done(), 2*quiet); err != nil {
		return nil, errors.Join(err, p.Err())
	}
	return m, m.read(p.PID())
}

// pause lets time pass; it is an error if what must go on meanwhile is done. done may be nil.
func pause(ctx context.Context, done <-chan struct{}, period time.Duration) error {
	timer := time.NewTimer(period)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-done:
		return errors.New("it ended while it was measured")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// read reads from /proc, which only Linux has.
func (m *process) read(pid int) error {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	raw, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return fmt.Errorf("reading the operator's memory: %w", err)
	}
	if m.PeakKiB, err = kibibytes(raw, "VmHWM"); err != nil {
		return err
	}
	if m.ResidentKiB, err = kibibytes(raw, "VmRSS"); err != nil {
		return err
	}
	if raw, err = os.ReadFile(filepath.Join(dir, "stat")); err != nil {
		return fmt.Errorf("reading the operator's CPU time: %w", err)
	}
	m.CPU, err = cpuTime(raw)
	return err
}

// kibibytes is the value of a line such as "VmRSS:  1234 kB" of /proc/<pid>/status.
func kibibytes(status []byte, name string) (int, error) {
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == name+":" {
			return strconv.Atoi(fields[1])
		}
	}
	return 0, fmt.Errorf("reading the operator's memory: /proc says no %s", name)
}

// cpuTime is utime and stime of /proc/<pid>/stat, whose second field is a name in parentheses that may hold anything.
func cpuTime(stat []byte) (time.Duration, error) {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("reading the operator's CPU time: /proc says %q", stat)
	}
	total := 0
	for _, field := range fields[11:13] {
		ticks, err := strconv.Atoi(field)
		if err != nil {
			return 0, fmt.Errorf("reading the operator's CPU time: %w", err)
		}
		total += ticks
	}
	return time.Duration(total) * time.Second / ticksPerSecond, nil
}
