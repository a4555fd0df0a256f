package sweep

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"aliyun_cas_exporter/internal/cas"
)

// defaultPort is a host's where the API gives none.
const defaultPort = 443

// Address is a host name and a port that can be connected to.
type Address struct {
	Name string // lower case
	Port uint16
}

// Compare orders addresses by name, then port.
func (a Address) Compare(b Address) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Port, b.Port))
}

// String returns name:port.
func (a Address) String() string { return a.Name + ":" + strconv.Itoa(int(a.Port)) }

// Host is where workers in success deployed a certificate to.
type Host struct {
	Address
	Deployed

	Workers   int  // in success at the address
	Ambiguous bool // they deployed different certificates, of which Deployed names one
}

// Deployed says what a worker deployed, and by which product.
type Deployed struct {
	CertID                           int64 // 0: the API gives none
	CertName, CloudProduct, RegionID string
}

// Compare orders them by certificate, then product and region.
func (d Deployed) Compare(other Deployed) int {
	return cmp.Or(cmp.Compare(d.CertID, other.CertID), cmp.Compare(d.CertName, other.CertName),
		cmp.Compare(d.CloudProduct, other.CloudProduct), cmp.Compare(d.RegionID, other.RegionID))
}

// NoHost counts workers in success without a host in Snapshot.Hosts, by what they have
// instead of one.
type NoHost struct {
	Wildcard int // a name with *, or one that begins with a dot
	Invalid  int // no name that a host can have, or no port
	Limit    int // a host that comes after those of Snapshot.Hosts
}

// hosts keeps the first addresses of workers in success, up to a limit. In whatever order
// workers are added, it keeps the same.
type hosts struct {
	by     map[Address]*Host
	last   Address // no later one can be among the first; zero: not known yet
	noHost NoHost  // without Limit
	valid  int     // workers with a host
}

func newHosts() hosts { return hosts{by: map[Address]*Host{}} }

func (h *hosts) add(w *cas.Worker, most int) {
	address, invalid := addressOf(w.ResourceDomain, w.Port)
	switch {
	case most == 0:
	case strings.HasPrefix(w.ResourceDomain, ".") || strings.Contains(w.ResourceDomain, "*"):
		h.noHost.Wildcard++
	case invalid:
		h.noHost.Invalid++
	default:
		h.valid++
		h.keep(Host{Address: address, Deployed: Deployed{w.CertID, w.CertName, w.CloudProduct, w.RegionID}, Workers: 1}, most)
	}
}

func (h *hosts) keep(host Host, most int) {
	if h.last.Port != 0 && host.Address.Compare(h.last) > 0 {
		return
	}
	known := h.by[host.Address]
	if known == nil {
		h.by[host.Address] = &host
		if len(h.by) >= 2*most+1 {
			h.cut(most)
		}
		return
	}
	known.Workers += host.Workers
	known.Ambiguous = known.Ambiguous || host.Ambiguous || known.CertID != host.CertID || known.CertName != host.CertName
	if host.Deployed.Compare(known.Deployed) < 0 {
		known.Deployed = host.Deployed
	}
}

// cut keeps no more than so many, and returns them in order.
func (h *hosts) cut(most int) []Address {
	sorted := slices.SortedFunc(maps.Keys(h.by), Address.Compare)
	for _, address := range sorted[min(most, len(sorted)):] {
		delete(h.by, address)
	}
	if sorted = sorted[:min(most, len(sorted))]; len(sorted) == most && most > 0 {
		h.last = sorted[most-1]
	}
	return sorted
}

func (h *hosts) join(other *hosts, most int) {
	h.valid += other.valid
	h.noHost.Wildcard += other.noHost.Wildcard
	h.noHost.Invalid += other.noHost.Invalid
	for _, host := range other.by {
		h.keep(*host, most)
	}
}

// sorted returns the hosts that are kept, and how many workers have none.
func (h *hosts) sorted(most int) (all []Host, none NoHost) {
	none = h.noHost
	none.Limit = h.valid
	for _, address := range h.cut(most) {
		host := h.by[address]
		all = append(all, *host)
		none.Limit -= host.Workers
	}
	return slices.Clip(all), none
}

// addressOf returns the address of a worker's resource. Only names are hosts: a
// certificate that CAS deploys is for names, so that nobody can say which one an IP
// address should serve.
func addressOf(domain, port string) (a Address, invalid bool) {
	a = Address{strings.ToLower(domain), defaultPort}
	if port != "" && port != "0" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return a, true
		}
		a.Port = uint16(n)
	}
	return a, !isHostName(domain)
}

// isHostName reports whether a text can be the name of a host: labels of letters, digits,
// hyphens and underscores, the last of which is no number. Names in other scripts must be
// in their ASCII form.
func isHostName(name string) bool {
	if len(name) > 253 {
		return false
	}
	letters := false
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		letters = false
		for i := range len(label) {
			switch c := label[i]; {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '-', c == '_':
				letters = true
			case c < '0' || '9' < c:
				return false
			}
		}
	}
	return letters
}
