import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CREDENTIAL_REFUSALS } from '../src/index.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const page = readFileSync(join(root, 'docs', 'protocol', 'credential.md'), 'utf8')

test('the codes are those of docs/protocol/credential.md, in its order, and the reverse', () => {
  const [, table = ''] = page.split('## Codes')
  const written = [...table.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code)
  expect(Object.keys(CREDENTIAL_REFUSALS)).toEqual(written)
})

test('each has words that a page can show', () => {
  for (const words of Object.values(CREDENTIAL_REFUSALS)) expect(words).toMatch(/^[A-Z].+\.$/)
})
