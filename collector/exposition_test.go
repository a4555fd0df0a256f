package collector_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_cas_exporter/internal/simulator"
)

// TestScrapesAndPollsWaitForNoOther has a client that stops reading while jobs are
// polled, and an API that stops answering while they are scraped.
func TestScrapesAndPollsWaitForNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// More than fits into one buffer.
		r := newRig(t, finishedJobs(100, func() []simulator.Worker { return crowd(1) }), func(s *settings) {
			discovering(s)
			s.RequestsPerSecond = 1000
		})
		r.Poll(t.Context())
		var before strings.Builder
		if err := writeText(&before, r.facts); err != nil {
			t.Fatal(err)
		}

		client, server := io.Pipe()
		go func() { _ = server.CloseWithError(writeText(server, r.facts)) }()
		synctest.Wait() // nobody reads
		r.sim.DeleteJob(240_099)
		time.Sleep(time.Minute)
		if !r.Poll(t.Context()) {
			t.Errorf("poll failed: %s", r.log)
		}
		late, err := io.ReadAll(client)
		if diff := cmp.Diff(before.String(), string(late)); diff != "" || err != nil {
			t.Errorf("a scrape that began before the poll shows another moment (-want +got), %v:\n%s", err, diff)
		}

		if err := r.sim.Inject("slow-headers", simulator.Match{}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go r.Poll(ctx)
		synctest.Wait() // nobody answers
		start := time.Now()
		if text := r.expose(t); strings.Contains(text, `job_id="240099"`) || time.Since(start) != 0 {
			t.Errorf("a scrape during a poll took %v:\n%s", time.Since(start), text[:200])
		}
		cancel()
	})
}
