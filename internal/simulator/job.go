package simulator

import (
	"cmp"
	"slices"
	"time"
)

// Job is a deployment job. A zero time is left out of answers.
type Job struct {
	ID                                                                   int64
	InstanceID, Name, Status, JobType, CertType, CertDomain, ProductName string
	Created, Modified, Schedule, Start, End                              time.Time
	Rollback                                                             bool
	Certificates                                                         []Certificate
}

// Certificate is one that a job deploys. One that was ordered and has no ID is listed
// by its OrderID.
type Certificate struct {
	ID, OrderID         int64
	Name, CommonName    string
	NotBefore, NotAfter time.Time
}

// Worker is a worker task of a job. Empty texts and zero times are left out of
// answers.
type Worker struct {
	ID                                                                  int64
	Status, CloudProduct, RegionID, CloudRegion, InstanceID, ListenerID string
	ResourceDomain, CertName                                            string
	Port                                                                int
	CertID                                                              int64
	Created, Modified                                                   time.Time
}

// estate is a job with its workers, by id.
type estate struct {
	job     Job
	workers []Worker
}

func (e *estate) find(id int64) (int, bool) {
	return slices.BinarySearchFunc(e.workers, id, func(w Worker, id int64) int { return cmp.Compare(w.ID, id) })
}
