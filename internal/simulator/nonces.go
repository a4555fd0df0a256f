package simulator

import (
	"sync"
	"time"
)

// validity is how far a request's timestamp may be from the service's clock, and
// so how long a nonce must be remembered.
const validity = 15 * time.Minute

// nonces are those seen within the validity of a timestamp.
type nonces struct {
	mu    sync.Mutex
	seen  map[string]time.Time
	swept time.Time
}

// use reports whether the nonce is fresh, and remembers it.
func (n *nonces) use(nonce string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now.Sub(n.swept) > validity {
		n.swept = now
		for old, at := range n.seen {
			if now.Sub(at) > 2*validity {
				delete(n.seen, old)
			}
		}
	}
	if _, used := n.seen[nonce]; used {
		return false
	}
	n.seen[nonce] = now
	return true
}
