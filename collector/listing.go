package collector

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

// page is one page of a listing, as the API gave it.
type page[T any] struct {
	rows     []T
	total    int64
	showSize int64 // rows of a full page as the API says, 0 if it does not
}

// listing describes how to read all pages of one listing.
type listing[T any] struct {
	fetch       func(ctx context.Context, n int, spare []T) (page[T], error) // of a page before, to be used again
	id          func(*T) int64
	size        int   // rows asked for
	concurrency int   // pages on their way at once
	limit       int64 // more rows fail as reason.Limit
	patience    func(pages int) time.Duration
	begun       func(pages int) // if not nil, is told what page 1 says of a read
}

// read reads all pages, calls add once for each distinct row, in no order, and
// returns the number of pages. After an error what add received is worthless.
func (l listing[T]) read(ctx context.Context, add func(*T)) (pages int, err error) {
	first, err := l.firstPage(ctx)
	if err != nil {
		return 0, fmt.Errorf("page 1: %w", err)
	}
	if first.total > l.limit {
		return 0, reason.Errorf(reason.Limit, "%d rows are more than the limit of %d", first.total, l.limit)
	}
	r := reader[T]{
		listing: l, first: first, full: first.fullPage(l.size), add: add,
		seen: newIDSet(),
	}
	if err := r.take(1, first); err != nil {
		return 0, err
	}
	pages = max(1, int((first.total+r.full-1)/r.full))
	if l.begun != nil {
		l.begun(pages)
	}
	if err := r.otherPages(ctx, pages); err != nil {
		return 0, err
	}
	if got := r.seen.n; got != first.total {
		return 0, reason.Errorf(reason.Incomplete, "%d distinct rows of %d", got, first.total)
	}
	return pages, nil
}

func (l listing[T]) firstPage(ctx context.Context) (page[T], error) {
	ctx, cancel := context.WithTimeout(ctx, l.patience(1))
	defer cancel()
	return l.fetch(ctx, 1, nil)
}

// fullPage returns how many rows a full page has. The answer is believed: it may
// be smaller than asked, and larger where page 1 really is.
func (p page[T]) fullPage(asked int) int64 {
	full, held := int64(asked), int64(len(p.rows))
	if p.showSize == 0 && 0 < held && held < min(full, p.total) {
		return held // nothing is said, and more are to come
	}
	if 0 < p.showSize && p.showSize < full {
		return max(p.showSize, held)
	}
	if p.showSize > full && int64(len(p.rows)) >= min(p.showSize, p.total) {
		return p.showSize
	}
	return full
}

// reader is one read of a listing.
type reader[T any] struct {
	listing[T]
	first page[T]
	full  int64

	mu   sync.Mutex
	add  func(*T)
	seen *idSet
}

// otherPages reads all pages but the first. One that does not fit ends the read:
// it could not become complete.
func (r *reader[T]) otherPages(ctx context.Context, pages int) error {
	ctx, cancel := context.WithTimeout(ctx, r.patience(pages))
	defer cancel()
	group, within := errgroup.WithContext(ctx)
	var last atomic.Int64 // page that was begun
	last.Store(1)
	for range min(r.concurrency, pages-1) {
		group.Go(func() error {
			var rows []T
			for n := int(last.Add(1)); n <= pages && within.Err() == nil; n = int(last.Add(1)) {
				p, err := r.fetch(within, n, rows)
				if err != nil {
					return fmt.Errorf("page %d: %w", n, err)
				}
				if err := r.take(n, p); err != nil {
					return err
				}
				rows = p.rows
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

func (r *reader[T]) take(n int, p page[T]) error {
	due := min(r.full, r.first.total-int64(n-1)*r.full)
	switch got := int64(len(p.rows)); {
	case p.total != r.first.total:
		return reason.Errorf(reason.Incomplete, "page %d reports a total of %d, page 1 of %d", n, p.total, r.first.total)
	case got < due:
		return reason.Errorf(reason.Incomplete, "page %d holds %d rows of %d", n, got, due)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range p.rows {
		if r.seen.add(r.id(&p.rows[i])) {
			r.add(&p.rows[i])
		}
	}
	return nil
}

// readComplete reads a listing until one read is complete by itself, at most
// maxReads times, and returns its number of pages. start returns where the rows of
// a fresh read go.
func readComplete[T any](ctx context.Context, l listing[T], start func() func(*T)) (pages int, err error) {
	for range maxReads {
		pages, err = l.read(ctx, start())
		if reason.Of(err) != reason.Incomplete {
			return pages, err
		}
	}
	return 0, fmt.Errorf("read %d times: %w", maxReads, err)
}
