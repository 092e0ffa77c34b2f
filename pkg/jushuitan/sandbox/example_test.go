package sandbox_test

import (
	"fmt"
	"net/http/httptest"
	"time"

	"juliu/pkg/jushuitan/sandbox"
)

// A test mounts the sandbox, has it change, and compares what it read with the ledger.
func Example() {
	erp, err := sandbox.New(sandbox.Config{
		Seed: 1, Now: time.Now, Orders: 1000,
		RatePerSecond: sandbox.DefaultRatePerSecond, RatePerMinute: sandbox.DefaultRatePerMinute,
		Traffic: sandbox.Traffic{NewShare: 0.3, EditShare: 0.2, LateShare: 0.05, LateMax: time.Minute},
		Faults:  sandbox.AllFaults(0.01),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(erp) // Clients call server.URL with the credentials that the vendor publishes for its own sandbox.
	defer server.Close()

	erp.Step(100)
	erp.Settle()
	fmt.Println(len(erp.Ledger().Final()) > 1000)
	// Output: true
}
