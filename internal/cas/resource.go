package cas

import "github.com/go-json-experiment/json/jsontext"

// ResourceKey identifies the resource that a worker deploys to, so that workers of
// different jobs can be told to have the same target. Zero means that the API does not
// say which resource it is; two zeros are not the same resource.
//
// It is the API's ResourceId where there is one. Else it is a hash of product, region,
// port, instance, listener and domain (FNV-1a) with the highest bit set, which no
// ResourceId has. Of n resources without a ResourceId two have the same key with a
// probability of n²/2⁶⁴: for a million, 1 to 18 million.
type ResourceKey uint64

const (
	hashed    = 1 << 63 // the bit that marks a ResourceKey as a hash
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// heldBack keeps values of a worker that are used or dropped depending on fields that may
// come later. One heldBack is used for all rows of a page.
type heldBack struct {
	resourceID, certID                     int64
	instance, listener, port, domain, cert jsontext.Value
}

func (h *heldBack) clear() {
	h.resourceID, h.certID = 0, 0
	h.instance, h.listener, h.port = h.instance[:0], h.listener[:0], h.port[:0]
	h.domain, h.cert = h.domain[:0], h.cert[:0]
}

// key identifies the resource. A product and a region alone, or with a port, do not.
func (h *heldBack) key(d *decoder, product, region string) ResourceKey {
	if h.resourceID > 0 {
		return ResourceKey(h.resourceID)
	}
	hash := fnv1a(fnv1a(fnvOffset, product), region)
	hash = fnv1a(hash, d.content(h.port))
	named := false
	for _, value := range []jsontext.Value{h.instance, h.listener, h.domain} {
		text := d.content(value)
		hash, named = fnv1a(hash, text), named || len(text) > 0
	}
	if !named {
		return 0
	}
	return ResourceKey(hash | hashed)
}

// fnv1a adds a text and a byte that ends it, which no UTF-8 has.
func fnv1a[T string | []byte](hash uint64, text T) uint64 {
	for i := range len(text) {
		hash = (hash ^ uint64(text[i])) * fnvPrime
	}
	return (hash ^ 0xff) * fnvPrime
}
