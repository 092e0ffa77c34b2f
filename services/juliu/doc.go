// Package juliu is the operator's command: `juliu up` runs everything in one process, `juliu read` shows what the stream holds,
// `juliu provision` creates what the services bind to, `juliu sandbox` serves the simulated ERP.
//
// One file per subcommand. The command is a value, App, that tests run with their own writers.
package juliu
