package rig

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"juliu/pkg/chaos"
	"juliu/pkg/jushuitan/sandbox"
)

// firstOrder is the number of the sandbox's first order; they are numbered without gaps.
const firstOrder = 100_000

// vendorOptions shape the simulated ERP.
type vendorOptions struct {
	listen    string
	seed      uint64
	orders    int
	perSecond float64
	late      time.Duration
	rates     [2]int
}

// erp is the sandbox with switches for the rig beside it, below /rig/.
type erp struct {
	box    *sandbox.Sandbox
	faults sandbox.Faults
	rates  [2]int
}

// serveVendor runs the simulated ERP until ctx ends: `juliu sandbox` with the switches and the whole ledger, which that has not.
func serveVendor(ctx context.Context, o vendorOptions, now func() time.Time) error {
	faults := sandbox.AllFaults(0)
	faults.StallFor = time.Second
	box, err := sandbox.New(sandbox.Config{
		Seed: o.seed, Now: now, Orders: o.orders, RatePerSecond: o.rates[0], RatePerMinute: o.rates[1], Faults: faults,
		Traffic: sandbox.Traffic{PerSecond: o.perSecond, NewShare: 0.4, EditShare: 0.2, LateShare: 0.05, LateMax: o.late, DriftPerCall: 1},
	})
	if err != nil {
		return fmt.Errorf("start the sandbox: %w", err)
	}
	e := &erp{box: box, faults: faults, rates: o.rates}
	mux := http.NewServeMux()
	mux.Handle("/", box)
	mux.HandleFunc("POST /rig/errors/{percent}", e.setErrors)
	mux.HandleFunc("POST /rig/quota/{percent}", e.setQuota)
	mux.HandleFunc("POST /rig/token/revoke", func(http.ResponseWriter, *http.Request) { box.RevokeToken() })
	mux.HandleFunc("POST /rig/settle", func(http.ResponseWriter, *http.Request) { box.Settle() })
	mux.HandleFunc("GET /rig/ledger", e.writeLedger)
	var traffic sync.WaitGroup
	traffic.Go(func() { _ = box.Run(ctx) })
	defer traffic.Wait()
	return serve(ctx, o.listen, mux)
}

// serve serves HTTP until ctx ends.
func serve(ctx context.Context, listen string, handler http.Handler) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", listen, err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", listen, err)
	}
	return nil
}

// setErrors has a share of calls fail; 0 none.
func (e *erp) setErrors(w http.ResponseWriter, r *http.Request) {
	percent, err := strconv.Atoi(r.PathValue("percent"))
	if err != nil {
		http.Error(w, "not a percentage", http.StatusBadRequest)
		return
	}
	faults := sandbox.AllFaults(float64(percent) / 100)
	faults.StallFor = e.faults.StallFor
	e.box.SetFaults(faults)
}

// setQuota allows a share of the calls; 100 all.
func (e *erp) setQuota(w http.ResponseWriter, r *http.Request) {
	percent, err := strconv.Atoi(r.PathValue("percent"))
	if err != nil {
		http.Error(w, "not a percentage", http.StatusBadRequest)
		return
	}
	e.box.SetRates(e.rates[0]*percent/100, e.rates[1]*percent/100)
}

// writeLedger writes every version of every order that a query could see, a line each.
func (e *erp) writeLedger(w http.ResponseWriter, _ *http.Request) {
	ledger := e.box.Ledger()
	out := bufio.NewWriter(w)
	encoder := json.NewEncoder(out)
	// No order is beyond the first number that has no version, once all late ones are visible.
	for number := firstOrder; ; number++ {
		key := strconv.Itoa(number)
		versions := ledger.Versions(key)
		if len(versions) == 0 {
			break
		}
		served := map[int64]bool{}
		for _, v := range ledger.Served(key) {
			served[v.TS] = true
		}
		for _, v := range versions {
			err := encoder.Encode(chaos.Version{
				Key: key, TS: v.TS, Modified: v.Modified, Visible: v.VisibleSince, SHA256: hex.EncodeToString(v.SHA256[:]), Served: served[v.TS],
			})
			if err != nil {
				return
			}
		}
	}
	_ = out.Flush()
}
