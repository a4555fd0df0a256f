// Command bench measures the exporter, the naive exporter and the limit against the
// same simulator in the same run, and prints the tables of docs/performance.md.
//
//	go run . [-runs 3] [EXPERIMENT...]
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// experiment gives the same figures in each run.
type experiment struct {
	name, what string
	run        func(*bench) ([]figure, error)
}

func experiments() []experiment {
	return []experiment{
		{"decode", "One page of ListWorkerResource, every documented field in every row, one row in five failed.", decode},
		{"scrape", "The facts of finished jobs as text, against expfmt over the same metrics held ready.", scrape},
		{"formats", "Whole scrapes in each format, compressed, against promhttp over the same metrics.", formats},
		{"peaks", "10,000 finished jobs of 110 workers, 500,000 series, scraped in each format.", peaks},
		{"sweep", "One job of 100,000 workers, 2,000 pages, 50 ms for each answer.", sweep},
		{"idle", "100 finished jobs of 110 workers, polled each minute, scraped every 15 s, for two minutes.", idle},
		{"discovery", "1,000 finished jobs of 110 workers and 5 that move.", discovery},
		{"memory", "One sweep of 1,000,000 workers.", memory},
		{"hosts", "One sweep of 1,000,000 workers, each with a host of its own, without and with 1,000 of them as probe targets.", hosts},
		{"watch", "10,000 finished jobs of 110 workers: read once, then ten rounds with a scrape each second.", watch},
		{"growth", "The same at three sizes; the exponent is the slope of the logarithms.", growth},
	}
}

func main() {
	runs := flag.Int("runs", 3, "how often each experiment is run")
	flag.Parse()
	log.SetFlags(log.Ltime)
	if err := run(os.Stdout, *runs, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer, runs int, names []string) error {
	b, clean, err := build()
	if err != nil {
		return err
	}
	defer clean()
	for _, e := range experiments() {
		if len(names) > 0 && !slices.Contains(names, e.name) {
			continue
		}
		var all [][]figure
		for i := range runs {
			log.Printf("%s: run %d of %d", e.name, i+1, runs)
			figures, err := e.run(b)
			if err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
			all = append(all, figures)
		}
		print(out, e, all)
	}
	return nil
}

// print writes the figures of all runs of an experiment: the median and the spread.
func print(out io.Writer, e experiment, runs [][]figure) {
	fmt.Fprintf(out, "### %s\n\n%s\n\n", e.name, e.what)
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', tabwriter.Debug)
	row := func(cells ...string) { fmt.Fprintln(w, "\t"+strings.Join(cells, "\t")+"\t") }
	row("figure", "median", "least", "most", "goal")
	row("---", "---", "---", "---", "---")
	for i, f := range runs[0] {
		var values []float64
		for _, run := range runs {
			values = append(values, run[i].value)
		}
		slices.Sort(values)
		show := func(v float64) string { return number(v) + f.unit }
		row(f.name, show(values[len(values)/2]), show(values[0]), show(values[len(values)-1]), f.goal)
	}
	_ = w.Flush()
	fmt.Fprintln(out)
}

// number writes four significant digits and no exponent.
func number(v float64) string {
	digits := 0
	for limit := 1000.0; digits < 3 && v < limit; limit /= 10 {
		digits++
	}
	text := fmt.Sprintf("%.*f", digits, v)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
