package main

import (
	"math"
	"testing"
)

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.02: "0.02", 1.0149: "1.015", 25.37: "25.37", 96.7: "96.7", 1000: "1000", 123456.7: "123457"} {
		if got := number(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}

func TestSlope(t *testing.T) {
	if got := slope([]float64{10, 100, 1000}, []float64{2 * 10, 2 * 100, 2 * 1000}); math.Abs(got-1) > 1e-9 {
		t.Errorf("got %v, want 1", got)
	}
	if got := slope([]float64{10, 100, 1000}, []float64{7, 7, 7}); math.Abs(got) > 1e-9 {
		t.Errorf("got %v, want 0", got)
	}
}
