package cas_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// decodeRow decodes a page of one row.
func decodeRow(t *testing.T, row string) cas.Worker {
	t.Helper()
	page, err := new(cas.Client).DecodeWorkers(strings.NewReader(`{"Total":1,"Data":[`+row+`]}`), 1)
	if err != nil || len(page.Workers) != 1 {
		t.Fatalf("%s: %d rows, %v", row, len(page.Workers), err)
	}
	return page.Workers[0]
}

// TestWorkerIsReadByStatus: every worker tells its target, and those that somebody may
// have to look for tell it in words.
func TestWorkerIsReadByStatus(t *testing.T) {
	const row = `{"CertName":"www \u2b50","InstanceId":"lb-bp1","ListenerId":"lsn-1@443","Port":443,"ResourceDomain":"www.example.com",` +
		`"Id":4197913,"UserId":1666884372152785,"ResourceId":1286999,"CloudProduct":"SLB","RegionId":"cn-hangzhou","CloudRegion":"other",` +
		`"GmtModified":"1681956830000","DefaultResource":true,"Status":%q}`
	for status, named := range map[string]bool{
		"editing": false, "pending": true, "scheduling": true, "processing": true, "success": false, "error": true,
		"rollback": true, "rollback_success": false, "rollback_error": true, "paused": false,
	} {
		want := cas.Worker{
			ID: 4197913, Status: status, CloudProduct: "SLB", RegionID: "cn-hangzhou",
			Modified: time.Date(2023, 4, 20, 2, 13, 50, 0, time.UTC), Resource: 1286999,
		}
		if named {
			want.InstanceID, want.ListenerID, want.Port = "lb-bp1", "lsn-1@443", "443"
			want.ResourceDomain, want.CertName = "www.example.com", "www ⭐"
		}
		if diff := cmp.Diff(want, decodeRow(t, fmt.Sprintf(row, status))); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", status, diff)
		}
	}
}

// TestHostsAreReadOnRequest: where a worker in success deployed to is read if somebody
// asks for it; of other workers nothing more is.
func TestHostsAreReadOnRequest(t *testing.T) {
	const row = `{"CertName":"www","Port":"8443","InstanceId":"lb-bp1","ResourceDomain":"www.example.com","Id":1,"CertId":%s,"Status":%q}`
	for status, want := range map[string]cas.Worker{
		"success": {Port: "8443", ResourceDomain: "www.example.com", CertName: "www", CertID: 12073663},
		"error":   {Port: "8443", ResourceDomain: "www.example.com", CertName: "www", InstanceID: "lb-bp1"},
		"editing": {},
	} {
		page, err := new(cas.Client).DecodeHosts(strings.NewReader(`{"Total":1,"Data":[` + fmt.Sprintf(row, "12073663", status) + `]}`))
		if err != nil || len(page.Workers) != 1 {
			t.Fatalf("%s: %d rows, %v", status, len(page.Workers), err)
		}
		got := page.Workers[0]
		if got.Resource, got.ID, got.Status = 0, 0, ""; got != want {
			t.Errorf("%s: got %+v, want %+v", status, got, want)
		}
	}
	for _, none := range []string{"null", "0", `"x"`, "[7]"} {
		page, err := new(cas.Client).DecodeHosts(strings.NewReader(`{"Total":1,"Data":[` + fmt.Sprintf(row, none, "success") + `]}`))
		if err != nil || page.Workers[0].CertID != 0 {
			t.Errorf("CertId %s: got %+v, %v, want none", none, page.Workers, err)
		}
	}
}

