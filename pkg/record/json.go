package record

import (
	"bytes"
	"encoding/json"
	"errors"

	"google.golang.org/protobuf/encoding/protojson"
)

// PayloadJSON is the typed row as one JSON object under the vendor's field names, 64-bit integers as strings, without unset fields: the
// order that `juliu read --output json` prints. It is compact, and equal payloads give equal bytes. The error says no more than that it
// cannot be done (no payload, or text that is not UTF-8), because its cause may quote values.
func (r Record) PayloadJSON() (json.RawMessage, error) {
	if r.Payload == nil {
		return nil, errors.New("no payload")
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(r.Payload)
	if err != nil {
		return nil, errors.New("the row cannot be put into JSON")
	}
	var compact bytes.Buffer // protojson puts in spaces at random
	if err := json.Compact(&compact, text); err != nil {
		return nil, errors.New("the row cannot be put into JSON")
	}
	return compact.Bytes(), nil
}
