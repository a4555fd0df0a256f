package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// result is one line of a Go benchmark.
type result struct{ ns, bytes, allocs float64 }

// goBench runs the benchmarks of a package five times and returns the fastest run of
// each: other work on the machine can only slow a run down.
func (b *bench) goBench(name, pkg string, flags ...string) (map[string]result, error) {
	args := append([]string{"test", "-run=^$", "-bench=^" + name + "$", "-benchmem", "-benchtime=300ms", "-count=5"}, flags...)
	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Dir = b.root
	text, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	results := map[string]result{}
	line := regexp.MustCompile(`(?m)^Benchmark\w+/(\S+?)(?:-\d+)?\s.*?([\d.]+) ns/op.*?([\d.]+) B/op\s+([\d.]+) allocs/op`)
	for _, m := range line.FindAllStringSubmatch(string(text), -1) {
		var r result
		for i, to := range []*float64{&r.ns, &r.bytes, &r.allocs} {
			if *to, err = strconv.ParseFloat(m[i+2], 64); err != nil {
				return nil, err
			}
		}
		if before, ok := results[m[1]]; !ok || r.ns < before.ns {
			results[m[1]] = r
		}
	}
	return results, nil
}

func decode(b *bench) ([]figure, error) {
	// With one processor the collection of the others' garbage takes time, as it does where
	// the machine has something else to do.
	results, err := b.goBench("BenchmarkDecode", "./internal/cas", "-cpu=1")
	if err != nil {
		return nil, err
	}
	var figures []figure
	for _, rows := range []int{50, 1000, 10_000} {
		of := func(by string) result { return results[fmt.Sprintf("rows=%d/by=%s", rows, by)] }
		name, ours := fmt.Sprintf("%d rows: ", rows), of("exporter")
		figures = append(figures,
			figure{name + "SDK's decoder / exporter, time", of("sdk").ns / ours.ns, "", "≥ 3"},
			figure{name + "SDK's decoder / exporter, memory", of("sdk").bytes / ours.bytes, "", "≥ 5"},
			figure{name + "encoding/json / exporter, time", of("json").ns / ours.ns, "", ""},
			figure{name + "encoding/json / exporter, memory", of("json").bytes / ours.bytes, "", ""},
			figure{name + "json.Valid / exporter, time", of("valid").ns / ours.ns, "", ""},
			figure{name + "exporter: a row", ours.ns / float64(rows), " ns", ""},
			figure{name + "exporter: memory a row", ours.bytes / float64(rows), " B", ""},
		)
	}
	return figures, nil
}

func scrape(b *bench) ([]figure, error) {
	results, err := b.goBench("BenchmarkScrape", "./collector")
	if err != nil {
		return nil, err
	}
	var figures []figure
	for _, series := range []int{1000, 10_000, 100_000} {
		of := func(by string) result { return results[fmt.Sprintf("series=%d/by=%s", series, by)] }
		name := fmt.Sprintf("%d series: ", series)
		ours, expfmt, registry := of("exporter"), of("expfmt"), of("registry")
		figures = append(figures,
			figure{name + "exporter / expfmt, time", ours.ns / expfmt.ns, "", "≤ 1.15"},
			figure{name + "exporter: allocations", ours.allocs, "", ""},
			figure{name + "expfmt: allocations", expfmt.allocs, "", ""},
			figure{name + "registry / expfmt, time", registry.ns / expfmt.ns, "", ""},
			figure{name + "exporter: a series", ours.ns / float64(series), " ns", ""},
		)
	}
	return figures, nil
}

// formats compares whole scrapes in each format with promhttp's over constant metrics
// that a registry gathers, and over metrics that are ready.
func formats(b *bench) ([]figure, error) {
	results, err := b.goBench("BenchmarkServe", "./internal/server")
	if err != nil {
		return nil, err
	}
	var figures []figure
	for _, series := range []int{500, 5000, 100_000} {
		for _, format := range []string{"text", "openmetrics", "protobuf"} {
			of := func(by string) result { return results[fmt.Sprintf("series=%d/format=%s/by=%s", series, format, by)] }
			name := fmt.Sprintf("%d series, %s: ", series, format)
			ours, promhttp, ready := of("exporter"), of("promhttp"), of("ready")
			figures = append(figures,
				figure{name + "exporter / promhttp, time", ours.ns / promhttp.ns, "", "< 1"},
				figure{name + "exporter / promhttp on ready metrics, time", ours.ns / ready.ns, "", "≤ 2 at 100000"},
				figure{name + "exporter: time", ours.ns / 1e6, " ms", ""},
				figure{name + "exporter: allocations", ours.allocs, "", ""},
				figure{name + "promhttp: allocations", promhttp.allocs, "", ""},
				figure{name + "exporter: allocated", ours.bytes / (1 << 20), " MiB", ""},
				figure{name + "promhttp: allocated", promhttp.bytes / (1 << 20), " MiB", ""},
			)
		}
	}
	return figures, nil
}
