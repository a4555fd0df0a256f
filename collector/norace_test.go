//go:build !race

package collector_test

const underRace = false
