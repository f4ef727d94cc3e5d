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
	"bytes"
	"flag"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// taps are what listens to the log of this process. There is one log for all Envs, because controller-runtime has one.
var taps logTaps

// Log keeps what operators in this process log, from CaptureLog until Stop. It is safe for concurrent use.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// CaptureLog keeps all that is logged in this process from now on, up to level 7 of detail. Stop it: it grows as long as
// it runs.
func CaptureLog() *Log {
	l := &Log{}
	taps.mu.Lock()
	defer taps.mu.Unlock()
	taps.all = append(taps.all, l)
	return l
}

// Stop ends it. Text is still there after that.
func (l *Log) Stop() {
	taps.mu.Lock()
	defer taps.mu.Unlock()
	taps.all = slices.DeleteFunc(taps.all, func(other *Log) bool { return other == l })
}

// Text is what was logged so far, one JSON object per line.
func (l *Log) Text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *Log) write(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p) // never fails
}

// logTaps is a writer into those who listen.
type logTaps struct {
	mu   sync.Mutex
	all  []*Log
	file io.Writer
}

// Write implements io.Writer. What can't be written to the file is lost: no test fails for that.
func (t *logTaps) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.all {
		l.write(p)
	}
	if t.file != nil {
		_, _ = t.file.Write(p)
	}
	return len(p), nil
}

// listening says whether anybody reads what is logged.
func (t *logTaps) listening() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all) > 0 || t.file != nil
}

// quietSink is a sink that is only on while somebody reads: logging that nobody reads costs time all the same.
type quietSink struct{ logr.LogSink }

// Enabled implements logr.LogSink.
func (s quietSink) Enabled(level int) bool { return taps.listening() && s.LogSink.Enabled(level) }

// WithValues implements logr.LogSink.
func (s quietSink) WithValues(values ...any) logr.LogSink {
	return quietSink{s.LogSink.WithValues(values...)}
}

// WithName implements logr.LogSink.
func (s quietSink) WithName(name string) logr.LogSink { return quietSink{s.LogSink.WithName(name)} }

// logger logs, as the operator does with --zap-log-level=7, to those who called CaptureLog and to the file that
// BULKHEAD_TEST_LOG names, and nowhere if it is unset: assertions say what is wrong, and the operator's log of a deliberate
// fault is only noise. From level 8 on client-go logs whole requests and answers.
func logger(path string) logr.Logger {
	if path != "" {
		taps.open(path)
	}
	options := &zap.Options{}
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	options.BindFlags(flags)
	if err := flags.Set("zap-log-level", "7"); err != nil {
		return logr.Discard() // it is a level
	}
	return logr.New(quietSink{zap.New(zap.UseFlagOptions(options), zap.WriteTo(&taps)).GetSink()})
}

func (t *logTaps) open(path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if t.file = file; err != nil {
		t.file = os.Stderr
	}
}
