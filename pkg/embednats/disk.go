package embednats

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Free is how many bytes the disk that holds a folder has left for this user, and how many it has in all.
func Free(dir string) (uint64, uint64, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return 0, 0, fmt.Errorf("read the free space of %s: %w", dir, err)
	}
	block := uint64(disk.Bsize)                                          //nolint:gosec // a block's size is positive
	return uint64(disk.Bavail) * block, uint64(disk.Blocks) * block, nil //nolint:unconvert // the types differ by system
}
