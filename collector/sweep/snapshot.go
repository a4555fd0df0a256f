package sweep

import (
	"slices"
	"time"
)

// Group counts the workers of one status in one product and region.
type Group struct {
	CloudProduct, RegionID, Status string

	Workers int
	Oldest  time.Time // smallest modification time, zero if none is readable
}

// Failed is a worker in error or rollback_error, as its series shows it.
type Failed struct {
	WorkerID, CloudProduct, RegionID, Status               string
	InstanceID, ListenerID, Port, ResourceDomain, CertName string

	Modified time.Time // never zero
}

// Snapshot is what one complete sweep of a job saw. It is never written after it
// is returned.
type Snapshot struct {
	Swept    time.Time // when the last page had arrived
	Pages    int       // that it took
	Workers  int       // distinct workers
	Groups   []Group   // with workers; by product, region, status
	Failed   []Failed  // the oldest failed workers, oldest first
	Omitted  int       // failed workers that are not in Failed
	Filtered bool      // only some workers were read, so that Workers is not the job's number

	statuses []string // that every product and region shows
}

// AllGroups calls f for every group, and for those without workers that complete the
// statuses of a product and region. Those are not kept: most would be zeros.
func (s *Snapshot) AllGroups(f func(*Group)) {
	var none Group
	for rest := s.Groups; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].CloudProduct == rest[0].CloudProduct && rest[n].RegionID == rest[0].RegionID {
			n++
		}
		for i := range rest[:n] {
			f(&rest[i])
		}
		for _, status := range s.statuses {
			if !slices.ContainsFunc(rest[:n], func(g Group) bool { return g.Status == status }) {
				none = Group{CloudProduct: rest[0].CloudProduct, RegionID: rest[0].RegionID, Status: status}
				f(&none)
			}
		}
		rest = rest[n:]
	}
}

// HasFailed reports whether a worker failed.
func (s *Snapshot) HasFailed() bool { return len(s.Failed) > 0 || s.Omitted > 0 }
