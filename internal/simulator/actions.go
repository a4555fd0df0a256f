package simulator

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// version is the version of the API.
const version = "2020-04-07"

// act answers a verified call.
func (s *Simulator) act(r *http.Request, fault *fault) (map[string]any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.advance != nil {
		s.advance(s, s.options.Now())
	}
	form := r.Form
	answer, ok := map[string]func(url.Values) (map[string]any, *refusal){
		"ListWorkerResource":          s.listWorkers,
		"ListDeploymentJob":           s.listJobs,
		"DescribeDeploymentJob":       s.describeJob,
		"DescribeDeploymentJobStatus": s.countJob,
		"ListDeploymentJobCert":       s.listCertificates,
	}[form.Get("Action")]
	if !ok || form.Get("Version") != version {
		return nil, &refusal{404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method."}
	}
	if fault != nil && fault.request != nil {
		form = fault.request(form)
	}
	said, problem := answer(form)
	if problem != nil {
		return nil, problem
	}
	said["RequestId"] = requestID
	if fault != nil && fault.change != nil {
		fault.change(said)
	}
	return said, nil
}

// job returns the job that a call names.
func (s *Simulator) job(form url.Values) (*estate, *refusal) {
	if form.Get("JobId") == "" {
		return nil, &refusal{400, "MissingJobId", "JobId is mandatory for this action."}
	}
	id, err := strconv.ParseInt(form.Get("JobId"), 10, 64)
	if err != nil {
		return nil, &refusal{400, "InvalidJobId", "The specified JobId is not valid."}
	}
	e := s.jobs[id]
	if e == nil {
		return nil, &refusal{404, "NotFound", "没有找到必要内容，请检查参数输入。"}
	}
	return e, nil
}

func (s *Simulator) listWorkers(form url.Values) (map[string]any, *refusal) {
	e, problem := s.job(form)
	if problem != nil {
		return nil, problem
	}
	workers := e.workers
	status, product := form.Get("Status"), form.Get("CloudProduct")
	if status != "" || product != "" {
		workers = slices.DeleteFunc(slices.Clone(workers), func(w Worker) bool {
			return status != "" && w.Status != status || product != "" && !strings.EqualFold(w.CloudProduct, product)
		})
	}
	if s.options.OrderByModified {
		workers = slices.Clone(workers)
		slices.SortStableFunc(workers, func(a, b Worker) int { return b.Modified.Compare(a.Modified) })
	}
	return paged(s, form, workers, func(w Worker) map[string]any { return w.row(e.job.ID) })
}

func (s *Simulator) listJobs(form url.Values) (map[string]any, *refusal) {
	jobs := s.byAge()
	jobType, status := form.Get("JobType"), form.Get("Status")
	if jobType != "" || status != "" {
		jobs = slices.DeleteFunc(slices.Clone(jobs), func(e *estate) bool {
			return jobType != "" && e.job.JobType != jobType || status != "" && e.job.Status != status
		})
	}
	return paged(s, form, jobs, func(e *estate) map[string]any { return e.job.row() })
}

// paged answers with one page of rows.
func paged[T any](s *Simulator, form url.Values, all []T, row func(T) map[string]any) (map[string]any, *refusal) {
	page, size := 1, 50
	for name, at := range map[string]*int{"CurrentPage": &page, "ShowSize": &size} {
		if text := form.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				return nil, &refusal{400, "Invalid" + name, "The specified parameter is not valid."}
			}
			*at = n
		}
	}
	if s.options.MaxShowSize > 0 {
		size = min(size, s.options.MaxShowSize)
	}
	from := min(len(all), (page-1)*size)
	rows := []any{}
	for _, item := range all[from:min(len(all), from+size)] {
		rows = append(rows, row(item))
	}
	return map[string]any{"Total": len(all), "CurrentPage": page, "ShowSize": size, "Data": rows}, nil
}

func (s *Simulator) describeJob(form url.Values) (map[string]any, *refusal) {
	e, problem := s.job(form)
	if problem != nil {
		return nil, problem
	}
	row := e.job.row()
	row["Config"] = `{"certIds":[],"shareCertIds":[]}`
	row["CasContacts"] = []any{map[string]any{"Id": "1", "Name": "Contact Canary", "Email": "canary@contacts.example", "Mobile": "+00 000 0000"}}
	return row, nil
}

