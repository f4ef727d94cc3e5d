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

package operator

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/bulkhead-dev/bulkhead/controllers"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

// GuardRails says whether the operator is ready without its guard-rails.
type GuardRails string

const (
	// GuardRailsRequired says that it isn't.
	GuardRailsRequired GuardRails = "Required"
	// GuardRailsOptional says that it is: what is wrong with them is reported only.
	GuardRailsOptional GuardRails = "Optional"
)

// String implements pflag.Value.
func (g *GuardRails) String() string { return string(*g) }

// Type implements pflag.Value.
func (*GuardRails) Type() string { return "Required|Optional" }

// Set implements pflag.Value. It fails on all but Required and Optional.
func (g *GuardRails) Set(text string) error {
	if text != string(GuardRailsRequired) && text != string(GuardRailsOptional) {
		return fmt.Errorf("%q is neither Required nor Optional", text)
	}
	*g = GuardRails(text)
	return nil
}

// DefaultGuardProbeInterval is the time between two proofs while nothing changes.
const DefaultGuardProbeInterval = 5 * time.Minute

func (o *Options) bindGuards(flags *pflag.FlagSet) {
	o.GuardRails = GuardRailsRequired
	flags.Var(&o.GuardRails, "guard-rails",
		"Required: the operator is not ready while a guard-rail of config/admission isn't proven to be in force. Optional: it only says so.")
	flags.DurationVar(&o.GuardProbeInterval, "guard-probe-interval", DefaultGuardProbeInterval,
		"Time between two proofs of the guard-rails while nothing changes; 0 means never.")
	flags.StringSliceVar(&o.BreakGlassGroups, "break-glass-groups", guard.DefaultBreakGlass(),
		"Groups whose members pass the guard-rails. Set it together with the overlay of config/admission that names them there, in the same order.")
}

// expectedRails are the guard-rails that must be installed.
func (o *Options) expectedRails() ([]guard.Rail, error) {
	settings := guard.Settings{BreakGlass: o.BreakGlassGroups, OperatorNamespace: o.Facts.OperatorNamespace}
	if err := settings.Check(); err != nil {
		return nil, fmt.Errorf("setting up guard-rails: %w", err)
	}
	shipped, err := guard.Shipped()
	if err != nil {
		return nil, err
	}
	return guard.Expect(shipped, settings), nil
}

// setupGuards completes the controller that proves the guard-rails.
func setupGuards(mgr ctrl.Manager, cfg *rest.Config, o Options, r *controllers.GuardReconciler, reader *facts.Reader) error {
	var err error
	if r.Comparer, err = guard.NewComparer(mgr.GetScheme()); err != nil {
		return err
	}
	if r.Site, err = guard.NewSite(mgr.GetCache(), mgr.GetClient(), r.Rails); err != nil {
		return err
	}
	r.Prober = guard.NewProber(cfg, r.Rails, reader.APIServers)
	r.Restorer = guard.NewRestorer(mgr.GetClient())
	r.Interval = max(o.GuardProbeInterval, 0)
	if err := r.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("setting up the guard controller: %w", err)
	}
	return nil
}

// guardHealth makes /readyz fail while a guard-rail isn't proven. Only the replica that works can tell: one that stands
// by is ready to take over all the same.
func guardHealth(mgr ctrl.Manager, o Options, board *guard.Board) error {
	if o.GuardRails == GuardRailsOptional {
		return nil
	}
	check := func(*http.Request) error {
		select {
		case <-mgr.Elected():
		default:
			if o.LeaderElect {
				return nil
			}
		}
		return board.Ready()
	}
	if err := mgr.AddReadyzCheck("guard-rails", check); err != nil {
		return fmt.Errorf("adding the readiness check of guard-rails: %w", err)
	}
	return nil
}
