package process

// RunUntil is Run with its signals handed in.
var RunUntil = runUntil
