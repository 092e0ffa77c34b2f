package embednats_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/control"
	"juliu/pkg/record"
	"juliu/pkg/stream"
	juliuv1 "juliu/proto/juliu/v1"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

const (
	pageSize = 20
	rowSize  = 4 << 10
)

// ledger is what the server acknowledged: records stored by batches, dead letters by single messages, jobs in a bucket.
type ledger struct {
	rng     *rand.ChaCha8
	next    int // number of the next page
	records map[string]bool
	letters map[string]bool
	jobs    map[string]bool
}

func newLedger(rng *rand.ChaCha8) *ledger {
	return &ledger{rng: rng, records: map[string]bool{}, letters: map[string]bool{}, jobs: map[string]bool{}}
}

func (l *ledger) size() int { return len(l.records) + len(l.letters) + len(l.jobs) }

// work stores until something fails, which is the power.
func (l *ledger) work(ctx context.Context, conn *stream.Conn, dark func() bool) error {
	journal, err := stream.OpenJournal(ctx, conn, "sales-out", "main")
	if err != nil {
		return fmt.Errorf("open the journal: %w", err)
	}
	jobs, err := control.OpenJobs(ctx, conn, time.Now)
	if err != nil {
		return fmt.Errorf("open the jobs: %w", err)
	}
	for {
		page := l.page()
		if err := journal.Commit(ctx, page, &juliuv1.Checkpoint{Cursor: timestamppb.New(time.Unix(0, 0))}); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		if dark() {
			return nil // the answer may be from after the cut
		}
		for _, r := range page {
			l.records[r.Key] = true
		}
		if l.next%3 != 0 {
			continue
		}
		reason := "row " + strconv.Itoa(l.next)
		if err := conn.KeepRow(ctx, "main", "sales-out", []byte("{}"+reason), reason, "test"); err != nil {
			return fmt.Errorf("keep a dead letter: %w", err)
		}
		if dark() {
			return nil
		}
		l.letters[reason] = true
		job, err := jobs.Create(ctx, "test", "main", l.next)
		if err != nil {
			return fmt.Errorf("create a job: %w", err)
		}
		if dark() {
			return nil
		}
		l.jobs[job.ID] = true
	}
}

// page is the next records. Their rows do not compress, so that the stream fills its files.
func (l *ledger) page() []record.Record {
	page := make([]record.Record, 0, pageSize)
	for n := range pageSize {
		raw := make([]byte, rowSize)
		_, _ = l.rng.Read(raw)
		key := l.next*pageSize + n
		page = append(page, record.Record{
			Source: "main", Resource: "sales-out", Shop: strconv.Itoa(key % 3), Key: strconv.Itoa(key), Version: record.Version{TS: int64(key + 1)},
			Payload: &jushuitanv1.SalesOutOrder{}, Raw: raw,
		})
	}
	l.next++
	return page
}

// missing is how much of what was acknowledged the server does not have any more; it is struck off. A commit of which a part is
// there is an error.
func (l *ledger) missing(ctx context.Context, conn *stream.Conn) (int, error) {
	records, letters, jobs := map[string]bool{}, map[string]bool{}, map[string]bool{}
	err := stream.Read(ctx, conn, stream.ReadOptions{}, func(d stream.Delivery) error {
		records[d.Record.Key] = true
		return d.Err
	})
	if err != nil {
		return 0, fmt.Errorf("read the records: %w", err)
	}
	kept, err := stream.Letters(ctx, conn)
	if err != nil {
		return 0, fmt.Errorf("read the dead letters: %w", err)
	}
	for _, letter := range kept {
		letters[letter.Reason] = true
	}
	table, err := control.OpenJobs(ctx, conn, time.Now)
	if err != nil {
		return 0, fmt.Errorf("open the jobs: %w", err)
	}
	asked, err := table.List(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the jobs: %w", err)
	}
	for _, job := range asked {
		jobs[job.ID] = true
	}
	lost := strike(l.records, records) + strike(l.letters, letters) + strike(l.jobs, jobs)
	if lost > 0 {
		return lost, nil
	}
	journal, err := stream.OpenJournal(ctx, conn, "sales-out", "main")
	if err != nil {
		return 0, fmt.Errorf("open the journal: %w", err)
	}
	if total := journal.Checkpoint().GetTotal(); total != uint64(len(records)) {
		err = errors.New("torn commit: the checkpoint counts " + strconv.FormatUint(total, 10) + " records, the stream has " + strconv.Itoa(len(records)))
	}
	return 0, err
}

func strike(promised, found map[string]bool) int {
	lost := 0
	for name := range promised {
		if !found[name] {
			delete(promised, name)
			lost++
		}
	}
	return lost
}
