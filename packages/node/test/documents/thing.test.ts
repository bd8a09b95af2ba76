import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { types as aas, jsonization, verification } from '@aas-core-works/aas-core3.0-typescript'
import type { AasElement, Machine, ShellEnvironment, ThingForm } from '@liquefy/client'
import type { Reading, SenmlValue } from '@liquefy/protocol'
import { describe, expect, test } from 'vitest'
import { vectorsFolder } from '../../../protocol/test/trust/shared-vectors.ts'
import { valueFields, valueJson, valueSchema } from '../../src/documents/thing/newest-value.ts'
import { shellEnvironment } from '../../src/documents/thing/shell.ts'
import { thingDescription } from '../../src/documents/thing/thing-description.ts'
import { thingDirectory } from '../../src/documents/thing/thing-directory.ts'
import type { ThingInput, ThingStream } from '../../src/documents/thing/thing-input.ts'
import { judgedModels, problemsOf, readTdVectors } from '../thing-checks.ts'

const KEY = { keyId: '0x01', curve: 'P-256', epoch: '1', x: '0x02', y: '0x03' } as const

const decimal = (mantissa: bigint, exponent = 0): SenmlValue => ({
  kind: 'decimal',
  mantissa,
  exponent,
})
const reading = (
  value: SenmlValue,
  { name = 'level', unit, timeMs = 1_760_000_000_000 }: Partial<Reading> = {},
): Reading => ({ name, unit, timeMs, value })

const streamOf = (stream: string, ...readings: Reading[]): ThingStream => ({
  stream,
  firstMs: 1_760_000_000_000,
  lastMs: 1_760_000_060_000,
  fields: valueFields(readings),
})

function inputOf(machine: Partial<Machine>, ...streams: ThingStream[]): ThingInput {
  return {
    machine: {
      machineId: '7',
      name: 'Silo 7',
      owner: `0x${'ab'.repeat(20)}`,
      state: 'active',
      controller: null,
      key: KEY,
      agreements: [],
      did: null,
      credential: null,
      ...machine,
    },
    streams,
    deployment: {
      chainId: 31_337,
      registry: `0x${'cd'.repeat(20)}`,
      mqttUrl: 'mqtt://127.0.0.1:1883',
    },
    origin: 'http://127.0.0.1:4280',
  }
}

const MANY = Array.from({ length: 300 }, (_, index) =>
  streamOf(`s${index}`, reading(decimal(BigInt(index)), { name: `s${index}`, unit: 'kW' })),
)
const ODD_NAME = `"<\u0000\u0007 \ud800 Ø 漢字 ${'x'.repeat(40)}`
const POSITION = streamOf(
  'position',
  reading(decimal(535_180_000n, -7), { name: 'position', unit: 'lat' }),
  reading(decimal(99_890_000n, -7), { name: 'position', unit: 'lon' }),
)
const STRANGE = streamOf(
  'odd-one',
  reading({ kind: 'string', value: '\u0001 on' }, { name: '__proto__', unit: 'x\u0002y' }),
  reading({ kind: 'boolean', value: false }, { name: 'a/b' }),
  reading({ kind: 'float', value: 1e-300 }, { name: 'a_b', unit: 'furlong' }),
)

const CASES: [string, ThingInput][] = [
  ['without streams', inputOf({})],
  ['with one', inputOf({}, streamOf('level', reading(decimal(12_345n, -3), { unit: 'kg' })))],
  ['that another signs for', inputOf({ controller: '3', key: null }, POSITION)],
  ['suspended', inputOf({ state: 'suspended' }, POSITION)],
  ['decommissioned', inputOf({ state: 'decommissioned' }, POSITION)],
  ['whose key was revoked', inputOf({ key: null }, POSITION)],
  ['on the other curve', inputOf({ key: { ...KEY, curve: 'secp256k1' } })],
  ['with an odd name', inputOf({ name: ODD_NAME }, STRANGE)],
  ['with many streams', inputOf({}, ...MANY)],
  [
    'with a huge id',
    inputOf({ machineId: String(2n ** 255n), controller: String(2n ** 254n) }, POSITION),
  ],
  [
    'with many agreements',
    inputOf({
      agreements: Array.from(
        { length: 250 },
        (_, i): `0x${string}` => `0x${String(i).padStart(64, '0')}`,
      ),
    }),
  ],
]

