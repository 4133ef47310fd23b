// Package bench measures the nightly audit against the least that could be done:
// a bare loop of net/http, encoding/json and BatchWriteItem over the same
// simulated tenant, in the same run, without throttling on either side. It holds
// only benchmarks; `make bench` runs them and prints the table that stands in
// infra/docs/performance.md.
//
// Each reading runs in a process of its own, so that its peak memory is that of
// the audit and not of the tenant that it reads.
package bench
