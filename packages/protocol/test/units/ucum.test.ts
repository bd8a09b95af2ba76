import ucum from '@lhncbc/ucum-lhc'
import { describe, expect, test } from 'vitest'
import { unitQuantity } from '../../src/index.ts'
import { UCUM_BY_SENML } from '../../src/units/senml.ts'

const utils = ucum.UcumLhcUtils.getInstance()
const CODES = [...new Set(UCUM_BY_SENML.values())]

describe('UCUM codes, held against the library of the U.S. National Library of Medicine', () => {
  test('every code that a SenML unit is told as is valid UCUM', () => {
    expect(CODES.length).toBeGreaterThan(60)
    const refused = CODES.filter((code) => utils.validateUnitString(code).status !== 'valid')
    expect(refused).toEqual([])
  })

  test('the library refuses what is none', () => {
    expect(utils.validateUnitString('furlongs').status).not.toBe('valid')
    expect(utils.validateUnitString('Wh').status).not.toBe('valid')
  })

  test('one of a unit is as much here as there, wherever two are of one dimension', () => {
    let compared = 0
    for (const from of CODES) {
      for (const to of CODES) {
        const [one, other] = [unitQuantity(from), unitQuantity(to)]
        if (!one || !other || one.dimension !== other.dimension) continue
        const { status, toVal, msg } = utils.convertUnitTo(from, 1, to)
        expect(status, `${from} to ${to}: ${msg}`).toBe('succeeded')
        const ratio =
          Number(one.numerator * other.denominator) / Number(one.denominator * other.numerator)
        expect((toVal ?? 0) / ratio, `${from} to ${to}`).toBeCloseTo(1, 9)
        compared += 1
      }
    }
    expect(compared).toBeGreaterThan(100)
  })
})
