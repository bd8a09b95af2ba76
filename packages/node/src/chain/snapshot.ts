import { open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Hex } from 'viem'
import type { JournalPosition } from './journal.ts'

/** The chain's state after the first `position.number` blocks, so that a start need not replay them. */
export interface Snapshot {
  position: JournalPosition
  /** Hash of that block. */
  hash: Hex
  /** As anvil dumps it. */
  state: Hex
}

const FILE = 'snapshot'

/** Replaces the folder's snapshot; whole or not at all. */
export async function writeSnapshot(folder: string, snapshot: Snapshot): Promise<void> {
  const draft = join(folder, `${FILE}.new`)
  const { state, ...head } = snapshot
  const file = await open(draft, 'w', 0o600)
  try {
    await file.writeFile(`${JSON.stringify(head)}\n${state}`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, join(folder, FILE))
}

/** The folder's snapshot, if there is one that can be read. The journal decides whether it is of any use. */
export async function readSnapshot(folder: string): Promise<Snapshot | undefined> {
  try {
    const text = await readFile(join(folder, FILE), 'utf8')
    const end = text.indexOf('\n')
    return { ...JSON.parse(text.slice(0, end)), state: text.slice(end + 1) } as Snapshot
  } catch {
    return undefined
  }
}

export async function dropSnapshot(folder: string): Promise<void> {
  await rm(join(folder, FILE), { force: true })
}
