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

// Package cli is the command line: thin subcommands over the packages that do the work.
package cli

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// Version is the version of the build; the Makefile sets it.
var Version = "dev"

// Execute runs the command line until it ends or is interrupted, and returns its error, which has been printed. ExitCode
// says with which code to end.
func Execute() error {
	cmd := NewCommand()
	if len(os.Args) > 0 {
		CallBy(cmd, os.Args[0])
	}
	return cmd.ExecuteContext(ctrl.SetupSignalHandler())
}

const (
	// program is the name of the program, and plugin the one by which kubectl finds it as "kubectl bulkhead".
	program = "bulkhead"
	plugin  = "kubectl-bulkhead"
)

// CallBy makes the help of the root command speak of the program as it was called, by its path: under the name of a
// kubectl plugin it is "kubectl bulkhead".
func CallBy(root *cobra.Command, path string) {
	if strings.TrimSuffix(filepath.Base(path), ".exe") != plugin {
		return
	}
	const called = "kubectl " + program
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: called}
	examples(root, func(text string) string {
		return strings.ReplaceAll("\n"+text, "\n  "+program+" ", "\n  "+called+" ")[1:]
	})
}

// examples changes the examples of a command and of all below it.
func examples(cmd *cobra.Command, change func(string) string) {
	if cmd.Example != "" {
		cmd.Example = change(cmd.Example)
	}
	for _, sub := range cmd.Commands() {
		examples(sub, change)
	}
}

// NewCommand makes the root command.
func NewCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   program,
		Short: "Walled, owned and budgeted namespaces for the teams of a Kubernetes cluster",
		Long: `Bulkhead is a Kubernetes operator: a platform team writes one Tenant object per team, and Bulkhead turns it
into namespaces, RBAC, default-deny NetworkPolicies, ResourceQuotas, LimitRanges and Pod Security labels, keeps them
that way, and reports in status what drifted.`,
		Version:       Version,
		SilenceUsage:  true,
		SilenceErrors: false,
	}
	root.AddCommand(newManagerCommand(), newRenderCommand(), newDriftCommand(), newDiffCommand(), newVerifyCommand(), newExplainCommand())
	return root
}

// newScheme knows every kind that Bulkhead reads or writes.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return scheme, v1alpha1.AddToScheme(scheme)
}
