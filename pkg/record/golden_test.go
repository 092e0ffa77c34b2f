package record_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The golden file pins the wire form, the content hash included: should the hash of an unchanged row ever change, the extractor
// would store every order again.
func TestGoldenEnvelope(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sales_out", "realistic"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := decode(t, fixture(t, name+".json"))
			e, err := r.Envelope()
			if err != nil {
				t.Fatal(err)
			}
			b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer // protojson varies its white space on purpose
			if err := json.Indent(&got, b, "", "  "); err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
			golden := name + ".golden.json"
			if *update {
				if err := os.WriteFile(filepath.Join("testdata", golden), got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if want := fixture(t, golden); !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
			}
		})
	}
}

func TestInstantsDoNotDependOnTheZoneOfTheMachine(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"UTC", "America/New_York", "Asia/Shanghai", "Pacific/Kiritimati"} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^(TestGoldenEnvelope|TestTimes)$", "-test.v")
			cmd.Env = append(os.Environ(), "TZ="+zone)
			out, err := cmd.CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("--- PASS: TestTimes/")) {
				t.Errorf("in %s: %v\n%s", zone, err, out)
			}
		})
	}
}
