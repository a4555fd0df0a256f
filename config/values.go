package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Duration is a time.Duration that is also read in Prometheus' notation (7d).
type Duration time.Duration

// Decode implements envconfig.Decoder.
func (d *Duration) Decode(text string) error {
	if v, err := time.ParseDuration(text); err == nil {
		*d = Duration(v)
		return nil
	}
	v, err := model.ParseDuration(text)
	if err != nil {
		return errors.New("is not a duration such as 30s, 1h30m or 7d")
	}
	*d = Duration(v)
	return nil
}

// String returns the duration without trailing zero units: 1m, not 1m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// List is a comma-separated list without empty items.
type List []string

// Decode implements envconfig.Decoder.
func (l *List) Decode(text string) error {
	*l = nil
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" && !slices.Contains(*l, item) {
			*l = append(*l, item)
		}
	}
	return nil
}

// String returns the items with commas.
func (l List) String() string { return strings.Join(l, ",") }

// File is the path of a file with a secret. It is printed only if the file exists:
// otherwise somebody may have set the secret itself.
type File string

func (f File) shown() string {
	if f == "" || exists(string(f)) {
		return string(f)
	}
	return "[" + problem(string(f)) + "]"
}

// Format writes the path, or why there is no such file.
func (f File) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, f.shown()) }

// MarshalText returns the path, or why there is no such file.
func (f File) MarshalText() ([]byte, error) { return []byte(f.shown()), nil }

// LogValue returns the path, or why there is no such file.
func (f File) LogValue() slog.Value { return slog.StringValue(f.shown()) }

// Secret is a text that cannot be printed: every way of formatting it yields a
// mask, or nothing if it is empty. Convert it to a string where it is used.
type Secret string

func (s Secret) mask() string {
	if s == "" {
		return ""
	}
	return "[hidden]"
}

// Format writes the mask, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.mask()) }

// MarshalText returns the mask.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.mask()), nil }

// LogValue returns the mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.mask()) }

// quote shows a value in a message, shortened.
func quote(text string) string {
	if len(text) > 40 {
		text = strings.ToValidUTF8(text[:40], "") + "..."
	}
	return fmt.Sprintf("%q", text)
}

func exists(path string) bool { return problem(path) == "" }

// problem returns why there is no such file, without its path; empty if there is one.
func problem(path string) string {
	_, err := os.Stat(path)
	if problem, ok := errors.AsType[*fs.PathError](err); ok {
		return problem.Err.Error()
	}
	return ""
}
