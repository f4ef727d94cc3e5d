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

// Command run is the engine of `make run`: it runs the operator on a control plane of its own, or on a
// cluster of the caller, with sample tenants, until it is interrupted. On its own control plane it leaves
// nothing behind.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// exitInterrupted is the exit code of a start that was interrupted, as shells have it for Ctrl-C.
const exitInterrupted = 130

// options are the flags.
type options struct {
	kubeconfig string
	operator   string
	assets     string
	config     string
	mutating   string
	samples    string
	settle     time.Duration
	once       bool
}

func main() {
	// SIGHUP: closing the terminal must not leave the children behind either.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := newCommand().ExecuteContext(ctx)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case err == nil:
	case interrupted:
		fmt.Fprintln(os.Stderr, "interrupted:", err)
		os.Exit(exitInterrupted)
	default:
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	var opts options
	cmd := &cobra.Command{
		Use:           "run",
		Short:         "Run the operator on a control plane of its own, or on a cluster of yours",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := &session{opts: opts, out: cmd.OutOrStdout()}
			return s.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.kubeconfig, "kubeconfig", "",
		"use the cluster of this kubeconfig, and leave there what was applied; without it a control plane is started and thrown away at the end")
	flags.StringVar(&opts.operator, "operator", "./bin/bulkhead", "the operator's binary")
	flags.StringVar(&opts.assets, "assets", "",
		"the directory of the control plane's binaries; without it KUBEBUILDER_ASSETS, or what hack/controlplane/build.sh builds")
	flags.StringVar(&opts.config, "config", "config/run", "the kustomization with what the operator needs in the cluster")
	flags.StringVar(&opts.mutating, "mutating", "config/admission/mutating",
		"the kustomization with what Kubernetes 1.36 and later can fill in and stamp; empty for none")
	flags.StringVar(&opts.samples, "samples", "config/samples", "the kustomization with the tenants to start with; empty for none")
	flags.DurationVar(&opts.settle, "settle", time.Minute, "how long to wait until every tenant is ready")
	flags.BoolVar(&opts.once, "once", false,
		"end when every tenant is ready, and fail if they are not in time, instead of staying until interrupted")
	return cmd
}
