module aliyun_cas_exporter/grafana

go 1.26.0

require (
	aliyun_cas_exporter v0.0.0-00010101000000-000000000000
	github.com/grafana/grafana-foundation-sdk/go v0.0.22
)

replace aliyun_cas_exporter => ../
