// Package process is the life of a process in one place: signals and the two stages of a stop, exit codes, the version, and the
// HTTP endpoints that tell others how it does (/healthz, /readyz, /metrics).
//
// It does not read the environment and does not exit; a service's main does both:
//
//	func main() {
//		os.Exit(process.Main(context.Background(), process.Service{
//			Name: "loader", Help: help, Out: os.Stdout, Err: os.Stderr, HTTPAddr: os.Getenv("HTTP_ADDR"), Grace: 15 * time.Second, Run: run,
//		}, os.Args[1:]))
//	}
package process
