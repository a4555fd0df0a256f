package sweep

import (
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"aliyun_cas_exporter/internal/cas"
)

// TestResources compares a set with a map of the same keys.
func TestResources(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.OneOf(rapid.Uint64Range(1, 50), rapid.Uint64Range(1<<63, 1<<63+50), rapid.Uint64Range(1, math.MaxUint64))
		keys, want := []cas.ResourceKey{}, map[cas.ResourceKey]bool{}
		for _, k := range rapid.SliceOf(key).Draw(t, "keys") {
			keys = append(keys, cas.ResourceKey(k))
			want[cas.ResourceKey(k)] = true
		}
		r := newResources(keys)
		if got := slices.Collect(r.All); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
			t.Fatalf("got %v, want %v", got, want)
		}
		if k := cas.ResourceKey(key.Draw(t, "asked")); r.Has(k) != want[k] {
			t.Fatalf("%d is in the set: %v, want %v", k, r.Has(k), want[k])
		}
	})
}
