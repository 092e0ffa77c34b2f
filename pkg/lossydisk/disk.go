// Package lossydisk is a disk for tests whose power can be cut: what no program has synced by then is gone. It is a file system in memory,
// mounted by FUSE, so that a server in a process of its own runs on it unchanged.
//
// A file's content is kept by fsync, fdatasync or O_SYNC; a name by an fsync of its folder or, as ext4, XFS and btrfs have it, of the file
// itself, together with the folders above. A disk made by NewStrict keeps names by an fsync of their folder alone, which is all that POSIX
// asks of a file system. A disk that obeys its flushes may do no worse.
package lossydisk

import (
	"math/rand/v2"
	"sync"
	"syscall"
)

// Disk is the disk. It is safe for concurrent use.
type Disk struct {
	strict bool

	mu   sync.Mutex
	root *inode
	next uint64 // number of the next inode
	left int    // how many changes the power lasts yet; negative: for good
	dark chan struct{}
}

// New is an empty disk that behaves as a journaling file system.
func New() *Disk { return empty(false) }

// NewStrict is an empty disk that keeps no more names than POSIX promises.
func NewStrict() *Disk { return empty(true) }

func empty(strict bool) *Disk {
	return &Disk{strict: strict, root: newFolder(1), next: 2, left: -1, dark: make(chan struct{})}
}

// CutAfter cuts the power before the change, sync or write after the next n of them. From then on every call fails.
func (d *Disk) CutAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = n
}

// Dark is closed when the power is cut.
func (d *Disk) Dark() <-chan struct{} { return d.dark }

// Restart is the disk as it is found after the power cut. Of what was written to a file and not synced, nothing is there when torn is nil;
// else the beginning, as much as it draws. The old disk must not be mounted any more.
func (d *Disk) Restart(torn *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := empty(d.strict)
	after.root = d.root.survivor(torn)
	after.next = d.next
	return after
}

// change makes one change, if there is power.
func (d *Disk) change(fn func() syscall.Errno) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.isDark() {
		return syscall.EIO
	}
	if d.left == 0 {
		close(d.dark)
		return syscall.EIO
	}
	d.left--
	return fn()
}

// look reads, if there is power.
func (d *Disk) look(fn func() syscall.Errno) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.isDark() {
		return syscall.EIO
	}
	return fn()
}

func (d *Disk) isDark() bool {
	select {
	case <-d.dark:
		return true
	default:
		return false
	}
}

// create makes a file or folder under a name that is free.
func (d *Disk) create(in *inode, name string, folder bool) *inode {
	made := &inode{id: d.next}
	if folder {
		made = newFolder(d.next)
	}
	d.next++
	in.put(name, made)
	return made
}

// sync keeps a file's content or a folder's names, and the way to it.
func (d *Disk) sync(n *inode) {
	n.keep()
	if d.strict {
		return
	}
	for ; n.at.folder != nil; n = n.at.folder {
		n.keepName()
	}
}
