package grafana_test

import (
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// TestColours checks that no panel uses colours of the theme, and that the colours
// of one panel stay apart for readers who do not see red, green or blue.
func TestColours(t *testing.T) {
	colour := regexp.MustCompile(`#[0-9A-Fa-f]{6}\b`)
	named := regexp.MustCompile(`"(?:color|fixedColor|iconColor)": "((?:dark-|light-|semi-dark-|super-light-)?(?:red|green|blue|yellow|orange|purple))"`)
	for file, d := range dashboards(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if names := named.FindAllString(string(text), -1); len(names) > 0 {
			t.Errorf("%s: colours of the theme, which are not made for this: %v", file, names)
		}
		for _, p := range d.Panels {
			used := map[string]bool{}
			for _, hex := range colour.FindAllString(p.text, -1) {
				used[hex] = true
			}
			hexes := slices.Sorted(maps.Keys(used))
			for i, a := range hexes {
				for _, b := range hexes[:i] {
					for sight, matrix := range sights() {
						// 2.3 is what an eye just notices.
						if d := distance(a, b, matrix); d < 15 {
							t.Errorf("%s: %s: %s and %s are %.0f apart to %s, want 15", file, p.Title, a, b, d, sight)
						}
					}
				}
			}
		}
	}
}

type matrix [3][3]float64

func (m matrix) times(v [3]float64) (product [3]float64) {
	for i, row := range m {
		for j, x := range row {
			product[i] += x * v[j]
		}
	}
	return product
}

// sights returns what eyes make of linear RGB (Machado, Oliveira and Fernandes
// 2009, severity 1).
func sights() map[string]matrix {
	return map[string]matrix{
		"full sight":   {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		"protanopia":   {{.152286, 1.052583, -.204868}, {.114503, .786281, .099216}, {-.003882, -.048116, 1.051998}},
		"deuteranopia": {{.367322, .860646, -.227968}, {.280085, .672501, .047413}, {-.011820, .042940, .968881}},
		"tritanopia":   {{1.255528, -.076749, -.178779}, {-.078411, .930809, .147602}, {.004733, .691367, .303900}},
	}
}

// distance is the difference of two colours in CIELAB (1976).
func distance(a, b string, sight matrix) float64 {
	p, q := lab(a, sight), lab(b, sight)
	return math.Hypot(math.Hypot(p[0]-q[0], p[1]-q[1]), p[2]-q[2])
}

func lab(hex string, sight matrix) [3]float64 {
	var rgb [3]float64
	for i := range rgb {
		n, _ := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		c := float64(n) / 255
		if rgb[i] = c / 12.92; c > .04045 {
			rgb[i] = math.Pow((c+.055)/1.055, 2.4)
		}
	}
	rgb = sight.times(rgb)
	for i := range rgb {
		rgb[i] = min(max(rgb[i], 0), 1)
	}
	xyz := matrix{{.4124, .3576, .1805}, {.2126, .7152, .0722}, {.0193, .1192, .9505}}.times(rgb)
	for i, white := range [3]float64{.9505, 1, 1.089} {
		c := xyz[i] / white
		if xyz[i] = 7.787*c + 16./116; c > .008856 {
			xyz[i] = math.Cbrt(c)
		}
	}
	return [3]float64{116*xyz[1] - 16, 500 * (xyz[0] - xyz[1]), 200 * (xyz[1] - xyz[2])}
}
