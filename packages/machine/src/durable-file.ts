import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** Replaces a small file as a whole: after this returns, a power cut leaves the new content; before, the old. */
export function writeDurably(path: string, content: string | Uint8Array, mode = 0o644): void {
  const scratch = `${path}.new`
  const descriptor = openSync(scratch, 'w', mode)
  try {
    writeSync(descriptor, Buffer.from(content))
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(scratch, path)
  syncFolder(dirname(path))
}

/** Makes created, renamed and removed names of a folder survive a power cut. */
export function syncFolder(folder: string): void {
  // Windows cannot open a folder; NTFS journals its names by itself.
  if (process.platform === 'win32') return
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
