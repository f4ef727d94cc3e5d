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

package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// ExitError ends the program with a code of its own. Without an error in it there is nothing to be said beyond what the
// command printed.
type ExitError struct {
	// Code is the exit code, 1 to 255.
	Code int
	// Err is what went wrong; nil if nothing did, and the code is the answer.
	Err error
}

// Error says what went wrong, or just the code.
func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

// Unwrap returns what went wrong.
func (e *ExitError) Unwrap() error { return e.Err }

// ExitCode is the code to end the program with after an error of Execute: 0 for nil, 1 if the error says nothing else.
func ExitCode(err error) int {
	var exit *ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Code
	default:
		return 1
	}
}

const (
	// foundCode is the exit code of a comparison that found something, as that of kubectl diff.
	foundCode = 1
	// failedCode is the exit code of a comparison that could not be made.
	failedCode = 2
)

// found ends a command whose answer is "yes, there is something": nothing is printed for it.
func found(cmd *cobra.Command) error {
	cmd.SilenceErrors = true
	return &ExitError{Code: foundCode}
}

// compares makes a command exit as kubectl diff does: 0 for no difference, 1 for some, more than 1 for an error,
// those of arguments and flags included.
func compares(cmd *cobra.Command) *cobra.Command {
	failed := func(err error) error {
		var exit *ExitError
		if err == nil || errors.As(err, &exit) {
			return err
		}
		return &ExitError{Code: failedCode, Err: err}
	}
	args, run := cmd.Args, cmd.RunE
	cmd.Args = func(cmd *cobra.Command, names []string) error { return failed(args(cmd, names)) }
	cmd.RunE = func(cmd *cobra.Command, names []string) error { return failed(run(cmd, names)) }
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return failed(err) })
	return cmd
}
