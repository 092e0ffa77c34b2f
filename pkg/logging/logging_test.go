package logging_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/logging"
)

func TestTheLogIsJSONWhereNoPersonReadsIt(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := logging.New("debug", "", &out)
	if err != nil {
		t.Fatal(err)
	}
	log.WithField(logging.Records, 3).Debug("rows read")
	var line struct {
		Time    time.Time `json:"time"`
		Level   string    `json:"level"`
		Msg     string    `json:"msg"`
		Records int       `json:"records"`
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, out.String())
	}
	if line.Level != "debug" || line.Msg != "rows read" || line.Records != 3 || line.Time.IsZero() {
		t.Errorf("line %s", out.String())
	}
}

func TestTheFormatCanBeChosen(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := logging.New("", logging.Text, &out)
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("not shown")
	log.Info("shown")
	if text := out.String(); !strings.Contains(text, `msg=shown`) || strings.Contains(text, "not shown") {
		t.Errorf("text %q, want the line of level info alone", text)
	}
}

func TestAWrongLevelOrFormatIsRefusedWithoutItsValue(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string][2]string{"level": {"hunter2", ""}, "format": {"", "hunter2"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := logging.New(settings[0], settings[1], &bytes.Buffer{}); err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %v, want one without the value", err)
			}
		})
	}
}

func TestFieldsThatPromiseASecretOrAPersonAreMasked(t *testing.T) {
	t.Parallel()
	for field, hidden := range map[string]bool{
		"access_token": true, "appSecret": true, "JST_APP_SECRET": true, "nats.password": true, "receiver_name": true, "receiver-phone": true,
		"receiver_mobile": true, "receiver_address": true, "shop_buyer_id": true, "authorization": true, "sign": true, "Email": true,
		logging.Service: false, logging.Version: false, logging.Source: false, logging.Resource: false, logging.WindowBegin: false,
		logging.WindowEnd: false, logging.Cursor: false, logging.Records: false, logging.Known: false, logging.KeyHash: false,
		logging.Subject: false, logging.Sequence: false, logging.Attempt: false, logging.Wait: false, logging.Class: false, logging.Reason: false,
		logging.Remedy: false, logging.Sink: false, logging.Workers: false, logging.Address: false, logging.Commit: false,
		logging.Consumer: false, logging.Server: false, logging.ServerVersion: false, logging.APILevel: false, logging.MaxPayload: false,
		logging.Operation: false, logging.Detail: false, logging.Expires: false,
		"tokens_left": false, "renamed": false, "signature_errors": false,
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			log, err := logging.New("", logging.JSON, &out)
			if err != nil {
				t.Fatal(err)
			}
			entry := log.WithFields(logrus.Fields{field: "hunter2"})
			entry.Info("a")
			entry.Info("b")
			if shown := strings.Count(out.String(), "hunter2"); hidden && shown > 0 || !hidden && shown != 2 {
				t.Errorf("the value is shown %d times in\n%s", shown, out.String())
			}
			if entry.Data[field] != "hunter2" {
				t.Error("the caller's own fields were changed")
			}
		})
	}
}
