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

package engine

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
)

// unstamped are the kinds whose metadata can be changed past the stamp: resourcequotas/status changes labels and
// annotations, those of the stamp too, and is matched by no policy of ours, because every pod depends on it.
var unstamped = map[schema.GroupKind]bool{{Kind: "ResourceQuota"}: true}

// culprit is the user who made all of a difference, which isn't empty, in one request, as the API server authenticated it;
// empty if that isn't known. past is what the journal knows of the object.
//
// The stamp names who last changed the object. That alone is no proof: another may have made the difference before. Nor
// do managed fields make it one. Their times have seconds, a removal leaves none, and clients may write what they like
// in them. But the stamp also says to which version the request was made. If this process had judged that very version
// and found nothing, then all that differs in the version that the request made is its doing.
//
// What is judged now is that version, as far as it is compared: what isn't stamped is the status, and a change of nothing
// but managed fields; so nobody is named for lost ownership. And it is the first since that differs. A later one may have
// come about while the policy was taken away for a moment, so that it would still have the older stamp.
//
// So nobody is named for what was done while no operator ran, for the second of two changes in a row, or for one within
// moments of our own correction, before the cache showed that.
func (e *Engine) culprit(intent *Intent, live client.Object, past entry, d drift.Difference) string {
	if !past.settled || past.uid != live.GetUID() || past.hash != intent.Hash {
		return ""
	}
	version := live.GetResourceVersion()
	if past.drifted == "" {
		past.drifted = version
		e.journal.put(intent.id(), past)
	}
	if past.drifted != version || d.Type() == v1alpha1.DriftOwnershipLost || unstamped[intent.GVK.GroupKind()] ||
		e.stamped == nil || !e.stamped() {
		return ""
	}
	stamp, ok := drift.StampOf(live)
	if !ok || stamp.From != past.version || stamp.User == e.self {
		return ""
	}
	return stamp.User
}
