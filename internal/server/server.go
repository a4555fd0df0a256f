package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/net/netutil"
)

const (
	// maxConnections are served; more wait until one of them ends.
	maxConnections = 512
	// maxStreams is how many requests an HTTP/2 connection may have open.
	maxStreams = 16
	// writeTimeout cuts off clients that do not read; Prometheus gives up sooner.
	writeTimeout = 30 * time.Second
	// goodbye is how long a scrape may still take after the program was told to end.
	goodbye = 500 * time.Millisecond
)

// Options configure a Server. Every field is required but those marked.
type Options struct {
	ListenAddress string
	WebConfigFile string // optional
	EnablePprof   bool
	Gatherer      prometheus.Gatherer
	Facts         Facts // optional; not in Gatherer
	Ready         func() bool
	Status        func() Status
	Runbooks      string // Markdown
	Logger        *slog.Logger
	Now           func() time.Time // optional: time.Now
}

// Facts is a collector that can write its metrics as text without making them first,
// which is most of what a scrape of many series costs.
type Facts interface {
	prometheus.Collector
	// WriteText writes what Collect collects in the classic text format, or as
	// OpenMetrics without the line that ends it.
	WriteText(w io.Writer, openMetrics bool) error
}

// Server serves one exporter.
type Server struct {
	options Options
	http    *http.Server
}

// New returns a Server that listens nowhere yet, or an error when a page cannot
// be built.
func New(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	pages, err := newPages(o)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	answers := newShared(o.Logger)
	scrapes, err := newScrapes(o, answers)
	if err != nil {
		return nil, err
	}
	mux.Handle("GET /metrics", scrapes)
	mux.HandleFunc("GET /-/healthy", text(func() (int, string) { return http.StatusOK, "healthy\n" }))
	mux.HandleFunc("GET /-/ready", text(func() (int, string) {
		if !o.Ready() {
			return http.StatusServiceUnavailable, "the first poll has not ended\n"
		}
		return http.StatusOK, "ready\n"
	}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		answers.serve(w, r, "text/html; charset=utf-8", pages.start)
	})
	mux.Handle("GET /runbooks", pages.runbooks)
	for _, name := range []string{"style.css", "icon.svg"} {
		mux.Handle("GET /"+name, asset(name))
	}
	if o.EnablePprof {
		profiles(mux)
	}
	return &Server{options: o, http: &http.Server{
		Handler:           secured(mux),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug), // clients' faults, not ours
	}}, nil
}

// Handler returns what is served.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Run listens and serves until ctx ends; then it returns nil.
func (s *Server) Run(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.options.ListenAddress)
	if err != nil {
		return err
	}
	return s.serve(ctx, listener)
}

func (s *Server) serve(ctx context.Context, listener net.Listener) error {
	failed := make(chan error, 1)
	go func() {
		flags := &web.FlagConfig{WebConfigFile: &s.options.WebConfigFile}
		failed <- web.Serve(netutil.LimitListener(listener, maxConnections), s.http, flags, s.options.Logger)
	}()
	select {
	case err := <-failed:
		_ = listener.Close()
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	if s.http.Shutdown(end) != nil {
		_ = s.http.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// secured sets the headers of every answer.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

func text(answer func() (int, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		status, body := answer()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// profiles serves net/http/pprof, which itself extends the time for an answer.
func profiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}
