package schedule

import (
	"errors"
	"maps"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/reason"
)

// TestRounds walks through the life of rounds: a, which moves, b at rest, and c, which is
// being polled when the tick comes.
func TestRounds(t *testing.T) {
	a, b, c, d := waiting(1, moving, epoch(), true), waiting(2, due, epoch(), true), waiting(3, moving, epoch(), true), waiting(4, moving, epoch(), true)
	tick, next := epoch(), epoch().Add(pollEvery)
	holds := func(r *round, want ...*job) {
		t.Helper()
		open := map[*job]bool{}
		for _, j := range want {
			open[j] = true
		}
		if !maps.Equal(r.open, open) {
			t.Errorf("%d jobs are open, want %d", len(r.open), len(open))
		}
	}
	none := round{}
	none.update(tick, []*job{a}, nil, true)
	none.failed(errors.New("x"))
	if none.running() || none.done() || none.anyOf([]*job{a}) {
		t.Error("a round runs that nobody began")
	}

	slow := newRound(tick, nil)
	slow.update(next, []*job{a}, map[int64]*job{c.id: c}, true) // its listing ends after the next tick
	holds(&slow, a, c)

	r := newRound(tick, map[string]float64{"ListDeploymentJob": 10})
	r.update(tick, nil, nil, false)
	if r.done() {
		t.Error("the round ended before its listing")
	}
	r.update(tick, []*job{a, b}, map[int64]*job{c.id: c}, true)
	holds(&r, a, b, c)
	if r.done() || !r.anyOf([]*job{a}) || r.anyOf([]*job{d}) {
		t.Error("the round must last, and be that of a but not of d")
	}

	// The next tick is skipped, as a still waits. c was polled; d is new, and for a later round.
	delete(r.open, c)
	r.update(next, []*job{a, b, d}, nil, true)
	holds(&r, a, b)

	// a is polled, and its poll fails. b alone does not keep the round from its end.
	r.failed(reason.Errorf(reason.Limit, "too large"))
	delete(r.open, a)
	if r.anyOf([]*job{d}) || r.done() {
		t.Error("only b must be left")
	}
	ended := r.end(map[string]float64{"ListDeploymentJob": 14})
	if ended.Failures[reason.Limit] != 1 || len(ended.Failures) != 1 || ended.Requests["ListDeploymentJob"] != 4 || ended.Ended.IsZero() {
		t.Errorf("the round ended as %+v, want one failure as limit and 4 requests", ended)
	}

	// b goes on into the round after it.
	r = newRound(next.Add(time.Minute), nil)
	r.update(next.Add(time.Minute), []*job{b}, map[int64]*job{d.id: d}, true)
	holds(&r, b, d)
	delete(r.open, b)
	delete(r.open, d)
	if !r.done() {
		t.Error("the round must end with its last job")
	}
}
