package app

// name is the program's.
const name = "aliyun_cas_exporter"

// The exit statuses that service managers and scripts see.
const (
	exitOK       = 0
	exitFailed   = 1
	exitSettings = 2
)