describe('Thing Description', () => {
  test.each(CASES)('of a machine %s is one by the schema of W3C', (_, input) => {
    expect(problemsOf(thingDescription(input))).toEqual([])
  })

  test('the description of the node itself is one too', () => {
    expect(problemsOf(thingDirectory(inputOf({})))).toEqual([])
  })

  test('the schema judges the vectors of W3C as they say', () => {
    const vectors = readTdVectors()
    if (!vectors) return
    expect(vectors.validTDs.length).toBeGreaterThan(0)
    expect(vectors.invalidTDs.length).toBeGreaterThan(0)
    for (const thing of vectors.validTDs) expect(problemsOf(thing)).toEqual([])
    for (const thing of vectors.invalidTDs) expect(problemsOf(thing)).not.toEqual([])
  })

  test('the schema of models judges the vectors of W3C as they say', () => {
    const models = judgedModels()
    if (!models) return
    expect(models.right).toEqual(Array(13).fill(true))
    expect(models.wrong).toEqual(Array(7).fill(false))
  })

  test('a unit is a code of UCUM and says so, or is what the machine calls it', () => {
    const { properties } = thingDescription(
      inputOf(
        {},
        streamOf('heat', reading(decimal(1n), { unit: 'kWh' })),
        streamOf('way', reading(decimal(1n), { unit: 'furlong' })),
        streamOf('plain', reading(decimal(1n))),
      ),
    )
    expect(properties?.heat).toMatchObject({ unit: 'kW.h', 'qudt:ucumCode': 'kW.h' })
    expect(properties?.way).toMatchObject({ unit: 'furlong' })
    expect(properties?.way).not.toHaveProperty('qudt:ucumCode')
    expect(properties?.plain).not.toHaveProperty('unit')
  })

  test('only a machine that signs for itself and still may has what its key opens', () => {
    const has = (machine: Partial<Machine>) =>
      thingDescription(inputOf(machine)).actions?.submitEnvelope !== undefined
    expect(has({})).toBe(true)
    expect(has({ state: 'suspended' })).toBe(true)
    expect(has({ controller: '3', key: null })).toBe(false)
    expect(has({ key: null })).toBe(false)
    expect(has({ state: 'decommissioned' })).toBe(false)
  })

  test('every security that a form names is defined, and none is defined for nothing', () => {
    for (const [, input] of CASES) {
      const thing = thingDescription(input)
      const affordances = [thing.properties, thing.actions, thing.events].flatMap((each) =>
        Object.values(each ?? {}),
      )
      const named = affordances.flatMap(({ forms }) =>
        (forms as ThingForm[]).map(({ security }) => security),
      )
      expect(new Set(named.map((one) => one ?? thing.security))).toEqual(
        new Set(Object.keys(thing.securityDefinitions)),
      )
    }
  })

  test('its version changes with what it says, and with nothing else', () => {
    const one = thingDescription(inputOf({}, POSITION))
    expect(
      thingDescription(inputOf({}, { ...POSITION, lastMs: 1_760_000_090_000 })).version,
    ).toEqual(one.version)
    expect(thingDescription(inputOf({ name: 'Other' }, POSITION)).version).not.toEqual(one.version)
  })

  test('it links the newest hundred agreements', () => {
    const agreements = CASES.at(-1)?.[1].machine.agreements ?? []
    const { links } = thingDescription(inputOf({ agreements }))
    const linked = links?.filter(({ rel }) => rel === 'urn:liquefy:rel:agreement') ?? []
    expect(linked).toHaveLength(100)
    expect(linked.at(-1)?.href).toBe(`/v1/agreements/${agreements.at(-1)}`)
  })
})

