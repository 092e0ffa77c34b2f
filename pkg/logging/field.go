package logging

// The names of fields. One idea has one name in every log line; add a name here before using a new one.
const (
	// Service is the process: extractor, loader or juliu.
	Service = "service"
	// Version is the build, see process.Version.
	Version = "version"
	// Source is the merchant's account, EXTRACTOR_SOURCE.
	Source = "source"
	// Resource is the kind of record, e.g. sales-out.
	Resource = "resource"
	// WindowBegin is the start of the window in RFC 3339, inclusive.
	WindowBegin = "window_begin"
	// WindowEnd is the end of the window in RFC 3339, exclusive.
	WindowEnd = "window_end"
	// Cursor is the time up to which all is read, in RFC 3339.
	Cursor = "cursor"
	// Records is how many records the line is about.
	Records = "records"
	// Lane is who among the extractor's readers it was: live, sweep or backfill.
	Lane = "lane"
	// Resolved is how many orders were found by their number that no window showed.
	Resolved = "resolved"
	// Repaired is how many records an audit stored anew.
	Repaired = "repaired"
	// Job is the number of a job.
	Job = "job"
	// Known is how many keys are known to be stored.
	Known = "known"
	// KeyHash identifies a record without showing its key.
	KeyHash = "key_hash"
	// Subject is a NATS subject.
	Subject = "subject"
	// Sequence is a record's place on the stream.
	Sequence = "sequence"
	// Attempt is how often a delivery has been handed out, from 1.
	Attempt = "attempt"
	// Wait is how long until the next try, as a duration.
	Wait = "wait"
	// Expires is when the ERP's access token ends, in RFC 3339.
	Expires = "expires"
	// Class is the kind of a dead letter.
	Class = "class"
	// Reason is why a record was rejected; it holds no values.
	Reason = "reason"
	// Remedy is what the operator can do.
	Remedy = "remedy"
	// Sink is the name of the sink.
	Sink = "sink"
	// Workers is how many workers a loader has.
	Workers = "workers"
	// Address is where the process listens.
	Address = "listen"
	// Commit identifies one commit of the extractor.
	Commit = "commit"
	// Consumer is the name of a durable consumer.
	Consumer = "consumer"
	// Server is where NATS is, without the credentials.
	Server = "server"
	// ServerVersion is the version of the NATS server.
	ServerVersion = "server_version"
	// APILevel is the level of the NATS server's JetStream API.
	APILevel = "api_level"
	// MaxPayload is the NATS server's largest message in bytes.
	MaxPayload = "max_payload"
	// Operation is what NATS denied, publish or subscription.
	Operation = "operation"
	// Holder is who holds a lease: host, process and run.
	Holder = "holder"
	// Stack is where the program was; it holds no values.
	Stack = "stack"
	// Detail is another program's own words.
	Detail = "detail"
)
