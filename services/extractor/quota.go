package extractor

import (
	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
)

// QuotaOf is what whoever calls the ERP by this client tells with its lease.
func QuotaOf(client interface{ Usage() jushuitan.Usage }) func() control.Quota {
	return func() control.Quota {
		u := client.Usage()
		return control.Quota{Used: u.LastMinute, Allowed: u.Allowed, Configured: u.Configured, Refused: u.Refused}
	}
}
