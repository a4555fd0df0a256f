package sweep

import (
	"slices"
	"time"

	"aliyun_cas_exporter/internal/cas"
)

// Group counts the workers of one status in one product and region.
type Group struct {
	CloudProduct, RegionID, Status string

	Workers int
	Oldest  time.Time // smallest modification time, zero if none is readable
}

// Worker is a worker that somebody may have to look for, as its series shows it.
type Worker struct {
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
	Filtered bool      // only some workers were read, so that Workers is not the job's number

	Failed        []Worker  // the oldest workers in error or rollback_error, oldest first
	FailedOmitted int       // those that are not in Failed: too many, or without a readable time
	TellsStuck    bool      // workers that move were read, so that the following is whole
	Stuck         []Worker  // the oldest workers that move and did not change since Options.StuckBefore, oldest first
	StuckOmitted  int       // those that are not in Stuck: too many
	NextStuck     time.Time // smallest modification time of the others that move, zero if there is none

	// What supersedes a failure: a later job that succeeded at the same target.
	TellsTargets bool      // workers in success were read, so that the following is whole
	Succeeded    Resources // of the workers in success
	Targets      []Target  // of the failed workers, by group

	Hosts  []Host // of workers in success, by address; the first ones, if there are more than Options.MaxHosts
	NoHost NoHost // workers in success whose host is not in Hosts

	statuses []string // that every product and region shows, if zeros are filled in
}

// AllGroups calls f for every group, and for those without workers that complete the
// statuses of a product and region. Those are not kept: most would be zeros.
func (s *Snapshot) AllGroups(f func(Group)) {
	for rest := s.Groups; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].CloudProduct == rest[0].CloudProduct && rest[n].RegionID == rest[0].RegionID {
			n++
		}
		for i := range rest[:n] {
			f(rest[i])
		}
		for _, status := range s.statuses {
			if !slices.ContainsFunc(rest[:n], func(g Group) bool { return g.Status == status }) {
				f(Group{CloudProduct: rest[0].CloudProduct, RegionID: rest[0].RegionID, Status: status})
			}
		}
		rest = rest[n:]
	}
}

// Target is what a failed worker deployed to.
type Target struct {
	Group    int // in Snapshot.Groups
	Resource cas.ResourceKey
}

// HasFailed reports whether a worker failed.
func (s *Snapshot) HasFailed() bool { return len(s.Failed) > 0 || s.FailedOmitted > 0 }
