// Package integration tests the functions as they are deployed: each built
// bootstrap under AWS's own Lambda runtime interface emulator, on Amazon's
// DynamoDB Local, moto's SES, SQS and SNS, and a simulated tenant with its
// log-in end point over TLS. Nothing in the functions knows that it is tested:
// all end points come from the environment.
//
// Start reading at rollout_test.go, which carries a small rollout from the
// announcement to the switch. What it runs on is in cloud_test.go and
// firm_test.go; how weeks pass in seconds, in time_test.go.
package integration
