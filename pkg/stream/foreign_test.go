package stream_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"juliu/pkg/stream"
)

// Whoever may publish there, or have a server's answer written there, must not make an extractor begin anew, which would leave a gap.
func TestWhatIsNoCheckpointIsNotTakenForOne(t *testing.T) {
	t.Parallel()
	unnumbered, err := proto.Marshal(checkpoint(epoch()))
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{
		"an empty message":            nil,
		"a server's answer":           []byte(`{"type":"io.nats.jetstream.api.v1.stream_info_response"}`),
		"a checkpoint of no run":      unnumbered,
		"bytes that no message makes": []byte("\xff\xff\xff"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, conn := setup(t)
			running := openJournal(t, conn)
			commit(t.Context(), t, running, orders(0, 3, 100))
			js := raw(t, server)
			ack, err := js.Publish(t.Context(), stream.CheckpointSubject(resource, source), body)
			if err != nil {
				t.Fatal(err)
			}
			var foreign *stream.CheckpointError
			_, err = stream.OpenJournal(t.Context(), conn, resource, source)
			remedy := "nats stream rmm JUSHUITAN " + strconv.FormatUint(ack.Sequence, 10)
			if !errors.As(err, &foreign) || foreign.ExitCode() != 2 || !strings.Contains(err.Error(), remedy) {
				t.Errorf("a new journal: %v, want %q", err, remedy)
			}
			if _, err := stream.Sources(t.Context(), conn); !errors.As(err, &foreign) {
				t.Errorf("status: %v", err)
			}
			if err := running.Commit(t.Context(), orders(3, 1, 100), checkpoint(epoch())); !errors.Is(err, stream.ErrUnclear) || !errors.As(err, &foreign) {
				t.Errorf("a running journal: %v", err)
			}
			s, err := js.Stream(t.Context(), stream.Stream)
			if err == nil {
				err = s.DeleteMsg(t.Context(), ack.Sequence)
			}
			if err != nil {
				t.Fatal(err)
			}
			again := openJournal(t, conn)
			if again.Checkpoint().GetTotal() != 3 {
				t.Errorf("after the cure the checkpoint is %v", again.Checkpoint())
			}
			once(t, conn, 3)
		})
	}
}
