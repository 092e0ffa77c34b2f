package control

import "errors"

// ErrLeaseLost means that another process may hold the lease from now on: it was not renewed in time, was deleted, or the server gave it
// away. Nothing that was committed is in danger; wait for the lease again, or exit.
var ErrLeaseLost = errors.New("lease lost: another process may work now; wait for the lease again")

// ErrNoJob means that there is no job with this id. Take the id from the list of jobs.
var ErrNoJob = errors.New("no such job: take the id from the list of jobs")

// ErrEnded means that a job is done, cancelled or failed, and never changes again. Create another one.
var ErrEnded = errors.New("the job has ended; create another one")

// ErrTransition means that a job cannot go from its state to the one asked for; the text says where it can go.
var ErrTransition = errors.New("not possible in the job's state")

// ErrSealed means that a stored token cannot be opened with this app secret: the secret is another one than the token was stored with,
// or the record was damaged, or copied from another source. Set the right secret, or authorise anew and save over the revision.
var ErrSealed = errors.New("the stored token cannot be opened with this app secret; check JST_APP_SECRET, or store a new token over it")

// ErrConflict means that another process saved the token since it was loaded. Nothing is stored; load it again.
var ErrConflict = errors.New("another process saved the token meanwhile; load it again")
