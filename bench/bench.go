package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// figure is one result of a run.
type figure struct {
	name  string
	value float64
	unit  string
	goal  string // empty: there is none
}

// bench has what experiments need.
type bench struct {
	root, exporter, naive, bare string // the checkout, the programs
}

// build makes the programs as a release does.
func build() (b *bench, clean func(), err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, nil, err
	}
	clean = func() { _ = os.RemoveAll(dir) }
	b = &bench{root: "..", exporter: filepath.Join(dir, "exporter"), naive: filepath.Join(dir, "naive"), bare: filepath.Join(dir, "bare")}
	for _, program := range []struct{ path, module, source string }{
		{b.exporter, b.root, "."}, {b.naive, ".", "./naive"}, {b.bare, ".", "./bare"},
	} {
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program.path, program.source)
		cmd.Dir, cmd.Env = program.module, append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			clean()
			return nil, nil, fmt.Errorf("build: %w\n%s", err, text)
		}
	}
	return b, clean, nil
}
