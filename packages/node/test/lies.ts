/** One change of a JSON value: where, in words that many places share, and what the whole becomes. */
export interface Lie {
  /** `result.logs[].topics[]`: indexes are left out. */
  place: string
  way: string
  result: unknown
}

/** Every single change that `waysOf` knows of every value within a JSON value, itself included. */
export function* liesOf(value: unknown): Generator<Lie> {
  yield* changesIn(value, 'result', (result) => result)
}

function* changesIn(
  value: unknown,
  place: string,
  whole: (changed: unknown) => unknown,
): Generator<Lie> {
  for (const [way, changed] of waysOf(value)) yield { place, way, result: whole(changed) }
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      yield* changesIn(item, `${place}[]`, (changed) => whole(value.with(index, changed)))
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, item] of Object.entries(value)) {
      yield* changesIn(item, `${place}.${name}`, (changed) => whole({ ...value, [name]: changed }))
    }
  }
}

function* waysOf(value: unknown): Generator<[way: string, changed: unknown]> {
  if (value !== null) yield ['null', null]
  if (typeof value === 'string' && /^0x[0-9a-f]+$/i.test(value)) {
    const last = Number.parseInt(value.slice(-1), 16)
    yield ['last digit', `${value.slice(0, -1)}${((last + 1) % 16).toString(16)}`]
    const first = Number.parseInt(value[2] ?? '0', 16)
    yield ['first digit', `0x${((first + 1) % 16).toString(16)}${value.slice(3)}`]
    yield ['cut', value.slice(0, -2)]
    yield ['longer', `${value}01`]
  } else if (typeof value === 'string') {
    yield ['other text', `${value}0x01`]
  } else if (typeof value === 'boolean') {
    yield ['opposite', !value]
  } else if (typeof value === 'number') {
    yield ['one more', value + 1]
  } else if (Array.isArray(value)) {
    if (value.length > 0) {
      yield ['first left out', value.slice(1)]
      yield ['last left out', value.slice(0, -1)]
      yield ['one twice', [...value, value[0]]]
      yield ['none', []]
    }
    if (value.length > 1) yield ['turned round', value.toReversed()]
  } else if (value === null) {
    yield ['invented', '0x01']
  }
}
