package sweep

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"aliyun_cas_exporter/internal/reason"
)

// maxReads is how often a listing is read before it counts as incomplete.
const maxReads = 3

// Page is one page of a listing, as the API gave it.
type Page[T any] struct {
	Rows  []T
	Total int64 // rows of all pages
}

// Listing describes how to read all pages of one listing. Every field is required.
type Listing[T any] struct {
	// Fetch reads page n, from 1. It may reuse the memory of spare, an earlier
	// page's rows.
	Fetch       func(ctx context.Context, n int, spare []T) (Page[T], error)
	ID          func(*T) int64
	PageSize    int                           // rows asked for
	Concurrency int                           // pages on their way at once
	MaxRows     int64                         // more fail as reason.Limit
	Timeout     func(pages int) time.Duration // of a read of so many pages
}

// Read reads the listing until one read is complete by itself, three times at most,
// and returns its number of pages. start is called before each read and returns the
// function that takes its distinct rows, in no order; a row's memory is the page's.
// After an error what it took is worthless.
func (l Listing[T]) Read(ctx context.Context, start func() func(*T)) (pages int, err error) {
	for range maxReads {
		pages, err = l.readOnce(ctx, start())
		if reason.Of(err) != reason.Incomplete {
			return pages, err
		}
	}
	return 0, fmt.Errorf("read %d times: %w", maxReads, err)
}

func (l Listing[T]) readOnce(ctx context.Context, add func(*T)) (pages int, err error) {
	first, err := l.firstPage(ctx)
	if err != nil {
		return 0, fmt.Errorf("page 1: %w", err)
	}
	if first.Total > l.MaxRows {
		return 0, reason.Errorf(reason.Limit, "%d rows are more than the limit of %d", first.Total, l.MaxRows)
	}
	r := reader[T]{Listing: l, first: first, full: first.fullPage(l.PageSize), add: add, seen: newIDSet()}
	if err := r.take(1, first); err != nil {
		return 0, err
	}
	pages = max(1, int((first.Total+r.full-1)/r.full))
	if err := r.otherPages(ctx, pages); err != nil {
		return 0, err
	}
	if got := r.seen.n; got != first.Total {
		return 0, reason.Errorf(reason.Incomplete, "%d distinct rows of %d", got, first.Total)
	}
	return pages, nil
}

func (l Listing[T]) firstPage(ctx context.Context) (Page[T], error) {
	ctx, cancel := context.WithTimeout(ctx, l.Timeout(1))
	defer cancel()
	return l.Fetch(ctx, 1, nil)
}

// fullPage returns how many rows a full page has: as many as page 1 if others follow it.
// The API may give fewer than asked, and need not say so.
func (p Page[T]) fullPage(asked int) int64 {
	if held := int64(len(p.Rows)); 0 < held && held < p.Total {
		return held
	}
	return int64(asked)
}

// reader is one read of a listing.
type reader[T any] struct {
	Listing[T]
	first Page[T]
	full  int64

	mu   sync.Mutex
	add  func(*T)
	seen *idSet
}

// otherPages reads all pages but the first. One that does not fit ends the read:
// it could not become complete.
func (r *reader[T]) otherPages(ctx context.Context, pages int) error {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout(pages))
	defer cancel()
	group, within := errgroup.WithContext(ctx)
	var last atomic.Int64 // page that was asked for
	last.Store(1)
	for range min(r.Concurrency, pages-1) {
		group.Go(func() error {
			var rows []T
			for n := int(last.Add(1)); n <= pages && within.Err() == nil; n = int(last.Add(1)) {
				p, err := r.Fetch(within, n, rows)
				if err != nil {
					return fmt.Errorf("page %d: %w", n, err)
				}
				if err := r.take(n, p); err != nil {
					return err
				}
				rows = p.Rows
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

func (r *reader[T]) take(n int, p Page[T]) error {
	due := min(r.full, r.first.Total-int64(n-1)*r.full)
	switch got := int64(len(p.Rows)); {
	case p.Total != r.first.Total:
		return reason.Errorf(reason.Incomplete, "page %d reports a total of %d, page 1 of %d", n, p.Total, r.first.Total)
	case got < due, got > r.full && n > 1:
		return reason.Errorf(reason.Incomplete, "page %d holds %d rows of %d", n, got, due)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.seen.n
	for i := range p.Rows {
		if r.seen.add(r.ID(&p.Rows[i])) {
			r.add(&p.Rows[i])
		}
	}
	if r.seen.n == before && due > 0 {
		return reason.Errorf(reason.Incomplete, "page %d repeats rows of other pages", n)
	}
	return nil
}
