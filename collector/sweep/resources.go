package sweep

import (
	"encoding/binary"
	"slices"

	"aliyun_cas_exporter/internal/cas"
)

// Resources is a set of resources. It keeps each, in order, as its distance from the one
// before: most take one to four bytes, for the API's ids of resources are small and close to
// each other. The zero value is the empty set.
type Resources struct{ distances []byte }

func newResources(keys []cas.ResourceKey) Resources {
	slices.Sort(keys)
	var distances []byte
	before := cas.ResourceKey(0)
	for _, key := range slices.Compact(keys) {
		distances = binary.AppendUvarint(distances, uint64(key-before))
		before = key
	}
	return Resources{slices.Clip(slices.Clone(distances))}
}

// All yields the resources, the smallest first.
func (r Resources) All(yield func(cas.ResourceKey) bool) {
	key := cas.ResourceKey(0)
	for rest := r.distances; len(rest) > 0; {
		distance, n := binary.Uvarint(rest)
		rest, key = rest[n:], key+cas.ResourceKey(distance)
		if !yield(key) {
			return
		}
	}
}

// Has reports whether a resource is in the set, in time that grows with the set.
func (r Resources) Has(resource cas.ResourceKey) bool {
	for key := range r.All {
		if key >= resource {
			return key == resource
		}
	}
	return false
}
