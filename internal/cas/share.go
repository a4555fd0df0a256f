package cas

import "time"

// share is a process's part of an account's rate. Time is cut into slots, one for
// each process in turn, and a call begins with a slot: so all of them together keep
// to the rate in every second, as far as their clocks agree.
type share struct {
	slot        time.Duration
	turn, turns int
}

func newShare(o Options) share {
	return share{time.Duration(float64(time.Second) / o.RequestsPerSecond), o.Shard, o.TotalShards}
}

// wait returns how long it is to the beginning of the process's next slot.
func (s share) wait(now time.Time) time.Duration {
	if s.turns <= 1 {
		return 0
	}
	frame := s.slot * time.Duration(s.turns)
	since := (time.Duration(now.UnixNano())%frame - s.slot*time.Duration(s.turn) + frame) % frame
	return (frame - since) % frame
}