// TestResourceKey: the same target has the same key whatever else differs, another one
// another key, and no target has none.
func TestResourceKey(t *testing.T) {
	const target = `"CloudProduct":"ALB","RegionId":"cn-beijing","InstanceId":"alb-1","ListenerId":"lsn-1","Port":443,"ResourceDomain":"a.example.com"`
	first := decodeRow(t, `{"Id":1,"Status":"error","CertName":"old",`+target+`}`).Resource
	if want := cas.ResourceKey(0xf92a7fd1c9eb3809); first != want { // computed apart
		t.Errorf("got %#x, want %#x", first, want)
	}
	for name, row := range map[string]string{
		"another job":     `{"Id":2,"Status":"success","CertName":"new","GmtModified":1681956830000,` + target + `}`,
		"another order":   `{"Id":2,"ResourceDomain":"a.example.com","Port":443,"ListenerId":"lsn-1","InstanceId":"alb-1","RegionId":"cn-beijing","CloudProduct":"ALB"}`,
		"another writing": `{"Id":2,"ResourceId":null,"CloudRegion":"cn-beijing","InstanceId":"alb\u002d1","CloudProduct":"ALB","ListenerId":"lsn-1","Port":"443","ResourceDomain":"a.example.com"}`,
	} {
		if got := decodeRow(t, row).Resource; got != first {
			t.Errorf("%s: got %#x, want %#x", name, got, first)
		}
	}
	seen := map[cas.ResourceKey]string{first: "the first"}
	for name, row := range map[string]string{
		"id": `"ResourceId":7,` + target, "id as text": `"ResourceId":"8",` + target,
		"product":  strings.Replace(target, "ALB", "NLB", 1),
		"region":   strings.Replace(target, "beijing", "hangzhou", 1),
		"instance": strings.Replace(target, "alb-1", "alb-2", 1),
		"listener": strings.Replace(target, "lsn-1", "lsn-2", 1),
		"port":     strings.Replace(target, "443", "8443", 1),
		"domain":   strings.Replace(target, "a.example", "b.example", 1),
		"boundary": strings.Replace(strings.Replace(target, "alb-1", "alb-1l", 1), `"lsn-1`, `"sn-1`, 1),
		"a CDN's":  `"CloudProduct":"CDN","ResourceDomain":"a.example.com"`,
	} {
		got := decodeRow(t, `{"Id":3,`+row+`}`).Resource
		if other, taken := seen[got]; taken || got == 0 {
			t.Errorf("%s: %#x, as %s", name, got, other)
		}
		seen[got] = name
	}
	if seen[7] != "id" || seen[8] != "id as text" {
		t.Errorf("a ResourceId is not the key itself: %v", seen)
	}
	for _, row := range []string{
		`{"Id":1}`, `{"Id":1,"CloudProduct":"OSS","RegionId":"cn-beijing","Port":443}`,
		`{"Id":1,"ResourceId":0,"InstanceId":null,"ListenerId":"","ResourceDomain":[]}`,
		`{"Id":1,"ResourceId":-5}`, `{"Id":1,"ResourceId":"x"}`, `{"Id":1,"ResourceId":99999999999999999999}`,
	} {
		if got := decodeRow(t, row).Resource; got != 0 {
			t.Errorf("%s: got %#x, want none", row, got)
		}
	}
}

