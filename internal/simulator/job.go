package simulator

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
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
// answers. ResourceID is the same for the same resource in every job; if it is 0, it is
// made from what names the resource, and -1 leaves it out.
type Worker struct {
	ID, ResourceID                                                      int64
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

// resource returns the number under which the service knows the worker's resource.
func (w *Worker) resource() int64 {
	named := w.InstanceID + w.ListenerID + w.ResourceDomain
	switch {
	case w.ResourceID > 0:
		return w.ResourceID
	case w.ResourceID < 0:
		return 0
	case named == "":
		return w.ID + 1_000_000
	}
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%q", []string{w.CloudProduct, w.RegionID, w.CloudRegion, w.InstanceID, w.ListenerID, w.ResourceDomain, strconv.Itoa(w.Port)})
	return int64(h.Sum32()) + 1
}