describe('the value of a stream', () => {
  test('is exact where a number of JavaScript is not', () => {
    const fields = valueFields([reading(decimal(12_345_678_901_234_567_890n, -3))])
    expect(valueJson(fields)).toBe('12345678901234567.890')
    expect(valueJson(valueFields([reading(decimal(-5n, 3))]))).toBe('-5000')
  })

  test('is the last of its envelope, of each thing that the stream measures', () => {
    const fields = valueFields([
      reading(decimal(1n), { name: 'a' }),
      reading(decimal(2n), { name: 'b', unit: 'V' }),
      reading(decimal(3n), { name: 'a' }),
      reading({ kind: 'none' }, { name: 'c' }),
    ])
    expect(JSON.parse(valueJson(fields))).toEqual({ a: 3, b: 2 })
    expect(valueSchema(fields)).toEqual({
      type: 'object',
      properties: { a: { type: 'number' }, b: { type: 'number', unit: 'V', 'qudt:ucumCode': 'V' } },
      required: ['a', 'b'],
    })
  })

  test('names what only the unit tells apart by its unit, and what needs both by both', () => {
    expect(POSITION.fields.map(({ key }) => key)).toEqual(['lat', 'lon'])
    const mixed = valueFields([
      reading(decimal(1n), { name: 'a', unit: 'V' }),
      reading(decimal(1n), { name: 'a', unit: 'A' }),
      reading(decimal(1n), { name: 'b', unit: 'A' }),
    ])
    expect(mixed.map(({ key }) => key)).toEqual(['a V', 'a A', 'b A'])
  })

  test('ATK a name that is one of JavaScript itself is a name like any other', () => {
    const { fields } = STRANGE
    expect(Object.keys(JSON.parse(valueJson(fields)))).toEqual(['__proto__', 'a/b', 'a_b'])
    expect(Object.keys(valueSchema(fields).properties ?? {})).toEqual(['__proto__', 'a/b', 'a_b'])
  })
})

/** What the SDK of the metamodel says against an environment. It reads past what it does not know: that shows when it writes what it read. */
function aasProblems(json: unknown): string[] {
  const read = jsonization.environmentFromJsonable(json as jsonization.JsonValue)
  if (read.error) return [read.error.message]
  const environment = read.mustValue()
  const found = [...verification.verify(environment)].map(
    ({ path, message }) => `${String(path)}: ${message}`,
  )
  const isWhole = isDeepStrictEqual(jsonization.toJsonable(environment), json)
  return isWhole ? found : [...found, 'something in it is unknown to the metamodel']
}

const plain = (environment: ShellEnvironment) => JSON.parse(JSON.stringify(environment)) as object

