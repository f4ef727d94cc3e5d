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
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// Journal remembers, for each object that this process wrote or judged, at which resource version that was.
// It answers two questions without an API request: does the cache lag behind our own write (then the object
// must not be judged: that would be phantom drift), and was this very version judged already (then there is
// nothing to compare). It holds no state that can't be rebuilt by looking again.
type Journal struct {
	mu      sync.Mutex
	entries map[objectID]entry
	// writing are the objects of which a write is under way, each with the version at which a watch reported its
	// deletion meanwhile; empty if none did.
	writing map[objectID]string
	// races are the objects that someone changed between our judgement and our correction, the last time.
	races map[objectID]bool
}

type entry struct {
	uid types.UID
	// version is the resource version that we wrote, or judged.
	version string
	// hash is the hash of the intent that was applied, or found to be met.
	hash string
	// settled says that version was judged and meets the intent.
	settled bool
	// drifted is the first version that was judged after that one, and differed; empty if none was.
	drifted string
	// futile says that applying the intent to this version changed nothing although a difference was seen.
	futile bool
	// deleted says that we deleted the object with this uid.
	deleted bool
}

// is reports whether the entry speaks of this very version of the object and of this very intent.
func (e entry) is(live metav1.Object, intent *Intent) bool {
	return e.uid == live.GetUID() && e.version == live.GetResourceVersion() && e.hash == intent.Hash
}

// NewJournal makes an empty journal.
func NewJournal() *Journal {
	return &Journal{entries: map[objectID]entry{}, writing: map[objectID]string{}, races: map[objectID]bool{}}
}

func (j *Journal) get(id objectID) (entry, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.entries[id]
	return e, ok
}

// begin notes that a write of an object is under way, until end.
func (j *Journal) begin(id objectID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.writing[id] = ""
}

// raced notes that a correction is about to be tried, or that one came through, and reports whether the one before was
// tried and didn't.
func (j *Journal) raced(id objectID, trying bool) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	before := j.races[id]
	if trying {
		j.races[id] = true
	} else {
		delete(j.races, id)
	}
	return before
}

func (j *Journal) end(id objectID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.writing, id)
}

// put notes what was written or judged. If a watch has reported the deletion of that very version already, because it
// was quicker than the answer to the write, it stays deleted.
func (j *Journal) put(id objectID, e entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if gone := j.writing[id]; gone != "" && !older(gone, e.version) {
		e.version, e.settled, e.futile = "", false, false
	}
	j.entries[id] = e
}

func (j *Journal) forget(id objectID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.entries, id)
	delete(j.races, id)
}

// forgetContent drops all that is known of the objects in a namespace.
func (j *Journal) forgetContent(namespace string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for id := range j.entries {
		if id.key.Namespace == namespace {
			delete(j.entries, id)
		}
	}
	for id := range j.races {
		if id.key.Namespace == namespace {
			delete(j.races, id)
		}
	}
}

// gone notes that a watch reported the deletion of an object. Without this, an object that we wrote and someone
// deleted before the cache showed it would look like one that is still to appear.
func (j *Journal) gone(id objectID, version string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.writing[id]; ok {
		j.writing[id] = version
	}
	e, ok := j.entries[id]
	if !ok {
		return
	}
	if e.version != "" && older(version, e.version) {
		return // the deletion of a predecessor
	}
	e.version, e.settled, e.futile, e.deleted = "", false, false, false
	j.entries[id] = e
}

// older reports whether resource version a was written before b. Versions of one resource can be compared since
// Kubernetes 1.35 (KEP-5504) and could be in fact before; anything else counts as not older, so that an object
// is judged rather than trusted.
func older(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}
