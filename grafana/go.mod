module aliyun_cas_exporter/grafana

go 1.26.0

require (
	aliyun_cas_exporter v0.0.0-00010101000000-000000000000
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3
)

require golang.org/x/text v0.43.0 // indirect

replace aliyun_cas_exporter => ../
