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

package egress

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// missing returns the finding that a field needs one of the kinds, and that none is served.
func missing(who, do string, kinds ...schema.GroupVersionKind) *feature.Finding {
	var names []string
	for _, k := range kinds {
		names = append(names, fmt.Sprintf("%s (%s)", k.Kind, k.GroupVersion()))
	}
	return &feature.Finding{Reason: v1alpha1.ReasonMissingAPI, Message: fmt.Sprintf("%s needs %s, which the cluster doesn't serve: %s",
		who, strings.Join(names, " or "), do)}
}
