package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/internal/server"
)

// once polls once and prints what it saw.
func once(ctx context.Context, accounts schedule.Accounts, facts *collector.Collector, registry prometheus.Gatherer, stdout io.Writer) error {
	facts.AsOf(time.Now()) // all that is read is shown, however long that takes
	ok := accounts.Poll(ctx)
	if ctx.Err() != nil {
		return errors.New("interrupted: nothing is printed")
	}
	if err := server.WriteText(stdout, registry, facts); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	// A comment to parsers; to who publishes the output, the sign that it is whole.
	if _, err := fmt.Fprintln(stdout, "# EOF"); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if !ok {
		return errors.New("not every job could be read")
	}
	return nil
}
