package cas

import "slices"

// earliest merges certificates that nothing tells apart: those that CAS has by their
// order have no id, and two can have equal names. The one that expires first counts;
// one without a readable time does only alone.
func earliest(certs []Certificate) []Certificate {
	var all []Certificate
	for _, c := range certs {
		i := slices.IndexFunc(all, func(a Certificate) bool { return a.ID == c.ID && a.Name == c.Name && a.CommonName == c.CommonName })
		switch {
		case i < 0:
			all = append(all, c)
		case all[i].NotAfter.IsZero() || !c.NotAfter.IsZero() && c.NotAfter.Before(all[i].NotAfter):
			all[i] = c
		}
	}
	return all
}
