import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../../..')
const textOf = (path: string) => readFileSync(join(root, path), 'utf8')
const page = textOf('docs/protocol/market.md')

/** Codes as they stand in quotes in code, and in backticks on the page. */
const CODE =
  /^(?:FIELD_FORBIDDEN|SIGNATURE_INVALID|MARKET_MISSING|GOOD_CHANGED|PART_INEXACT|SHARE_UNKNOWN|ORDER_[A-Z_]+)$/
const codesIn = (text: string, quote: string) =>
  new Set(
    [...text.matchAll(new RegExp(`${quote}([A-Z_]+)${quote}`, 'g'))]
      .map(([, code = '']) => code)
      .filter((code) => CODE.test(code)),
  )

test('every code of the market stands in docs/protocol/market.md, and the reverse', () => {
  const code = [
    'packages/protocol/src/cooperate/order.ts',
    'packages/node/src/cooperate/order-book.ts',
    'packages/node/src/api/market-routes.ts',
    'packages/client/src/market-ledger.ts',
    'packages/client/src/seen-good.ts',
  ].map(textOf)
  const inCode = codesIn(code.join('\n'), "'")
  expect(inCode.size).toBeGreaterThan(15)
  expect([...codesIn(page, '`')].sort()).toEqual([...inCode].sort())
})
