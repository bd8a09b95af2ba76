import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type JournalBlock, openJournal } from '../../src/chain/journal.ts'
import { newDataDir } from './support.ts'

const block = (number: number): JournalBlock => ({
  number,
  timestamp: 1_000 + number,
  transactions: [`0x0${number}`, '0xff'],
})

async function collect(blocks: AsyncGenerator<JournalBlock>): Promise<JournalBlock[]> {
  const all: JournalBlock[] = []
  for await (const one of blocks) all.push(one)
  return all
}

async function threeBlocks() {
  const folder = await newDataDir()
  const path = join(folder, 'journal.jsonl')
  const journal = await openJournal(path, folder)
  for (const number of [1, 2, 3]) await journal.append(block(number))
  await journal.close()
  return { folder, path }
}

test('blocks are read again as they were written', async () => {
  const { folder, path } = await threeBlocks()
  const journal = await openJournal(path, folder)
  expect(await collect(journal.blocksFrom(0))).toEqual([block(1), block(2), block(3)])
  expect(journal.position().number).toBe(3)
  expect(journal.lastTimestamp()).toBe(1_003)
  expect(journal.cutBytes).toBe(0)
  await journal.close()
})

test('a torn last line is cut off at every byte, and the next block follows', async () => {
  const { folder, path } = await threeBlocks()
  const whole = await readFile(path)
  const second = whole.indexOf('\n', whole.indexOf('\n') + 1) + 1
  for (let end = second + 1; end < whole.length; end += 7) {
    await writeFile(path, whole.subarray(0, end))
    const journal = await openJournal(path, folder)
    expect(journal.cutBytes).toBe(end - second)
    expect(journal.position().number).toBe(2)
    await journal.append(block(3))
    await journal.close()
    expect(await readFile(path)).toEqual(whole)
  }
})

test('a last line of zeros, as a power cut may leave, is cut off', async () => {
  const { folder, path } = await threeBlocks()
  await appendFile(path, Buffer.concat([Buffer.alloc(40), Buffer.from('\n')]))
  const journal = await openJournal(path, folder)
  expect([journal.cutBytes, journal.position().number]).toEqual([41, 3])
  await journal.close()
})

test('damage before the end is told, never skipped', async () => {
  const { folder, path } = await threeBlocks()
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace('"number":2', '"number":x'))
  await expect(openJournal(path, folder)).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' })
  await writeFile(path, text.replace('"number":2', '"number":7'))
  await expect(openJournal(path, folder)).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' })
})

test('a position is a prefix of its own journal only', async () => {
  const { folder, path } = await threeBlocks()
  const journal = await openJournal(path, folder)
  const position = journal.position()
  await journal.append(block(4))
  expect(await journal.hasPrefix(position)).toBe(true)
  expect(await journal.hasPrefix({ ...position, sha256: '00' })).toBe(false)
  await journal.close()
  await truncate(path, 0)
  const other = await openJournal(path, folder)
  expect(await other.hasPrefix(position)).toBe(false)
  await other.close()
})
