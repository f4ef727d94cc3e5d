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

package snapshot

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	runtimejson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
)

// Files makes a snapshot of what files hold, as Read reads them. It fails if they hold namespaces that are labelled as
// tenants', and none of these carries managed fields: without them nobody can tell whose they are. Whether there are other
// policy APIs is not known unless the files hold definitions of custom resources. An optional API counts as served if the
// files hold an object of it, or a definition of its group.
func Files(scheme *runtime.Scheme, kinds []schema.GroupVersionKind, stdin io.Reader, names ...string) (*Snapshot, error) {
	objects, err := Read(scheme, kinds, stdin, names...)
	if err != nil {
		return nil, err
	}
	if name := unmanaged(objects); name != "" {
		return nil, fmt.Errorf("namespace %s has no managedFields in the files, by which Bulkhead tells what is its own: "+
			"write the files with kubectl get --show-managed-fields -o yaml", name)
	}
	s, err := New(scheme, kinds, objects...)
	if err != nil {
		return nil, err
	}
	for _, gvk := range kinds {
		if engine.Optional(scheme, gvk) && gvk != exposure.DefinitionKind && s.Len(gvk) == 0 && !defines(objects, gvk.Group) {
			s.withUnread(gvk, fmt.Errorf("the files hold neither objects of kind %s nor a CustomResourceDefinition of group %s", gvk.Kind, gvk.Group))
		}
	}
	if s.Len(exposure.DefinitionKind) == 0 {
		s.withUnread(exposure.DefinitionKind, errors.New("the files hold no CustomResourceDefinitions"))
	}
	return s, nil
}

// defines reports whether there is a definition of custom resources of a group.
func defines(objects []client.Object, group string) bool {
	return slices.ContainsFunc(objects, func(object client.Object) bool {
		_, of, _ := strings.Cut(object.GetName(), ".")
		_, partial := object.(*metav1.PartialObjectMetadata)
		return partial && of == group
	})
}

// unmanaged is the first of the tenants' namespaces if none of them carries managed fields, as where kubectl left them
// out; empty if one does. Of a single one they may really be gone: whoever may edit it can clear them.
func unmanaged(objects []client.Object) string {
	first := ""
	for _, object := range objects {
		if _, ok := object.(*corev1.Namespace); !ok || object.GetLabels()[v1alpha1.LabelTenant] == "" {
			continue
		}
		if len(object.GetManagedFields()) > 0 {
			return ""
		}
		if first == "" {
			first = object.GetName()
		}
	}
	return first
}

// Read reads the objects of these kinds from files in their order, and passes over all others. A name is a file, a
// directory (its files that end in .yaml, .yml or .json, and those of its subdirectories, but of none whose name starts
// with a dot), or - for stdin. A file holds YAML documents, JSON objects, and lists of any kind.
//
// A field of a Tenant or a TenantClass that the API doesn't know is an error, as for kubectl apply; other objects are
// read as a client reads them.
func Read(scheme *runtime.Scheme, kinds []schema.GroupVersionKind, stdin io.Reader, names ...string) ([]client.Object, error) {
	d := &decoder{scheme: scheme, kinds: kinds}
	for _, name := range names {
		if name == "-" {
			if err := d.read(stdin); err != nil {
				return nil, fmt.Errorf("standard input: %w", err)
			}
			continue
		}
		files, err := filesIn(name)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if err := d.file(file); err != nil {
				return nil, err
			}
		}
	}
	return d.objects, nil
}

// filesIn lists the files of a directory, sorted; a file is itself.
func filesIn(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	var files []string
	err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != name && strings.HasPrefix(entry.Name(), "."):
			return filepath.SkipDir
		case !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)):
			files = append(files, path)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("directory %s holds no file that ends in .yaml, .yml or .json", name)
	}
	return files, err
}

type decoder struct {
	scheme  *runtime.Scheme
	kinds   []schema.GroupVersionKind
	objects []client.Object
}

func (d *decoder) file(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // read only
	if err := d.read(file); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (d *decoder) read(reader io.Reader) error {
	documents := yaml.NewYAMLReader(bufio.NewReader(reader))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, one := range values(document) {
			if err := d.document(one, schema.GroupVersionKind{}); err != nil {
				return err
			}
		}
	}
}

// values splits a document that is JSON into its values. YAML, whose maps may begin as JSON's do, is left as it is.
func values(document []byte) [][]byte {
	whole := [][]byte{document}
	if !bytes.HasPrefix(bytes.TrimSpace(document), []byte("{")) {
		return whole
	}
	var all [][]byte
	stream := json.NewDecoder(bytes.NewReader(document))
	for {
		var one json.RawMessage
		switch err := stream.Decode(&one); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			return whole
		}
		all = append(all, one)
	}
}

// document takes one object, or the items of a list. kind is that of an object that doesn't say its own, as the items
// of typed lists don't.
func (d *decoder) document(document []byte, kind schema.GroupVersionKind) error {
	var said metav1.TypeMeta
	if err := sigsyaml.Unmarshal(document, &said); err != nil {
		return err
	}
	if gvk := said.GroupVersionKind(); !gvk.Empty() {
		kind = gvk
	}
	if item, ok := strings.CutSuffix(kind.Kind, "List"); ok {
		kind.Kind = item
		if item == "" {
			kind = schema.GroupVersionKind{}
		}
		return d.list(document, kind)
	}
	if !slices.Contains(d.kinds, kind) {
		return nil
	}
	object, err := d.object(document, kind)
	if err != nil {
		return err
	}
	normalise(object, kind)
	d.objects = append(d.objects, object)
	return nil
}

func (d *decoder) list(document []byte, kind schema.GroupVersionKind) error {
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := sigsyaml.Unmarshal(document, &list); err != nil {
		return err
	}
	for _, item := range list.Items {
		if err := d.document(item, kind); err != nil {
			return err
		}
	}
	return nil
}

// object decodes an object of a kind. Errors name a field by its whole path.
func (d *decoder) object(document []byte, kind schema.GroupVersionKind) (client.Object, error) {
	if kind == exposure.DefinitionKind {
		partial := &metav1.PartialObjectMetadata{}
		return partial, sigsyaml.Unmarshal(document, partial)
	}
	if engine.Optional(d.scheme, kind) {
		custom := &unstructured.Unstructured{}
		return custom, sigsyaml.Unmarshal(document, &custom.Object)
	}
	options := runtimejson.SerializerOptions{Yaml: true, Strict: kind.Group == v1alpha1.GroupVersion.Group}
	serializer := runtimejson.NewSerializerWithOptions(runtimejson.DefaultMetaFactory, d.scheme, d.scheme, options)
	made, _, err := serializer.Decode(document, &kind, nil)
	if err != nil {
		return nil, err
	}
	object, ok := made.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T has no metadata", made)
	}
	return object, nil
}
