package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/exporter-toolkit/web"
)

const (
	// maxScrapes is how many scrapes are answered at once; more get status 503.
	maxScrapes = 256
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
	Ready         func() bool
	Status        func() Status
	Runbooks      string // Markdown
	Logger        *slog.Logger
	Now           func() time.Time // optional: time.Now
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
	mux.Handle("GET /metrics", metrics(o))
	mux.HandleFunc("GET /-/healthy", text(func() (int, string) { return http.StatusOK, "healthy\n" }))
	mux.HandleFunc("GET /-/ready", text(func() (int, string) {
		if !o.Ready() {
			return http.StatusServiceUnavailable, "the first poll has not ended\n"
		}
		return http.StatusOK, "ready\n"
	}))
	mux.HandleFunc("GET /{$}", pages.start)
	mux.HandleFunc("GET /runbooks", pages.runbooks)
	mux.HandleFunc("GET /style.css", pages.style)
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
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug), // clients' faults, not ours
	}}, nil
}

// Handler returns what is served.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Run listens and serves until ctx ends; then it returns nil.
func (s *Server) Run(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() {
		systemd := false
		failed <- web.ListenAndServe(s.http, &web.FlagConfig{
			WebListenAddresses: &[]string{s.options.ListenAddress},
			WebSystemdSocket:   &systemd,
			WebConfigFile:      &s.options.WebConfigFile,
		}, s.options.Logger)
	}()
	select {
	case err := <-failed:
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

// metrics serves a gatherer in every format that Prometheus asks for. What can be
// gathered is served although something else cannot: one broken part must not
// hide the others.
func metrics(o Options) http.Handler {
	return promhttp.HandlerFor(&sharedGatherer{from: o.Gatherer}, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(o.Logger.Handler(), slog.LevelError),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
		EnableOpenMetrics:   true,
	})
}

// secured sets the headers of every answer.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
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

// profiles serves net/http/pprof, whose profiles take longer than other answers.
func profiles(mux *http.ServeMux) {
	patient := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(5 * time.Minute))
			next(w, r)
		}
	}
	mux.HandleFunc("GET /debug/pprof/", patient(pprof.Index))
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", patient(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", patient(pprof.Trace))
}
