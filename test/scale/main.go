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

// Command scale is the engine of `make bench`: it measures what the operator does at scale, on control planes of its
// own, beside a bare client that writes the same objects, and prints one table. Ratios are of one run on one machine.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// options are the flags.
type options struct {
	tenants, namespaces int
	wide                int
	repeat              int
	writers             int
	corrections         int
	drifts              []string
	guards              []int
	guardSamples        int
	steady              time.Duration
	patience            time.Duration
	operator            string
	json                string
	requests            string
	profile             string
	check               bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := newCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:           "scale",
		Short:         "Measure the operator at scale, beside a bare client that writes the same objects",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			b := &bench{options: o, progress: cmd.ErrOrStderr()}
			report, err := b.run(cmd.Context())
			if err != nil {
				return err
			}
			if err := report.print(cmd.OutOrStdout()); err != nil {
				return err
			}
			if err := report.save(o.json); err != nil {
				return err
			}
			if problems := report.problems(); o.check && len(problems) > 0 {
				return fmt.Errorf("--check: %s", strings.Join(problems, "; "))
			}
			return nil
		},
	}
	o.bind(cmd)
	return cmd
}

func (o *options) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&o.tenants, "tenants", 100, "how many tenants")
	flags.IntVar(&o.namespaces, "namespaces", 3, "how many namespaces each of them has")
	flags.IntVar(&o.wide, "wide", 100, "measure one tenant of so many namespaces too; 0 for not")
	flags.IntVar(&o.repeat, "repeat", 1, "how often to measure provisioning, bare client and operator in turn; medians are printed")
	flags.IntVar(&o.writers, "writers", 32, "how many requests the bare client makes at a time")
	flags.IntVar(&o.corrections, "corrections", 100, "how many foreign edits to make, one after another")
	flags.StringSliceVar(&o.drifts, "drift", nil, "measure corrections in these sizes too, as 1x300,300x3 (tenants x namespaces)")
	flags.IntSliceVar(&o.guards, "guards", nil, "measure requests with and without the guard-rails in clusters of so many tenants, as 10,1000")
	flags.IntVar(&o.guardSamples, "guard-samples", 2000, "how many requests of each kind to measure with the guard-rails, and as many without")
	flags.DurationVar(&o.steady, "steady", 2*time.Minute, "how long to watch the operator while nothing changes")
	flags.DurationVar(&o.patience, "patience", 35*time.Second, "how long to watch for late writes after a restart")
	flags.StringVar(&o.operator, "operator", "", "the operator's binary, to measure its memory as a process of its own; empty for not")
	flags.StringVar(&o.json, "json", "", "write the figures to this file too, as JSON")
	flags.StringVar(&o.requests, "requests", "", "write every request of the operator to this file, one JSON object a line")
	flags.StringVar(&o.profile, "profile", "", "write a CPU profile of provisioning, the harness's own watches included, to this file")
	flags.BoolVar(&o.check, "check", false, "fail if a count of requests is more than it has to be; times are never judged")
}

func (o *options) validate() error {
	atLeast := func(name string, value, least int) error {
		if value < least {
			return fmt.Errorf("--%s=%d: it must be at least %d", name, value, least)
		}
		return nil
	}
	for _, err := range []error{
		atLeast("tenants", o.tenants, 1), atLeast("namespaces", o.namespaces, 1), atLeast("wide", o.wide, 0),
		atLeast("repeat", o.repeat, 1), atLeast("writers", o.writers, 1), atLeast("corrections", o.corrections, 0),
		atLeast("guards", slices.Min(append([]int{filledEvery}, o.guards...)), filledEvery), atLeast("guard-samples", o.guardSamples, 1),
	} {
		if err != nil {
			return err
		}
	}
	if _, err := parseSizes(o.drifts); err != nil {
		return err
	}
	if o.namespaces > maxNamespaces || o.wide > maxNamespaces {
		return fmt.Errorf("--namespaces and --wide must be at most %d: no Tenant may list more", maxNamespaces)
	}
	return nil
}

// parseSizes reads sizes as "300x3".
func parseSizes(texts []string) ([]size, error) {
	var sizes []size
	for _, text := range texts {
		var s size
		if n, err := fmt.Sscanf(text, "%dx%d", &s.Tenants, &s.Namespaces); n != 2 || err != nil ||
			s.Tenants < 1 || s.Namespaces < 1 || s.Namespaces > maxNamespaces {
			return nil, fmt.Errorf("--drift=%s: it must be tenants x namespaces, as 300x3, with at most %d namespaces", text, maxNamespaces)
		}
		sizes = append(sizes, s)
	}
	return sizes, nil
}
