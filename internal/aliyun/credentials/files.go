package credentials

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"aliyun_cas_exporter/internal/aliyun/rpc"
)

// files are a key in files, as a Secret is mounted: key id, secret and, unless its
// path is empty, security token. They are read each time, because neither times nor
// inodes show every change, especially through symbolic links.
type files struct {
	paths [3]string
	used  [3]string // the texts of the last fetch
}

func (f *files) fetch(_ context.Context, refused bool) (lease, error) {
	texts, err := f.settled()
	if err != nil {
		return lease{}, err
	}
	// While files are written one by one, they hold parts of two keys. The old key is
	// used until all have changed, unless it was refused.
	if f.half(texts) && !refused {
		texts = f.used
	}
	f.used = texts
	return lease{cred: rpc.NewCredentials(texts[0], texts[1], texts[2])}, nil
}

// half reports whether some parts of the key changed, but not all.
func (f *files) half(texts [3]string) bool {
	parts, changed := 0, 0
	for i, path := range f.paths {
		if path == "" || f.used[i] == "" {
			continue
		}
		parts++
		if texts[i] != f.used[i] {
			changed++
		}
	}
	return changed != 0 && changed != parts
}

// settled reads the files until two readings in a row agree. Kubernetes switches a
// symbolic link, perhaps in the middle of a reading; then the next one differs.
func (f *files) settled() ([3]string, error) {
	for range 5 {
		first, err := f.read()
		if err != nil {
			return first, err
		}
		if second, err := f.read(); err == nil && first == second {
			return first, nil
		}
	}
	return [3]string{}, errors.New("the key files change faster than they can be read")
}

func (f *files) read() (texts [3]string, err error) {
	for i, path := range f.paths {
		if path == "" {
			continue
		}
		if texts[i], err = readWord(path); err != nil {
			return texts, fmt.Errorf("%s file: %w", []string{"access key id", "access key secret", "security token"}[i], err)
		}
	}
	return texts, nil
}

// readWord reads a file that holds one word: a key, a token.
func readWord(path string) (string, error) {
	text, err := readText(path)
	switch {
	case err != nil:
		return "", err
	case !isWord(text):
		return "", errors.New("holds white space or invisible characters")
	case hasQuotes(text):
		return "", errors.New("contains quotes; keys never do")
	}
	return text, nil
}

// CheckFile reads a file that holds a key or a token, and returns why it cannot be used.
// A file that does not exist is no error, because it can come later. A pipe or a device
// is not opened: reading could empty it, or wait.
func CheckFile(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return nil
	}
	if _, err = readWord(path); errors.Is(err, errNotExist) {
		return nil
	}
	return err
}

// isWord reports whether a text can be a key, a token or a role.
func isWord(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsGraphic(r) || r == ' ' })
}

// hasQuotes reports whether a text was copied with its quotes.
func hasQuotes(text string) bool { return strings.ContainsAny(text, "\"'`") }

// readText reads a small file. Its errors tell neither path nor content: a secret
// that was set where a path belongs would be in both.
func readText(path string) (string, error) {
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", errNotExist
	case errors.Is(err, os.ErrPermission):
		return "", errors.New("cannot be read: permission denied")
	case err != nil:
		return "", errors.New("cannot be opened")
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxAnswer))
	switch {
	case errors.Is(err, syscall.EISDIR):
		return "", errors.New("is a directory")
	case err != nil:
		return "", errors.New("cannot be read")
	}
	trimmed := strings.TrimSpace(strings.TrimPrefix(string(text), "\ufeff")) // editors put a byte order mark there
	switch {
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return "", errors.New("is not UTF-8: it has a byte order mark of UTF-16")
	case !utf8.ValidString(trimmed):
		return "", errors.New("is not UTF-8")
	case trimmed == "":
		return "", errors.New("is empty")
	}
	return trimmed, nil
}

var errNotExist = errors.New("does not exist")
