package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/config"
	"aliyun_cas_exporter/internal/server"
)

// once polls once and prints the metrics. For jobs that it could not read, it prints what
// s.Previous says of them.
func once(ctx context.Context, s *config.Settings, accounts schedule.Accounts, registry prometheus.Gatherer, stdout io.Writer) error {
	start, facts := time.Now(), collector.New(accounts)
	facts.AsOf(start) // all that is read is shown, however long that takes
	ok := accounts.Poll(ctx)
	if ctx.Err() != nil {
		return errors.New("interrupted: nothing is printed")
	}
	var text bytes.Buffer
	if err := server.WriteText(&text, registry, facts); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	forgotten := remember(s, &text, start) // what was read now is printed all the same
	if _, err := text.WriteTo(stdout); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	// A comment for parsers. It tells the publisher of the output that it is complete.
	if _, err := fmt.Fprintln(stdout, "# EOF"); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if !ok {
		return errors.Join(errors.New("not every job could be read"), forgotten)
	}
	return forgotten
}

// remember adds to an exposition what the previous run knew, if there was one.
func remember(s *config.Settings, text *bytes.Buffer, now time.Time) error {
	if s.Previous == "" {
		return nil
	}
	previous, err := readPrevious(s.Previous)
	if err != nil {
		return fmt.Errorf("previous output: %w", err)
	}
	current, err := parse(bytes.NewReader(text.Bytes()))
	if err != nil {
		return fmt.Errorf("own output: %w", err)
	}
	current.keep(previous, now, time.Duration(*s.MaxStaleness))
	text.Reset()
	return current.write(text)
}
