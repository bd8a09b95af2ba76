import { type Hex, toRlp } from 'viem'
import { describe, expect, test } from 'vitest'
import { readReceipts } from '../../src/proof/block-receipts.ts'

const bloom: Hex = `0x${'00'.repeat(256)}`
const log = { address: `0x${'11'.repeat(20)}`, topics: [`0x${'22'.repeat(32)}`], data: '0x33' }
const receipt = (type: string) => ({
  type,
  status: '0x1',
  cumulativeGasUsed: '0x5208',
  logsBloom: bloom,
  logs: [log],
})

describe('a receipt', () => {
  test.each(['0x0', '0x1', '0x2', '0x3', '0x4'])(
    'of type %s is encoded as Ethereum does',
    (type) => {
      const body = toRlp(['0x01', '0x5208', bloom, [[log.address, log.topics, log.data]]] as never)
      const [read] = readReceipts([receipt(type)]) ?? []
      expect(read?.encoded).toBe(type === '0x0' ? body : `0x0${type.slice(2)}${body.slice(2)}`)
    },
  )

  test('ATK a type that holds the beginning of another receipt is none', () => {
    // What an RPC would say: all of a true receipt but its end, which was made to read as a receipt of its own.
    const inner = toRlp(['0x01', '0x5208', bloom, []] as never)
    const outer = toRlp(['0x01', '0x5208', bloom, [[log.address, log.topics, inner]]] as never)
    const lie = { ...receipt(`0x02${outer.slice(2, -(inner.length - 2))}`), logs: [] }
    expect(readReceipts([lie])).toBeUndefined()
    for (const type of ['0x5', '0x7f', '0x0201'])
      expect(readReceipts([receipt(type)])).toBeUndefined()
  })
})
