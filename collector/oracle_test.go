package collector_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// oracle knows what the API served about the jobs of an account. It decodes the answers
// itself: no code of the exporter is in it.
type oracle struct {
	mu   sync.Mutex
	jobs map[string]*served // by job_id
}

// served is what the API served about a job.
type served struct {
	reads    []*read   // of the poll under way, in the order in which they began
	counted  time.Time // when DescribeDeploymentJobStatus last gave an answer; zero: never
	reported int64     // its WorkerCount, -1 if there was none
	matched  int64     // its MatchWorkerCount, the same
	record   time.Time // when its record was last served
	finished bool      // that said that the job is finished
}

// read is one pass over the pages that match a filter, as served.
type read struct {
	filter filter
	total  int64
	rows   map[string][]row // by Id; more than one where a worker changed or was served twice
	steady bool             // every page reported the same total
	ended  time.Time        // when its last page was served
}

type filter struct{ status, product string }

// whole reports whether the read is complete by itself.
func (r *read) whole() bool { return r.steady && int64(len(r.rows)) == r.total }

// row is a worker as served, in the words of the labels.
type row struct {
	group
	instance, listener, port, domain, cert string
	modified                               int64 // Unix milliseconds; 0: none that is readable
}

type group struct{ product, region, status string }

func (g group) moves() bool {
	return slices.Contains([]string{"pending", "scheduling", "processing", "rollback"}, g.status)
}

func (g group) failed() bool { return g.status == "error" || g.status == "rollback_error" }

// UnmarshalJSON decodes a row of ListWorkerResource.
func (r *row) UnmarshalJSON(text []byte) error {
	var w struct {
		Status, CloudProduct, RegionId, CloudRegion, InstanceId, ListenerId, ResourceDomain, CertName string

		Port, GmtModified any
	}
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	*r = row{group{w.CloudProduct, w.RegionId, w.Status}, w.InstanceId, w.ListenerId, "", w.ResourceDomain, w.CertName, milliseconds(w.GmtModified)}
	if w.RegionId == "" {
		r.region = w.CloudRegion
	}
	if w.Status == "" {
		r.status = "unknown"
	}
	if w.Port != nil {
		r.port = fmt.Sprint(w.Port)
	}
	return nil
}

// milliseconds reads a time in the notations of the API.
func milliseconds(value any) int64 {
	n, ok := value.(float64)
	if text, isText := value.(string); isText {
		var err error
		n, err = strconv.ParseFloat(text, 64)
		ok = err == nil
	}
	switch {
	case !ok || n <= 0:
		return 0
	case n > 1e11:
		return int64(n)
	default:
		return int64(n) * 1000
	}
}

// record takes an answer.
func (o *oracle) record(req *http.Request, body []byte) {
	query := req.URL.Query()
	o.mu.Lock()
	defer o.mu.Unlock()
	switch query.Get("Action") {
	case "ListWorkerResource":
		o.job(query.Get("JobId")).page(filter{query.Get("Status"), query.Get("CloudProduct")}, query.Get("CurrentPage") == "1", body)
	case "DescribeDeploymentJobStatus":
		o.job(query.Get("JobId")).count(body)
	case "DescribeDeploymentJob":
		o.listed([]byte(`{"Data":[` + string(body) + `]}`))
	case "ListDeploymentJob":
		o.listed(body)
	}
}

func (o *oracle) job(id string) *served {
	if o.jobs[id] == nil {
		o.jobs[id] = &served{}
	}
	return o.jobs[id]
}

func (s *served) page(f filter, first bool, body []byte) {
	if first {
		s.reads = append(s.reads, &read{filter: f, total: -1, rows: map[string][]row{}, steady: true})
	}
	var answer struct {
		Total *int64
		Data  []json.RawMessage
	}
	if json.Unmarshal(body, &answer) != nil || answer.Total == nil {
		return
	}
	r := s.reads[len(s.reads)-1]
	if r.total < 0 {
		r.total = *answer.Total
	}
	r.steady = r.steady && *answer.Total == r.total
	r.ended = time.Now()
	for _, text := range answer.Data {
		var w row
		var key struct{ Id json.Number }
		if json.Unmarshal(text, &key) == nil && json.Unmarshal(text, &w) == nil && !slices.Contains(r.rows[key.Id.String()], w) {
			r.rows[key.Id.String()] = append(r.rows[key.Id.String()], w)
		}
	}
}

func (s *served) count(body []byte) {
	var answer struct {
		RequestId string
		Code      any

		WorkerCount, MatchWorkerCount *int64
	}
	if json.Unmarshal(body, &answer) != nil || answer.RequestId == "" || answer.Code != nil {
		return
	}
	s.counted, s.reported, s.matched = time.Now(), -1, -1
	if answer.WorkerCount != nil {
		s.reported = *answer.WorkerCount
	}
	if answer.MatchWorkerCount != nil {
		s.matched = *answer.MatchWorkerCount
	}
}

func (o *oracle) listed(body []byte) {
	var answer struct {
		Data []struct {
			Id     json.Number
			Status string
		}
	}
	_ = json.Unmarshal(body, &answer)
	for _, job := range answer.Data {
		if job.Id != "" && job.Status != "" {
			s := o.job(job.Id.String())
			s.record, s.finished = time.Now(), job.Status == "success" || job.Status == "error"
		}
	}
}
