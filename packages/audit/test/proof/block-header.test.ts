import { type Hex, zeroAddress, zeroHash } from 'viem'
import { describe, expect, test } from 'vitest'
import { readHeader } from '../../src/proof/block-header.ts'

/** Block 0 of Ethereum, as every client has it. */
const GENESIS = {
  number: '0x0',
  parentHash: zeroHash,
  sha3Uncles: '0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347',
  miner: zeroAddress,
  stateRoot: '0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544',
  transactionsRoot: '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421',
  receiptsRoot: '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421',
  logsBloom: `0x${'00'.repeat(256)}`,
  difficulty: '0x400000000',
  gasLimit: '0x1388',
  gasUsed: '0x0',
  timestamp: '0x0',
  extraData: '0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa',
  mixHash: zeroHash,
  nonce: '0x0000000000000042',
} satisfies Record<string, Hex>
const GENESIS_HASH = '0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3'

describe('the hash of a block', () => {
  test('is computed from its header alone: block 0 of Ethereum', () => {
    expect(readHeader({ ...GENESIS, hash: zeroHash, size: '0x0' })).toMatchObject({
      hash: GENESIS_HASH,
      number: 0n,
      seconds: 0,
    })
  })

  test.each(Object.keys(GENESIS))('changes with %s', (name) => {
    const value = GENESIS[name as keyof typeof GENESIS]
    const last = Number.parseInt(value.slice(-1), 16) ^ 1
    const changed = { ...GENESIS, [name]: `${value.slice(0, -1)}${last.toString(16)}` }
    const header = readHeader(changed)
    expect(header).toBeDefined()
    expect(header?.hash).not.toBe(GENESIS_HASH)
  })

  test.each(Object.keys(GENESIS))('needs %s', (name) => {
    expect(readHeader({ ...GENESIS, [name]: undefined })).toBeUndefined()
    expect(readHeader({ ...GENESIS, [name]: '0xzz' })).toBeUndefined()
  })

  test('of nothing is none', () => {
    for (const answer of [null, undefined, 7, 'block', []]) {
      expect(readHeader(answer)).toBeUndefined()
    }
  })
})
