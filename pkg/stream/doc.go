// Package stream is juliu's data plane on NATS JetStream: it owns the configuration of the streams, stores records and the checkpoint
// that covers them as one act (Journal), tells which rows are stored already (Known), hands records to loaders (Consumer), keeps
// what cannot be loaded (KeepDelivery, KeepRow), gives it to the loaders again or removes it (Requeue, Drop), and reads back what is stored
// (Read).
//
// Delivery is at least once. Commit is all or nothing, and of two writers of one source the server refuses the second. The package does
// not decide what to extract, how often to retry a record, or which of two versions a sink keeps.
//
// All names on the wire (streams, subjects, headers) are constants and functions of this package.
package stream
