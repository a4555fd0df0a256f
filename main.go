// Command aliyun_cas_exporter watches the certificate deployment jobs of Alibaba
// Cloud Certificate Management Service and serves what it saw to Prometheus.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"aliyun_cas_exporter/internal/app"
)

// gcPercent is less than half of Go's default: next to the work that is spread over a day, memory
// costs more than collecting it.
const gcPercent = 40

func main() {
	if set := debug.SetGCPercent(gcPercent); set != 100 {
		debug.SetGCPercent(set) // GOGC asks for it
	}
	// Nothing needs a reload. By default SIGHUP ends the program, which service managers
	// take for a clean end.
	signal.Ignore(syscall.SIGHUP)
	// Only net/http uses this logger, for what a server sent unasked: that can hold secrets.
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(app.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
