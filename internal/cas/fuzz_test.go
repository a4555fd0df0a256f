package cas_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// FuzzWorkers decodes any bytes as a page of workers. What is accepted is fit to be
// exported, and decodes to the same when it is written down again; what encoding/json
// makes of a document whose keys are given once is accepted or refused alike, and
// means the same.
func FuzzWorkers(f *testing.F) {
	sample, err := os.ReadFile("testdata/list-worker-resource.json")
	if err != nil {
		f.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, sample); err != nil {
		f.Fatal(err)
	}
	f.Add(sample)
	f.Add(compact.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		page, err := new(cas.Client).DecodeWorkers(iotest.OneByteReader(bytes.NewReader(text)), 50)
		want, judged := generic(text)
		switch {
		case err == nil:
			valid(t, page)
			kept := page
			kept.Workers = slices.Clone(page.Workers)
			again, failed := new(cas.Client).DecodeWorkers(bytes.NewReader(written(page)), 50)
			for _, p := range []cas.WorkerPage{kept, again} { // written has not all that is hashed
				for i := range p.Workers {
					if p.Workers[i].Resource >= hashed {
						p.Workers[i].Resource = 0
					}
				}
			}
			if failed != nil || cmp.Diff(kept, again) != "" {
				t.Errorf("written down, it is another page (%v):\n%s", failed, cmp.Diff(kept, again))
			}
			if judged && want == nil {
				t.Errorf("accepted, but encoding/json sees no page in it: %q", text)
			} else if judged && cmp.Diff(*want, page) != "" {
				t.Errorf("encoding/json sees another page:\n%s", cmp.Diff(*want, page))
			}
		case reason.Of(err) == "":
			t.Errorf("an error without a reason: %v", err)
		case judged && want != nil:
			t.Errorf("refused, but encoding/json sees a page in it: %v", err)
		}
	})
}

// valid fails for a page that must not be exported.
func valid(t *testing.T, p cas.WorkerPage) {
	t.Helper()
	if p.Total < 0 {
		t.Errorf("total %d", p.Total)
	}
	for _, w := range p.Workers {
		for _, text := range []string{w.Status, w.CloudProduct, w.RegionID, w.InstanceID, w.ListenerID, w.Port, w.ResourceDomain, w.CertName} {
			if !utf8.ValidString(text) || len(text) > 1024 {
				t.Errorf("no label value: %q", text)
			}
		}
		if w.ID <= 0 || w.Status == "" {
			t.Errorf("worker %d in status %q", w.ID, w.Status)
		}
		if !w.Modified.IsZero() && (w.Modified.Unix() < 0 || w.Modified.Year() > 9999) {
			t.Errorf("modified %v", w.Modified)
		}
		if !w.Failed() && !w.Moves() && w.InstanceID+w.ListenerID+w.Port+w.ResourceDomain+w.CertName != "" {
			t.Errorf("details of a worker in %s", w.Status)
		}
	}
}

// written is a page as the API would send it.
func written(p cas.WorkerPage) []byte {
	rows := []any{}
	for _, w := range p.Workers {
		row := map[string]any{
			"Id": w.ID, "Status": w.Status, "CloudProduct": w.CloudProduct, "RegionId": w.RegionID, "InstanceId": w.InstanceID,
			"ListenerId": w.ListenerID, "Port": w.Port, "ResourceDomain": w.ResourceDomain, "CertName": w.CertName,
		}
		if w.Resource < hashed {
			row["ResourceId"] = w.Resource
		}
		if !w.Modified.IsZero() {
			row["GmtModified"] = fmt.Sprint(w.Modified.UnixMilli())
			if w.Modified.UnixMilli() <= 1e11 {
				row["GmtModified"] = w.Modified.Unix()
			}
		}
		rows = append(rows, row)
	}
	text, _ := json.Marshal(map[string]any{"Total": p.Total, "Data": rows})
	return text
}

// generic reads a page by encoding/json, nil if there is none. It does not judge
// documents that are a matter of taste: keys given twice, texts that are not UTF-8 or
// would be cut, a byte order mark.
func generic(text []byte) (page *cas.WorkerPage, judged bool) {
	if !utf8.Valid(text) || bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) || len(text) > 8000 || !keysOnce(text) {
		return nil, false
	}
	var answer map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&answer) != nil || answer == nil {
		return nil, true
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, true // something follows
	}
	if code := strings.ToLower(scalar(answer["Code"])); code != "" && code != "200" && code != "ok" && code != "success" {
		return nil, true
	}
	total, err := strconv.ParseInt(scalar(answer["Total"]), 10, 64)
	data, given := answer["Data"]
	list, isList := data.([]any)
	if err != nil || total < 0 || !given && total > 0 || data != nil && !isList {
		return nil, true
	}
	page = &cas.WorkerPage{Total: total, Workers: []cas.Worker{}}
	for _, item := range list {
		row, isRow := item.(map[string]any)
		id, err := strconv.ParseInt(scalar(row["Id"]), 10, 64)
		if !isRow || err != nil || id <= 0 {
			return nil, true
		}
		for _, value := range row {
			if len(scalar(value)) > 1000 {
				return nil, false
			}
		}
		page.Workers = append(page.Workers, genericWorker(id, row))
	}
	return page, true
}

