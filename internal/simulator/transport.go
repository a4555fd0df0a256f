package simulator

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// Transport returns a RoundTripper that calls the simulator without a socket, so
// that it works in a bubble of testing/synctest.
func (s *Simulator) Transport() http.RoundTripper { return inProcess{s} }

// inProcess calls a handler in a goroutine that ends with the request's context
// or when the body is closed.
type inProcess struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	body, sink := io.Pipe()
	w := &pipeWriter{header: http.Header{}, sink: sink, started: make(chan struct{}), left: -1}
	context.AfterFunc(ctx, func() { _ = sink.CloseWithError(context.Cause(ctx)) })
	go func() {
		defer func() {
			if recover() != nil {
				w.finish(errors.New("connection reset by peer"))
			} else {
				w.finish(context.Cause(ctx)) // a handler that left because the caller did has not finished
			}
		}()
		served := req.Clone(ctx)
		if served.Body == nil {
			served.Body = http.NoBody
		}
		t.handler.ServeHTTP(w, served)
	}()
	select {
	case <-w.started:
	case <-ctx.Done():
		cancel()
		return nil, context.Cause(req.Context())
	}
	if w.failed != nil {
		cancel()
		return nil, w.failed
	}
	resp := &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: closing{body, body, cancel}, ContentLength: -1, Request: req,
	}
	if w.sent.Get("Content-Encoding") == "gzip" && req.Header.Get("Accept-Encoding") == "" {
		resp.Body = closing{&gunzip{from: body}, body, cancel}
	}
	return resp, nil
}

// pipeWriter is the handler's side.
type pipeWriter struct {
	header, sent http.Header
	status       int
	sink         *io.PipeWriter
	left         int // announced and not written yet, -1 if nothing is announced
	started      chan struct{}
	failed       error
}

// Header implements http.ResponseWriter.
func (w *pipeWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *pipeWriter) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status, w.sent = status, w.header.Clone()
	if n, err := strconv.Atoi(w.header.Get("Content-Length")); err == nil {
		w.left = n
	}
	close(w.started)
}

// Write implements io.Writer.
func (w *pipeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	n, err := w.sink.Write(p)
	if w.left >= 0 {
		w.left = max(0, w.left-n)
	}
	return n, err
}

// Flush implements http.Flusher; nothing is held back.
func (w *pipeWriter) Flush() { w.WriteHeader(http.StatusOK) }

func (w *pipeWriter) finish(failed error) {
	if w.status == 0 && failed != nil {
		w.status, w.failed = -1, failed
		close(w.started)
		return
	}
	w.WriteHeader(http.StatusOK)
	if failed == nil && w.left > 0 {
		failed = io.ErrUnexpectedEOF
	}
	_ = w.sink.CloseWithError(failed)
}

// closing ends the handler with the body.
type closing struct {
	io.Reader
	pipe   *io.PipeReader
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (c closing) Close() error {
	c.cancel()
	return c.pipe.Close()
}

// gunzip opens the stream at the first read, when something has arrived.
type gunzip struct {
	from io.Reader
	zip  *gzip.Reader
}

// Read implements io.Reader.
func (g *gunzip) Read(p []byte) (int, error) {
	if g.zip == nil {
		zip, err := gzip.NewReader(g.from)
		if err != nil {
			return 0, err
		}
		g.zip = zip
	}
	return g.zip.Read(p)
}
