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

// Package features lists the rooms. Adding one is one line in All.
package features

import (
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/access"
	"github.com/bulkhead-dev/bulkhead/internal/features/egress"
	"github.com/bulkhead-dev/bulkhead/internal/features/images"
	"github.com/bulkhead-dev/bulkhead/internal/features/ingress"
	"github.com/bulkhead-dev/bulkhead/internal/features/limits"
	"github.com/bulkhead-dev/bulkhead/internal/features/network"
	"github.com/bulkhead-dev/bulkhead/internal/features/placement"
	"github.com/bulkhead-dev/bulkhead/internal/features/podsecurity"
	"github.com/bulkhead-dev/bulkhead/internal/features/quota"
	"github.com/bulkhead-dev/bulkhead/internal/features/storage"
)

// All returns every room, in the order in which their conditions and objects are listed. The slice is the
// caller's own.
func All() []feature.Feature {
	return []feature.Feature{
		podsecurity.Room{},
		network.Room{},
		quota.Room{},
		limits.Room{},
		ingress.Room{},
		egress.Room{},
		images.Room{},
		storage.Room{},
		placement.Room{},
		access.Room{},
	}
}
