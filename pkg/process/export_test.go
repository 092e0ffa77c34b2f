package process

// RunUntil is Run with its signals handed in.
var RunUntil = runUntil //nolint:gochecknoglobals // a door for the tests
