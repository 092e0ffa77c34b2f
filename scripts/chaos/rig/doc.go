// Package rig disturbs a running juliu in every way that one machine can, and has pkg/chaos judge what is left.
//
// It starts the shipped programs as processes: two extractors, three loaders, a NATS server, a simulated ERP whose orders live, and a
// sink. Between them stand links that it can cut, hold or slow down. One seed decides every fault, its time and its victim.
package rig
