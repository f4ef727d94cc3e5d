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

//go:build linux

package child

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// parentVariable makes this test binary the parent in TestDiesWithItsParent.
const parentVariable = "BULKHEAD_TEST_PARENT_LOG"

func TestMain(m *testing.M) {
	log := os.Getenv(parentVariable)
	if log == "" {
		os.Exit(m.Run())
	}
	p, err := Start(Spec{Name: "sleep", Path: "/bin/sleep", Args: []string{"600"}, LogPath: log})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(p.PID())
	<-p.Done()
}

func TestDiesWithItsParent(t *testing.T) {
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), parentVariable+"="+filepath.Join(t.TempDir(), "log"))
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if !alive(pid) {
		t.Fatalf("the child %d does not run", pid)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(10 * time.Second)
	for alive(pid) {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("the child %d outlived its parent", pid)
		}
	}
}

// alive says whether a process runs; one that waits for its new parent to collect it does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready")
	p, err := Start(Spec{
		Name: "stubborn", Path: "/bin/sh", LogPath: filepath.Join(dir, "log"),
		Args: []string{"-c", `trap "" TERM; echo hello; : > ` + ready + `; while :; do sleep 0.1; done`},
	})
	if err != nil {
		t.Fatal(err)
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		if _, err := os.Stat(ready); err == nil {
			break
		}
		select {
		case <-ticker.C:
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
	if p.Err() != nil {
		t.Errorf("a running program ended: %v", p.Err())
	}
	if err := p.Stop(200 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "did not end within") {
		t.Errorf("stopping: %v, want that it had to be killed", err)
	}
	if alive(p.PID()) {
		t.Error("it is still there")
	}
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "killed") || !strings.Contains(err.Error(), "hello") {
		t.Errorf("how it ended: %v, want the signal and the log", err)
	}
	if err := p.Stop(time.Second); err != nil {
		t.Errorf("stopping it again: %v", err)
	}
}

func TestStartSaysWhatIsMissing(t *testing.T) {
	_, err := Start(Spec{Name: "ghost", Path: "/no/such/file", LogPath: filepath.Join(t.TempDir(), "log")})
	if err == nil || !strings.Contains(err.Error(), "starting ghost") {
		t.Errorf("the error is %v", err)
	}
}

func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	long := strings.Repeat("x", tailBytes)
	if err := os.WriteFile(path, []byte(long+"\none\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Tail(path, 2); err != nil || got != "one\ntwo" {
		t.Errorf("Tail says %q, %v", got, err)
	}
}
