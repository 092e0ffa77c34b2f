// Package embednats runs a NATS server with JetStream inside this process, for `juliu up` and for tests. It listens on loopback alone,
// asks for a token, syncs every write to disk before it acknowledges, and locks its folder, because two servers on one folder both
// acknowledge and silently destroy each other's data.
//
// It does not form clusters, and nothing of it is linked into the extractor or the loader.
package embednats
