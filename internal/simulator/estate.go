package simulator

import (
	"cmp"
	"maps"
	"slices"
)

// PutJob adds or replaces a job with its workers.
func (s *Simulator) PutJob(job Job, workers []Worker) {
	workers = slices.Clone(workers)
	slices.SortFunc(workers, func(a, b Worker) int { return cmp.Compare(a.ID, b.ID) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(&estate{job, workers})
}

func (s *Simulator) put(e *estate) {
	s.jobs[e.job.ID], s.sorted = e, nil
}

func (s *Simulator) drop(id int64) {
	delete(s.jobs, id)
	s.sorted = nil
}

// byAge returns all jobs, the newest first, as they are listed.
func (s *Simulator) byAge() []*estate {
	if s.sorted == nil {
		s.sorted = slices.SortedFunc(maps.Values(s.jobs), func(a, b *estate) int { return cmp.Compare(b.job.ID, a.job.ID) })
	}
	return s.sorted
}

// DeleteJob removes a job.
func (s *Simulator) DeleteJob(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(id)
}

// UpdateJob changes a job, if there is one.
func (s *Simulator) UpdateJob(id int64, change func(*Job)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.jobs[id]; e != nil {
		change(&e.job)
	}
}

// PutWorker adds or replaces a worker of a job, if there is the job.
func (s *Simulator) PutWorker(jobID int64, w Worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.jobs[jobID]
	if e == nil {
		return
	}
	if i, found := e.find(w.ID); found {
		e.workers[i] = w
	} else {
		e.workers = slices.Insert(e.workers, i, w)
	}
}

// DeleteWorker removes a worker, if there is one.
func (s *Simulator) DeleteWorker(jobID, workerID int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.jobs[jobID]; e != nil {
		if i, found := e.find(workerID); found {
			e.workers = slices.Delete(e.workers, i, i+1)
		}
	}
}

// UpdateWorker changes a worker, if there is one; its id must stay.
func (s *Simulator) UpdateWorker(jobID, workerID int64, change func(*Worker)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.jobs[jobID]; e != nil {
		if i, found := e.find(workerID); found {
			change(&e.workers[i])
		}
	}
}

// Jobs returns all jobs by id.
func (s *Simulator) Jobs() []Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	jobs := make([]Job, 0, len(s.jobs))
	for _, e := range slices.Backward(s.byAge()) {
		jobs = append(jobs, e.job)
	}
	return jobs
}

// Workers returns the workers of a job by id.
func (s *Simulator) Workers(jobID int64) []Worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.jobs[jobID]; e != nil {
		return slices.Clone(e.workers)
	}
	return nil
}

// SetQuota sets the deployments that the account bought and used.
func (s *Simulator) SetQuota(bought, used int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quota = [2]int{bought, used}
}
