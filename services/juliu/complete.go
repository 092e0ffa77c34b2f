package juliu

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"juliu/pkg/control"
	"juliu/pkg/stream"
	"juliu/services/extractor"
	"juliu/services/loader"
)

// completionPatience is how long a shell may wait for what a server knows.
const completionPatience = 800 * time.Millisecond

// complete gives the arguments and flags of cmd and of the commands below it what a shell offers for them.
func (a App) complete(cmd *cobra.Command) {
	for _, child := range cmd.Commands() {
		a.complete(child)
	}
	switch cmd.CommandPath() {
	case "juliu jobs watch":
		cmd.ValidArgsFunction = a.offer(1, jobIDs(func(control.Job) bool { return true }))
	case "juliu jobs pause":
		cmd.ValidArgsFunction = a.offer(1, jobIDs(mayBecome(control.Paused)))
	case "juliu jobs resume":
		cmd.ValidArgsFunction = a.offer(1, jobIDs(mayBecome(control.Running)))
	case "juliu jobs cancel":
		cmd.ValidArgsFunction = a.offer(1, jobIDs(mayBecome(control.Cancelled)))
	case "juliu dlq show":
		cmd.ValidArgsFunction = a.offer(1, letterIDs)
	case "juliu dlq requeue", "juliu dlq drop":
		cmd.ValidArgsFunction = a.offer(math.MaxInt, letterIDs)
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if values := a.valuesOf(cmd.Name(), f.Name); values != nil {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, values) // fails only for a flag that is not there
		}
	})
}

// valuesOf is what a shell offers for a flag; nil for one whose value nobody can know.
func (a App) valuesOf(command, flag string) cobra.CompletionFunc {
	switch flag {
	case "data":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	case "output":
		if command == "audit" {
			return fixed("table", "json", "markdown")
		}
		return fixed("table", "json")
	case "sink":
		if command == "audit" {
			return fixed(slices.Sorted(maps.Keys(tables()))...)
		}
		return fixed(loader.SinkNames()...)
	case "status":
		if command == "replay" { // one of the records' own; all is to leave it out
			return fixed(slices.DeleteFunc(extractor.Statuses(), func(s string) bool { return s == "all" })...)
		}
		return fixed(extractor.Statuses()...)
	case "class":
		return fixed("rejected", "exhausted", "undecodable", "no-identity", "unsettled")
	case "group":
		return a.offer(math.MaxInt, groupIDs)
	case "job":
		return a.offer(math.MaxInt, jobIDs(func(job control.Job) bool { return job.Kind == extractor.AuditKind }))
	case "so-ids":
		return filesAfterAt
	default:
		return nil
	}
}

func fixed(values ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
}

// query is something that only a server knows: values, each with a word about it.
type query func(ctx context.Context, a App, conn *stream.Conn) ([]cobra.Completion, error)

// offer asks the server for arguments, up to a number of them, that are not on the command line yet. Whatever goes wrong, and a server that
// takes too long, offers nothing: a shell has no place for an error.
func (a App) offer(most int, q query) cobra.CompletionFunc {
	a.Err = io.Discard
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, stop := context.WithTimeout(cmd.Context(), completionPatience)
		defer stop()
		answer := make(chan []cobra.Completion, 1)
		go func() { answer <- a.answer(ctx, cmd.Flag("data").Value.String(), q) }() // a dial outlasts ctx by two seconds; the process does not wait for it
		select {
		case <-ctx.Done():
			return nil, cobra.ShellCompDirectiveNoFileComp
		case values := <-answer:
			return slices.DeleteFunc(values, func(value string) bool {
				id, _, _ := strings.Cut(value, "\t")
				return slices.Contains(args, id)
			}), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
		}
	}
}

func (a App) answer(ctx context.Context, data string, q query) []cobra.Completion {
	conn, err := a.connect(ctx, data)
	if err != nil {
		return nil
	}
	defer conn.Close()
	values, err := q(ctx, a, conn)
	if err != nil {
		return nil
	}
	return values
}

// jobIDs are the jobs that are wanted, the newest first.
func jobIDs(wanted func(control.Job) bool) query {
	return func(ctx context.Context, a App, conn *stream.Conn) ([]cobra.Completion, error) {
		jobs, err := control.OpenJobs(ctx, conn, a.Now)
		if err != nil {
			return nil, err
		}
		all, err := jobs.List(ctx)
		var values []cobra.Completion
		for _, job := range all {
			if wanted(job) {
				values = append(values, cobra.CompletionWithDesc(job.ID, fmt.Sprintf("%s %s, %s", job.Kind, words(job), job.State)))
			}
		}
		return values, err
	}
}

// mayBecome tells whether a job's state may become another one.
func mayBecome(state control.State) func(control.Job) bool {
	return func(job control.Job) bool { return job.State != state && job.Move(state) == nil }
}

// letterIDs are the dead letters, the newest first.
func letterIDs(ctx context.Context, _ App, conn *stream.Conn) ([]cobra.Completion, error) {
	letters, err := stream.Letters(ctx, conn)
	var values []cobra.Completion
	for _, l := range slices.Backward(letters) {
		values = append(values, cobra.CompletionWithDesc(strconv.FormatUint(l.ID, 10), l.Class+": "+cause(l)))
	}
	return values, err
}

// groupIDs are the groups of dead letters.
func groupIDs(ctx context.Context, _ App, conn *stream.Conn) ([]cobra.Completion, error) {
	letters, err := stream.Letters(ctx, conn)
	groups := map[string]bool{}
	for _, l := range letters {
		groups[cobra.CompletionWithDesc(groupOf(l), l.Class+": "+cause(l))] = true
	}
	return slices.Sorted(maps.Keys(groups)), err
}

// filesAfterAt are the files and folders that an @file may name.
func filesAfterAt(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	path, ok := strings.CutPrefix(typed, "@")
	if !ok {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	folder, _ := filepath.Split(path)
	entries, _ := os.ReadDir(cmp.Or(folder, ".")) // a folder that cannot be read offers nothing
	var values []cobra.Completion
	for _, entry := range entries {
		value := "@" + folder + entry.Name()
		if entry.IsDir() {
			value += "/"
		}
		if strings.HasPrefix(value, typed) {
			values = append(values, value)
		}
	}
	return values, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
