import { expect, test } from 'vitest'
import { publicProblem } from '../../src/api/operation-view.ts'

const id = `0x${'5a'.repeat(32)}`
const account = `0x${'0A'.repeat(20)}`

test.each([
  [`AgreementClosed(${id})`, 'AgreementClosed'],
  ['MachineNotActive(17)', 'MachineNotActive'],
  [`NotParty(${account}, (1, 2))`, 'NotParty'],
  [`Reverted with 0x1b2c3d4e${id.slice(2)}`, 'Reverted with 0x…'],
  [`insufficient funds of ${account}`, 'insufficient funds of 0x…'],
  ['HTTP request failed.', 'HTTP request failed.'],
])('INV-24 what keeps a transaction back is told without whom it concerns: %s', (error, told) => {
  expect(publicProblem(error)).toBe(told)
})