// TestCounts pins what is read of DescribeDeploymentJobStatus.
func TestCounts(t *testing.T) {
	const nothing = -1
	for body, want := range map[string]cas.JobCounts{
		`{"ResourceCount":4127,"UseCount":11,"BuyCount":"40","WorkerCount":110,"MatchWorkerCount":100,"SuccessCount":90,"FailedCount":6,
		  "RollbackCount":4,"RollbackSuccessCount":1,"RollbackFailedCount":3,"CostCount":9,"CertCount":1,
		  "ProductWorkerCount":[{"ProductName":"SLB","Count":110}],"RequestId":"R"}`: {
			Workers: 110, Matched: 100, Failed: 6, RollbackFailed: 3, QuotaBought: 40, QuotaUsed: 11,
		},
		`{"MatchWorkerCount":0,"FailedCount":null,"RollbackFailedCount":"many","WorkerCount":-1}`: {
			Workers: nothing, Matched: 0, Failed: nothing, RollbackFailed: nothing, QuotaBought: nothing, QuotaUsed: nothing,
		},
	} {
		client := newClient(t, &api{answer: func(int) (int, string, string) { return http.StatusOK, "", body }}, nil)
		if got, err := client.CountJob(t.Context(), 8888); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

// TestDetailsWithoutContent: an answer without anything of what was asked is an error, so that it replaces nothing.
func TestDetailsWithoutContent(t *testing.T) {
	for _, body := range []string{`{}`, `{"RequestId":"R"}`, `{"Data":{"Status":"success","WorkerCount":3}}`, `{"Id":8888,"Status":null,"WorkerCount":null}`} {
		client := newClient(t, &api{answer: func(int) (int, string, string) { return http.StatusOK, "", body }}, nil)
		if counts, err := client.CountJob(t.Context(), 8888); reason.Of(err) != reason.Decode {
			t.Errorf("counts of %s: %+v, %v, want decode", body, counts, err)
		}
		if job, err := client.DescribeJob(t.Context(), 8888); reason.Of(err) != reason.Decode {
			t.Errorf("record of %s: %+v, %v, want decode", body, job, err)
		}
	}
}

// TestCertificatesWithoutID: an id that is missing costs no expiry, neither of this certificate nor of another one.
func TestCertificatesWithoutID(t *testing.T) {
	const body = `{"Data":[{"CertId":null,"CertName":"order","NotAfterTime":1893456000000},{"CertId":"","CertName":"empty","NotAfterTime":"1893456000"},
		{"CertId":"5","CertName":"text","NotAfterTime":1893456000}]}`
	client := newClient(t, &api{answer: func(int) (int, string, string) { return http.StatusOK, "", body }}, nil)
	got, err := client.ListCertificates(t.Context(), 8888)
	expiry := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	want := []cas.Certificate{{Name: "order", NotAfter: expiry}, {Name: "empty", NotAfter: expiry}, {ID: 5, Name: "text", NotAfter: expiry}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// nothingForEver is a body that neither sends nor ends.
type nothingForEver struct{}

func (nothingForEver) Read([]byte) (int, error) { return 0, nil }

// TestTextsThatAreRefused are not read, and the decoder is as good as new after each.
func TestTextsThatAreRefused(t *testing.T) {
	reset := errors.New("connection reset")
	field := func(value string) io.Reader {
		return strings.NewReader(`{"Total":1,"Data":[{"Id":1,"Status":"error","CertName":` + value + `}]}`)
	}
	for name, test := range map[string]struct {
		body io.Reader
		want string // of the error
	}{
		"nothing":             {strings.NewReader(""), "the answer is empty"},
		"white space":         {strings.NewReader(" \n"), "the answer is empty"},
		"half":                {strings.NewReader(`{"Total":1,"Data":[`), "unexpected EOF"},
		"another value":       {strings.NewReader(good + ` {}`), "text after the answer"},
		"a bracket more":      {strings.NewReader(good + `}`), "invalid character '}'"},
		"a zero byte":         {strings.NewReader(good + "\x00"), `invalid character '\x00'`},
		"a raw control":       {field("\"a\nb\""), `invalid character '\n'`},
		"a comma at the end":  {field(`[1,]`), "invalid character ']'"},
		"a wrong bracket":     {field(`[1}`), "invalid character '}'"},
		"a key is no text":    {field(`{1:2}`), "invalid character '1'"},
		"a zero first":        {field(`01`), "invalid character '1'"},
		"a word cut":          {field(`nul`), "invalid character"},
		"an escape":           {field(`"\x"`), "invalid escape sequence"},
		"too deep":            {strings.NewReader(`{"x":` + strings.Repeat("[", 100_000)), "depth"},
		"a text of 2 MiB":     {field(`"` + strings.Repeat("x", 2<<20) + `"`), "longer than 1 MiB"},
		"a text without end":  {io.MultiReader(field(`"`), endless('x')), "longer than 1 MiB"},
		"space without end":   {endless(' '), "longer than 1 MiB"},
		"nothing for ever":    {nothingForEver{}, io.ErrNoProgress.Error()},
		"then nothing":        {io.MultiReader(strings.NewReader(`{"Total":1,`), nothingForEver{}), io.ErrNoProgress.Error()},
		"a broken connection": {io.MultiReader(strings.NewReader(`{"Total":1,`), iotest.ErrReader(reset)), reset.Error()},
		"broken at the end":   {io.MultiReader(strings.NewReader(good), iotest.ErrReader(reset)), reset.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			client := new(cas.Client)
			_, err := client.DecodeWorkers(test.body, 50)
			if reason.Of(err) != reason.Decode || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 200 {
				t.Errorf("got %q, %v, want decode, %s", reason.Of(err), err, test.want)
			}
			if strings.Contains(test.want, reset.Error()) && !errors.Is(err, reset) {
				t.Errorf("%v hides its cause", err)
			}
			if page, err := client.DecodeWorkers(strings.NewReader(good), 50); err != nil || page.Total != 0 {
				t.Errorf("a good answer after it: %v", err)
			}
		})
	}
}

// endless sends one byte for ever.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

// TestTextsThatAreTaken are unusual and sound, also when they arrive byte by byte. Of a
// key that is given twice the last one counts.
func TestTextsThatAreTaken(t *testing.T) {
	long := strings.Repeat("0123456789", 50_000)
	for name, test := range map[string]struct{ text, want string }{
		"escapes":      {`"\u4e2d\ud83d\ude00 \n\"\/\\\b\f\r\t"`, "中😀 \n\"/\\\b\f\r\t"},
		"half a pair":  {`"\ud83dA\ude00"`, "�A�"},
		"no UTF-8":     {"\"a\xff\xfeb\"", "a�b"},
		"a number":     {`-1.5E-3`, "-1.5E-3"},
		"a word":       {`true`, "true"},
		"null":         {`null`, ""},
		"an object":    {`{"a":{"b":[{"c":"d"},[]]}}`, ""},
		"500,000":      {`"` + long + `"`, long[:1021] + "…"},
		"\\n 50,000":   {`"` + strings.Repeat(`\n`, 50_000) + `"`, strings.Repeat("\n", 1021) + "…"},
		"中 at the cut": {`"` + strings.Repeat("x", 1019) + strings.Repeat("中", 10) + `"`, strings.Repeat("x", 1019) + "…"},
		"spaces":       {strings.Repeat(" ", 500_000) + "1", "1"},
		"deep":         {strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000), ""},
	} {
		body := "\xef\xbb\xbf{\"Total\" : 1,\r\n\t\"Data\":[{\"Id\":1,\"Status\":\"success\",\"Status\":\"error\",\"\\u0043ertName\":" + test.text + "}]} \n"
		readers := map[string]io.Reader{"": strings.NewReader(body)}
		if len(body) < 20_000 { // the race detector looks at all that is pending for each byte
			readers[", byte by byte"] = iotest.OneByteReader(strings.NewReader(body))
		}
		for by, reader := range readers {
			page, err := new(cas.Client).DecodeWorkers(reader, 50)
			if err != nil {
				t.Errorf("%s%s: %v", name, by, err)
			} else if got := page.Workers[0].CertName; got != test.want {
				t.Errorf("%s%s: got %.80q, want %.80q", name, by, got, test.want)
			}
		}
	}
}

// TestRowsAreBounded: a list that is given in parts holds no more than one in one piece.
func TestRowsAreBounded(t *testing.T) {
	rows := strings.TrimSuffix(strings.Repeat(`{"Id":1},`, 600), ",")
	page, err := new(cas.Client).DecodeWorkers(strings.NewReader(`{"Total":1200,"Data":[`+rows+`],"Data":[`+rows+`]}`), 50)
	if err == nil || len(page.Workers) > 1000 {
		t.Errorf("%d rows, %v", len(page.Workers), err)
	}
}

// TestErrorsDoNotEcho: an answer that is broken where it repeats what was sent.
func TestErrorsDoNotEcho(t *testing.T) {
	_, err := new(cas.Client).DecodeWorkers(strings.NewReader(`{"Total":0,"AccessKeyId=LTAI5tExample":{"Signature=c2VjcmV0":x}}`), 50)
	if err == nil || strings.Contains(err.Error(), "LTAI") || strings.Contains(err.Error(), "c2Vj") {
		t.Errorf("got %v", err)
	}
}

// TestGrownDecodersAreDropped: a long text makes the buffer grow that holds it; a page of
// any length does not.
func TestGrownDecodersAreDropped(t *testing.T) {
	if cas.Grows(string(samplePage(t, 1000))) {
		t.Error("a page of 1,000 rows makes a decoder grow")
	}
	if !cas.Grows(`{"Message":"` + strings.Repeat("x", 100_000) + `"}`) {
		t.Error("a decoder that holds 100,000 bytes would be kept")
	}
}
