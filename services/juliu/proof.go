package juliu

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/stream"
	"juliu/services/extractor"
)

// Proof compares a stream with the ledger of the sandbox that fed it.
type Proof struct {
	// Orders is how many orders the sandbox ever showed.
	Orders int
	// Records is how many records the stream holds.
	Records int
	// Missing counts orders whose newest version is not on the stream.
	Missing int
	// Altered counts newest versions whose bytes differ from those that the sandbox served.
	Altered int
	// Duplicate counts records that repeat a version and content stored before.
	Duplicate int
	// Regressed counts records that are older than one stored before them for the same order.
	Regressed int
	// Examples are a few offending io_ids.
	Examples []string
}

// OK reports that nothing is missing, altered, duplicate or out of order.
func (p Proof) OK() bool { return p.Missing+p.Altered+p.Duplicate+p.Regressed == 0 }

// String is the proof in one line.
func (p Proof) String() string {
	line := fmt.Sprintf("%d orders in the ERP, %d records on the stream: %d missing, %d altered, %d duplicate, %d out of order",
		p.Orders, p.Records, p.Missing, p.Altered, p.Duplicate, p.Regressed)
	if len(p.Examples) > 0 {
		line += fmt.Sprintf(" (for example %v)", p.Examples)
	}
	return line
}

// Prove reads the whole stream of one source and holds it against the ledger.
func Prove(ctx context.Context, conn *stream.Conn, source string, ledger sandbox.Ledger) (Proof, error) {
	type seen struct {
		ts   int64
		body [sha256.Size]byte
	}
	proof := Proof{}
	newest := map[string]seen{}
	versions := map[string]map[seen]bool{}
	err := stream.Read(ctx, conn, stream.ReadOptions{Source: source}, func(d stream.Delivery) error {
		if d.Err != nil {
			return fmt.Errorf("read record %d: %w", d.Sequence, d.Err)
		}
		proof.Records++
		r := d.Record
		s := seen{ts: r.Version.TS, body: sha256.Sum256(r.Raw)}
		if versions[r.Key] == nil {
			versions[r.Key] = map[seen]bool{}
		}
		if versions[r.Key][s] {
			proof.Duplicate++
			offend(&proof, r.Key)
		}
		versions[r.Key][s] = true
		if s.ts < newest[r.Key].ts {
			proof.Regressed++
			offend(&proof, r.Key)
			return nil
		}
		newest[r.Key] = s
		return nil
	})
	if err != nil {
		return Proof{}, err
	}
	for key, final := range ledger.Final() {
		proof.Orders++
		switch got, ok := newest[key]; {
		case !ok || got.ts != final.TS:
			proof.Missing++
			offend(&proof, key)
		case got.body != final.SHA256:
			proof.Altered++
			offend(&proof, key)
		}
	}
	return proof, nil
}

// offend notes an order as an example.
func offend(p *Proof, key string) {
	if len(p.Examples) < 5 {
		p.Examples = append(p.Examples, key)
	}
}

// ErrNotProven means that the stream differs from the sandbox's ledger.
var ErrNotProven = errors.New("the stream differs from what the ERP showed")

// prove lets the sandbox come to rest, waits until everything is read and loaded, and compares. Without a sandbox it does nothing.
func (r *report) prove(ctx context.Context, cfg extractor.Config) error {
	if r.stack.Sandbox == nil {
		return nil
	}
	r.stack.Sandbox.Settle()
	rest := r.app.Now()
	ctx, cancel := context.WithTimeout(ctx, cfg.Settle+cfg.Overlap+2*time.Minute)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		snap, err := stream.TakeSnapshot(ctx, r.stack.Conn)
		stats := r.stack.Extractor.Stats()
		if err == nil && snap.Lag() == 0 && stats.Cursor.After(rest) && stats.LookedBack.After(rest) {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until all is read: %w", ctx.Err())
		case <-ticker.C:
		}
	}
	proof, err := Prove(ctx, r.stack.Conn, r.source, r.stack.Sandbox.Ledger())
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(r.app.Out, "proof:", proof)
	if !proof.OK() {
		return ErrNotProven
	}
	return nil
}
