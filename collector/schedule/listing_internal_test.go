package schedule

import (
	"strings"
	"testing"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// TestTextsOfAListing are bounded in all.
func TestTextsOfAListing(t *testing.T) {
	jobs := map[int64]*cas.Job{}
	name := strings.Repeat("x", 1<<20)
	for id := range int64(maxText >> 20) {
		jobs[id] = &cas.Job{Name: name}
	}
	if err := tooLong(jobs); err != nil {
		t.Errorf("texts of the limit are refused: %v", err)
	}
	jobs[0].CertType = "x"
	if err := tooLong(jobs); reason.Of(err) != reason.Limit {
		t.Errorf("got %v for more than the limit, want reason limit", err)
	}
}
