package rig

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"juliu/pkg/chaos"
	juliuv1 "juliu/proto/juliu/v1"
)

const (
	// canaries is how many persons' data are searched for.
	canaries = 200
	// shortest is how many characters a datum needs, so that it is not found by accident.
	shortest = 6
)

// listen writes what the processes show besides their logs: metrics and command lines.
func (d *driver) listen(ctx context.Context) error {
	var wrong []error
	for _, name := range services() {
		wrong = append(wrong, dump(d.fleet.path(chaos.OutputFolder, name+".metrics"), func(out io.Writer) error {
			return d.fleet.call(ctx, name, http.MethodGet, "/metrics", out)
		}))
	}
	wrong = append(wrong, dump(d.fleet.path(chaos.OutputFolder, "argv"), func(out io.Writer) error {
		for _, name := range slices.Sorted(maps.Keys(d.fleet.daemons)) {
			argv, err := os.ReadFile("/proc/" + strconv.Itoa(d.fleet.daemons[name].pid()) + "/cmdline")
			if err != nil {
				return fmt.Errorf("read the command line of %s: %w", name, err)
			}
			_, _ = fmt.Fprintf(out, "%s: %s\n", name, bytes.ReplaceAll(argv, []byte{0}, []byte{' '}))
		}
		return nil
	}))
	return errors.Join(wrong...)
}

// hideCanaries writes the secrets of the run and what its orders say of persons into the list of what no output may show, and the reasons of
// dead letters into the output.
func (d *driver) hideCanaries() error {
	var all []string
	for _, secret := range d.fleet.secrets {
		all = append(all, secret)
	}
	persons, err := personsIn(d.fleet.path(chaos.StreamFile))
	if err != nil {
		return err
	}
	all = append(all, persons...)
	return errors.Join(
		dump(d.fleet.path(chaos.CanariesFile), func(out io.Writer) error { return json.NewEncoder(out).Encode(all) }),
		dump(d.fleet.path(chaos.OutputFolder, "reasons"), d.writeReasons),
	)
}

// personsIn takes mobile numbers and addresses out of records, spread over the stream.
func personsIn(path string) ([]string, error) {
	var found []string
	n := 0
	err := eachMessage(path, func(m chaos.Message) {
		n++
		if len(found) >= canaries || n%20 != 0 {
			return
		}
		envelope := &juliuv1.Envelope{}
		if proto.Unmarshal(m.Body, envelope) != nil {
			return
		}
		order := envelope.GetSalesOutOrder()
		for _, datum := range []string{order.GetReceiverMobile(), order.GetReceiverAddress()} {
			if utf8.RuneCountInString(datum) >= shortest && !strings.Contains(datum, "*") {
				found = append(found, datum)
			}
		}
	})
	return found, err
}

// writeReasons writes the headers of the dead letters but for what only names a record.
func (d *driver) writeReasons(out io.Writer) error {
	return eachMessage(d.fleet.path(chaos.LettersFile), func(m chaos.Message) {
		_, _ = fmt.Fprintln(out, m.Header)
	})
}

func eachMessage(path string, take func(chaos.Message)) error {
	f, err := os.Open(path) //nolint:gosec // The rig's own file.
	if err != nil {
		return fmt.Errorf("read the history: %w", err)
	}
	defer func() { _ = f.Close() }()
	decoder := json.NewDecoder(bufio.NewReaderSize(f, 1<<20))
	for {
		var m chaos.Message
		switch err := decoder.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the history: %w", err)
		}
		take(m)
	}
}
