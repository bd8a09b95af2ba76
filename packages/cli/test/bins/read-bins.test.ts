import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readBins } from '../../src/bins/read-bins.ts'
import { londonTime } from '../../src/london-time.ts'

const folder = mkdtempSync(join(tmpdir(), 'liquefy-bins-'))
afterAll(() => rmSync(folder, { recursive: true }))

const HEADING =
  'collection_id,site_id,site_name,collected_at_europe_london,fill_before_pct,fill_after_pct,volume_litres,weight_kg'
const shared = process.env.LIQUEFY_SHARED ?? resolve(import.meta.dirname, '../../../../../shared')
const EDINBURGH = join(shared, 'data/bins/edinburgh_2016-06.csv')

function file(...rows: string[]): string {
  const path = join(folder, `${Math.random()}.csv`)
  writeFileSync(path, [HEADING, ...rows].join('\n'))
  return path
}

test('rows come in order of time, in whole millilitres and grams, roundings counted', async () => {
  const bins = await readBins(
    file(
      '2,7,"Road, by the bridge",2016-06-30T23:47:56,97,0,87.212643999999997,6.1048850000000003',
      '1,7,"Road, by the bridge",2016-06-03T13:23:26,10,0,1.0005,1.0015',
      '3,8,Park,2016-06-22T03:52:29,0,0,0,0',
    ),
  )
  expect(bins).toMatchObject({ rows: 3, quarantined: {}, roundedToUnit: 4 })
  expect(
    bins.collections.map(({ collectionId, volumeMl, massG }) => [collectionId, volumeMl, massG]),
  ).toEqual([
    ['1', 1_000n, 1_002n],
    ['3', 0n, 0n],
    ['2', 87_213n, 6_105n],
  ])
  expect(bins.collections[0]?.collectedMs).toBe(Date.parse('2016-06-03T12:23:26Z'))
})

describe('what is not billed is quarantined with its reason', () => {
  const good = '1,7,Road,2016-06-30T23:47:56,97,0,87.2,6.1'
  test.each([
    ['ROW_MALFORMED', '1,7,Road,2016-06-30T23:47:56,97,0,87.2'],
    ['FIELD_MISSING', '1,7,Road,2016-06-30T23:47:56,97,0,,6.1'],
    ['NUMBER_INVALID', '1,7,Road,2016-06-30T23:47:56,97,0,1e3,6.1'],
    ['NUMBER_INVALID', '1,7,Road,2016-06-30T23:47:56,97,0,87.2,-6.1'],
    ['NUMBER_INVALID', '1,7,Road,2016-06-30T23:47:56,NaN,0,87.2,6.1'],
    ['TIME_INVALID', '1,7,Road,30/06/2016 23:47,97,0,87.2,6.1'],
    ['TIME_INVALID', '1,7,Road,2016-02-30T23:47:56,97,0,87.2,6.1'],
    ['TIME_INVALID', '1,7,Road,2016-03-27T01:30:00,97,0,87.2,6.1'],
    ['TIME_AMBIGUOUS', '1,7,Road,2016-10-30T01:30:00,97,0,87.2,6.1'],
    ['FILL_OUT_OF_RANGE', '1,7,Road,2016-06-30T23:47:56,101,0,87.2,6.1'],
    ['FILL_ROSE', '1,7,Road,2016-06-30T23:47:56,10,20,87.2,6.1'],
    ['VOLUME_MISSING', '1,7,Road,2016-06-30T23:47:56,100,0,0,0'],
    ['MASS_MISSING', '1,7,Road,2016-06-30T23:47:56,97,0,87.2,0'],
    ['IMPLAUSIBLE', '1,7,Road,2016-06-30T23:47:56,97,0,2000.001,6.1'],
  ])('%s: %s', async (code, row) => {
    const bins = await readBins(file(row))
    expect(bins).toMatchObject({ rows: 1, collections: [], quarantined: { [code]: 1 } })
  })

  test('DUPLICATE_ID: the first stays', async () => {
    const bins = await readBins(file(good, good.replace('97', '96')))
    expect(bins).toMatchObject({ rows: 2, quarantined: { DUPLICATE_ID: 1 } })
    expect(bins.collections).toHaveLength(1)
  })
})

test('a file without its columns, and one that is not there, say what to do', async () => {
  const path = join(folder, 'other.csv')
  writeFileSync(path, 'a,b\n1,2\n')
  await expect(readBins(path)).rejects.toMatchObject({ code: 'COLUMNS_MISSING' })
  await expect(readBins(join(folder, 'none.csv'))).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
  })
})

test('local time of London: winter, summer', () => {
  expect(londonTime('2016-01-01T00:00:00')).toEqual({ ok: true, timeMs: Date.UTC(2016, 0, 1) })
  expect(londonTime('2016-07-01T00:00:00')).toEqual({ ok: true, timeMs: Date.UTC(2016, 5, 30, 23) })
})

test.runIf(existsSync(EDINBURGH) || process.env.CI)(
  'Edinburgh, June 2016: every row is accounted for',
  async () => {
    const bins = await readBins(EDINBURGH)
    expect(bins.rows).toBe(3_528)
    expect(bins.collections.length + 1).toBe(bins.rows)
    expect(bins.quarantined).toEqual({ VOLUME_MISSING: 1 })
    expect(new Set(bins.collections.map(({ siteId }) => siteId)).size).toBe(323)
  },
)
