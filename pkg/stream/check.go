package stream

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// Check returns nil when everything that Provision makes is there and nothing that a promise rests on differs, else a *TopologyError.
func Check(ctx context.Context, c *Conn) error {
	var found []string
	for _, want := range []jetstream.StreamConfig{recordStream(Limits{}), deadLetterStream(Limits{})} {
		s, err := c.stream(ctx, want.Name)
		if missing(err) {
			found = append(found, "stream "+want.Name+" is missing")
			continue
		}
		if err != nil {
			return err
		}
		found = append(found, differences("stream "+want.Name, contract(s.CachedInfo().Config), contract(want))...)
	}
	_, err := c.stream(ctx, payloadStream)
	switch {
	case missing(err):
		found = append(found, "object store "+PayloadBucket+" is missing")
	case err != nil:
		return err
	}
	k, err := c.consumer(ctx, LiveConsumer)
	switch {
	case missing(err):
		found = append(found, "consumer "+LiveConsumer+" is missing")
	case err != nil:
		return err
	default:
		found = append(found, differences("consumer "+LiveConsumer, consumerContract(k.CachedInfo().Config, k.CachedInfo().Paused),
			consumerContract(liveConsumer(), false))...)
	}
	if len(found) > 0 {
		return &TopologyError{Differences: found}
	}
	return nil
}

func missing(err error) bool {
	var topology *TopologyError
	return errors.As(err, &topology)
}
