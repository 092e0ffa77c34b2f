// Package failpoint ends or stops the process at a named step, so that a test can place a crash exactly there.
//
// Only a build with the tag failpoint can do that. Its environment variable FAILPOINT lists steps as name:action[:n], separated by commas,
// e.g. FAILPOINT=commit-mid-batch:kill:5. Actions: kill (SIGKILL), stop (SIGSTOP, until somebody sends SIGCONT), exit (code 1 without any
// cleaning up). The nth time that the step is reached counts, by default the first. A list that cannot be read ends the process with
// code 2 at its first step.
//
// Without the tag both functions are empty, and the compiler removes the calls.
package failpoint
