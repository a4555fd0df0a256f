package server

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
)

// maxClients is how many clients are answered at once; more get status 503.
const maxClients = 256

// shared renders answers: once for all who ask for the same while it is rendered,
// and one at a time. Whatever clients do, there is one rendering in memory and on
// one processor, and a client that reads slowly holds a compressed answer, not the
// metrics behind it.
//
// promhttp can share gathers too, but shares one until its last reader is gone, so
// that slow readers in a row would freeze what everyone is served.
type shared struct {
	log     *slog.Logger
	clients chan struct{} // that are being answered
	turn    chan struct{} // to render, of size 1
	zip     *gzip.Writer  // of whose turn it is

	mu      sync.Mutex
	running map[string]*answer // by content type
}

// answer is a rendered body, complete and read-only once done is closed.
type answer struct {
	done chan struct{}
	zip  bytes.Buffer
	err  error
}

func newShared(log *slog.Logger) *shared {
	// Compressing is most of a scrape: the best speed takes a quarter of the default's
	// time, for answers a tenth longer.
	zip, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // an error for bad levels only
	return &shared{
		log: log, clients: make(chan struct{}, maxClients),
		turn: make(chan struct{}, 1), zip: zip, running: map[string]*answer{},
	}
}

// serve answers with what render writes. Each kind of answer has a content type of
// its own.
func (s *shared) serve(w http.ResponseWriter, r *http.Request, contentType string, render func(io.Writer) error) {
	select {
	case s.clients <- struct{}{}:
		defer func() { <-s.clients }()
	default:
		http.Error(w, "too many clients at once", http.StatusServiceUnavailable)
		return
	}
	a := s.join(contentType, render)
	select {
	case <-a.done:
	case <-r.Context().Done():
		return
	}
	if a.err != nil {
		http.Error(w, "this cannot be shown; the log says why", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Encoding")
	a.send(w, r)
}

// join returns the answer of that type that is being rendered, or renders it.
func (s *shared) join(contentType string, render func(io.Writer) error) *answer {
	s.mu.Lock()
	a, joined := s.running[contentType]
	if !joined {
		a = &answer{done: make(chan struct{})}
		s.running[contentType] = a
	}
	s.mu.Unlock()
	if !joined {
		s.turn <- struct{}{}
		s.render(a, contentType, render)
		<-s.turn
	}
	return a
}

// render makes an answer; those who wait for it go on whatever happens.
func (s *shared) render(a *answer, contentType string, render func(io.Writer) error) {
	defer func() {
		if p := recover(); p != nil {
			a.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if a.err != nil {
			s.log.Error("answer cannot be rendered", "content_type", contentType, "err", a.err)
		}
		s.mu.Lock()
		delete(s.running, contentType)
		s.mu.Unlock()
		close(a.done)
	}()
	s.zip.Reset(&a.zip)
	a.err = errors.Join(render(s.zip), s.zip.Close())
}

// send writes an answer, compressed for those who take that.
func (a *answer) send(w http.ResponseWriter, r *http.Request) {
	if takesGzip(r.Header) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", strconv.Itoa(a.zip.Len()))
		_, _ = w.Write(a.zip.Bytes())
		return
	}
	if plain, err := gzip.NewReader(bytes.NewReader(a.zip.Bytes())); err == nil {
		_, _ = io.Copy(w, plain) //nolint:gosec // we compressed it ourselves
	}
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
