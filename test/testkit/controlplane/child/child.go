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

// Package child runs other programs as children that do not outlive this process.
package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// tailBytes is how much of the end of a log is read for an error message.
const tailBytes = 16 << 10

// Spec says which program to run and how.
type Spec struct {
	// Name is what messages call the program.
	Name string
	// Path is the program's file, and Args what follows its name.
	Path string
	Args []string
	// Env is the whole environment; nothing is inherited. Nil means this process's environment.
	Env []string
	// Dir is the working directory; "" means this process's.
	Dir string
	// LogPath is the file to which stdout and stderr are appended.
	LogPath string
}

// Process is a started program. Its methods may be called from several goroutines.
type Process struct {
	spec Spec
	cmd  *exec.Cmd
	done chan struct{}

	mu      sync.Mutex
	waitErr error
}

// Start starts the program. The error says that it could not be started; that it ended is seen with Done.
//
// On Linux the kernel kills the program when this process ends, even by SIGKILL. Elsewhere a program
// survives when this process is killed before it could call Stop.
func Start(spec Spec) (*Process, error) {
	log, err := os.OpenFile(spec.LogPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", spec.Name, err)
	}
	// The context of a caller ends with its request; the process lives until Stop.
	cmd := exec.Command(spec.Path, spec.Args...) //nolint:noctx // see above
	cmd.Args[0] = filepath.Base(spec.Path)
	cmd.Env = spec.Env
	cmd.Dir = spec.Dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = sysProcAttr()

	p := &Process{spec: spec, cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.run(log, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	return p, nil
}

// run starts the program and waits for it on one thread: the kernel's "parent died" signal comes when the
// thread that forked ends, and Go ends threads as it likes unless a goroutine is locked to them.
func (p *Process) run(log *os.File, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer func() { _ = log.Close() }()

	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	err := p.cmd.Wait()
	p.mu.Lock()
	p.waitErr = err
	p.mu.Unlock()
	close(p.done)
}

// Name is what messages call the program.
func (p *Process) Name() string { return p.spec.Name }

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running says whether the program has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Err describes how the program ended, with the tail of its log; nil while it runs.
func (p *Process) Err() error {
	if p.Running() {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	how := "exit status 0"
	if p.waitErr != nil {
		how = p.waitErr.Error()
	}
	return fmt.Errorf("%s ended (%s); the end of its log:\n%s", p.spec.Name, how, p.Tail(15))
}

// Stop asks the program to end and kills it when it is still there after the grace period. It returns when
// the program is gone; stopping twice is fine. The error says that the program had to be killed.
func (p *Process) Stop(grace time.Duration) error {
	if !p.Running() {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping %s: %w", p.spec.Name, err)
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing %s: %w", p.spec.Name, err)
	}
	<-p.done
	return fmt.Errorf("killing %s: it did not end within %s", p.spec.Name, grace)
}

// Kill ends the program at once, as a crash would, and returns when it is gone.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing %s: %w", p.spec.Name, err)
	}
	<-p.done
	return nil
}

// Wait waits until the program has ended or the context is done; the error is the context's.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for %s: %w", p.spec.Name, ctx.Err())
	}
}

// Tail returns the last lines of the program's log, or a line that says why they cannot be read.
func (p *Process) Tail(lines int) string {
	text, err := Tail(p.spec.LogPath, lines)
	if err != nil {
		return err.Error()
	}
	return text
}

// Tail returns the last lines of a file, looking at its last 16 KiB only.
func Tail(path string, lines int) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("opening a log: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("reading a log: %w", err)
	}
	buf := make([]byte, min(info.Size(), tailBytes))
	n, err := f.ReadAt(buf, info.Size()-int64(len(buf)))
	if err != nil && n < len(buf) {
		return "", fmt.Errorf("reading a log: %w", err)
	}
	all := strings.Split(strings.TrimRight(string(buf), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n"), nil
}
