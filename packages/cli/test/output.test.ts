import { expect, test } from 'vitest'
import { printable } from '../src/output.ts'

test('ATK what others wrote commands no terminal and turns no line', () => {
  expect(printable('pay \u001b[8m1\u009b2K\rfree \u202Eeerf\u2069')).toBe(
    'pay ?[8m1?2K?free ?eerf?',
  )
  const usual = 'a table\twith ümläuts, 🚤\r\nand lines\n'
  expect(printable(usual)).toBe(usual)
})
