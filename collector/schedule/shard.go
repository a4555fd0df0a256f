package schedule

import (
	"hash/fnv"
	"strconv"
)

// owns reports whether the job belongs to this process's shard.
func (o *Options) owns(jobID int64) bool {
	if o.TotalShards <= 1 {
		return true
	}
	h := fnv.New64a()
	key := o.Name + "/"
	if o.Region != "" {
		key += o.Region + "/"
	}
	_, _ = h.Write([]byte(key + strconv.FormatInt(jobID, 10)))
	return jump(mix(h.Sum64()), o.TotalShards) == o.Shard
}

// mix spreads the differences of similar keys over all bits (the finalizer of
// MurmurHash3): job ids are consecutive, and FNV alone leaves them close.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// jump is the jump consistent hash of Lamping and Veach (2014): of n shards that
// become n+1, 1/(n+1) of the keys move.
func jump(key uint64, shards int) int {
	b, j := int64(-1), int64(0)
	for j < int64(shards) {
		b = j
		key = key*2862933555777941757 + 1
		j = int64(float64(b+1) * (float64(int64(1)<<31) / float64(key>>33+1)))
	}
	return int(b)
}
