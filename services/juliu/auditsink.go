package juliu

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"juliu/pkg/audit"
	"juliu/pkg/record"
	"juliu/pkg/secret"
	"juliu/pkg/setting"
	"juliu/pkg/sink/postgres"
	"juliu/pkg/stream"
)

// tables are the sinks that an audit can read back. A second one is one row here.
func tables() map[string]func(ctx context.Context) (audit.Table, func(), error) {
	return map[string]func(ctx context.Context) (audit.Table, func(), error){"postgres": openPostgres}
}

// sinkEnvironment is where the sinks are, under the loader's names.
type sinkEnvironment struct {
	PostgresURL     string `desc:"the database that audit --sink postgres compares" envconfig:"LOADER_POSTGRES_URL"`
	PostgresURLFile string `desc:"a file that holds it"                             envconfig:"LOADER_POSTGRES_URL_FILE"`
}

func openPostgres(ctx context.Context) (audit.Table, func(), error) { //nolint:ireturn // a table of another sink is another type
	var env sinkEnvironment
	if err := envconfig.Process("", &env); err != nil {
		return nil, nil, fmt.Errorf("read the environment: %w", err)
	}
	var p setting.Parser
	url := secret.New(strings.TrimSpace(p.Secret("LOADER_POSTGRES_URL", env.PostgresURL, env.PostgresURLFile).Reveal()))
	p.Required("LOADER_POSTGRES_URL", !url.IsZero() || env.PostgresURLFile != "", "the database to compare, as the loader has it")
	if err := p.Err(); err != nil {
		return nil, nil, err
	}
	s, err := postgres.Open(ctx, postgres.Config{URL: url, Connections: 1})
	if err != nil {
		return nil, nil, err
	}
	return s, func() { _ = s.Close(context.WithoutCancel(ctx)) }, nil
}

// auditSink compares a sink with the stream over the period of a report, adds what differs, and with repair stores it anew.
func auditSink(ctx context.Context, conn *stream.Conn, table audit.Table, name string, repair bool, report *audit.Report) error {
	s := audit.Sides{
		Name: name, Stream: map[string]audit.Entry{}, Rows: map[string]audit.Row{}, Explained: map[string]bool{},
		Period: audit.Period{Resource: report.Resource, Source: report.Source, Shop: report.Shop, From: report.From, To: report.To},
	}
	for _, d := range report.Differences {
		s.Explained[d.Key] = d.In == audit.Stream && !d.Repaired
	}
	// First the stream, then how far the loaders are, then the sink: what was loaded by then must be there.
	if err := readStream(ctx, conn, &s); err != nil {
		return err
	}
	snap, err := stream.TakeSnapshot(ctx, conn)
	if err != nil {
		return err
	}
	s.Loaded = snap.AckFloor
	note := func(row audit.Row) error {
		s.Rows[row.Key] = row
		return nil
	}
	if err := table.Rows(ctx, s.Period, note); err != nil {
		return fmt.Errorf("audit the sink %s: %w", name, err)
	}
	if err := table.Find(ctx, s.Period.Resource, s.Period.Source, s.Lacking(), note); err != nil {
		return fmt.Errorf("audit the sink %s: %w", name, err)
	}
	found, holding := s.Compare()
	report.Sink = &holding
	if repair {
		if err := repairSink(ctx, conn, table, &s, found); err != nil {
			return err
		}
	}
	for _, d := range found {
		report.Add(d)
	}
	return nil
}

// readStream learns the newest version of each key that was stored since the period began: a record is stored after it was modified.
func readStream(ctx context.Context, conn *stream.Conn, s *audit.Sides) error {
	o := stream.ReadOptions{Resource: s.Period.Resource, Source: s.Period.Source, Shop: s.Period.Shop, Since: s.Period.From.Add(-clockMargin)}
	return stream.ReadHeads(ctx, conn, o, func(h stream.Head) error {
		e := audit.Entry{Key: h.Key, Shop: h.Shop, Version: h.Version, Mark: audit.MarkOf(h.Hash), Sequence: h.Sequence}
		if have, ok := s.Stream[h.Key]; !ok || e.Version.Compare(have.Version) >= 0 {
			s.Stream[h.Key] = e
		}
		return nil
	})
}

// repairAtOnce is how many records a repair holds in memory: an empty sink lacks all.
const repairAtOnce = 500

// repairSink stores anew what the sink lacks, from the stream.
func repairSink(ctx context.Context, conn *stream.Conn, table audit.Table, s *audit.Sides, found []audit.Difference) error {
	wanted := map[uint64]int{} // sequence to the difference
	for i, d := range found {
		if d.Kind != audit.Extra {
			wanted[s.Stream[d.Key].Sequence] = i
		}
	}
	isStored := map[string]bool{}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(wanted)), repairAtOnce) {
		fixes := make([]audit.Fix, 0, len(part))
		if err := readRecords(ctx, conn, part, func(r record.Record) {
			fixes = append(fixes, audit.Fix{Record: r, Written: s.Rows[r.Key].Written})
		}); err != nil {
			return err
		}
		stored, err := table.Replace(ctx, fixes)
		if err != nil {
			return fmt.Errorf("repair the sink %s: %w", s.Name, err)
		}
		for _, key := range stored {
			isStored[key] = true
		}
	}
	for _, i := range wanted {
		found[i].Repaired = isStored[found[i].Key]
	}
	return nil
}

// clockMargin is how much earlier than by the ERP's clock a record may be stamped by the stream's.
const clockMargin = 5 * time.Minute

// nearby is how far apart two records are read in one go; farther ones are looked up one by one.
const nearby = 2000

var errEnough = errors.New("enough")

// readRecords hands over the records of some sequences, in ascending order.
func readRecords(ctx context.Context, conn *stream.Conn, sequences []uint64, fn func(record.Record)) error {
	for len(sequences) > 0 {
		err := stream.Read(ctx, conn, stream.ReadOptions{FromSequence: sequences[0]}, func(d stream.Delivery) error {
			for len(sequences) > 0 && sequences[0] < d.Sequence {
				sequences = sequences[1:] // deleted meanwhile
			}
			switch {
			case len(sequences) == 0:
				return errEnough
			case d.Sequence == sequences[0] && d.Err == nil:
				fn(d.Record)
				fallthrough
			case d.Sequence == sequences[0]:
				sequences = sequences[1:]
			}
			if len(sequences) == 0 || sequences[0]-d.Sequence > nearby {
				return errEnough
			}
			return nil
		})
		if err == nil {
			return nil // the end of the stream
		}
		if !errors.Is(err, errEnough) {
			return err
		}
	}
	return nil
}
