package server

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// freshness is how long an answer serves all who ask for it.
	freshness = time.Second
	// maxHeld bounds the bytes of answers that were replaced and are still being read.
	maxHeld = 16 << 20
)

// answers renders answers: each kind once a second at most, whoever asks. An answer is
// kept compressed, so that a client that reads slowly holds little. Where slow clients
// hold too many old answers, the last one serves on until they have read theirs or are
// cut off.
type answers struct {
	log      *slog.Logger
	freshFor time.Duration
	zips     sync.Pool // of *gzip.Writer
	plains   sync.Pool // of *plain

	mu   sync.Mutex
	held int // bytes of answers that were replaced and are still being read
}

// kind is one kind of answer, such as the metrics in one format.
type kind struct {
	name   string        // for the log
	tagged bool          // clients may ask whether it changed
	busy   chan struct{} // of size 1; full while somebody renders or takes the last answer
	last   *answer
}

func newKind(name string) *kind { return &kind{name: name, busy: make(chan struct{}, 1)} }

// answer is a rendered body, read-only until nobody reads it.
type answer struct {
	what     string // which of its kind
	at       time.Time
	zip      []byte
	tag      string // of the content, if the kind is tagged
	err      error
	readers  int  // guarded by the mutex of answers
	replaced bool // the same
}

func newAnswers(log *slog.Logger) *answers {
	s := &answers{log: log, freshFor: freshness}
	s.zips.New = func() any {
		// Compressing is most of a scrape: the best speed takes a quarter of the default's
		// time, for answers a tenth longer.
		zip, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // an error for bad levels only
		return zip
	}
	s.plains.New = func() any { return &plain{} }
	return s
}

// serve answers with what render writes, or wrote for somebody else a moment ago. What
// tells answers of a kind apart. The Content-Type is set already.
func (s *answers) serve(w http.ResponseWriter, r *http.Request, k *kind, what string, render func(io.Writer) error) {
	select {
	case k.busy <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	a := s.take(k, what, render)
	<-k.busy
	if a == nil {
		http.Error(w, "too many slow clients at once", http.StatusServiceUnavailable)
		return
	}
	defer s.release(a)
	if a.err != nil {
		http.Error(w, "this cannot be shown; the log says why", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Encoding")
	if k.tagged {
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", a.tag)
		if hasTag(r.Header, a.tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if takesGzip(r.Header) {
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(a.zip)))
		_, _ = w.Write(a.zip)
		return
	}
	p := s.plains.Get().(*plain) //nolint:forcetypeassert // it has no others
	p.copy(w, a.zip)
	s.plains.Put(p)
}

// take returns the last answer of a kind if it will do, else a new one, and nil if the
// last one neither does nor can be replaced. Its caller must release it.
func (s *answers) take(k *kind, what string, render func(io.Writer) error) *answer {
	if last := k.last; last == nil || last.what != what || time.Since(last.at) >= s.freshFor {
		spare, replaced := s.replace(last)
		if replaced {
			k.last = s.render(k.name, spare, render)
			if k.last.what = what; k.tagged {
				k.last.tag = tagOf(k.last.zip)
			}
		} else if last.what != what {
			return nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k.last.readers++
	return k.last
}

// replace gives up an answer, and returns its memory if nobody reads it any more. It
// reports false if too many bytes are held for readers of old answers.
func (s *answers) replace(a *answer) (spare []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case a == nil:
	case a.readers == 0:
		spare = a.zip
	case s.held > 0 && s.held+cap(a.zip) > maxHeld:
		return nil, false
	default:
		a.replaced = true
		s.held += cap(a.zip)
	}
	return spare, true
}

// release ends the reading of an answer.
func (s *answers) release(a *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.readers--; a.readers == 0 && a.replaced {
		s.held -= cap(a.zip)
	}
}

// render makes an answer; a panic is the error of this one alone.
func (s *answers) render(name string, spare []byte, render func(io.Writer) error) (a *answer) {
	a = &answer{}
	buffer := bytes.NewBuffer(spare[:0])
	zip := s.zips.Get().(*gzip.Writer) //nolint:forcetypeassert // it has no others
	defer func() {
		if p := recover(); p != nil {
			a.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if a.err != nil {
			s.log.Error("answer cannot be rendered", "answer", name, "err", a.err)
		}
		a.at, a.zip = time.Now(), buffer.Bytes()
		zip.Reset(io.Discard)
		s.zips.Put(zip)
	}()
	zip.Reset(buffer)
	a.err = errors.Join(render(zip), zip.Close())
	return a
}

// plain undoes the compression for clients that do not take it.
type plain struct {
	zip    gzip.Reader
	from   bytes.Reader
	buffer [16 << 10]byte
}

// copy writes an answer as it was before it was compressed.
func (p *plain) copy(w io.Writer, zip []byte) {
	p.from.Reset(zip)
	if p.zip.Reset(&p.from) == nil {
		_, _ = io.CopyBuffer(struct{ io.Writer }{w}, &p.zip, p.buffer[:]) // w would take a buffer of its own
	}
	p.from.Reset(nil)
}

// tagOf returns the entity tag of a content. It is a weak one: the same content is sent in
// two encodings.
func tagOf(zip []byte) string {
	sum := sha256.Sum256(zip)
	return fmt.Sprintf(`W/"%x"`, sum[:16])
}

// hasTag reports whether a client has what a weak tag stands for.
func hasTag(h http.Header, tag string) bool {
	for offer := range strings.SplitSeq(strings.Join(h.Values("If-None-Match"), ","), ",") {
		if offer = strings.TrimSpace(offer); offer == "*" || offer == tag || "W/"+offer == tag {
			return true
		}
	}
	return false
}

// takesGzip reports whether a client names gzip and does not refuse it.
func takesGzip(h http.Header) bool {
	for offer := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		coding, weight, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(offer), " ", ""), ";")
		if coding == "gzip" {
			q, err := strconv.ParseFloat(strings.TrimPrefix(weight, "q="), 64)
			return weight == "" || err == nil && q > 0
		}
	}
	return false
}
