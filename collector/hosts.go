package collector

import (
	"cmp"
	"slices"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/collector/sweep"
)

// host is one that can be probed, with the job that it belongs to.
type host struct {
	*sweep.Host
	of   *scrape
	view *schedule.View
}

// findHosts returns the hosts of one moment, those of the newest job first and each job's by
// address, and counts those of each account.
func findHosts(scenes []scrape) []host {
	f := finder{taken: map[sweep.Address]struct{}{}, ends: map[string]sweep.Address{}}
	for _, job := range withHosts(scenes) {
		f.take(job.scene, job.view)
	}
	return f.found
}

type jobWithHosts struct {
	scene *scrape
	view  *schedule.View
}

// withHosts returns the jobs with workers in success, the newest first, and resets the
// counts of hosts.
func withHosts(scenes []scrape) (jobs []jobWithHosts) {
	for i := range scenes {
		scenes[i].hosts = hostCounts{}
		for _, v := range scenes[i].views {
			if s := v.Snapshot; s != nil && (len(s.Hosts) > 0 || s.NoHost != sweep.NoHost{}) {
				jobs = append(jobs, jobWithHosts{&scenes[i], v})
			}
		}
	}
	slices.SortStableFunc(jobs, func(a, b jobWithHosts) int { return cmp.Compare(b.view.ID, a.view.ID) })
	return jobs
}

// finder gives each address to the newest job, the one with the largest id, that has a
// worker in success there: what an older one deployed is replaced.
//
// Hosts of a job with stale data do not go to an older job: what they serve is not known.
// Neither do hosts beyond the limit of a job. Nobody knows which these are, but they sort
// after all that the job shows. So no older job of the account gets a host that sorts there.
type finder struct {
	found []host
	taken map[sweep.Address]struct{}
	ends  map[string]sweep.Address // by account
}

// take takes the hosts of a job that is older than those before.
func (f *finder) take(s *scrape, v *schedule.View) {
	current := v.Shows(schedule.Sweeps, s.now, s.MaxStaleness)
	end, ended := f.ends[s.Name]
	for i := range v.Snapshot.Hosts {
		h := &v.Snapshot.Hosts[i]
		if _, replaced := f.taken[h.Address]; replaced {
			continue
		}
		f.taken[h.Address] = struct{}{}
		switch {
		case !current:
		case ended && h.Address.Compare(end) > 0:
			s.hosts.limit += h.Workers
		case h.Ambiguous:
			s.hosts.ambiguous += h.Workers
		default:
			s.hosts.shown++
			f.found = append(f.found, host{h, s, v})
		}
	}
	none := v.Snapshot.NoHost
	if current {
		s.hosts.wildcard += none.Wildcard
		s.hosts.invalid += none.Invalid
		s.hosts.limit += none.Limit
	}
	if none.Limit > 0 {
		if last := v.Snapshot.Hosts[len(v.Snapshot.Hosts)-1].Address; !ended || last.Compare(end) < 0 {
			f.ends[s.Name] = last
		}
	}
}

// countHosts counts the hosts of each account, once in an exposition.
func (e *exposition) countHosts() {
	if !e.hostsCounted {
		findHosts(e.scenes)
		e.hostsCounted = true
	}
}
