// Command naive is the exporter that one would write first: the SDK's own client, one page
// after another, whole rows, and a GaugeVec that is reset on every poll. It is only the
// baseline of measurements.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type worker struct {
	Id, UserId, JobId, OrderId, CertId, ResourceId, ResourceCertId                             int64
	GmtCreate, GmtModified, CertDomain, CertName, CertInstanceId, CloudProduct, ResourceDomain string
	RegionId, CloudRegion, InstanceId, ListenerId, CloudName, NamespaceId, Status              string
	Port                                                                                       int
	DefaultResource                                                                            bool
}

type job struct {
	Id                                                       int64
	Name, Status, JobType, CertType, CertDomain              string
	GmtCreate, GmtModified, ScheduleTime, StartTime, EndTime int64
}

type listing[T any] struct {
	Total, CurrentPage, ShowSize int64
	Data                         []T
}

// exporter polls one account.
type exporter struct {
	client  *sdk.Client
	api     *url.URL
	workers *prometheus.GaugeVec
	polls   prometheus.Counter
}

// list reads all pages of a listing.
func list[T any](e *exporter, action string, params map[string]string) ([]T, error) {
	var all []T
	for page := 1; ; page++ {
		request := requests.NewCommonRequest()
		request.Method, request.Scheme, request.Domain = "POST", e.api.Scheme, e.api.Host
		request.Version, request.ApiName = "2020-04-07", action
		request.QueryParams["CurrentPage"] = strconv.Itoa(page)
		maps.Copy(request.QueryParams, params)
		response, err := e.client.ProcessCommonRequest(request)
		if err != nil {
			return nil, fmt.Errorf("%s page %d: %w", action, page, err)
		}
		var rows listing[T]
		if err := json.Unmarshal(response.GetHttpContentBytes(), &rows); err != nil {
			return nil, fmt.Errorf("%s page %d: %w", action, page, err)
		}
		all = append(all, rows.Data...)
		if len(rows.Data) == 0 || int64(len(all)) >= rows.Total {
			return all, nil
		}
	}
}

// poll reads every worker of every job.
func (e *exporter) poll(jobID int64) error {
	jobs := []job{{Id: jobID}}
	if jobID == 0 {
		var err error
		if jobs, err = list[job](e, "ListDeploymentJob", nil); err != nil {
			return err
		}
	}
	var all []worker
	for _, j := range jobs {
		workers, err := list[worker](e, "ListWorkerResource", map[string]string{"JobId": strconv.FormatInt(j.Id, 10)})
		if err != nil {
			return err
		}
		all = append(all, workers...)
	}
	e.workers.Reset()
	for _, w := range all {
		e.workers.WithLabelValues(strconv.FormatInt(w.JobId, 10), w.CloudProduct, w.RegionId, w.Status).Inc()
	}
	e.polls.Inc()
	return nil
}

func main() {
	api := flag.String("api", "", "address of the API")
	key := flag.String("key", "", "access key id")
	secret := flag.String("secret", "", "access key secret")
	jobID := flag.Int64("job", 0, "the job to watch; 0: all that are listed")
	interval := flag.Duration("interval", time.Minute, "between two polls")
	listen := flag.String("listen", "127.0.0.1:0", "address to serve at")
	flag.Parse()
	address, err := url.Parse(*api)
	if err != nil {
		log.Fatal(err)
	}
	client, err := sdk.NewClientWithOptions("cn-hangzhou", sdk.NewConfig().WithTimeout(30*time.Second), credentials.NewAccessKeyCredential(*key, *secret))
	if err != nil {
		log.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	e := &exporter{
		client: client, api: address,
		workers: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "naive_deployment_workers", Help: "Workers by status.",
		}, []string{"job_id", "cloud_product", "region_id", "status"}),
		polls: prometheus.NewCounter(prometheus.CounterOpts{Name: "naive_polls_total", Help: "Complete polls."}),
	}
	registry.MustRegister(e.workers, e.polls, collectors.NewGoCollector())
	go func() {
		for {
			if err := e.poll(*jobID); err != nil {
				log.Print(err)
			}
			time.Sleep(*interval)
		}
	}()
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	log.Fatal(http.ListenAndServe(*listen, nil))
}
