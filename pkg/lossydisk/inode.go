package lossydisk

import (
	"math/rand/v2"
	"slices"
)

// inode is a file or a folder, as it is and as it was last kept. There are no hard links, so it has one name at most.
type inode struct {
	id uint64

	data, kept []byte // of a file
	clean      int    // that many bytes from the start are as kept

	names, keptNames map[string]*inode // of a folder, else nil

	at, keptAt place
}

// place is where an inode is; folder is nil for what was removed, and for the root.
type place struct {
	folder *inode
	name   string
}

func newFolder(id uint64) *inode {
	return &inode{id: id, names: map[string]*inode{}, keptNames: map[string]*inode{}}
}

func (n *inode) isFolder() bool { return n.names != nil }

// put gives a child a name, which it takes from whoever has it, and loses its old one.
func (n *inode) put(name string, child *inode) {
	child.leave()
	if old := n.names[name]; old != nil {
		old.leave()
	}
	n.names[name] = child
	child.at = place{folder: n, name: name}
}

func (n *inode) leave() {
	if n.at.folder != nil {
		delete(n.at.folder.names, n.at.name)
	}
	n.at = place{}
}

// write changes bytes of a file, which grows as needed.
func (n *inode) write(data []byte, from int) {
	if end := from + len(data); end > len(n.data) {
		n.resize(end)
	}
	n.clean = min(n.clean, from)
	copy(n.data[from:], data)
}

// resize cuts a file or fills it up with zeros.
func (n *inode) resize(size int) {
	n.clean = min(n.clean, size)
	if size > len(n.data) {
		n.data = append(n.data, make([]byte, size-len(n.data))...)
	}
	n.data = n.data[:size]
}

// keep keeps what a file holds, or which names a folder has.
func (n *inode) keep() {
	if !n.isFolder() {
		n.kept = append(n.kept[:n.clean], n.data[n.clean:]...)
		n.clean = len(n.data)
		return
	}
	for name, child := range n.keptNames {
		if child.at.folder == nil {
			delete(n.keptNames, name)
		} else {
			child.keepName()
		}
	}
	for _, child := range n.names {
		child.keepName()
	}
}

// keepName keeps the inode's name. A rename is one act: the old name goes when the new one is kept.
func (n *inode) keepName() {
	if was := n.keptAt; was.folder != nil && was.folder.keptNames[was.name] == n {
		delete(was.folder.keptNames, was.name)
	}
	n.at.folder.keptNames[n.at.name] = n
	n.keptAt = n.at
}

// survivor is what is left of an inode after a power cut.
func (n *inode) survivor(torn *rand.Rand) *inode {
	if !n.isFolder() {
		found := slices.Clone(n.kept)
		if more := n.data[n.clean:]; torn != nil && len(more) > 0 {
			end := n.clean + torn.IntN(len(more)+1)
			found = slices.Concat(n.kept[:n.clean], n.data[n.clean:end], n.kept[min(end, len(n.kept)):])
		}
		return &inode{id: n.id, data: found, kept: slices.Clone(found), clean: len(found)}
	}
	s := newFolder(n.id)
	for name, child := range n.keptNames {
		s.put(name, child.survivor(torn))
	}
	s.keep()
	return s
}
