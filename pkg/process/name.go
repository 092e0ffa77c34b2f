package process

import (
	"fmt"
	"os"
)

// Name is this process's name for people: host and process id, e.g. "warehouse-1/4711".
func Name() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}
