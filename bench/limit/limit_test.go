package limit_test

import (
	"testing"
	"time"

	"aliyun_cas_exporter/bench/limit"
)

func TestLimit(t *testing.T) {
	for name, test := range map[string]struct {
		api   limit.API
		rows  int
		pages int
		time  time.Duration
	}{
		"nothing":          {limit.API{PageSize: 50, Concurrency: 4, Rate: 1000, Latency: 50 * time.Millisecond}, 0, 1, 50 * time.Millisecond},
		"bound by latency": {limit.API{PageSize: 50, Concurrency: 4, Rate: 1000, Latency: 50 * time.Millisecond}, 100_000, 2000, 25 * time.Second},
		"bound by rate":    {limit.API{PageSize: 50, Concurrency: 16, Rate: 100, Latency: 50 * time.Millisecond}, 100_000, 2000, 20 * time.Second},
		"a page more":      {limit.API{PageSize: 50, Concurrency: 4, Rate: 1000, Latency: 50 * time.Millisecond}, 201, 5, 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.api.Pages(test.rows); got != test.pages {
				t.Errorf("got %d pages, want %d", got, test.pages)
			}
			if got := test.api.Time(test.pages); got != test.time {
				t.Errorf("got %v, want %v", got, test.time)
			}
		})
	}
}
