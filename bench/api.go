package main

import (
	"encoding/pem"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"syscall"
	"time"

	"aliyun_cas_exporter/internal/simulator"
)

// api is a simulator behind a socket, with what can be seen from its side.
type api struct {
	*simulator.Simulator
	server  *httptest.Server
	ca      string        // file with the certificate, when there is TLS
	latency time.Duration // from a request to its answer

	mu          sync.Mutex
	first, last time.Time // of the workers' pages: when one was first asked for, and last answered
	connections int
	inFlight    int
	peak        int            // of inFlight
	protocols   map[string]int // requests
}

// serve starts a simulator, with TLS and HTTP/2 if secure, whose answers take a time.
func serve(sim *simulator.Simulator, secure bool, latency time.Duration) (*api, error) {
	a := &api{Simulator: sim, latency: latency, protocols: map[string]int{}}
	a.server = httptest.NewUnstartedServer(http.HandlerFunc(a.observe))
	a.server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			a.mu.Lock()
			a.connections++
			a.mu.Unlock()
		}
	}
	if !secure {
		a.server.Start()
		return a, nil
	}
	a.server.EnableHTTP2 = true
	a.server.StartTLS()
	f, err := os.CreateTemp("", "bench-ca")
	if err != nil {
		return nil, err
	}
	a.ca = f.Name()
	if err := pem.Encode(f, &pem.Block{Type: "CERTIFICATE", Bytes: a.server.Certificate().Raw}); err != nil {
		return nil, err
	}
	return a, f.Close()
}

func (a *api) close() {
	a.server.CloseClientConnections()
	a.server.Close()
	if a.ca != "" {
		_ = os.Remove(a.ca)
	}
}

func (a *api) observe(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	a.mu.Lock()
	a.inFlight++
	a.peak = max(a.peak, a.inFlight)
	a.mu.Unlock()
	answer := httptest.NewRecorder()
	a.ServeHTTP(answer, r)
	// Making the answer is part of its time.
	sleep(a.latency - time.Since(start))
	a.mu.Lock()
	a.inFlight-- // before the answer is out, after which the next request may come
	a.protocols[r.Proto]++
	if r.Form.Get("Action") == "ListWorkerResource" {
		if a.first.IsZero() {
			a.first = start
		}
		a.last = time.Now()
	}
	a.mu.Unlock()
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// sleep is time.Sleep without its rounding to milliseconds, which would be a part of
// the figures.
func sleep(d time.Duration) {
	for end := time.Now().Add(d); d > 0; d = time.Until(end) {
		left := syscall.NsecToTimespec(d.Nanoseconds())
		_ = syscall.Nanosleep(&left, nil) // a signal may end it early
	}
}

// took returns the time from the first request for a page to the last answer.
func (a *api) took() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last.Sub(a.first)
}

// estate describes a number of identical jobs.
type estate struct {
	jobs, workers, places int
	apart                 int64 // from one worker's id to the next
	hosts                 bool  // each worker has a host of its own
	status                string
}

// finished is an estate of finished renewals, of a usual size.
func finished(jobs int) estate {
	return estate{jobs: jobs, workers: 110, places: 3, apart: 1, status: "success"}
}

// huge is one job that moves.
func huge(workers int) estate {
	return estate{jobs: 1, workers: workers, places: 10, apart: 1, status: "processing"}
}

func (e estate) simulator() *simulator.Simulator {
	sim := simulator.New(simulator.Options{})
	e.put(sim, 1)
	return sim
}

// put adds the jobs, numbered from an id. In a job that moves, one worker in fifty
// has failed.
func (e estate) put(sim *simulator.Simulator, first int64) {
	at := time.Now().Add(-24 * time.Hour).Truncate(time.Second)
	regions := []string{"cn-hangzhou", "cn-beijing", "cn-shanghai", "eu-central-1", ""}
	for id := first; id < first+int64(e.jobs); id++ {
		workers := make([]simulator.Worker, e.workers)
		for i := range workers {
			place := i * e.places / e.workers
			workers[i] = simulator.Worker{
				ID: id*100_000_000 + int64(i)*e.apart, Status: "success", CloudProduct: []string{"SLB", "CDN"}[place%2], RegionID: regions[place/2],
				Created: at, Modified: at, InstanceID: "lb-2ze7jvmapp6sjw7glvgx0", ListenerID: "lsn-lhl8y7s1e1ngc3m3zz@443", Port: 443,
				ResourceDomain: "www.example.com", CertName: "www.example.com-2026", CertID: 12073663,
			}
			if e.hosts {
				workers[i].ResourceDomain = fmt.Sprintf("host-%07d.example.com", i)
			}
			if e.status != "success" && i%50 == 49 {
				workers[i].Status = "error"
			}
		}
		sim.PutJob(simulator.Job{
			ID: id, InstanceID: "cas-job-user-30rh60", Name: "renewal-www.example.com-2026", Status: e.status, JobType: "user", CertType: "upload",
			CertDomain: "www.example.com", ProductName: "SLB,CDN", Created: at, Modified: at, Schedule: at, Start: at, End: at,
			Certificates: []simulator.Certificate{{ID: 12073663, Name: "www.example.com-2026", CommonName: "www.example.com", NotBefore: at, NotAfter: at.Add(90 * 24 * time.Hour)}},
		}, workers)
	}
}
