// SPDX-License-Identifier: Apache-2.0
// Removing a folder with all that is in it.
#ifndef OHMI_TREE_H
#define OHMI_TREE_H

// Removes a file or a folder with everything in it, at most 64 levels; links are removed, not
// followed. Returns 0 when nothing of it is left.
int ohmi_tree_remove(const char *path);

#endif
