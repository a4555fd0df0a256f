package schedule

import (
	"time"

	"aliyun_cas_exporter/collector/sweep"
	"aliyun_cas_exporter/internal/cas"
)

// Progress is how far a job in processing has come. The zero value means that the job is
// not in processing, or that its workers in success are not read.
type Progress struct {
	Ended int       // workers in success or error
	Since time.Time // when a sweep first counted so many
}

// next returns the progress after another sweep of a job.
func (p Progress) next(job *cas.Job, s *sweep.Snapshot) Progress {
	if job == nil || job.Status != "processing" || s.Filtered && !s.TellsTargets {
		return Progress{}
	}
	n := Progress{Since: s.Swept}
	for i := range s.Groups {
		if g := &s.Groups[i]; g.Status == cas.StatusSuccess || g.Status == cas.StatusError {
			n.Ended += g.Workers
		}
	}
	if !p.Since.IsZero() && p.Ended == n.Ended {
		return p
	}
	return n
}