// countJob counts the workers of a job or, without one, of all: the parameter is
// documented as optional.
func (s *Simulator) countJob(form url.Values) (map[string]any, *refusal) {
	jobs := s.byAge()
	if form.Get("JobId") != "" {
		e, problem := s.job(form)
		if problem != nil {
			return nil, problem
		}
		jobs = []*estate{e}
	}
	workers, certificates, counts, products := 0, 0, map[string]int{}, map[string]int{}
	for _, e := range jobs {
		workers += len(e.workers)
		certificates += len(e.job.Certificates)
		for _, w := range e.workers {
			counts[w.Status]++
			products[w.CloudProduct]++
		}
	}
	perProduct := []any{}
	for product, n := range products {
		perProduct = append(perProduct, map[string]any{"ProductName": product, "Count": n})
	}
	return map[string]any{
		"ResourceCount": 4127, "BuyCount": s.quota[0], "UseCount": s.quota[1],
		"WorkerCount": workers, "MatchWorkerCount": workers, "CertCount": certificates, "CostCount": 0,
		"SuccessCount": counts["success"], "FailedCount": counts["error"], "RollbackCount": counts["rollback"],
		"RollbackSuccessCount": counts["rollback_success"], "RollbackFailedCount": counts["rollback_error"],
		"ProductWorkerCount": perProduct,
	}, nil
}

func (s *Simulator) listCertificates(form url.Values) (map[string]any, *refusal) {
	e, problem := s.job(form)
	if problem != nil {
		return nil, problem
	}
	rows := []any{}
	for _, c := range e.job.Certificates {
		row := map[string]any{
			"CertName": c.Name, "CommonName": c.CommonName, "Sans": []string{c.CommonName}, "CertType": "DV",
			"CertOrderType": "upload", "Algorithm": "RSA", "IsTrustee": false, "StatusCode": "issued",
		}
		if c.ID != 0 {
			row["CertId"] = c.ID
		} else {
			row["OrderId"] = c.OrderID
		}
		for name, at := range map[string]time.Time{"NotBeforeTime": c.NotBefore, "NotAfterTime": c.NotAfter} {
			if !at.IsZero() {
				row[name] = at.UnixMilli()
			}
		}
		rows = append(rows, row)
	}
	return map[string]any{"Data": rows}, nil
}

// row is a job as it is listed: its times are numbers.
func (j Job) row() map[string]any {
	row := map[string]any{
		"Id": j.ID, "UserId": userID, "InstanceId": j.InstanceID, "Name": j.Name, "Status": j.Status, "JobType": j.JobType,
		"CertType": j.CertType, "CertDomain": j.CertDomain, "ProductName": j.ProductName, "Rollback": 0, "Del": 0,
	}
	if j.Rollback {
		row["Rollback"] = 1
	}
	for name, at := range map[string]time.Time{
		"GmtCreate": j.Created, "GmtModified": j.Modified, "ScheduleTime": j.Schedule, "StartTime": j.Start, "EndTime": j.End,
	} {
		if !at.IsZero() {
			row[name] = at.UnixMilli()
		}
	}
	return compact(row)
}

// row is a worker as it is listed: its times are strings of milliseconds.
func (w Worker) row(jobID int64) map[string]any {
	row := map[string]any{
		"Id": w.ID, "JobId": jobID, "UserId": userID, "Status": w.Status, "CloudProduct": w.CloudProduct,
		"RegionId": w.RegionID, "CloudRegion": w.CloudRegion, "InstanceId": w.InstanceID, "ListenerId": w.ListenerID,
		"ResourceDomain": w.ResourceDomain, "CertName": w.CertName, "CertDomain": w.ResourceDomain, "ResourceId": w.resource(),
	}
	if w.CertID != 0 {
		row["CertId"] = w.CertID
	}
	if w.Port != 0 {
		row["Port"], row["DefaultResource"] = w.Port, true
	}
	for name, at := range map[string]time.Time{"GmtCreate": w.Created, "GmtModified": w.Modified} {
		if !at.IsZero() {
			row[name] = strconv.FormatInt(at.UnixMilli(), 10)
		}
	}
	return compact(row)
}

const userID = 1000000000000001

// compact leaves out what does not apply, as the service does.
func compact(row map[string]any) map[string]any {
	for name, value := range row {
		if value == "" {
			delete(row, name)
		}
	}
	return row
}
