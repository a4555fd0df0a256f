package schedule

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Accounts are the accounts of a process, at least one.
type Accounts []*Account

// Run polls all accounts until ctx ends, their starts spread over a tenth of the
// interval.
func (as Accounts) Run(ctx context.Context) {
	var all sync.WaitGroup
	for i, a := range as {
		delay := a.PollInterval / 10 * time.Duration(i) / time.Duration(len(as))
		all.Go(func() { a.Run(ctx, delay) })
	}
	all.Wait()
}

// Poll reads every job of every account once, however long it takes, and reports
// whether all of it succeeded. It must not be called beside Run.
func (as Accounts) Poll(ctx context.Context) bool {
	ok := make([]bool, len(as))
	var all sync.WaitGroup
	for i, a := range as {
		all.Go(func() { ok[i] = a.Poll(ctx) })
	}
	all.Wait()
	return !slices.Contains(ok, false)
}

// Ready reports whether the first round of every account has ended.
func (as Accounts) Ready() bool {
	return !slices.ContainsFunc(as, func(a *Account) bool { return a.Round().Ended.IsZero() })
}
