package juliu

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/reflect/protoreflect"

	"juliu/pkg/jushuitan"
	"juliu/pkg/stream"
)

const readHelp = `read prints orders from the stream, oldest first. It takes nothing from it and moves no consumer.

It finds a running 'juliu up' by its data folder (--data), else it connects by NATS_URL.

With --output json each line is {"sequence":n,"subject":"…","published":"RFC 3339","order":{…}}, the order under the vendor's field names, with
the receiver's data as received; the table shows none of it.`

// readFlags are the flags of read.
type readFlags struct {
	data, output, source, resource, shop string
	last, limit                          int
	from                                 uint64
	since                                time.Duration
	follow                               bool
}

func (a App) read() *cobra.Command {
	var f readFlags
	cmd := &cobra.Command{
		Use:     "read",
		Short:   "Print orders from the stream",
		Long:    readHelp,
		Example: "  juliu read --last 10\n  juliu read --since 1h --output json | jq .order.io_id\n  juliu read --follow",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.output != "table" && f.output != "json" {
				return usageError{"--output takes table or json"}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			return a.readNow(ctx, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.data, "data", "data", "data `folder` of a juliu up")
	flags.StringVarP(&f.output, "output", "o", "table", "output `format`, table or json")
	flags.StringVar(&f.source, "source", "", "only this `source`")
	flags.StringVar(&f.resource, "resource", "", "only this `resource`, e.g. sales-out")
	flags.StringVar(&f.shop, "shop", "", "only this `shop_id`")
	flags.IntVar(&f.last, "last", 0, "only the newest `n` records")
	flags.IntVar(&f.limit, "limit", 0, "stop after `n` records")
	flags.Uint64Var(&f.from, "from-seq", 0, "begin at this `sequence` of the stream")
	flags.DurationVar(&f.since, "since", 0, "begin with records stored this long ago, e.g. 1h")
	flags.BoolVarP(&f.follow, "follow", "f", false, "wait for more until Ctrl-C")
	return cmd
}

func (a App) readNow(ctx context.Context, f readFlags) error {
	conn, err := a.connect(ctx, f.data)
	if err != nil {
		return err
	}
	defer conn.Close()
	o := stream.ReadOptions{
		Source: f.source, Resource: f.resource, Shop: f.shop,
		FromSequence: f.from, Limit: f.limit, Last: f.last, Follow: f.follow,
	}
	if f.since > 0 {
		o.Since = a.Now().Add(-f.since)
	}
	found := false
	read := func(row func(stream.Delivery) error) error {
		return stream.Read(ctx, conn, o, func(d stream.Delivery) error {
			found = true
			return row(d)
		})
	}
	if f.output == "json" {
		err = read(a.printJSON)
	} else {
		err = a.printTable(read, f.follow)
	}
	switch {
	case f.follow && ctx.Err() != nil:
		return nil
	case err == nil && !found:
		_, _ = fmt.Fprintln(a.Err, f.nothing())
	}
	return err
}

// nothing says why no order was printed, and what to do.
func (f readFlags) nothing() string {
	if f.source+f.resource+f.shop != "" || f.from > 0 || f.since > 0 {
		return "juliu: no orders match; see all there are with: juliu read"
	}
	return "juliu: no orders on the stream yet; start an extractor, and 'juliu status' shows how far it is"
}

// line is one line of --output json.
type line struct {
	Sequence  uint64          `json:"sequence"`
	Subject   string          `json:"subject"`
	Published time.Time       `json:"published"`
	Order     json.RawMessage `json:"order"`
}

func (a App) printJSON(d stream.Delivery) error {
	if d.Err != nil {
		return fmt.Errorf("decode record %d: %w", d.Sequence, d.Err)
	}
	order, err := d.Record.PayloadJSON()
	if err != nil {
		return fmt.Errorf("print record %d: %w", d.Sequence, err)
	}
	if err := json.NewEncoder(a.Out).Encode(line{Sequence: d.Sequence, Subject: d.Subject, Published: d.Published, Order: order}); err != nil {
		return fmt.Errorf("print record %d: %w", d.Sequence, err)
	}
	return nil
}

// printTable prints one record a row, without personal data.
func (a App) printTable(read func(func(stream.Delivery) error) error, flush bool) error {
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	head := sync.OnceFunc(func() {
		_, _ = fmt.Fprintln(w, "SEQUENCE\tORDER\tSHOP\tSTATUS\tAMOUNT\tMODIFIED +08:00\tSTORED +08:00")
	})
	err := read(func(d stream.Delivery) error {
		head()
		if d.Err != nil {
			_, err := fmt.Fprintf(w, "%d\t(not readable: %v)\n", d.Sequence, d.Err)
			return err //nolint:wrapcheck // a closed standard output needs no more words
		}
		r := d.Record
		_, err := fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", d.Sequence, r.Key, r.Shop, field(r.Payload.ProtoReflect(), "status"),
			field(r.Payload.ProtoReflect(), "pay_amount"), jushuitan.At(r.Version.Modified), jushuitan.At(d.Published))
		if err == nil && flush {
			err = w.Flush()
		}
		return err //nolint:wrapcheck // a closed standard output needs no more words
	})
	if err != nil {
		return err
	}
	return w.Flush() //nolint:wrapcheck // a closed standard output needs no more words
}

// field is a field's text, "" when the payload has none of that name.
func field(m protoreflect.Message, name protoreflect.Name) string {
	f := m.Descriptor().Fields().ByName(name)
	if f == nil || !m.Has(f) {
		return ""
	}
	return m.Get(f).String()
}
