// Package control is juliu's control plane on JetStream key-value buckets: who of several extractors works (Leases), what operators ask
// them to do beside the live flow (Jobs), and the ERP's tokens that they share (Tokens).
//
// Every write compares and sets: the server stores it only over the revision that the writer has read, so two processes never overwrite
// each other, and no decision rests on a read alone. A lease saves calls and quota; it is not exclusion. What two extractors must never
// do together, the commit of a page, is refused by the stream itself (stream.ErrFenced).
package control
