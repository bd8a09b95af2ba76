import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { VERDICTS } from '../../src/index.ts'

const root = join(import.meta.dirname, '..', '..', '..', '..')
const page = readFileSync(join(root, 'docs', 'protocol', 'verdicts.md'), 'utf8')
const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| ([a-z ]+?) \| (yes|no|) ?\|/gm)]

describe('verdicts', () => {
  it('are those of docs/protocol/verdicts.md, in its order, and the reverse', () => {
    expect(rows.length).toBeGreaterThan(25)
    const written = rows.map(([, code, moment, counts]) => [code, moment, counts === 'yes'])
    const coded = Object.entries(VERDICTS).map(([code, verdict]) => [
      code,
      verdict.moment,
      verdict.countsAgainstSender,
    ])
    expect(coded).toEqual(written)
  })

  it('every row of the table was read', () => {
    expect(rows.length).toBe(page.split('\n').filter((line) => line.startsWith('| `')).length)
  })

  it('each has words that a page can show', () => {
    for (const { words } of Object.values(VERDICTS)) expect(words).toMatch(/^[A-Z].+\.$/)
  })
})
