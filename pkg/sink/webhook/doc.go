// Package webhook is the sink that posts every record as JSON to one URL, signed as Standard Webhooks 1.0.0 has it
// (https://www.standardwebhooks.com), so that its libraries verify what arrives here.
//
// # What a receiver gets
//
// A POST of application/json, one event:
//
//	{"id":"evt_…","type":"jushuitan.sales-out.v1","timestamp":"2026-01-31T16:00:00Z","data":{
//	  "source":"main","resource":"sales-out","shop":"1","key":"42","version":"7","modified":"2026-01-31T15:59:58Z","sequence":9,
//	  "order":{…}}}
//
// timestamp is when the record was stored on the stream; order is the row under the vendor's field names, as `juliu read --output json`
// prints it. With a batch size above 1 the body is always {"events":[…]}, also when only one event is in it. Unknown members may be
// added later.
//
//	webhook-id         the event's id; in batches "bat_…", of the ids in it
//	webhook-timestamp  when this attempt was sent, Unix seconds
//	webhook-signature  v1,<base64 of HMAC-SHA256 over id.timestamp.body>, once for each active secret, separated by spaces
//	Idempotency-Key    the same as webhook-id
//	X-Juliu-Version    the event's version; not in batches
//
// The id is made of source, resource, key, version and content, so a retry and a replay carry it again, whichever loader sends them.
//
// # What a receiver must do
//
// Verify the signature over the bytes as they came, store, then answer 2xx. Events come at least once, and of one key not always in
// the order of their age: compare version as a whole number where it is one, else modified as a time; where they are equal the higher
// sequence is newer; drop what is older than what is stored, and answer 2xx to it as well. The example is such a receiver.
//
// # What an answer means
//
//	2xx but 207        stored, all of it; the body is not read for meaning, so 207 counts as a failure
//	400, 413, 422      this event will never be taken: it becomes a dead letter. A batch is sent again event by event first. When ten
//	                   different ones are refused with no success between them, loading pauses: the receiver may take none at all
//	401, 407, 410, 3xx the receiver does not take events from us: loading pauses until an operator acts. Redirects are never followed
//	429, 503           the receiver as a whole cannot take events now: loading pauses, for as long as Retry-After says, up to 15 minutes
//	anything else      and an answer that did not come: either this event is the cause or the receiver is. The event counts an attempt
//	                   and comes again later, and after LOADER_MAX_ATTEMPTS it is a dead letter. When three different ones fail with no
//	                   success between them, loading pauses
//
// No connection at all (name not found, refused, TLS not opened or not trusted) pauses too. So answer 500 for an event that you choke on, and 503
// when you are down.
//
// # Where it connects to
//
// To public addresses only, checked for each connection after the name was resolved, unless Allow lists the host or the network.
// No proxy, no redirect, TLS 1.2 and newer.
package webhook
