package credentials

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"aliyun_cas_exporter/internal/cas/rpc"
)

// files are a key in files, as a Secret is mounted. They are read each time:
// neither times nor inodes show every change, through symbolic links least of all.
type files struct{ id, secret, token string }

func (f files) fetch(context.Context) (lease, error) {
	// A rotation replaces one file after the other: what two readings in a row
	// agree on belongs together.
	for range 5 {
		first, err := f.read()
		if err != nil {
			return lease{}, err
		}
		if second, err := f.read(); err == nil && first == second {
			return lease{cred: rpc.NewCredentials(first[0], first[1], first[2])}, nil
		}
	}
	return lease{}, errors.New("the key files change faster than they can be read")
}

func (f files) read() (texts [3]string, err error) {
	for i, path := range []string{f.id, f.secret, f.token} {
		if path == "" {
			continue
		}
		if texts[i], err = readText(path); err != nil {
			return texts, fmt.Errorf("%s file: %w", []string{"access key id", "access key secret", "security token"}[i], err)
		}
	}
	return texts, nil
}

// readText reads a small file. Its errors tell neither path nor content: a secret
// that was set where a path belongs would be in both.
func readText(path string) (string, error) {
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return "", errors.New("does not exist")
		}
		return "", errors.New("cannot be opened")
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxAnswer))
	if err != nil {
		return "", errors.New("cannot be read")
	}
	trimmed := strings.TrimSpace(string(text))
	if trimmed == "" {
		return "", errors.New("is empty")
	}
	return trimmed, nil
}
