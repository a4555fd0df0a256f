package app

import (
	"fmt"
	"io"

	"aliyun_cas_exporter/config"
	"aliyun_cas_exporter/internal/aliyun/credentials"
)

// checkConfig prints the settings in force. It also reads the files of the credentials,
// so that an unusable file is found before the first poll.
func checkConfig(s *config.Settings, stdout, stderr io.Writer) int {
	s.WriteEffective(stdout)
	status := exitOK
	for _, file := range s.Key.Files() {
		if err := credentials.CheckFile(string(file.Path)); err != nil {
			_, _ = fmt.Fprintf(stderr, "%s: %v: %v\n", file.Variable, file.Path, err)
			status = exitSettings
		}
	}
	said, err := sourceOf(s).Check()
	switch {
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "CAS_CREDENTIALS: %v\n", err)
		return exitSettings
	case said != "":
		_, _ = fmt.Fprintf(stdout, "# the profile: %s\n", said)
	}
	return status
}
