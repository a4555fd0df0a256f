package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// peaks scrapes ten thousand jobs in each format, and text beside clients that scrape
// protobuf without a pause.
func peaks(b *bench) ([]figure, error) {
	const jobs, scrapes = 10_000, 5
	a, err := serve(finished(jobs).simulator(), false, 0)
	if err != nil {
		return nil, err
	}
	defer a.close()
	p, err := b.startExporter(a, "CAS_POLL_INTERVAL=10m", "CAS_MAX_STALENESS=2h", "CAS_RESYNC_INTERVAL=24h", "CAS_DISCOVERY_MAX_AGE=0")
	if err != nil {
		return nil, err
	}
	defer p.stop()
	for read := 0.0; read < jobs; time.Sleep(200 * time.Millisecond) {
		read = float64(a.Calls()["ListDeploymentJobCert"])
	}
	const text, proto = "text/plain;version=0.0.4", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	var figures []figure
	for _, f := range []struct{ name, accept string }{{"text", text}, {"openmetrics", "application/openmetrics-text;version=1.0.0"}, {"protobuf", proto}} {
		peak, failed := p.peak(f.name, f.accept, scrapes)
		if failed != nil {
			return nil, failed
		}
		figures = append(figures, peak...)
	}
	alone, err := p.scrapes(text, scrapes)
	if err != nil {
		return nil, err
	}
	stop := make(chan struct{})
	for range 4 {
		go p.scrapeUntil(stop, proto)
	}
	beside, err := p.scrapes(text, scrapes)
	close(stop)
	return append(figures, figure{"text beside protobuf / text alone, longest scrape", float64(beside) / float64(alone), "", "≤ 2"}), err
}

// peak returns the peak of resident memory in some scrapes of a format, and the longest.
func (p *program) peak(name, accept string, scrapes int) ([]figure, error) {
	// Reset the peak.
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0); err != nil {
		return nil, err
	}
	took, err := p.scrapes(accept, scrapes)
	if err != nil {
		return nil, err
	}
	peak, err := p.status("VmHWM")
	return []figure{
		{name + ": peak resident memory", peak, " MiB", "< 256 MiB"},
		{name + ": longest scrape", float64(took.Milliseconds()), " ms", ""},
	}, err
}

// scrapes makes a number of scrapes like Prometheus, each of a new answer, and returns the
// longest duration.
func (p *program) scrapes(accept string, n int) (longest time.Duration, err error) {
	for i := range n {
		if i > 0 {
			time.Sleep(1100 * time.Millisecond) // an answer serves for a second
		}
		req, err := http.NewRequest(http.MethodGet, "http://"+p.address+"/metrics", http.NoBody)
		if err != nil {
			return 0, err
		}
		req.Header.Set("Accept", accept)
		req.Header.Set("Accept-Encoding", "gzip")
		start := time.Now()
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if _ = resp.Body.Close(); err != nil {
			return 0, err
		}
		longest = max(longest, time.Since(start))
	}
	return longest, nil
}

func (p *program) scrapeUntil(stop <-chan struct{}, accept string) {
	for {
		select {
		case <-stop:
			return
		default:
			_, _ = p.scrapes(accept, 1)
		}
	}
}
