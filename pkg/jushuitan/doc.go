// Package jushuitan is a client of the Jushuitan (聚水潭) ERP's API: it signs, keeps to the quota, and hands out pages of rows as the
// bytes received. It knows the API, not the data: what a row means is left to its reader. It does not page, retry, store tokens or log.
//
// # One page about the API
//
// Two gateways give the same data. [OpenAPI], https://openapi.jushuitan.com, takes form posts with app_key, access_token, timestamp,
// charset=utf-8, version=2, biz (the query as JSON) and sign in the body. [Partner], the older https://open.erp321.com, takes the query
// as a JSON body, and method, partnerid, token, ts and sign in the address. The merchant puts the caller's public IP address on a whitelist
// and grants each interface.
//
// Signing: [Sign] covers every parameter of the openapi gateway; [SignPartner] does not cover the body. Both are MD5, so the connection
// must be TLS. The clock may be 15 minutes off on openapi, 10 on partner.
//
// Limits: 5 calls a second (code 199) and 100 a minute (code 200). A [Client] waits instead of exceeding them, lets urgent calls go first
// ([Lane]) and learns when fewer are allowed ([Client.Usage]); all calls of one app should go through one Client. A query spans at most [Endpoint.MaxSpan] and asks for at most [Endpoint.MaxPageSize] rows.
//
// Answers: every refusal is HTTP 200 with a code that is not 0; note that code 200 is one. What a code means depends in part on the
// gateway. [Error] carries its [Kind], whether to try again, and the sentence for the operator.
//
// Time: texts like 2006-01-02 15:04:05 without a zone, always UTC+8; see [Time].
//
// Paging: rows move between pages while they change. Read the last page first, or walk by [SalesOutQuery.StartTS]. has_next and the
// totals may be absent or wrong.
//
// Tokens: [Client.InitToken] for a merchant's own app, [Client.AccessToken] for an ISV app, [Client.RefreshToken] in the last days of the
// term that [Token.ExpiresIn] names. The client uses what they answer; keeping it for the next start is the caller's part.
//
// # Sources
//
// The vendor's documents docId=8, 30, 34, 70, 110, 320 of openweb.jushuitan.com and its older pages 2021, 2071, 2135, 2214, 2227, known
// through public SDKs written from them, and observations of programs in production; read on 2026-11-23. Nothing here was tried
// against the vendor's own servers.
package jushuitan