describe('Asset Administration Shell', () => {
  test.each(CASES)('of a machine %s is one by the SDK of the metamodel', (_, input) => {
    expect(aasProblems(plain(shellEnvironment(input)))).toEqual([])
  })

  test('all that it refers to is in it', () => {
    for (const [, input] of CASES) {
      const json = plain(shellEnvironment(input)) as jsonization.JsonValue
      const environment = jsonization.environmentFromJsonable(json).mustValue()
      const ids = new Set([...(environment.submodels ?? [])].map(({ id }) => id))
      const [shell] = environment.assetAdministrationShells ?? []
      expect(shell?.submodels?.map(({ keys }) => keys[0]?.value)).toEqual([...ids])
      const meant = new Set<string | undefined>()
      for (const element of environment.descend()) {
        if (aas.isProperty(element)) meant.add(element.semanticId?.keys[0]?.value)
      }
      for (const { id } of environment.conceptDescriptions ?? []) expect(meant).toContain(id)
    }
  })

  test('a nameplate has the five elements that the template asks for, and a value only of what is known', () => {
    const elements = elementsOf(shellEnvironment(inputOf({})), 'Nameplate')
    expect(elements.map(({ idShort, value }) => [idShort, value])).toEqual([
      ['URIOfTheProduct', `urn:caip-19:eip155:31337/erc721:0x${'cd'.repeat(20)}/7`],
      ['ManufacturerName', undefined],
      ['ManufacturerProductDesignation', undefined],
      ['AddressInformation', undefined],
      ['OrderCodeOfManufacturer', undefined],
    ])
  })

  test('a nameplate says what the maker says, while that is good, under the DID', () => {
    const did = `did:ethr:0x7a69:0x${'ef'.repeat(20)}`
    const credential = {
      manufacturer: 'Pumpwerk AG',
      model: 'P 7',
      serial: 'SN-7',
      state: 'valid',
    } as Machine['credential'] & object
    const valuesOf = (state: typeof credential.state) => {
      const input = inputOf({ did, credential: { ...credential, state } })
      const values = elementsOf(shellEnvironment(input), 'Nameplate').map(({ value }) => value)
      return JSON.stringify(values)
    }
    expect(thingDescription(inputOf({ did, credential })).id).toBe(did)
    for (const word of [did, 'Pumpwerk AG', 'P 7', 'SN-7'])
      expect(valuesOf('valid')).toContain(word)
    for (const word of ['Pumpwerk AG', 'P 7', 'SN-7'])
      expect(valuesOf('revoked')).not.toContain(word)
    expect(aasProblems(plain(shellEnvironment(inputOf({ did, credential }))))).toEqual([])
  })

  test('each stream has a segment, and each thing measured its unit', () => {
    const environment = shellEnvironment(inputOf({}, POSITION, STRANGE))
    const segments = elementsOf(environment, 'TimeSeries')[1]?.value as AasElement[]
    expect(segments.map(({ idShort }) => idShort)).toEqual([
      'LinkedSegment_position',
      'LinkedSegment_odd_one',
    ])
    const contents = environment.conceptDescriptions?.map((concept) => {
      const [one] = concept.embeddedDataSpecifications as {
        dataSpecificationContent: { dataType: string; unit?: string }
      }[]
      return [one?.dataSpecificationContent.dataType, one?.dataSpecificationContent.unit]
    })
    expect(contents).toEqual([
      ['REAL_MEASURE', 'lat'],
      ['REAL_MEASURE', 'lon'],
      ['STRING', 'x\ufffdy'],
      ['BOOLEAN', undefined],
      ['REAL_MEASURE', 'furlong'],
    ])
  })

  test('a shell that breaks a rule of the metamodel is refused: the check checks', () => {
    const { assetAdministrationShells, submodels } = shellEnvironment(inputOf({}))
    const broken = submodels.map((submodel) => ({ ...submodel, idShort: '7 silos' }))
    expect(aasProblems({ assetAdministrationShells, submodels: broken })).not.toEqual([])
    expect(aasProblems({ submodels: 'none' })).not.toEqual([])
  })

  test('the SDK judges the test data of the metamodel as they say', () => {
    const folder = vectorsFolder('aas')
    if (!folder) return
    const out = mkdtempSync(join(tmpdir(), 'liquefy-aas-'))
    try {
      const wrong: string[] = []
      let judged = 0
      for (const [archive, isExpected] of [
        ['expected_half.tgz', true],
        ['unexpected_half.tgz', false],
      ] as const) {
        const into = mkdtempSync(join(out, 'half-'))
        execFileSync('tar', ['xzf', join(folder, archive), '-C', into])
        for (const file of readdirSync(into, { recursive: true, encoding: 'utf8' })) {
          if (!file.endsWith('.json') || !file.includes('Environment')) continue
          const json: unknown = JSON.parse(readFileSync(join(into, file), 'utf8'))
          const isAccepted = aasProblems(json).length === 0
          judged += 1
          if (isAccepted !== isExpected) wrong.push(file)
        }
      }
      expect(judged).toBeGreaterThan(2_000)
      expect(wrong).toEqual([])
    } finally {
      rmSync(out, { recursive: true })
    }
  })
})

function elementsOf(environment: ShellEnvironment, idShort: string): AasElement[] {
  const submodel = environment.submodels.find((one) => one.idShort === idShort)
  return submodel?.submodelElements as AasElement[]
}