func genericWorker(id int64, row map[string]any) cas.Worker {
	first := func(names ...string) string {
		for _, name := range names {
			if text := scalar(row[name]); text != "" {
				return text
			}
		}
		return ""
	}
	w := cas.Worker{ID: id, Status: first("Status"), CloudProduct: first("CloudProduct"), RegionID: first("RegionId", "CloudRegion")}
	if w.Status == "" {
		w.Status = "unknown"
	}
	n, err := strconv.ParseInt(first("GmtModified"), 10, 64)
	if f, wrong := strconv.ParseFloat(first("GmtModified"), 64); err != nil && wrong == nil && 0 < f && f < 1e18 {
		n, err = int64(f), nil
	}
	if err == nil && n > 0 {
		if n > 100_000_000_000 {
			w.Modified = time.UnixMilli(n).UTC()
		} else {
			w.Modified = time.Unix(n, 0).UTC()
		}
		if w.Modified.Year() > 9999 || w.Modified.Year() < 1971 {
			w.Modified = time.Time{}
		}
	}
	w.Resource = genericResource(w, row)
	if slices.Contains([]string{"error", "rollback_error", "pending", "scheduling", "processing", "rollback"}, w.Status) {
		w.InstanceID, w.ListenerID, w.Port = first("InstanceId"), first("ListenerId"), first("Port")
		w.ResourceDomain, w.CertName = first("ResourceDomain"), first("CertName")
	}
	return w
}

// hashed is the first key of a resource without a ResourceId.
const hashed cas.ResourceKey = 1 << 63

func genericResource(w cas.Worker, row map[string]any) cas.ResourceKey {
	if id, err := strconv.ParseInt(scalar(row["ResourceId"]), 10, 64); err == nil && id > 0 {
		return cas.ResourceKey(id)
	}
	if scalar(row["InstanceId"])+scalar(row["ListenerId"])+scalar(row["ResourceDomain"]) == "" {
		return 0
	}
	hash := fnv.New64a()
	for _, text := range []string{w.CloudProduct, w.RegionID} {
		hash.Write([]byte(text + "\xff"))
	}
	for _, name := range []string{"Port", "InstanceId", "ListenerId", "ResourceDomain"} {
		hash.Write([]byte(scalar(row[name]) + "\xff"))
	}
	return cas.ResourceKey(hash.Sum64()) | hashed
}

// scalar is a value as text, empty for null, lists and objects.
func scalar(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	default:
		return ""
	}
}

// keysOnce reports whether no object of a document gives a key twice.
func keysOnce(text []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	type level struct {
		keys map[string]bool // nil in a list
		key  bool            // a key comes next
	}
	var levels []level
	for {
		token, err := decoder.Token()
		if err != nil {
			return true // the rest is no document
		}
		if delim, ok := token.(json.Delim); ok {
			switch delim {
			case '{':
				levels = append(levels, level{map[string]bool{}, true})
				continue
			case '[':
				levels = append(levels, level{})
				continue
			default:
				levels = levels[:len(levels)-1]
			}
		} else if n := len(levels); n > 0 && levels[n-1].key {
			if levels[n-1].keys[token.(string)] {
				return false
			}
			levels[n-1].keys[token.(string)], levels[n-1].key = true, false
			continue
		}
		if n := len(levels); n > 0 {
			levels[n-1].key = levels[n-1].keys != nil
		}
	}
}

// FuzzAnswers lets the API answer every call with any status and bytes. Whatever
// comes is a result that is fit to be exported, or one line with a reason.
func FuzzAnswers(f *testing.F) {
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status >= 200 && status <= 599 {
			synctest.Test(t, func(t *testing.T) { answers(t, status, body) })
		}
	})
}

func answers(t *testing.T, status int, body []byte) {
	t.Helper()
	client := newClient(t, &api{}, func(o *cas.Options) {
		o.MaxAttempts = 1
		o.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}, nil
		})
	})
	page, err := client.ListWorkers(t.Context(), cas.WorkerQuery{JobID: 8888, Page: 1, Size: 50}, nil)
	explained(t, err)
	valid(t, page)
	jobs, err := client.ListJobs(t.Context(), cas.JobQuery{Page: 1, Size: 50}, nil)
	explained(t, err)
	job, err := client.DescribeJob(t.Context(), 8888)
	if explained(t, err); err == nil {
		jobs.Jobs = append(jobs.Jobs, job)
	}
	for _, j := range jobs.Jobs {
		if j.ID <= 0 || j.Status == "" || !utf8.ValidString(j.Name+j.Status+j.JobType+j.CertType) || len(j.Name) > 1024 {
			t.Errorf("job %+v", j)
		}
	}
	counts, err := client.CountJob(t.Context(), 8888)
	explained(t, err)
	for _, n := range []int64{counts.Workers, counts.Matched, counts.Failed, counts.RollbackFailed, counts.QuotaBought, counts.QuotaUsed} {
		if n < -1 {
			t.Errorf("counts %+v", counts)
		}
	}
	certificates, err := client.ListCertificates(t.Context(), 8888)
	explained(t, err)
	for _, c := range certificates {
		if !utf8.ValidString(c.Name+c.CommonName) || len(c.Name) > 1024 || len(c.CommonName) > 1024 {
			t.Errorf("certificate %+v", c)
		}
	}
}

// explained fails for an error that is not one line with a reason.
func explained(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	text := err.Error()
	if reason.Of(err) == "" || strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) || len(text) > 1500 {
		t.Errorf("reason %q: %q", reason.Of(err), text)
	}
}
