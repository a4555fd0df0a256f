package sweep

// idSet is a set of ids. They mostly come in a row, and then 64 of them share a
// word; far apart, each costs what it would in a map of ids.
type idSet struct {
	words map[int64]uint64
	n     int64 // ids in the set
}

func newIDSet() *idSet { return &idSet{words: map[int64]uint64{}} }

// add reports whether the id is new to the set.
func (s *idSet) add(id int64) bool {
	if s.has(id) {
		return false
	}
	s.words[id>>6] |= 1 << (id & 63)
	s.n++
	return true
}

func (s *idSet) has(id int64) bool { return s.words[id>>6]&(1<<(id&63)) != 0 }
