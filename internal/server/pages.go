package server

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
)

//go:embed start.html runbooks.html style.css
var assets embed.FS

// maxListed is how many jobs of an account the start page lists.
const maxListed = 500

// pages are what people look at.
type pages struct {
	options   Options
	templates *template.Template
	guide     template.HTML
}

func newPages(o Options) (*pages, error) {
	var guide bytes.Buffer
	markdown := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	if err := markdown.Convert([]byte(o.Runbooks), &guide); err != nil {
		return nil, fmt.Errorf("render the runbooks: %w", err)
	}
	templates, err := template.New("").Funcs(template.FuncMap{
		"visible": visible, "advice": advice, "class": classOf,
		"age":   func(at time.Time) string { return age(o.Now().Sub(at)) },
		"utc":   func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") },
		"bar":   bar,
		"first": first,
	}).ParseFS(assets, "*.html")
	if err != nil {
		return nil, fmt.Errorf("parse the pages: %w", err)
	}
	return &pages{o, templates, template.HTML(guide.String())}, nil //nolint:gosec // the program's own text
}

func (p *pages) start(w http.ResponseWriter, _ *http.Request) {
	status := p.options.Status()
	for i := range status.Accounts {
		status.Accounts[i].Jobs = byTrouble(status.Accounts[i].Jobs)
	}
	p.serve(w, "start.html", status)
}

func (p *pages) runbooks(w http.ResponseWriter, _ *http.Request) {
	p.serve(w, "runbooks.html", p.guide)
}

func (p *pages) style(w http.ResponseWriter, _ *http.Request) {
	text, _ := assets.ReadFile("style.css")
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=300")
	_, _ = w.Write(text)
}

func (p *pages) serve(w http.ResponseWriter, name string, data any) {
	var page bytes.Buffer
	if err := p.templates.ExecuteTemplate(&page, name, data); err != nil {
		p.options.Logger.Error("page cannot be built", "page", name, "err", err)
		http.Error(w, "the page cannot be built", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(page.Bytes())
}

// age writes how long ago something was, in one unit.
func age(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Second:
		return "now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}

// segment is a part of a bar, in hundredths of its length.
type segment struct {
	Count
	X, Width string
}

// bar divides a job's workers by status. A status with any worker can be seen.
func bar(j Job) []segment {
	const least = 1.5
	var shown, scale float64
	for _, c := range j.Workers {
		if c.N > 0 {
			shown++
		}
	}
	scale = (100 - least*shown) / max(1, float64(j.Total()))
	var segments []segment
	x := 0.0
	for _, c := range j.Workers {
		if c.N > 0 {
			width := least + float64(c.N)*scale
			segments = append(segments, segment{c, number(x), number(width)})
			x += width
		}
	}
	return segments
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }

// first returns the jobs that are listed.
func first(jobs []Job) []Job { return jobs[:min(len(jobs), maxListed)] }
