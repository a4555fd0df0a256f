package cas_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/responses"

	"aliyun_cas_exporter/internal/cas"
)

// wholeRow has every field that the API documents, as a generated client has them.
type wholeRow struct {
	Id, UserId, JobId, OrderId, CertId, ResourceId, ResourceCertId                             int64
	GmtCreate, GmtModified, CertDomain, CertName, CertInstanceId, CloudProduct, ResourceDomain string
	RegionId, CloudRegion, InstanceId, ListenerId, CloudName, NamespaceId, Status              string
	Port                                                                                       int
	DefaultResource                                                                            bool
}

type wholePage struct {
	Total, CurrentPage, ShowSize int64
	RequestId                    string
	Data                         []wholeRow
}

type sdkResponse struct {
	*responses.BaseResponse
	Total, CurrentPage, ShowSize int64
	RequestId                    string
	Data                         []wholeRow
}

// samplePage is the documented answer with its row repeated under other ids.
func samplePage(tb testing.TB, rows int) []byte {
	tb.Helper()
	text, err := os.ReadFile("testdata/list-worker-resource.json")
	if err != nil {
		tb.Fatal(err)
	}
	var page map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err = decoder.Decode(&page); err != nil {
		tb.Fatal(err)
	}
	row := page["Data"].([]any)[0].(map[string]any)
	data := make([]any, rows)
	for i := range data {
		other := map[string]any{}
		maps.Copy(other, row)
		other["Id"], other["Status"] = 22487+i, []string{"success", "success", "success", "error", "processing"}[i%5]
		data[i] = other
	}
	page["Data"], page["Total"] = data, rows
	text, err = json.Marshal(page)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// BenchmarkDecode compares a page's decoding with what a user would have written:
// the SDK's own decoder and encoding/json, both into whole rows. The memory of our
// rows is used again from page to page, as the collector does.
func BenchmarkDecode(b *testing.B) {
	for _, rows := range []int{50, 1000, 10_000} {
		text := samplePage(b, rows)
		client, spare := &cas.Client{}, make([]cas.Worker, 0, rows)
		for _, by := range []struct {
			name   string
			decode func() (int, error)
		}{
			{"exporter", func() (int, error) {
				page, err := client.DecodeWorkersInto(bytes.NewReader(text), spare)
				return len(page.Workers), err
			}},
			{"sdk", func() (int, error) {
				response := &sdkResponse{BaseResponse: &responses.BaseResponse{}}
				err := responses.Unmarshal(response, &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(text))}, "JSON")
				return len(response.Data), err
			}},
			{"json", func() (int, error) {
				body, err := io.ReadAll(bytes.NewReader(text))
				if err != nil {
					return 0, err
				}
				var page wholePage
				err = json.Unmarshal(body, &page)
				return len(page.Data), err
			}},
			{"valid", func() (int, error) { // no more than to look at each byte once
				if !json.Valid(text) {
					return 0, errors.New("invalid")
				}
				return rows, nil
			}},
		} {
			b.Run(fmt.Sprintf("rows=%d/by=%s", rows, by.name), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					if n, err := by.decode(); err != nil || n != rows {
						b.Fatalf("%d rows, %v", n, err)
					}
				}
			})
		}
	}
}
