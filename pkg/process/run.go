package process

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Run calls run with two contexts and returns its error. Intake ends with the first SIGINT or SIGTERM, or with parent: run then
// takes on nothing new, finishes what it has in hand under work, and returns. Work ends when grace has passed since, or at once with
// a second signal: run then drops what it has in hand. From there on signals have their default effect, so a third one kills.
//
// After a stop was asked for, an error that is context.Canceled counts as nil: what was dropped is taken up again by the next run.
// Run takes over the process's signals until it returns.
func Run(parent context.Context, grace time.Duration, run func(intake, work context.Context) error) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	return runUntil(parent, signals, func() { signal.Stop(signals) }, grace, run)
}

// runUntil is Run with the signals handed in; release gives them back to their default effect.
func runUntil(
	parent context.Context, signals <-chan os.Signal, release func(), grace time.Duration, run func(intake, work context.Context) error,
) error {
	intake, stop := context.WithCancel(parent)
	defer stop()
	work, abandon := context.WithCancel(context.WithoutCancel(parent))
	defer abandon()

	done := make(chan error, 1)
	go func() { done <- run(intake, work) }()

	select {
	case err := <-done:
		if parent.Err() != nil {
			return stopped(err)
		}
		return err
	case <-signals:
	case <-parent.Done():
	}
	stop()

	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case err := <-done:
		return stopped(err)
	case <-signals:
	case <-patience.C:
	}
	release()
	abandon()
	return stopped(<-done)
}

// stopped is the outcome of a run that was asked to stop.
func stopped(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
