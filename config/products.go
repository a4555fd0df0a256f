package config

import (
	"slices"
	"strings"
)

// cloudProducts returns the documented values of CloudProduct. The API has others too.
func cloudProducts() []string {
	return []string{
		"ALB", "APIGateway", "CDN", "CR", "DCDN", "DDOS", "FC", "GA", "LIVE", "MSE", "NLB", "OSS", "SAE", "SLB",
		"TencentCDN", "VOD", "WAF", "webHosting",
	}
}

// products warns about undocumented products. They are no error: the API has others.
func (l *loader) products() {
	known := cloudProducts()
	for _, product := range l.CloudProducts {
		i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, product) })
		switch {
		case strings.ContainsAny(product, ";| \t\n"):
			l.fault("CAS_CLOUD_PRODUCTS", "products must be separated by commas")
		case i < 0:
			l.warn("CAS_CLOUD_PRODUCTS: %s is not one of the documented products, %s", quote(product), strings.Join(known, ", "))
		case known[i] != product:
			l.warn("CAS_CLOUD_PRODUCTS: %s is not a documented product; did you mean %s?", quote(product), known[i])
		}
	}
}
