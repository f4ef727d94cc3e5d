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
	"context"
	"fmt"
	"io"
	"runtime"
	"time"
)

// bench is one run of the program.
type bench struct {
	options
	progress io.Writer
}

// say writes a line of progress.
func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// run takes all measurements, each on a control plane of its own.
func (b *bench) run(ctx context.Context) (*report, error) {
	s := size{b.tenants, b.namespaces}
	r := &report{Size: s, CPUs: runtime.NumCPU(), Repeat: b.repeat, Writers: b.writers}
	for i := range b.repeat {
		for _, way := range []string{rawCreate, rawApply} {
			err := b.in(ctx, s, way, func(ctx context.Context, w *world) error {
				if err := w.unguarded(ctx); err != nil {
					return err
				}
				took, err := w.raw(ctx, way)
				if err == nil {
					b.say("%s: %s took %s", s, way, took.Round(time.Millisecond))
					r.note(way, took)
				}
				return err
			})
			if err != nil {
				return nil, err
			}
		}
		err := b.in(ctx, s, "the operator", func(ctx context.Context, w *world) error {
			run, err := b.operate(ctx, w, i == b.repeat-1)
			r.operator(run)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if err := b.more(ctx, r); err != nil {
		return nil, err
	}
	r.sum()
	return r, nil
}

// more measures one wide tenant, and the operator as a process of its own.
func (b *bench) more(ctx context.Context, r *report) error {
	if b.wide > 0 {
		err := b.in(ctx, size{1, b.wide}, "the operator", func(ctx context.Context, w *world) (err error) {
			r.Wide, err = b.operateWide(ctx, w)
			return err
		})
		if err != nil {
			return err
		}
	}
	shapes, err := parseSizes(b.drifts)
	if err != nil {
		return err
	}
	for _, s := range shapes {
		err := b.in(ctx, s, "drift", func(ctx context.Context, w *world) error {
			run, err := b.operateWide(ctx, w)
			r.Drifts = append(r.Drifts, run)
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, tenants := range b.options.guards {
		measured, err := b.guarded(ctx, tenants)
		if err != nil {
			return err
		}
		r.Guards = append(r.Guards, measured)
	}
	b.say("%s: judging isolation", judged)
	if r.Judging, err = judge(b.corrections); err != nil {
		return err
	}
	if b.options.operator == "" {
		return nil
	}
	return b.in(ctx, r.Size, "the operator as a process of its own", func(ctx context.Context, w *world) (err error) {
		r.Process, err = w.process(ctx, b.options.operator)
		return err
	})
}
