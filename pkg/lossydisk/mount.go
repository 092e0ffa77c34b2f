package lossydisk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	blockSize = 4096
	// blocks is what the disk says it has, and has free: 16 GiB.
	blocks = 4 << 20
)

// Mount shows the disk at a folder, until the function returned is called, when no process may use it any more. It needs /dev/fuse, and
// either the right to mount or the program fusermount3.
func (d *Disk) Mount(dir string) (func() error, error) {
	server, err := fs.Mount(dir, &node{disk: d, inode: d.root}, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMount: true, FsName: "lossydisk", MaxWrite: 1 << 20},
	})
	if err != nil {
		return nil, fmt.Errorf("mount a disk by FUSE (be root, or install the package fuse3; in a container: docker run --device /dev/fuse "+
			"--cap-add SYS_ADMIN --security-opt apparmor=unconfined): %w", err)
	}
	return server.Unmount, nil
}

// node is a file or folder as FUSE sees it.
type node struct {
	fs.Inode

	disk  *Disk
	inode *inode
}

// handle is an open file.
type handle struct {
	syncs bool // after each write
}

func handleFor(flags uint32) handle {
	return handle{syncs: flags&(syscall.O_SYNC|syscall.O_DSYNC) != 0}
}

func (n *inode) mode() uint32 {
	if n.isFolder() {
		return syscall.S_IFDIR | 0o700
	}
	return syscall.S_IFREG | 0o600
}

func (n *inode) attributes(out *fuse.Attr) {
	out.Ino, out.Mode, out.Size, out.Nlink = n.id, n.mode(), uint64(len(n.data)), 1
	out.Blocks, out.Blksize = (out.Size+511)/512, blockSize
}

// show hands an inode to the kernel.
func (n *node) show(ctx context.Context, child *inode, out *fuse.EntryOut) *fs.Inode {
	child.attributes(&out.Attr)
	return n.NewInode(ctx, &node{disk: n.disk, inode: child}, fs.StableAttr{Mode: child.mode(), Ino: child.id})
}

// Statfs implements fs.NodeStatfser.
func (n *node) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	out.Bsize, out.Frsize, out.Blocks, out.Bfree, out.Bavail, out.NameLen = blockSize, blockSize, blocks, blocks, blocks, 255
	return 0
}

// Lookup implements fs.NodeLookuper.
func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	var shown *fs.Inode
	errno := n.disk.look(func() syscall.Errno {
		child := n.inode.names[name]
		if child == nil {
			return syscall.ENOENT
		}
		shown = n.show(ctx, child, out)
		return 0
	})
	return shown, errno
}

// Readdir implements fs.NodeReaddirer.
//
//nolint:ireturn // as go-fuse has it
func (n *node) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	var entries []fuse.DirEntry
	errno := n.disk.look(func() syscall.Errno {
		for name, child := range n.inode.names {
			entries = append(entries, fuse.DirEntry{Name: name, Mode: child.mode(), Ino: child.id})
		}
		return 0
	})
	slices.SortFunc(entries, func(a, b fuse.DirEntry) int { return strings.Compare(a.Name, b.Name) })
	return fs.NewListDirStream(entries), errno
}

// Getattr implements fs.NodeGetattrer.
func (n *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	return n.disk.look(func() syscall.Errno {
		n.inode.attributes(&out.Attr)
		return 0
	})
}

// Setattr implements fs.NodeSetattrer. Rights and times are not kept.
func (n *node) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return n.disk.change(func() syscall.Errno {
		if size, ok := in.GetSize(); ok {
			n.inode.resize(int(size)) //nolint:gosec // a test's file
		}
		n.inode.attributes(&out.Attr)
		return 0
	})
}

// Mkdir implements fs.NodeMkdirer.
func (n *node) Mkdir(ctx context.Context, name string, _ uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return n.add(ctx, name, true, out)
}

// Create implements fs.NodeCreater.
//
//nolint:ireturn // as go-fuse has it
func (n *node) Create(ctx context.Context, name string, flags, _ uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	shown, errno := n.add(ctx, name, false, out)
	return shown, handleFor(flags), 0, errno
}

func (n *node) add(ctx context.Context, name string, folder bool, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	var shown *fs.Inode
	errno := n.disk.change(func() syscall.Errno {
		if n.inode.names[name] != nil {
			return syscall.EEXIST
		}
		shown = n.show(ctx, n.disk.create(n.inode, name, folder), out)
		return 0
	})
	return shown, errno
}

// Unlink implements fs.NodeUnlinker.
func (n *node) Unlink(_ context.Context, name string) syscall.Errno { return n.remove(name) }

// Rmdir implements fs.NodeRmdirer.
func (n *node) Rmdir(_ context.Context, name string) syscall.Errno { return n.remove(name) }

func (n *node) remove(name string) syscall.Errno {
	return n.disk.change(func() syscall.Errno {
		child := n.inode.names[name]
		if child == nil {
			return syscall.ENOENT
		}
		if len(child.names) > 0 {
			return syscall.ENOTEMPTY
		}
		child.leave()
		return 0
	})
}

// Rename implements fs.NodeRenamer.
func (n *node) Rename(_ context.Context, name string, parent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	return n.disk.change(func() syscall.Errno {
		to, ok := parent.(*node)
		child := n.inode.names[name]
		if !ok || flags != 0 {
			return syscall.EINVAL
		}
		if child == nil {
			return syscall.ENOENT
		}
		if old := to.inode.names[newName]; old != nil && len(old.names) > 0 {
			return syscall.ENOTEMPTY
		}
		to.inode.put(newName, child)
		return 0
	})
}

// Open implements fs.NodeOpener.
//
//nolint:ireturn // as go-fuse has it
func (n *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return handleFor(flags), 0, n.disk.look(func() syscall.Errno { return 0 })
}

// Read implements fs.NodeReader.
//
//nolint:ireturn // as go-fuse has it
func (n *node) Read(_ context.Context, _ fs.FileHandle, dest []byte, from int64) (fuse.ReadResult, syscall.Errno) {
	read := 0
	errno := n.disk.look(func() syscall.Errno {
		if from < int64(len(n.inode.data)) {
			read = copy(dest, n.inode.data[from:])
		}
		return 0
	})
	return fuse.ReadResultData(dest[:read]), errno
}

// Write implements fs.NodeWriter. Every write comes here, because the mount asks neither for the kernel's write-back cache nor for
// its pass-through.
func (n *node) Write(_ context.Context, f fs.FileHandle, data []byte, to int64) (uint32, syscall.Errno) {
	errno := n.disk.change(func() syscall.Errno {
		n.inode.write(data, int(to))
		if h, ok := f.(handle); ok && h.syncs {
			n.disk.sync(n.inode)
		}
		return 0
	})
	return uint32(len(data)), errno //nolint:gosec // at most MaxWrite
}

// Fsync implements fs.NodeFsyncer, for files and folders, and for fdatasync too.
func (n *node) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return n.disk.change(func() syscall.Errno {
		n.disk.sync(n.inode)
		return 0
	})
}
