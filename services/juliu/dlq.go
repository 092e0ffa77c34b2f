package juliu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"juliu/pkg/stream"
)

const dlqHelp = `dlq is the desk for dead letters: records that no sink would take, and rows that could not become records. 'groups' shows the causes, 'list' the
letters, 'show' one of them; when the cause is cured, 'requeue' gives the records to the loaders again, and 'drop' removes letters for good.

requeue never brings an order back over a newer version: a letter whose order has changed since is removed as superseded. A record that fails
again is one letter with the next attempt. A requeue that was cut off is run again; nothing is lost or given twice.

A row without identity cannot be requeued, because nobody knows which order it is; 'show' says what to do about it.

Names, phones, addresses and buyers' accounts are masked; 'show --reveal' shows them and leaves an audit record, as requeue and drop do: see
'history'. Letters are named by ID, their sequence on the stream JUSHUITAN_DLQ.

It finds a running 'juliu up' by its data folder (--data), else it connects by NATS_URL. With --output json each line is one object.
Exit codes: 0 done, 1 failed or nothing could be requeued, 2 bad usage.`

const dlqExamples = `  juliu dlq groups
  juliu dlq list --class rejected --since 24h
  juliu dlq show 17
  juliu dlq requeue --group 3f9a1c02 --dry-run
  juliu dlq requeue --all --yes --output json
  juliu dlq drop 17 18`

// dlqFlags are the flags of all commands of dlq; each takes some.
type dlqFlags struct {
	data, output, who string
	choice            choice
	reveal            bool
	all, yes, dryRun  bool
}

func (a App) dlq() *cobra.Command {
	f := &dlqFlags{}
	dlq := &cobra.Command{
		Use:     "dlq",
		Short:   "List, show, requeue and drop dead letters",
		Long:    dlqHelp,
		Example: dlqExamples,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	deskFlags(dlq.PersistentFlags(), &f.data, &f.output)
	add := func(use, short string, args cobra.PositionalArgs, run func(letterDesk, context.Context, []string) error) *pflag.FlagSet {
		cmd := &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd.Flags(), args); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			d, err := a.openLetterDesk(ctx, f)
			if err != nil {
				return err
			}
			defer d.conn.Close()
			return run(d, ctx, args)
		}}
		dlq.AddCommand(cmd)
		return cmd.Flags()
	}
	f.choice.flags(add("list", "List dead letters, the newest first", cobra.NoArgs, letterDesk.list), true)
	f.choice.flags(add("groups", "Count dead letters by cause", cobra.NoArgs, letterDesk.groups), false)
	show := add("show ID", "Show everything about one letter, personal data masked", cobra.ExactArgs(1), letterDesk.show)
	show.BoolVar(&f.reveal, "reveal", false, "show personal data; who did is kept in the history")
	show.StringVar(&f.who, byFlag, "", byUsage)
	f.settleFlags(add("requeue [ID]...", "Give records to the loaders again", cobra.ArbitraryArgs, letterDesk.requeue))
	f.settleFlags(add("drop [ID]...", "Remove letters for good", cobra.ArbitraryArgs, letterDesk.drop))
	add("history", "List who revealed, requeued or dropped what", cobra.NoArgs, letterDesk.history)
	return dlq
}

const (
	byFlag  = "by"
	byUsage = "`who` does it, for the history (default this user@host)"
)

// settleFlags are those of requeue and drop.
func (f *dlqFlags) settleFlags(flags *pflag.FlagSet) {
	f.choice.flags(flags, false)
	flags.StringVar(&f.choice.group, "group", "", "all letters of this `group`, as groups names it")
	flags.BoolVar(&f.all, "all", false, "all letters")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would be done, and do nothing")
	flags.StringVar(&f.who, byFlag, "", byUsage)
	flags.BoolVarP(&f.yes, "yes", "y", false, "do it without asking")
}

// check says what is wrong with a command line before anything is asked. Every error is a usageError.
func (f *dlqFlags) check(flags *pflag.FlagSet, args []string) error {
	if err := noneEmpty(flags); err != nil {
		return err
	}
	chosen, settles := !f.choice.empty(), flags.Lookup("all") != nil
	switch {
	case f.output != "table" && f.output != "json":
		return usageError{"--output takes table or json"}
	case flags.Changed("since") && f.choice.since <= 0:
		return usageError{"--since takes how long ago, more than 0, e.g. 24h"}
	case f.choice.limit < 0:
		return usageError{"--limit takes no negative value"}
	case settles && (len(args) > 0 && (f.all || chosen) || f.all && chosen):
		return usageError{"name letters by ID, or choose them by flags such as --group, or take --all; not several of these"}
	case settles && len(args) == 0 && !f.all && !chosen:
		return usageError{"which letters? Name them by ID, choose them by flags such as --group, or take --all; see: juliu dlq groups"}
	}
	_, err := numbers(args)
	return err
}

// noneEmpty refuses a flag that was given an empty text, as by a variable of a script that is not set: it would choose more than was meant, or
// name nobody.
func noneEmpty(flags *pflag.FlagSet) error {
	var err error
	flags.Visit(func(flag *pflag.Flag) {
		if strings.TrimSpace(flag.Value.String()) == "" {
			err = usageError{"--" + flag.Name + " is empty: give it a value, or leave it out"}
		}
	})
	return err
}

// letterDesk is where an operator looks after dead letters.
type letterDesk struct {
	app   App
	flags *dlqFlags
	conn  *stream.Conn
	// json prints one object a line to Out.
	json bool
	// notes takes what people read: Out, or Err when Out takes JSON.
	notes io.Writer
}

func (a App) openLetterDesk(ctx context.Context, f *dlqFlags) (letterDesk, error) {
	conn, err := a.connect(ctx, f.data)
	if err != nil {
		return letterDesk{}, err
	}
	d := letterDesk{app: a, flags: f, conn: conn, json: f.output == "json", notes: a.Out}
	if d.json {
		d.notes = a.Err
	}
	return d, nil
}

// notef writes a line for people.
func (d letterDesk) notef(format string, args ...any) {
	_, _ = fmt.Fprintln(d.notes, printable(fmt.Sprintf(format, args...)))
}

// printable is a text without what would steer a terminal: parts of it were written by sinks, shops and buyers.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) || r == '\n' || r == '\t' {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// none says that there is nothing to show.
func (d letterDesk) none() error {
	if d.flags.choice.empty() {
		d.notef("no dead letters")
	} else {
		d.notef("no dead letters match; see them all with: juliu dlq list")
	}
	return nil
}

// named are the letters with these ids, in their order.
func named(letters []stream.Letter, args []string) ([]stream.Letter, error) {
	byID := map[uint64]stream.Letter{}
	for _, l := range letters {
		byID[l.ID] = l
	}
	var found []stream.Letter
	ids, err := numbers(args)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		l, ok := byID[id]
		if !ok {
			return nil, fmt.Errorf("dead letter %d: %w; it may have been requeued or dropped, see: juliu dlq list, juliu dlq history", id, stream.ErrNoLetter)
		}
		found = append(found, l)
	}
	return found, nil
}

// numbers are the ids of letters on a command line, each once.
func numbers(args []string) ([]uint64, error) {
	var ids []uint64
	for _, arg := range args {
		id, err := strconv.ParseUint(arg, 10, 64)
		if err != nil || id == 0 {
			return nil, usageError{fmt.Sprintf("%q is no ID of a dead letter, which is a number; see: juliu dlq list", arg)}
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

var errNothingDone = errors.New("nothing was requeued: what has no identity cannot be; 'juliu dlq show ID' says what to do")
