package main

import (
	"fmt"
	"math"
)

// growth measures what grows at three sizes.
func growth(b *bench) ([]figure, error) {
	var figures []figure
	sizes := []float64{10_000, 100_000, 1_000_000}
	var cpu, peak []float64
	for _, workers := range sizes {
		seconds, mib, err := b.sweepCost(huge(int(workers)))
		if err != nil {
			return nil, err
		}
		cpu, peak = append(cpu, seconds/workers*1e6), append(peak, mib)
		figures = append(figures,
			figure{fmt.Sprintf("%.0f workers: CPU for each", workers), cpu[len(cpu)-1], " µs", ""},
			figure{fmt.Sprintf("%.0f workers: peak resident memory", workers), mib, " MiB", ""})
	}
	figures = append(figures,
		figure{"exponent of the CPU of a sweep by workers", 1 + slope(sizes, cpu), "", "1"},
		figure{"exponent of the memory of a sweep by workers", slope(sizes, peak), "", ""})

	jobs := []float64{100, 1000, 10_000}
	var calls []float64
	for _, n := range jobs {
		_, idle, err := b.rounds(finished(int(n)).simulator())
		if err != nil {
			return nil, err
		}
		calls = append(calls, sum(idle))
		figures = append(figures, figure{fmt.Sprintf("%.0f finished jobs: calls of an idle round, for each", n), sum(idle) / n, "", "0.02"})
	}
	return append(figures, figure{"exponent of the calls of an idle round by jobs", slope(jobs, calls), "", "1"}), nil
}

// sweepCost returns the processor seconds and the peak memory of one sweep.
func (b *bench) sweepCost(e estate, settings ...string) (seconds, mib float64, err error) {
	a, err := serve(e.simulator(), false, 0)
	if err != nil {
		return 0, 0, err
	}
	defer a.close()
	settings = append(settings, "CAS_JOB_IDS=1", "CAS_POLL_INTERVAL=1h", "CAS_RESYNC_INTERVAL=24h", fmt.Sprint("CAS_MAX_WORKERS_PER_JOB=", e.workers))
	p, err := b.startExporter(a, settings...)
	if err != nil {
		return 0, 0, err
	}
	defer p.stop()
	if err = p.await(`aliyun_cas_deployment_job_workers{job_id="1"}`, float64(e.workers)); err != nil {
		return 0, 0, err
	}
	if mib, err = p.status("VmHWM"); err != nil {
		return 0, 0, err
	}
	seconds, err = p.cpu()
	return seconds, mib, err
}

// slope returns the exponent of the power law that fits best.
func slope(x, y []float64) float64 {
	var sx, sy, sxx, sxy float64
	for i := range x {
		lx, ly := math.Log(x[i]), math.Log(y[i])
		sx, sy, sxx, sxy = sx+lx, sy+ly, sxx+lx*lx, sxy+lx*ly
	}
	n := float64(len(x))
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}
